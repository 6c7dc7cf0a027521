# SPDX-License-Identifier: BSD-3-Clause
"""Against a gateway: sections 6, 7 and 14, messages that are delivered, repeated and refused."""

from __future__ import annotations

import struct

from pyshim.conformance import bodies, layout
from pyshim.conformance.as_client import Player
from pyshim.conformance.both_messages import judge_busy
from pyshim.conformance.checks import Check
from pyshim.conformance.layout import Data, Kind, Message
from pyshim.conformance.loop import Script, Steps
from pyshim.conformance.peer import PATIENCE_S, SILENCE_S, Heard, StoppedError, Traffic
from pyshim.conformance.rules import (
    BACKS_OFF,
    ENDS_REPEATING,
    LOSSY,
    OUTAGE,
    REPEATED,
    UNSENT_IGNORED,
)
from pyshim.conformance.scenario import Scenario

EVENT_BODY = Check(
    "event-body", "14", "A message to a player who is connected comes there as its event, whole"
)
EVENT_FLAGS = Check(
    "event-flags", "14", "An event has the reliability, the channel and the priority of its message"
)
ORDER = Check("order", "6", "On channels 0 to 2 an id waits for those before it")
NO_ORDER = Check("no-order", "6", "On channel 3 messages are delivered as they come")
DELIVERED_ONCE = Check(
    "delivered-once", "6", "An id that was delivered is taken again, and not delivered again"
)
NO_RECEIVER = Check("no-receiver", "14", "A message for everyone near is taken and acknowledged")
PIECES_TAKEN = Check("pieces-taken", "14", "Pieces in any order, some of them twice, are one message")
PIECES_LONG = Check("pieces-long", "14", "A message of 65,528 bytes of the game's own is delivered")
COMPRESSED_TAKEN = Check("compressed-taken", "14", "A compressed body is delivered with what it expands to")
LIMIT_REFUSED = Check(
    "limit-refused", "7", "A reliable message over its limit is refused: its datagram is not acknowledged"
)
LIMIT_BUSY = Check("limit-busy", "7", "A refusal is told by BUSY with reason 1, the counter and the type")
LIMIT_SPARSE = Check("limit-sparse", "7", "BUSY is sent at most ten times a second")
LIMIT_LATER = Check(
    "limit-later", "7", "What was refused is taken when it is said again later; nothing ends the connection"
)


def _me(player: Player, traffic: Traffic) -> int:
    return player.welcome(traffic).player_id


def _event(
    player: Player, traffic: Traffic, kind: int, *, since: int = 0
) -> Steps[tuple[Heard, Message] | None]:
    """The first event of a type that came since, or comes."""

    def has(heard: Heard) -> bool:
        return heard.traffic is traffic and any(one.type == kind for one in heard.messages)

    if not traffic.messages(kind, since=since):
        yield from player.expect(has)
    found = traffic.messages(kind, since=since)
    return found[0] if found else None


def _chat(player: Player, traffic: Traffic, text: str, identity: int | None, **fields: int) -> Message:
    channel = fields.pop("channel", 1 if identity is not None else 0)
    body = bodies.chat(_me(player, traffic), text)
    return Message(bodies.CHAT, body, channel, identity, priority=fields.pop("priority", 1))


def _texts(traffic: Traffic) -> list[str]:
    """Chat that came, in the order of its ids on each channel, repetitions left out."""
    seen: dict[tuple[int, int | None, int], str] = {}
    for heard, one in traffic.messages(bodies.CHAT + bodies.EVENT):
        key = (one.channel, one.id, heard.counter if one.id is None else 0)
        seen.setdefault(key, one.body[12:].decode("utf-8", "replace"))
    return list(seen.values())


