# SPDX-License-Identifier: BSD-3-Clause
"""Against either end: what is sealed, acknowledged, replayed, forged, rekeyed, skipped and broken."""

from __future__ import annotations

import os
from collections.abc import Iterator

from pyshim.conformance import bodies
from pyshim.conformance.as_gateway import Setting
from pyshim.conformance.checks import Check
from pyshim.conformance.layout import Data, Kind, Message
from pyshim.conformance.loop import Script, Steps
from pyshim.conformance.peer import SILENCE_S, Heard, Peer, StoppedError, Traffic
from pyshim.conformance.scenario import Scenario

ACK_AT_ONCE = Check("ack-at-once", "5", "DATA with messages whose wants has bit 0 is acknowledged at once")
ACK_IN_TIME = Check("ack-in-time", "5", "DATA with messages is acknowledged within 25 ms")
ACK_ALL = Check(
    "ack-all", "5", "Each of many datagrams is named: an acknowledgement leaves before 33 have come"
)
ACK_NOTHING = Check(
    "ack-nothing", "5", "DATA without messages asks for no acknowledgement, whatever its wants"
)
ACK_PROBE = Check("ack-probe", "10", "A PROBE is acknowledged")
PONG = Check("pong", "14", "A PING is answered at once by a PONG with its token")
REPLAY = Check("replay", "5", "A datagram that came before is dropped")
WINDOW_IN = Check("window-within", "5", "A datagram whose counter is 255 behind the newest is taken")
WINDOW_OUT = Check("window-without", "5", "A datagram whose counter is 256 behind the newest is dropped")
FORGED = Check(
    "forged",
    "2",
    "A sealed datagram with a wrong tag, flag, length, kind or session is dropped without an answer",
)
SURVIVES = Check("forged-survives", "2", "What was dropped changes nothing: the connection goes on")
KEY_FOLLOWED = Check(
    "key-followed", "11", "Who opens a datagram of the next key phase goes there in its own direction"
)
KEY_BEFORE = Check("key-before", "11", "The keys of the phase before open what comes late, for 3 s")
KEY_AGAIN = Check("key-again", "11", "Key phases follow each other: the third is opened like the second")
CLOSE_AGAIN = Check(
    "close-again", "9", "Who closes sends CLOSE again in answer to what comes under these keys afterwards"
)
CLOSE_SPARSE = Check("close-sparse", "9", "CLOSE is sent again at most ten times a second")


def acknowledgements(peer: Peer) -> Script:
    """What is acknowledged, and what is not."""
    traffic = yield from peer.begin()
    counter = peer.say(traffic, peer.harmless(0), wants=1)
    named = yield from peer.taken(traffic, counter, 3.0)
    peer.verdicts.judge(ACK_AT_ONCE, named, f"datagram {counter} was {'' if named else 'not '}acknowledged")
    counter = peer.say(traffic, peer.harmless(1))
    named = yield from peer.taken(traffic, counter, 3.0)
    peer.verdicts.judge(ACK_IN_TIME, named, f"datagram {counter} was {'' if named else 'not '}acknowledged")
    yield from peer.pause(SILENCE_S)
    before = len(traffic.heard)
    for _ in range(10):
        peer.say(traffic, wants=1)
        yield from peer.pause(0.03)
    yield from peer.pause(SILENCE_S)
    answers = [one for one in traffic.heard[before:] if one.data is not None and not one.messages]
    peer.verdicts.judge(
        ACK_NOTHING, len(answers) < 3, f"{len(answers)} acknowledgements came for 10 datagrams"
    )
    counter = peer.seal(traffic, Kind.PROBE, bytes(600))
    named = yield from peer.taken(traffic, counter)
    peer.verdicts.judge(ACK_PROBE, named, f"a PROBE of 628 bytes was {'' if named else 'not '}acknowledged")


