# SPDX-License-Identifier: BSD-3-Clause
"""Against a client: sections 5 to 11, 13 and 16, what it does while it is connected, and how it ends.

A client that says nothing of its own is enough for most of it: heartbeats are reliable. Limits and windows
need one that says more.
"""

from __future__ import annotations

import os
import struct
from itertools import pairwise

from pyshim.conformance import bodies, layout
from pyshim.conformance.as_gateway import STARTS_S, Gateway, Setting, same_message
from pyshim.conformance.checks import Check
from pyshim.conformance.layout import Data, Kind, Limit, Message
from pyshim.conformance.loop import Script, Steps
from pyshim.conformance.peer import PATIENCE_S, SILENCE_S, Heard, StoppedError, Traffic
from pyshim.conformance.rules import (
    BACKS_OFF,
    CLOSED_SILENT,
    ENDS_REPEATING,
    IDLE,
    LOSSY,
    OUTAGE,
    REPEATED,
    UNSENT_IGNORED,
)
from pyshim.conformance.scenario import Scenario

HEARTBEATS = Check(
    "heartbeats", "8", "Something that is acknowledged is sent at least every idle_timeout_ms / 3"
)
FIRST_ID = Check("first-id", "6", "The first id of each channel of a connection is 0")
PATH_ANSWERED = Check(
    "path-answered", "13", "A PATH_CHALLENGE is answered at once by a PATH_RESPONSE of its token"
)
ELSEWHERE = Check("elsewhere", "2", "What comes from another address than the ticket's is dropped")
BEHIND_TAKEN = Check(
    "behind-taken", "6", "A reliable message that was delivered is taken again: its datagram is acknowledged"
)
PIECES_TAKEN = Check("pieces-acknowledged", "14", "Pieces in any order are taken, and nothing is closed")
BUSY_WAITS = Check("busy-waits", "7", "What got BUSY is not said again before retry_ms")
BUSY_AGAIN = Check("busy-again", "7", "What got BUSY is said again after retry_ms")
BUSY_STRANGE = Check("busy-strange", "7", "A BUSY for a datagram that does not wait says nothing")
LIMITS_KEPT = Check("limits-kept", "7", "A client says no more of a type than the limits of WELCOME allow")
LIMITS_NEW = Check("limits-new", "7", "LIMITS is acknowledged, and kept from then on")
RESTARTED = Check("restarted", "16", "RESTARTED is taken, and the gateway's next ids are those that it says")
RESTARTED_SAME = Check("restarted-same", "16", "RESTARTED of an epoch that is known changes nothing")
RESTARTED_KEPT = Check("restarted-kept", "16", "What RESTARTED says was delivered is not said again")
CLOSE_UNKNOWN = Check("close-unknown", "9", "A CLOSE of a reason that is not known is a CLOSE")
CLOSE_KICKED = Check("close-kicked", "9", "A CLOSE for a reason of the game's own is a CLOSE")
RESET_FORGED = Check("reset-forged", "9", "A RESET with another token is dropped")
RESET_TAKEN = Check(
    "reset-taken", "9", "A RESET with the connection's token ends it: nothing more comes under its keys"
)
FIRST_WINDOW = Check(
    "first-window", "15", "Before anything is acknowledged at most four datagrams of messages leave"
)
ON_THEIR_WAY = Check("on-their-way", "5", "At most 32 datagrams with reliable messages are on their way")
IDS_AHEAD = Check(
    "ids-ahead", "6", "No id is more than 255 ahead of the oldest of its channel that is not acknowledged"
)


def _begin_unacknowledged(gateway: Gateway) -> Steps[tuple[Traffic, Heard, Message]]:
    """A connection of which nothing is acknowledged from its beginning, and its first reliable message.

    Raises:
        StoppedError: it does not connect, or says nothing reliable.
    """
    gateway.manners.acknowledges = False
    gateway.takes = lambda heard: False
    gateway.start()
    traffic = yield from gateway.connected(STARTS_S)
    for heard in traffic.heard:
        for message in heard.messages:
            if message.id is not None:
                return traffic, heard, message
    heard, message = yield from gateway.reliable(traffic, 2 * PATIENCE_S)
    return traffic, heard, message


