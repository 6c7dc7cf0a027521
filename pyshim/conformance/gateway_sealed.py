# SPDX-License-Identifier: BSD-3-Clause
"""Against a gateway: sections 5, 9 and 11 to 13, what is sealed, how it ends, and where it moves to."""

from __future__ import annotations

import os
from collections.abc import Iterator

from pyshim.conformance import bodies, layout
from pyshim.conformance.as_client import Player
from pyshim.conformance.checks import Check
from pyshim.conformance.layout import Data, Kind, Message
from pyshim.conformance.loop import Script, Steps
from pyshim.conformance.peer import PATIENCE_S, SILENCE_S, StoppedError, Traffic, Want
from pyshim.conformance.scenario import Scenario

ACK_AT_ONCE = Check("ack-at-once", "5", "DATA with messages whose wants has bit 0 is acknowledged at once")
ACK_IN_TIME = Check("ack-in-time", "5", "DATA with messages is acknowledged within 25 ms")
ACK_ALL = Check("ack-all", "5", "Each of many datagrams is named: an acknowledgement leaves before 33 have come")
ACK_NOTHING = Check("ack-nothing", "5", "DATA without messages asks for no acknowledgement, whatever its wants")
ACK_PROBE = Check("ack-probe", "10", "A PROBE is acknowledged")
PONG = Check("pong", "14", "A PING is answered at once by a PONG with its token")
REPLAY = Check("replay", "5", "A datagram that came before is dropped")
WINDOW_IN = Check("window-within", "5", "A datagram whose counter is 255 behind the newest is taken")
WINDOW_OUT = Check("window-without", "5", "A datagram whose counter is 256 behind the newest is dropped")
FORGED = Check("forged", "2", "A sealed datagram with a wrong tag, flag, length, kind or session is dropped without an answer")
SURVIVES = Check("forged-survives", "2", "What was dropped changes nothing: the connection goes on")
KEY_FOLLOWED = Check("key-followed", "11", "Who opens a datagram of the next key phase goes there in its own direction")
KEY_BEFORE = Check("key-before", "11", "The keys of the phase before open what comes late, for 3 s")
KEY_AGAIN = Check("key-again", "11", "Key phases follow each other: the third is opened like the second")
SPARE_TAKEN = Check("spare-taken", "12", "When a datagram under the spare is authentic, the gateway writes the spare, too")
SPARE_NEXT = Check("spare-next", "12", "A client that uses its spare is given the next, another one, by NUMBER")
SPARE_BEFORE = Check("spare-before", "12", "3 s after the spare was used the number before is nobody's")
MOVE_ASKED = Check("move-asked", "13", "An authentic newest datagram from another address gets a PATH_CHALLENGE there")
MOVE_OLD_ASKED = Check("move-old-asked", "13", "The proved address is asked, too, with another token")
MOVED = Check("moved", "13", "When the new address has answered, the connection is there at once")
NOT_MOVED = Check("not-moved", "13", "A response counts only from the address to which its token was sent")
MOVED_BACK = Check("moved-back", "13", "When the old address answers as well, the connection moves back")
CLOSED_SILENT = Check("closed-silent", "9", "Who gets CLOSE says nothing more under these keys")
RESET = Check("reset", "9", "A sealed datagram of 40 bytes without a connection gets RESET with the latest connection's token")
RESET_SHORT = Check("reset-short", "9", "A sealed datagram of fewer than 40 bytes gets no RESET")
CLOSE_AGAIN = Check("close-again", "9", "Who closes sends CLOSE again in answer to what comes under these keys afterwards")
CLOSE_SPARSE = Check("close-sparse", "9", "CLOSE is sent again at most ten times a second")
IDLE = Check("idle", "8", "Where nothing authentic came for idle_timeout_ms, the gateway closes with reason 2")
HEARTBEAT = Message(bodies.HEARTBEAT, b"", 3, 0)