def many(peer: Peer) -> Script:
    """Datagrams faster than one acknowledgement can name."""
    traffic = yield from peer.begin()
    count = min(72, peer.may_say(traffic))
    if count < 40:
        raise StoppedError(f"this gateway takes {count} movements at once; allow 72")
    counters = []
    for number in range(count):
        counters.append(peer.say(traffic, peer.harmless()))
        if number % 12 == 11:
            yield from peer.pause(0.01)
    yield from peer.pause(2.0)
    unnamed = sorted(set(counters) - traffic.acknowledged())
    peer.verdicts.judge(ACK_ALL, not unnamed, f"of {count} datagrams {len(unnamed)} were not acknowledged")


def ping(peer: Peer) -> Script:
    """PING."""
    traffic = yield from peer.begin()
    answered = yield from peer.alive(traffic)
    peer.verdicts.judge(
        PONG, answered, "a PONG with the token came" if answered else "no PONG with the token came"
    )


def _pinged(
    peer: Peer, traffic: Traffic, datagram: bytes, token: bytes, *, expected: bool = True
) -> Steps[int]:
    """How many PONGs with a token a datagram brings."""
    before = len(traffic.heard)
    peer.send(datagram)
    if expected:
        yield from peer.expect(lambda heard: any(one.body == token for one in heard.messages), 2.0)
    else:
        yield from peer.pause(SILENCE_S)
    return sum(one.body == token for _, one in traffic.messages(bodies.PONG, since=before))


def _ping(traffic: Traffic, token: bytes, counter: int | None = None) -> bytes:
    data = traffic.acknowledgement(messages=(Message(bodies.PING, token),))
    return traffic.seal(Kind.DATA, data.pack(), counter=counter)


def replays(peer: Peer) -> Script:
    """The same datagram again, and old counters."""
    traffic = yield from peer.begin()
    token = b"once"
    datagram = _ping(traffic, token)
    first = yield from _pinged(peer, traffic, datagram, token)
    again = yield from _pinged(peer, traffic, datagram, token, expected=False)
    if not first:
        raise StoppedError("a PING was not answered")
    peer.verdicts.judge(
        REPLAY, not again, f"the copy of a PING was {'answered' if again else 'not answered'}"
    )
    yield from peer.pause(0.1)
    traffic.counter += 399  # which nobody used
    yield from _pinged(peer, traffic, _ping(traffic, b"far "), b"far ")
    for behind, check, expected in ((256, WINDOW_OUT, 0), (255, WINDOW_IN, 1)):
        newest = traffic.counter
        datagram = _ping(traffic, b"late", newest - behind)
        late = yield from _pinged(peer, traffic, datagram, b"late", expected=bool(expected))
        peer.verdicts.judge(
            check, late == expected, f"{late} PONGs came for counter {newest - behind} after {newest}"
        )


def _forgeries(traffic: Traffic, token: bytes) -> Iterator[tuple[str, bytes]]:
    data = Data(messages=(Message(bodies.PING, token),)).pack()
    right = traffic.seal(Kind.DATA, data)
    yield "a tag that was changed", right[:-1] + bytes([right[-1] ^ 1])
    yield "flag 2", traffic.seal(Kind.DATA, data, flags=2)
    yield "flag 128", traffic.seal(Kind.DATA, data, flags=128)
    yield "a length field that is one less", traffic.seal(Kind.DATA, data, length=47)
    yield "kind 12", traffic.seal(12, data)
    foreign = Kind.PATH_CHALLENGE if traffic.is_client else Kind.PATH_RESPONSE
    yield f"kind {foreign}, of the other direction", traffic.seal(foreign, os.urandom(8))
    yield "39 bytes", traffic.seal(Kind.DATA, data[:11])
    yield "a CLOSE of 32 bytes", traffic.seal(Kind.CLOSE, b"\1\0\0\0")
    own = Kind.PATH_RESPONSE if traffic.is_client else Kind.PATH_CHALLENGE
    yield f"kind {own} of 44 bytes", traffic.seal(own, bytes(16))