def _acknowledge_again(gateway: Gateway, traffic: Traffic) -> None:
    gateway.manners.acknowledges = True
    gateway.takes = lambda heard: True
    traffic.taken |= {heard.counter for heard in traffic.heard}
    gateway.say(traffic)


def _times(traffic: Traffic, message: Message, since: int = 0) -> list[Heard]:
    """The datagrams that held a reliable message."""
    return [
        heard for heard in traffic.heard[since:] if any(same_message(one, message) for one in heard.messages)
    ]


def first_ids(gateway: Gateway) -> Script:
    """Listens for a while."""
    traffic = yield from gateway.begin()
    yield from gateway.pause(7.0)
    first: dict[int, int] = {}
    for heard in traffic.heard:
        for one in heard.messages:
            if one.id is not None:
                first[one.channel] = min(first.get(one.channel, one.id), one.id)
    if not first:
        raise StoppedError("the client said nothing reliable")
    gateway.verdicts.judge(FIRST_ID, not any(first.values()), f"the least ids by channel are {first}")
    asking = [heard.at_s for heard in traffic.heard if heard.messages or heard.kind == Kind.PROBE]
    gaps = [after - before for before, after in pairwise(asking)]
    longest = max([*gaps, gateway.now() - asking[-1]])
    gateway.verdicts.judge(HEARTBEATS, longest < 4.0, f"{longest:.1f} s passed without; 1.5 s are allowed")


def repetition(gateway: Gateway) -> Script:
    """A reliable message that is not acknowledged, then by what names other datagrams, then rightly."""
    traffic, _, message = yield from _begin_unacknowledged(gateway)
    yield from gateway.pause(2.5)
    times = _times(traffic, message)
    counters = {heard.counter for heard in times}
    gateway.verdicts.judge(REPEATED, len(counters) >= 2, f"it came in {len(counters)} datagrams within 2.5 s")
    gateway.verdicts.judge(BACKS_OFF, 2 <= len(times) <= 14, f"it came {len(times)} times within 2.5 s")
    for _ in range(3):
        gateway.say_data(traffic, Data(0xFFFF0000, 0xFFFFFFFF, 0))
    before = len(traffic.heard)
    yield from gateway.pause(2.5)
    more = _times(traffic, message, before)
    gateway.verdicts.judge(UNSENT_IGNORED, bool(more), f"it came {len(more)} times more")
    _acknowledge_again(gateway, traffic)
    yield from gateway.alive(traffic)  # then it has heard that
    before = len(traffic.heard)
    yield from gateway.pause(2.5)
    more = _times(traffic, message, before)
    gateway.verdicts.judge(ENDS_REPEATING, not more, f"it came {len(more)} times more")


def outage(gateway: Gateway) -> Script:
    """Five seconds in which nothing reaches the client, with a message under way."""
    traffic, _, message = yield from _begin_unacknowledged(gateway)
    yield from gateway.pause(5.0)
    before = len(traffic.heard)
    yield from gateway.pause(2.5)
    still = _times(traffic, message, before)
    _acknowledge_again(gateway, traffic)
    lives = yield from gateway.alive(traffic)
    gateway.verdicts.judge(
        OUTAGE,
        lives and bool(still),
        f"a PING was {'' if lives else 'not '}answered, and the message came {len(still)} times after 5 s",
    )