def acknowledgements(player: Player) -> Script:
    """What is acknowledged, and what is not."""
    traffic = yield from player.connect()
    counter = player.say(traffic, HEARTBEAT, wants=1)
    named = yield from player.taken(traffic, counter)
    player.verdicts.judge(ACK_AT_ONCE, named, f"datagram {counter} was {'' if named else 'not '}acknowledged")
    counter = player.say(traffic, Message(bodies.HEARTBEAT, b"", 3, 1))
    named = yield from player.taken(traffic, counter, 2.0)
    player.verdicts.judge(ACK_IN_TIME, named, f"datagram {counter} was {'' if named else 'not '}acknowledged")
    yield from player.pause(SILENCE_S)
    before = len(traffic.heard)
    for _ in range(10):
        player.say(traffic, wants=1)
        yield from player.pause(0.03)
    yield from player.pause(SILENCE_S)
    answers = [one for one in traffic.heard[before:] if one.data is not None and not one.messages]
    player.verdicts.judge(ACK_NOTHING, len(answers) < 3, f"{len(answers)} acknowledgements came for 10 datagrams")
    counter = player.seal(traffic, Kind.PROBE, bytes(600))
    named = yield from player.taken(traffic, counter)
    player.verdicts.judge(ACK_PROBE, named, f"a PROBE of 628 bytes was {'' if named else 'not '}acknowledged")


def many(player: Player) -> Script:
    """Datagrams faster than one acknowledgement can name."""
    traffic = yield from player.connect()
    count = min([72, *(limit.burst for limit in player.welcome(traffic).limits if limit.type in (0, bodies.MOVE))])
    if count < 40:
        raise StoppedError(f"this gateway takes {count} movements at once; allow 72")
    counters = []
    for number in range(count):
        counters.append(player.say(traffic, Message(bodies.MOVE, bodies.move())))
        if number % 12 == 11:
            yield from player.pause(0.01)
    yield from player.pause(2.0)
    unnamed = sorted(set(counters) - traffic.acknowledged())
    player.verdicts.judge(ACK_ALL, not unnamed, f"of {count} datagrams {len(unnamed)} were not acknowledged")


def ping(player: Player) -> Script:
    """PING."""
    traffic = yield from player.connect()
    answered = yield from player.alive(traffic)
    player.verdicts.judge(PONG, answered, "a PONG with the token came" if answered else "no PONG with the token came")


def _pinged(player: Player, traffic: Traffic, datagram: bytes, token: bytes) -> Steps[int]:
    """How many PONGs with a token a datagram brings."""
    before = len(traffic.heard)
    player.send(datagram)
    yield from player.pause(SILENCE_S)
    return sum(one.body == token for _, one in traffic.messages(bodies.PONG, since=before))


def _ping(traffic: Traffic, token: bytes, counter: int | None = None) -> bytes:
    data = traffic.acknowledgement(messages=(Message(bodies.PING, token),))
    return traffic.seal(Kind.DATA, data.pack(), counter=counter)


def replays(player: Player) -> Script:
    """The same datagram again, and old counters."""
    traffic = yield from player.connect()
    token = b"once"
    datagram = _ping(traffic, token)
    first = yield from _pinged(player, traffic, datagram, token)
    again = yield from _pinged(player, traffic, datagram, token)
    if not first:
        raise StoppedError("a PING was not answered")
    player.verdicts.judge(REPLAY, not again, f"the copy of a PING was {'answered' if again else 'not answered'}")
    newest = traffic.counter + 400
    yield from _pinged(player, traffic, _ping(traffic, b"far ", newest), b"far ")
    traffic.counter = newest
    late = yield from _pinged(player, traffic, _ping(traffic, b"256 ", newest - 256), b"256 ")
    player.verdicts.judge(WINDOW_OUT, not late, f"{late} PONGs came for counter {newest - 256} after {newest}")
    late = yield from _pinged(player, traffic, _ping(traffic, b"255 ", newest - 255), b"255 ")
    player.verdicts.judge(WINDOW_IN, late == 1, f"{late} PONGs came for counter {newest - 255} after {newest}")