def events(player: Player) -> Script:
    """Messages of a player to itself."""
    traffic = yield from player.connect()
    me = _me(player, traffic)
    rows = (
        Message(bodies.ATTACK, bodies.attack(me, 77), 0, 0, priority=0),
        Message(bodies.CHAT, bodies.chat(me, "hello\0\ufeff"), 1, 0, priority=0),
        Message(bodies.SKILL, struct.pack("<II", 5, me), 2, 0, priority=2),
        Message(bodies.BULK, bodies.bulk(me, b"game"), 3, 0, priority=1),
        Message(bodies.ATTACK, bodies.attack(me, 78), priority=1),
    )
    for message in rows:
        before = len(traffic.heard)
        player.say(traffic, message, wants=1)
        found = yield from _event(player, traffic, message.type + bodies.EVENT, since=before)
        name = f"a message of type {message.type}"
        if found is None:
            player.verdicts.judge(EVENT_BODY, False, f"no event came of {name}")
            continue
        event = found[1]
        body = bodies.expand(event.body) if event.compressed else event.body
        right = body == bodies.event(me, message.body)
        player.verdicts.judge(EVENT_BODY, right, f"{name} came with {'the' if right else 'another'} body")
        same = (event.id is None, event.channel, event.priority) == (
            message.id is None,
            message.channel,
            message.priority,
        )
        said = f"channel {event.channel}, priority {event.priority}, {'un' * (event.id is None)}reliable"
        player.verdicts.judge(EVENT_FLAGS, same, f"{name} came on {said}")
    counter = player.say(traffic, Message(bodies.CHAT, bodies.chat(0, "all"), 1, 1), wants=1)
    named = yield from player.taken(traffic, counter)
    player.verdicts.judge(NO_RECEIVER, named, f"a chat to 0 was {'' if named else 'not '}acknowledged")


def _come(player: Player, traffic: Traffic, text: str) -> Steps[bool]:
    """Whether a line of chat comes."""
    until = player.now() + PATIENCE_S
    while text not in _texts(traffic):
        if (yield from player.listen(until, lambda heard: bool(heard.messages))) is None:
            return False
    return True


def order(player: Player) -> Script:
    """Ids that come in another order, twice, and too far ahead."""
    traffic = yield from player.connect()
    second = player.say(traffic, _chat(player, traffic, "second", 1), wants=1)
    yield from player.taken(traffic, second)
    yield from player.pause(0.2)
    early = "second" in _texts(traffic)
    player.say(traffic, _chat(player, traffic, "first", 0), wants=1)
    yield from _come(player, traffic, "second")
    came = [text for text in _texts(traffic) if text in ("first", "second")]
    player.verdicts.judge(
        ORDER, not early and came == ["first", "second"], f"{came} came, {'before' * early} id 0"
    )
    player.say(traffic, _chat(player, traffic, "later", 1, channel=3), wants=1)
    loose = yield from _come(player, traffic, "later")
    player.verdicts.judge(
        NO_ORDER, loose, f"id 1 of channel 3 was {'' if loose else 'not '}delivered before id 0"
    )
    again = player.say(traffic, _chat(player, traffic, "second", 1), wants=1)
    named = yield from player.taken(traffic, again)
    yield from player.pause(0.3)
    times = _texts(traffic).count("second")
    player.verdicts.judge(
        DELIVERED_ONCE,
        named and times == 1,
        f"it was delivered {times} times, {'' if named else 'not '}acknowledged",
    )


def pieces(player: Player) -> Script:
    """Long bodies to oneself, in pieces."""
    traffic = yield from player.connect()
    me = _me(player, traffic)
    short = bytes(n * 7 & 255 for n in range(1500))
    parts = layout.cut(Message(bodies.BULK, bodies.bulk(me, short), 2, 0))
    for part in (*reversed(parts), parts[1]):
        player.say(traffic, part, wants=1)
        yield from player.pause(0.02)
    found = yield from _whole(player, traffic, 2, 0)
    right = found == bodies.event(me, bodies.bulk(me, short))
    player.verdicts.judge(PIECES_TAKEN, right, f"an event of {len(found)} bytes came")
    long = bytes(n * 31 >> 3 & 255 for n in range(65528))
    yield from _say_all(player, traffic, layout.cut(Message(bodies.BULK, bodies.bulk(me, long), 0, 0)))
    found = yield from _whole(player, traffic, 0, 0)
    right = found == bodies.event(me, bodies.bulk(me, long))
    player.verdicts.judge(PIECES_LONG, right, f"an event of {len(found)} bytes came")


def _say_all(player: Player, traffic: Traffic, messages: list[Message]) -> Steps[None]:
    """Each in a datagram, at most 16 of them on their way, until all are acknowledged or 18 s are over."""
    waiting, under_way = list(messages), dict[int, tuple[float, Message]]()
    until = player.now() + 3 * PATIENCE_S
    while (waiting or under_way) and player.now() < until and traffic.closed_s is None:
        named = traffic.acknowledged()
        now = player.now()
        waiting += [
            one for counter, (at, one) in under_way.items() if counter not in named and now - at > 1.0
        ]
        under_way = {
            counter: (at, one)
            for counter, (at, one) in under_way.items()
            if counter not in named and now - at <= 1.0
        }
        while waiting and len(under_way) < 16:
            message = waiting.pop(0)
            under_way[player.say(traffic, message, wants=len(under_way) % 4 == 3)] = (now, message)
        yield from player.listen(now + 0.05, lambda heard: heard.data is not None)