def lossy(gateway: Gateway) -> Script:
    """Each third datagram of the client is lost for a time."""
    gateway.takes = lambda heard: heard.counter % 3 > 0 or heard.kind == Kind.WELCOME
    traffic = yield from gateway.begin()
    yield from gateway.pause(4.0)
    gateway.takes = lambda heard: True
    yield from gateway.pause(3.0)
    seen: set[tuple[int, int]] = set()
    most: dict[int, int] = {}
    for heard in traffic.heard:
        for one in heard.messages:
            if one.id is not None:
                most[one.channel] = max(most.get(one.channel, 0), one.id)
                if heard.counter in traffic.taken:
                    seen.add((one.channel, one.id))
    if not seen:
        raise StoppedError("the client said nothing reliable")
    missing = [
        (channel, n) for channel, last in most.items() for n in range(last) if (channel, n) not in seen
    ]
    gateway.verdicts.judge(
        LOSSY, not missing, f"{len(seen)} came, and {len(missing)} did not, such as {missing[:3]}"
    )


def idle(gateway: Gateway) -> Script:
    """A gateway that is silent for good."""
    traffic = yield from gateway.begin()
    yield from gateway.alive(traffic)
    gateway.manners.acknowledges = gateway.manners.answers_pings = False
    gateway.handshake.challenges = False
    last_s = gateway.now()
    limit_s = gateway.setting.idle_timeout_ms / 1000
    reason = yield from gateway.closed(traffic, limit_s + PATIENCE_S)
    took_s = gateway.now() - last_s
    gateway.verdicts.judge(
        IDLE, reason == 2 and took_s > 0.7 * limit_s, f"CLOSE {reason or 'did not come'} after {took_s:.1f} s"
    )


def path(gateway: Gateway) -> Script:
    """A PATH_CHALLENGE from the gateway, and one from elsewhere."""
    traffic = yield from gateway.begin()
    yield from gateway.pause(0.2)
    token = os.urandom(8)
    gateway.seal(traffic, Kind.PATH_CHALLENGE, token)
    heard = yield from gateway.expect(lambda one: one.kind == Kind.PATH_RESPONSE and one.secret == token)
    gateway.verdicts.judge(PATH_ANSWERED, heard is not None, f"{heard or 'nothing'} came")
    token = os.urandom(8)
    datagram = traffic.seal(Kind.PATH_CHALLENGE, token)
    traffic.sent.discard(traffic.counter)
    gateway.send(datagram, via=1)
    heard = yield from gateway.expect(lambda one: one.kind == Kind.PATH_RESPONSE, SILENCE_S)
    yield from gateway.pause(0.5)
    named = traffic.counter in traffic.acknowledged()
    came = f"{heard or 'nothing'} came{', and it was acknowledged' if named else ''}"
    gateway.verdicts.judge(ELSEWHERE, heard is None and not named, came)


def delivered(gateway: Gateway) -> Script:
    """Reliable messages, one of them twice, and one in pieces."""
    traffic = yield from gateway.begin()
    yield from gateway.taken(traffic, gateway.say(traffic, gateway.harmless(0), wants=1))
    gateway.lose(traffic)
    counter = gateway.say(traffic, gateway.harmless(0), wants=1)
    named = yield from gateway.taken(traffic, counter)
    gateway.verdicts.judge(BEHIND_TAKEN, named, f"the datagram was {'' if named else 'not '}acknowledged")
    parts = layout.cut(Message(gateway.long_type, bodies.event(0, bodies.bulk(7, bytes(1500))), 2, 0))
    counters = [gateway.say(traffic, part, wants=1) for part in (*reversed(parts), parts[1])]
    yield from gateway.pause(1.0)
    unnamed = set(counters) - traffic.acknowledged()
    lives = yield from gateway.alive(traffic)
    gateway.verdicts.judge(
        PIECES_TAKEN,
        lives and not unnamed,
        f"of {len(counters)} datagrams {len(unnamed)} were not acknowledged",
    )