def _is_answer(heard: Heard) -> bool:
    """Whether it is one to a forgery: an end may say other things meanwhile."""
    if heard.kind in (Kind.DATA, Kind.PROBE):
        return any(one.type == bodies.PONG for one in heard.messages)
    return heard.kind not in (Kind.WELCOME, Kind.HELLO, Kind.CONFIRM)


def forgeries(peer: Peer) -> Script:
    """Sealed datagrams that cannot be."""
    traffic = yield from peer.begin()
    answered = ""
    yield from peer.pause(0.2)
    for name, datagram in _forgeries(traffic, b"forg"):
        peer.send(datagram)
        heard = yield from peer.expect(_is_answer, 0.2)
        if heard is not None and not answered:
            answered = f"the one with {name} got {heard}"
    peer.verdicts.judge(FORGED, not answered, answered or "silence")
    lives = yield from peer.alive(traffic)
    peer.verdicts.judge(SURVIVES, lives, f"a PING was {'answered' if lives else 'not answered'} afterwards")


def key_update(peer: Peer) -> Script:
    """Two key updates of the kit."""
    traffic = yield from peer.begin()
    if not (yield from peer.alive(traffic)):
        raise StoppedError("a PING was not answered")
    late = _ping(traffic, b"late")
    for phase, check in ((1, KEY_FOLLOWED), (2, KEY_AGAIN)):
        traffic.phase = phase
        lives = yield from peer.alive(traffic)
        followed = lives and traffic.heard_phase == phase
        peer.verdicts.judge(
            check,
            followed,
            f"a PING of phase {phase} was {'' if lives else 'not '}answered, in phase {traffic.heard_phase}",
        )
        if not followed:
            return
        if phase == 1:
            answered = yield from _pinged(peer, traffic, late, b"late")
            peer.verdicts.judge(
                KEY_BEFORE, answered == 1, f"{answered} PONGs came for a PING of the phase before"
            )
            # The next waits until one of this phase was acknowledged, and the keys before are forgotten.
            counter = peer.say(traffic, peer.harmless(0), wants=1)
            yield from peer.taken(traffic, counter)
            yield from peer.pause(3.5)


def closed_by_other(peer: Peer) -> Script:
    """The other end closes, because of a message that cannot be, and the kit goes on talking."""
    traffic = yield from peer.begin()
    yield from peer.alive(traffic)
    peer.say_data(traffic, Data(), rest=b"\1\0\1")
    reason = yield from peer.closed(traffic)
    if reason is None:
        raise StoppedError("no CLOSE came for a message that is cut off")
    before = len(traffic.heard)
    for _ in range(50):
        peer.say(traffic, peer.harmless(0))
        yield from peer.pause(0.02)
    yield from peer.pause(0.3)
    again = [one for one in traffic.heard[before:] if one.kind == Kind.CLOSE]
    peer.verdicts.judge(CLOSE_AGAIN, bool(again), f"CLOSE came {len(again)} times more for 50 datagrams")
    span = (again[-1].at_s - again[0].at_s) if again else 0.0
    peer.verdicts.judge(
        CLOSE_SPARSE, len(again) <= 10 * span + 2, f"CLOSE came {len(again)} times more in {span:.1f} s"
    )


_QUIET = Setting(idle_timeout_ms=60_000)  # no heartbeat acknowledges by chance
SCENARIOS = (
    Scenario(acknowledgements, (ACK_AT_ONCE, ACK_IN_TIME, ACK_NOTHING, ACK_PROBE), setting=_QUIET),
    Scenario(many, (ACK_ALL,), setting=_QUIET),
    Scenario(ping, (PONG,)),
    Scenario(replays, (REPLAY, WINDOW_OUT, WINDOW_IN)),
    Scenario(forgeries, (FORGED, SURVIVES)),
    Scenario(key_update, (KEY_FOLLOWED, KEY_BEFORE, KEY_AGAIN)),
    Scenario(closed_by_other, (CLOSE_AGAIN, CLOSE_SPARSE)),
)