def _forgeries(traffic: Traffic, token: bytes) -> Iterator[tuple[str, bytes]]:
    data = Data(messages=(Message(bodies.PING, token),)).pack()
    right = traffic.seal(Kind.DATA, data)
    yield "a tag that was changed", right[:-1] + bytes([right[-1] ^ 1])
    yield "flag 2", traffic.seal(Kind.DATA, data, flags=2)
    yield "flag 128", traffic.seal(Kind.DATA, data, flags=128)
    yield "a length field that is one less", traffic.seal(Kind.DATA, data, length=47)
    yield "kind 12", traffic.seal(12, data)
    yield "kind 7, of the other direction", traffic.seal(Kind.PATH_CHALLENGE, os.urandom(8))
    yield "39 bytes", traffic.seal(Kind.DATA, data[:11])
    yield "a CLOSE of 32 bytes", traffic.seal(Kind.CLOSE, b"\1\0\0\0")
    yield "a PATH_RESPONSE of 44 bytes", traffic.seal(Kind.PATH_RESPONSE, bytes(16))


def forgeries(player: Player) -> Script:
    """Sealed datagrams that cannot be."""
    traffic = yield from player.connect()
    answered = ""
    yield from player.pause(0.2)
    for name, datagram in _forgeries(traffic, b"forg"):
        player.send(datagram)
        heard = yield from player.expect(lambda heard: bool(heard.messages) or heard.kind != Kind.DATA, 0.2)
        if heard is not None and not answered:
            answered = f"the one with {name} got {heard}"
    player.verdicts.judge(FORGED, not answered, answered or "silence")
    lives = yield from player.alive(traffic)
    player.verdicts.judge(SURVIVES, lives, f"a PING was {'answered' if lives else 'not answered'} afterwards")


def key_update(player: Player) -> Script:
    """Two key updates of the client."""
    traffic = yield from player.connect()
    if not (yield from player.alive(traffic)):
        raise StoppedError("a PING was not answered")
    late = _ping(traffic, b"late")
    for phase, check in ((1, KEY_FOLLOWED), (2, KEY_AGAIN)):
        traffic.phase = phase
        lives = yield from player.alive(traffic)
        followed = lives and traffic.heard_phase == phase
        player.verdicts.judge(
            check,
            followed,
            f"a PING of key phase {phase} was {'answered' if lives else 'not answered'}, in phase {traffic.heard_phase}",
        )
        if not followed:
            return
        if phase == 1:
            answered = yield from _pinged(player, traffic, late, b"late")
            player.verdicts.judge(KEY_BEFORE, answered == 1, f"{answered} PONGs came for a PING of the phase before")
            # The next update waits until a datagram of this phase was acknowledged, and the keys before are forgotten.
            counter = player.say(traffic, HEARTBEAT, wants=1)
            yield from player.taken(traffic, counter)
            yield from player.pause(3.5)


def number(player: Player) -> Script:
    """The spare number, used from another socket."""
    traffic = yield from player.connect()
    given = player.welcome(traffic)
    if not given.spare:
        raise StoppedError("this gateway gives no spare number")
    yield from player.alive(traffic)
    before = traffic.session
    traffic.session = given.spare
    lives = yield from player.alive(traffic, via=1)
    last = next((one.header.session for one in reversed(traffic.heard) if one.via == 1), before)
    player.verdicts.judge(
        SPARE_TAKEN, lives and last == given.spare, f"a PING was {'' if lives else 'not '}answered, under number {last}"
    )
    if not traffic.messages(bodies.NUMBER):
        yield from player.expect(lambda heard: any(one.type == bodies.NUMBER for one in heard.messages))
    spares = [int.from_bytes(one.body[:4], "little") for _, one in traffic.messages(bodies.NUMBER)]
    fresh = [spare for spare in spares if spare and spare not in (before, given.spare)]
    player.verdicts.judge(SPARE_NEXT, bool(fresh), f"NUMBER came {len(spares)} times, with {spares}")
    yield from player.pause(4.0)
    traffic.session = before
    lives = yield from player.alive(traffic, via=1)
    traffic.session = given.spare
    player.verdicts.judge(SPARE_BEFORE, not lives, f"a PING under the number before was {'' if lives else 'not '}answered")