def busy(gateway: Gateway) -> Script:
    """BUSY for a reliable message, and for a datagram that is nobody's."""
    traffic, heard, message = yield from _begin_unacknowledged(gateway)
    settled = yield from _settle_busy(gateway, traffic, heard, message)
    if not settled:
        gateway.verdicts.judge(BUSY_WAITS, False, "it came in more than 8 datagrams, each of which got BUSY")
        return
    before = len(traffic.heard)
    yield from gateway.pause(1.4)
    early = _times(traffic, message, before)
    gateway.verdicts.judge(
        BUSY_WAITS, not early, f"it came {len(early)} times within 1.4 s, where 2 s were asked for"
    )
    if not early:
        yield from gateway.pause(2.6)
    again = _times(traffic, message, before)
    gateway.verdicts.judge(BUSY_AGAIN, bool(again), f"it came {len(again)} times within 4 s")
    _acknowledge_again(gateway, traffic)
    gateway.say(traffic, Message(bodies.BUSY, bodies.busy(0x7FFFFFFF, 1, message.type, 60_000)))
    lives = yield from gateway.alive(traffic)
    gateway.verdicts.judge(BUSY_STRANGE, lives, f"a PING was {'' if lives else 'not '}answered afterwards")


def _settle_busy(gateway: Gateway, traffic: Traffic, heard: Heard, message: Message) -> Steps[bool]:
    """BUSY for each datagram that held the message before the client had heard BUSY, which its PONG tells."""
    for _ in range(8):
        token = os.urandom(4)
        said = Message(bodies.BUSY, bodies.busy(heard.counter, 1, message.type, 2000))
        since = len(traffic.heard)
        gateway.say_data(traffic, Data(messages=(said, Message(bodies.PING, token))))
        answer = yield from gateway.expect(
            lambda one, token=token: any(other.body == token for other in one.messages)  # type: ignore[misc]
        )
        copies = _times(traffic, message, since)
        if answer is None or not copies:
            return answer is not None
        heard = copies[-1]
    return False


_LIMITED = tuple(
    Limit(kind, 4, 120) for kind in (bodies.MOVE, bodies.ATTACK, bodies.CHAT, bodies.SKILL, bodies.BULK, 64)
)
_TIGHTER = tuple(Limit(one.type, 2, 60) for one in _LIMITED)


def _exceeds(heard: list[Heard], limits: tuple[Limit, ...], begin_s: float) -> str:
    """Which of the limits was exceeded by more than two messages; each counts when it first came."""
    level = {one.type: (float(one.burst), begin_s) for one in limits}
    rate = {one.type: (one.burst, one.per_minute / 60) for one in limits}
    seen: set[tuple[int, int]] = set()
    for one in heard:
        for message in one.messages:
            kind = bodies.listed(message.type)
            if kind not in level or (message.piece and layout.piece_of(message)[0]):
                continue
            if message.id is not None:
                if (message.channel, message.id) in seen:
                    continue
                seen.add((message.channel, message.id))
            burst, per_s = rate[kind]
            left, at_s = level[kind]
            left = min(burst, left + (one.at_s - at_s) * per_s) - 1
            level[kind] = left, one.at_s
            if left < -2:
                return f"more of type {kind} than {burst} at once and {per_s * 60:.0f} a minute came"
    return ""


def limits(gateway: Gateway) -> Script:
    """Limits in WELCOME, then tighter ones in LIMITS; needs a client that says more than they allow."""
    traffic = yield from gateway.begin()
    begin_s = traffic.heard[0].at_s - 0.5
    yield from gateway.pause(5.0)
    limited = {one.type for one in _LIMITED}
    said = [one for heard in traffic.heard for one in heard.messages if bodies.listed(one.type) in limited]
    if len(said) < 4:
        raise StoppedError("the client said fewer than four messages that are limited; have it say more")
    wrong = _exceeds(traffic.heard, _LIMITED, begin_s)
    gateway.verdicts.judge(LIMITS_KEPT, not wrong, wrong or f"{len(said)} limited messages came in 5 s")
    body = struct.pack("<HH", 1, len(_TIGHTER)) + b"".join(one.pack() for one in _TIGHTER)
    counter = gateway.say(traffic, Message(bodies.LIMITS, body, 3, 0), wants=1)
    named = yield from gateway.taken(traffic, counter)
    before = len(traffic.heard)
    yield from gateway.pause(5.0)
    wrong = _exceeds(traffic.heard[before:], _TIGHTER, gateway.now() - 5.0)
    came = wrong or f"LIMITS was {'' if named else 'not '}acknowledged, and not exceeded"
    gateway.verdicts.judge(LIMITS_NEW, named and not wrong, came)


