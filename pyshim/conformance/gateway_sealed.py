# SPDX-License-Identifier: BSD-3-Clause
"""Against a gateway: sections 5, 9 and 11 to 13, what is sealed, how it ends, and where it moves to."""

from __future__ import annotations

from pyshim.conformance import bodies
from pyshim.conformance.as_client import Player
from pyshim.conformance.checks import Check
from pyshim.conformance.layout import Kind, Message
from pyshim.conformance.loop import Script
from pyshim.conformance.peer import PATIENCE_S, SILENCE_S, StoppedError, Want
from pyshim.conformance.rules import CLOSED_SILENT, IDLE
from pyshim.conformance.scenario import Scenario

SPARE_TAKEN = Check(
    "spare-taken", "12", "When a datagram under the spare is authentic, the gateway writes the spare, too"
)
SPARE_NEXT = Check(
    "spare-next", "12", "A client that uses its spare is given the next, another one, by NUMBER"
)
SPARE_BEFORE = Check("spare-before", "12", "3 s after the spare was used the number before is nobody's")
MOVE_ASKED = Check(
    "move-asked", "13", "An authentic newest datagram from another address gets a PATH_CHALLENGE there"
)
MOVE_OLD_ASKED = Check("move-old-asked", "13", "The proved address is asked, too, with another token")
MOVED = Check("moved", "13", "When the new address has answered, the connection is there at once")
NOT_MOVED = Check("not-moved", "13", "A response counts only from the address to which its token was sent")
MOVED_BACK = Check("moved-back", "13", "When the old address answers as well, the connection moves back")
RESET = Check(
    "reset",
    "9",
    "A sealed datagram of 40 bytes without a connection gets RESET with the latest connection's token",
)
RESET_SHORT = Check("reset-short", "9", "A sealed datagram of fewer than 40 bytes gets no RESET")
HEARTBEAT = Message(bodies.HEARTBEAT, b"", 3, 0)


def number(player: Player) -> Script:
    """The spare number, used from another socket."""
    traffic = yield from player.connect()
    given = player.welcome(traffic)
    if not given.spare:
        raise StoppedError("this gateway gives no spare number")
    yield from player.alive(traffic)
    before = traffic.session
    traffic.session = given.spare
    yield from player.alive(traffic, via=1)
    # The first answer may still go to where the client was, under the number that was seen there.
    yield from player.expect(lambda heard: heard.via == 1, SILENCE_S)
    lives = yield from player.alive(traffic, via=1)
    last = next((one.header.session for one in reversed(traffic.heard) if one.via == 1), before)
    player.verdicts.judge(
        SPARE_TAKEN,
        lives and last == given.spare,
        f"a PING was {'' if lives else 'not '}answered, under number {last}",
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
    player.verdicts.judge(
        SPARE_BEFORE, not lives, f"a PING under the number before was {'' if lives else 'not '}answered"
    )


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
    player.verdicts.judge(
        MOVE_ASKED, asked is not None, f"{asked or 'no PATH_CHALLENGE'} came to the new address"
    )
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
        MOVED_BACK,
        lives and traffic.heard[-1].via == 0,
        f"the gateway answers socket {traffic.heard[-1].via}",
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
    player.verdicts.judge(
        CLOSED_SILENT, not sealed, f"{sealed[0] if sealed else 'nothing sealed'} came afterwards"
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
    Scenario(number, (SPARE_TAKEN, SPARE_NEXT, SPARE_BEFORE)),
    Scenario(move, (MOVE_ASKED, MOVE_OLD_ASKED, NOT_MOVED, MOVED)),
    Scenario(copied, (MOVED_BACK,)),
    Scenario(close, (RESET_SHORT, RESET, CLOSED_SILENT)),
    Scenario(idle, (IDLE,)),
)