def _challenged(via: int) -> Want:
    """A PATH_CHALLENGE that came to one of the sockets."""
    return lambda heard: heard.kind == Kind.PATH_CHALLENGE and heard.via == via and heard.traffic is not None


def move(player: Player) -> Script:
    """Another socket, as behind another address; the old one is silent."""
    traffic = yield from player.connect()
    yield from player.alive(traffic)
    player.manners.answers_paths = False
    player.say(traffic, HEARTBEAT, via=1)
    asked = yield from player.expect(_challenged(1))
    player.verdicts.judge(MOVE_ASKED, asked is not None, f"{asked or 'no PATH_CHALLENGE'} came to the new address")
    if asked is None:
        return
    old = next((one for one in traffic.heard if one.kind == Kind.PATH_CHALLENGE and one.via == 0), None)
    if old is None:
        old = yield from player.expect(_challenged(0))
    other = old is not None and old.secret != asked.secret
    player.verdicts.judge(MOVE_OLD_ASKED, other, f"{old or 'no PATH_CHALLENGE'} came to the proved address")
    # The right token from the wrong socket says nothing.
    player.seal(traffic, Kind.PATH_RESPONSE, asked.secret, via=0)
    yield from player.pause(0.2)
    lives = yield from player.alive(traffic, via=0)
    player.verdicts.judge(
        NOT_MOVED, lives and traffic.heard[-1].via == 0, f"the gateway answers socket {traffic.heard[-1].via}"
    )
    asked = None
    for _ in range(5):
        player.say(traffic, Message(bodies.HEARTBEAT, b"", 3, 1), via=1)
        asked = yield from player.expect(_challenged(1), 1.2)
        if asked is not None:
            break
    if asked is None:
        raise StoppedError("no further PATH_CHALLENGE came")
    player.seal(traffic, Kind.PATH_RESPONSE, asked.secret, via=1)
    lives = yield from player.alive(traffic, via=1)
    player.verdicts.judge(
        MOVED, lives and traffic.heard[-1].via == 1, f"the gateway answers socket {traffic.heard[-1].via}"
    )


def copied(player: Player) -> Script:
    """Both addresses answer: somebody copies what the player says."""
    traffic = yield from player.connect()
    yield from player.alive(traffic)
    player.manners.answers_paths = False
    player.say(traffic, HEARTBEAT, via=1)
    asked = yield from player.expect(_challenged(1))
    if asked is None:
        raise StoppedError("no PATH_CHALLENGE came to another address")
    player.seal(traffic, Kind.PATH_RESPONSE, asked.secret, via=1)
    old = next((one for one in traffic.heard if one.kind == Kind.PATH_CHALLENGE and one.via == 0), None)
    if old is None:
        old = yield from player.expect(_challenged(0), 3.0)
    if old is None:
        raise StoppedError("no PATH_CHALLENGE came to the proved address")
    player.seal(traffic, Kind.PATH_RESPONSE, old.secret, via=0)
    yield from player.pause(0.2)
    lives = yield from player.alive(traffic, via=0)
    player.verdicts.judge(
        MOVED_BACK, lives and traffic.heard[-1].via == 0, f"the gateway answers socket {traffic.heard[-1].via}"
    )