def _whole(player: Player, traffic: Traffic, channel: int, first: int) -> Steps[bytes]:
    """The body of an event that comes in pieces or in one, as far as it came."""
    until = player.now() + 3 * PATIENCE_S
    while True:
        mine = {
            one.id: one for _, one in traffic.messages(bodies.BULK + bodies.EVENT) if one.channel == channel
        }
        head = mine.get(first)
        if head is not None:
            count = layout.piece_of(head)[1] if head.piece else 1
            parts = [mine.get((first + n) & 0xFFFF) for n in range(count)]
            found = b"".join(one.body[4 if one.piece else 0 :] for one in parts if one is not None)
            if None not in parts:
                return (bodies.expand(found) or b"") if head.compressed else found
        if (yield from player.listen(until, lambda heard: bool(heard.messages))) is None:
            return b""


def compressed(player: Player) -> Script:
    """A compressed chat to oneself."""
    traffic = yield from player.connect()
    me = _me(player, traffic)
    body = bodies.chat(me, "compress " * 40)
    player.say(traffic, Message(bodies.CHAT, bodies.compress(body), 1, 0, compressed=True), wants=1)
    found = yield from _event(player, traffic, bodies.CHAT + bodies.EVENT)
    came = b"" if found is None else found[1].body
    if found is not None and found[1].compressed:
        came = bodies.expand(came) or b""
    right = came == bodies.event(me, body)
    player.verdicts.judge(COMPRESSED_TAKEN, right, f"an event of {len(came)} bytes came")


def repetition(player: Player) -> Script:
    """An event that is not acknowledged for a time, then by what names other datagrams, then rightly."""
    traffic = yield from player.connect()
    yield from player.alive(traffic)
    player.manners.acknowledges = False
    known = set(traffic.taken)
    player.takes = lambda heard: heard.kind != Kind.DATA
    player.say_data(
        traffic, Data(max(known, default=0), messages=(_chat(player, traffic, "again", 0),), wants=1)
    )
    start_s = player.now()
    yield from player.pause(2.5)
    times = [heard for heard, _ in traffic.messages(bodies.CHAT + bodies.EVENT)]
    counters = {heard.counter for heard in times}
    player.verdicts.judge(
        REPEATED,
        len(counters) >= 2,
        f"the event came in {len(counters)} datagrams within {player.now() - start_s:.1f} s",
    )
    player.verdicts.judge(BACKS_OFF, 2 <= len(times) <= 12, f"it came {len(times)} times within 2.5 s")
    for _ in range(3):
        player.say_data(traffic, Data(0xFFFF0000, 0xFFFFFFFF, 0))
    before = len(traffic.heard)
    yield from player.pause(3.0)
    more = traffic.messages(bodies.CHAT + bodies.EVENT, since=before)
    player.verdicts.judge(UNSENT_IGNORED, bool(more), f"the event came {len(more)} times more")
    player.takes = lambda heard: True
    player.manners.acknowledges = True
    traffic.taken |= {heard.counter for heard in traffic.heard}
    player.say(traffic)
    yield from player.pause(0.5)
    before = len(traffic.heard)
    yield from player.pause(2.5)
    more = traffic.messages(bodies.CHAT + bodies.EVENT, since=before)
    player.verdicts.judge(ENDS_REPEATING, not more, f"the event came {len(more)} times more")


def lossy(player: Player) -> Script:
    """Attacks on oneself, while each third datagram of the gateway is lost."""
    traffic = yield from player.connect()
    me = _me(player, traffic)
    player.takes = lambda heard: heard.counter % 3 > 0
    attacks = [Message(bodies.ATTACK, bodies.attack(me, number), 0, number) for number in range(20)]
    yield from _say_all(player, traffic, attacks)
    until = player.now() + 2 * PATIENCE_S
    while len(_attacks_taken(traffic)) < len(attacks):
        if (yield from player.listen(until, lambda heard: bool(heard.messages))) is None:
            break
    came = _attacks_taken(traffic)
    player.verdicts.judge(LOSSY, came == list(range(20)), f"of 20 attacks these came: {came}")