def restarted(gateway: Gateway) -> Script:
    """RESTARTED, with a reliable message of the client under way, and ids of the gateway that jump."""
    traffic, _, message = yield from _begin_unacknowledged(gateway)
    next_in = [0, 0, 0, 0]
    for heard in traffic.heard:
        for one in heard.messages:
            if one.id is not None:
                next_in[one.channel] = max(next_in[one.channel], one.id + 1)
    told, again = (
        Message(bodies.RESTARTED, struct.pack("<H4H32s4H", 1, *next_in, bytes(32), first, 0, 0, 0))
        for first in (1000, 300)
    )
    jumped = Message(bodies.CHAT + bodies.EVENT, gateway.harmless().body, 0, 1000)
    gateway.lose(traffic)
    counter = gateway.say_data(traffic, Data(wants=1, messages=(told, jumped)))
    named = yield from gateway.taken(traffic, counter)
    gateway.verdicts.judge(
        RESTARTED,
        named,
        f"the datagram with RESTARTED and id 1000 of channel 0 was {'' if named else 'not '}acknowledged",
    )
    yield from gateway.pause(0.3)
    before = len(traffic.heard)
    yield from gateway.pause(2.5)
    more = _times(traffic, message, before)
    gateway.verdicts.judge(RESTARTED_KEPT, not more, f"it came {len(more)} times afterwards")
    _acknowledge_again(gateway, traffic)
    following = Message(jumped.type, jumped.body, 0, 1001)
    counter = gateway.say(traffic, again, following, wants=1)
    named = yield from gateway.taken(traffic, counter)
    lives = yield from gateway.alive(traffic)
    gateway.verdicts.judge(
        RESTARTED_SAME,
        named and lives,
        f"the datagram with id 1001 after it was {'' if named else 'not '}acknowledged",
    )


def _closed_with(gateway: Gateway, reason: int, check: Check) -> Script:
    traffic = yield from gateway.begin()
    yield from gateway.alive(traffic)
    gateway.handshake.challenges = False
    gateway.seal(traffic, Kind.CLOSE, bytes([reason, *bytes(7)]))
    yield from gateway.pause(1.5)
    before = len(traffic.heard)
    for _ in range(5):
        gateway.say(traffic, gateway.harmless(0), wants=1)
        yield from gateway.pause(0.3)
    more = traffic.heard[before:]
    gateway.verdicts.judge(
        check, not more, f"{more[0] if more else 'nothing'} came under these keys afterwards"
    )


def closed(gateway: Gateway) -> Script:
    """CLOSE for a reason of the document, for one of a later version, and for one of the game's own."""
    yield from _closed_with(gateway, 9, CLOSED_SILENT)
    gateway.handshake.challenges = True
    yield from _closed_with(gateway, 100, CLOSE_UNKNOWN)
    gateway.handshake.challenges = True
    yield from _closed_with(gateway, 200, CLOSE_KICKED)