def close(player: Player) -> Script:
    """The client leaves, and goes on talking."""
    traffic = yield from player.connect()
    yield from player.alive(traffic)
    token = player.welcome(traffic).reset_token
    player.seal(traffic, Kind.CLOSE, bytes([1, 0, 0, 0, 0, 0, 0, 0]))
    yield from player.pause(0.5)
    before = len(player.heard)
    player.seal(traffic, Kind.CLOSE, bytes([1, 0, 0, 0, 0, 0, 0, 0]))
    yield from player.pause(SILENCE_S)
    resets = [one for one in player.heard[before:] if one.kind == Kind.RESET]
    player.verdicts.judge(RESET_SHORT, not resets, f"{len(resets)} RESETs came for 36 bytes")
    heard = None
    for _ in range(4):
        player.say(traffic, HEARTBEAT)
        heard = yield from player.expect(lambda heard: heard.kind == Kind.RESET, 1.0)
        if heard is not None:
            break
    right = heard is not None and heard.datagram[12:28] == token
    came = "nothing" if heard is None else f"a RESET with {'the' if right else 'another'} token"
    player.verdicts.judge(RESET, right, f"{came} came")
    sealed = [one for one in player.heard[before:] if one.traffic is traffic]
    player.verdicts.judge(CLOSED_SILENT, not sealed, f"{sealed[0] if sealed else 'nothing sealed'} came afterwards")


def closed_by_gateway(player: Player) -> Script:
    """The gateway closes, because of a message that cannot be, and the client goes on talking."""
    traffic = yield from player.connect()
    yield from player.alive(traffic)
    player.say_data(traffic, Data(), rest=b"\1\0\1")
    reason = yield from player.closed(traffic)
    if reason is None:
        raise StoppedError("no CLOSE came for a message that is cut off")
    before = len(traffic.heard)
    for _ in range(50):
        player.say(traffic, HEARTBEAT)
        yield from player.pause(0.02)
    yield from player.pause(0.3)
    again = [one for one in traffic.heard[before:] if one.kind == Kind.CLOSE]
    player.verdicts.judge(CLOSE_AGAIN, bool(again), f"CLOSE came {len(again)} times more for 50 datagrams")
    span = (again[-1].at_s - again[0].at_s) if again else 0.0
    player.verdicts.judge(
        CLOSE_SPARSE, len(again) <= 10 * span + 2, f"CLOSE came {len(again)} times more in {span:.1f} s"
    )


def idle(player: Player) -> Script:
    """A client that says nothing more; only where the gateway's time-out is 20 s or less."""
    traffic = yield from player.connect()
    yield from player.alive(traffic)
    limit_s = player.welcome(traffic).idle_timeout_ms / 1000
    if limit_s > 20:
        raise StoppedError(f"the gateway's idle_timeout_ms is {limit_s * 1000:.0f}; configure 20000 or less")
    player.manners.acknowledges = False
    last_s = player.now()
    reason = yield from player.closed(traffic, limit_s + PATIENCE_S)
    took_s = player.now() - last_s
    player.verdicts.judge(
        IDLE, reason == 2 and took_s > 0.7 * limit_s, f"CLOSE {reason or 'did not come'} after {took_s:.1f} s"
    )


SCENARIOS = (
    Scenario(acknowledgements, (ACK_AT_ONCE, ACK_IN_TIME, ACK_NOTHING, ACK_PROBE)),
    Scenario(many, (ACK_ALL,)),
    Scenario(ping, (PONG,)),
    Scenario(replays, (REPLAY, WINDOW_OUT, WINDOW_IN)),
    Scenario(forgeries, (FORGED, SURVIVES)),
    Scenario(key_update, (KEY_FOLLOWED, KEY_BEFORE, KEY_AGAIN)),
    Scenario(number, (SPARE_TAKEN, SPARE_NEXT, SPARE_BEFORE)),
    Scenario(move, (MOVE_ASKED, MOVE_OLD_ASKED, NOT_MOVED, MOVED)),
    Scenario(copied, (MOVED_BACK,)),
    Scenario(close, (RESET_SHORT, RESET, CLOSED_SILENT)),
    Scenario(closed_by_gateway, (CLOSE_AGAIN, CLOSE_SPARSE)),
    Scenario(idle, (IDLE,)),
)