def _attacks_taken(traffic: Traffic) -> list[int]:
    """Their numbers, in the order of their ids."""
    events = {
        one.id: int.from_bytes(one.body[8:12], "little")
        for heard, one in traffic.messages(bodies.ATTACK + bodies.EVENT)
        if heard.counter in traffic.taken and one.id is not None
    }
    return [events[identity] for identity in sorted(events)]


def outage(player: Player) -> Script:
    """Five seconds in which the client hears and says nothing, with an event under way."""
    traffic = yield from player.connect()
    yield from player.alive(traffic)
    if player.welcome(traffic).idle_timeout_ms < 8000:
        raise StoppedError("the gateway's idle_timeout_ms is below 8000")
    acknowledges, player.manners.acknowledges = player.manners.acknowledges, False
    player.takes = lambda heard: False
    player.say_data(
        traffic, Data(max(traffic.taken, default=0), messages=(_chat(player, traffic, "late", 0),))
    )
    yield from player.pause(5.0)
    player.manners.acknowledges = acknowledges
    player.takes = lambda heard: True
    before = len(traffic.heard)
    lives = yield from player.alive(traffic)
    found = yield from _event(player, traffic, bodies.CHAT + bodies.EVENT, since=before)
    player.verdicts.judge(
        OUTAGE,
        lives and found is not None,
        f"a PING was {'' if lives else 'not '}answered, and the event {'came' if found else 'did not come'}",
    )


def limits(player: Player) -> Script:
    """More chat at once than the gateway says that it takes."""
    traffic = yield from player.connect()
    limit = next((one for one in player.welcome(traffic).limits if one.type == bodies.CHAT), None)
    if limit is None or limit.burst > 200:
        raise StoppedError(
            "this gateway names no limit of chat, or one above 200 at once; configure a smaller one"
        )
    said: dict[int, Message] = {}
    count = limit.burst + 10
    for number in range(count):
        message = Message(bodies.CHAT, bodies.chat(0, f"line {number}"), 3, number)
        said[player.say(traffic, message, wants=1)] = message
        if number % 8 == 7:
            yield from player.pause(0.01)
    yield from player.pause(SILENCE_S)
    # Meanwhile more were due, as the rate gives: fewer than the ten, unless it is above a thousand a minute.
    refused = tuple(counter for counter in said if counter not in traffic.acknowledged())
    player.verdicts.judge(
        LIMIT_REFUSED, bool(refused), f"of {count} messages {len(refused)} were not acknowledged"
    )
    if not refused:
        return
    if not traffic.messages(bodies.BUSY):
        yield from player.expect(lambda heard: any(one.type == bodies.BUSY for one in heard.messages))
    judge_busy(player, traffic, LIMIT_BUSY, 0, refused, 1, bodies.CHAT)
    busy = [heard for heard, _ in traffic.messages(bodies.BUSY)]
    span = busy[-1].at_s - busy[0].at_s if busy else 0.0
    player.verdicts.judge(
        LIMIT_SPARSE, len(busy) <= 10 * span + 2, f"BUSY came {len(busy)} times in {span:.1f} s"
    )
    last = said[refused[-1]]
    named = False
    for _ in range(8):
        yield from player.pause(max(0.2, 60 / limit.per_minute))
        counter = player.say(traffic, last, wants=1)
        named = yield from player.taken(traffic, counter, 1.0)
        if named:
            break
    player.verdicts.judge(
        LIMIT_LATER, named, f"it was {'' if named else 'not '}acknowledged when it was said later"
    )


SCENARIOS = (
    Scenario(events, (EVENT_BODY, EVENT_FLAGS, NO_RECEIVER)),
    Scenario(order, (ORDER, NO_ORDER, DELIVERED_ONCE)),
    Scenario(pieces, (PIECES_TAKEN, PIECES_LONG)),
    Scenario(compressed, (COMPRESSED_TAKEN,)),
    Scenario(repetition, (REPEATED, BACKS_OFF, UNSENT_IGNORED, ENDS_REPEATING)),
    Scenario(lossy, (LOSSY,)),
    Scenario(outage, (OUTAGE,)),
    Scenario(limits, (LIMIT_REFUSED, LIMIT_BUSY, LIMIT_SPARSE, LIMIT_LATER)),
)