def reset(gateway: Gateway) -> Script:
    """RESET with a wrong token, then with the right one."""
    traffic = yield from gateway.begin()
    yield from gateway.alive(traffic)
    token = gateway.tokens[id(traffic)]
    gateway.send(layout.pack_reset(gateway.ticket.session, bytes(16)))
    gateway.send(layout.pack_reset(gateway.ticket.session, token[:15] + bytes([token[15] ^ 1])))
    yield from gateway.pause(0.2)
    lives = yield from gateway.alive(traffic)
    gateway.verdicts.judge(RESET_FORGED, lives, f"a PING was {'' if lives else 'not '}answered afterwards")
    if not lives:
        return
    gateway.handshake.challenges = False
    gateway.send(layout.pack_reset(gateway.ticket.session, token))
    yield from gateway.pause(1.5)
    before = len(traffic.heard)
    for _ in range(5):
        gateway.say(traffic, gateway.harmless(0), wants=1)
        yield from gateway.pause(0.3)
    more = traffic.heard[before:]
    gateway.verdicts.judge(
        RESET_TAKEN, not more, f"{more[0] if more else 'nothing'} came under these keys afterwards"
    )


_EXEMPT = frozenset({bodies.MOVE, bodies.HEARTBEAT, bodies.BUSY, bodies.PING, bodies.PONG})


def windows(gateway: Gateway) -> Script:
    """Nothing is acknowledged from the beginning; needs a client that says much at once."""
    gateway.manners.acknowledges = False
    gateway.takes = lambda heard: False
    gateway.start()
    traffic = yield from gateway.connected(STARTS_S)
    yield from gateway.pause(3.0)
    bounded = [one for one in traffic.heard if any(message.type not in _EXEMPT for message in one.messages)]
    reliable = [one for one in traffic.heard if any(message.id is not None for message in one.messages)]
    if not bounded or not reliable:
        raise StoppedError("the client said nothing that a window bounds; have it say more")
    # Nothing was measured, so nothing is held for lost within 200 ms.
    first = [one for one in bounded if one.at_s < bounded[0].at_s + 0.15]
    gateway.verdicts.judge(FIRST_WINDOW, len(first) <= 4, f"{len(first)} datagrams came at once")
    most = max(sum(0 <= other.at_s - one.at_s < 0.15 for other in reliable) for one in reliable)
    gateway.verdicts.judge(
        ON_THEIR_WAY, most <= 32, f"{most} datagrams with reliable messages came within 150 ms"
    )
    ahead = 0
    for channel in range(4):
        ids = {
            one.id
            for heard in reliable
            for one in heard.messages
            if one.channel == channel and one.id is not None
        }
        ahead = max(ahead, max(ids, default=0) - min(ids, default=0))
    gateway.verdicts.judge(IDS_AHEAD, ahead <= 255, f"ids up to {ahead} ahead of the oldest came")


SCENARIOS = (
    Scenario(first_ids, (FIRST_ID, HEARTBEATS), setting=Setting(idle_timeout_ms=4500)),
    Scenario(
        repetition,
        (REPEATED, BACKS_OFF, UNSENT_IGNORED, ENDS_REPEATING),
        setting=Setting(idle_timeout_ms=9000),
    ),
    Scenario(outage, (OUTAGE,), setting=Setting(idle_timeout_ms=15000)),
    Scenario(lossy, (LOSSY,), setting=Setting(idle_timeout_ms=4500)),
    Scenario(idle, (IDLE,), setting=Setting(idle_timeout_ms=3000)),
    Scenario(path, (PATH_ANSWERED, ELSEWHERE)),
    Scenario(delivered, (BEHIND_TAKEN, PIECES_TAKEN)),
    Scenario(busy, (BUSY_STRANGE, BUSY_WAITS, BUSY_AGAIN), setting=Setting(idle_timeout_ms=9000)),
    Scenario(limits, (LIMITS_KEPT, LIMITS_NEW), setting=Setting(limits=_LIMITED)),
    Scenario(restarted, (RESTARTED, RESTARTED_KEPT, RESTARTED_SAME), setting=Setting(idle_timeout_ms=9000)),
    Scenario(closed, (CLOSED_SILENT, CLOSE_UNKNOWN, CLOSE_KICKED)),
    Scenario(reset, (RESET_FORGED, RESET_TAKEN)),
    Scenario(windows, (FIRST_WINDOW, ON_THEIR_WAY, IDS_AHEAD), setting=Setting(idle_timeout_ms=9000)),
)
