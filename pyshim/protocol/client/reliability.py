# SPDX-License-Identifier: BSD-3-Clause
"""What goes out: batches by priority; reliable messages again, until a datagram with them is acknowledged."""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

from pyshim.protocol.client.congestion import NEVER, BulkPace, RoundTrip, Window
from pyshim.protocol.client.fragments import cut, room
from pyshim.protocol.client.limits import Pace
from pyshim.protocol.client.outgoing import Outgoing, Priority
from pyshim.protocol.client.path_mtu import PathMtu
from pyshim.protocol.client.settings import Settings
from pyshim.protocol.session_control import Busy, Restarted, read_limits_message
from pyshim.protocol.session_wire import (
    CHANNEL_WINDOW,
    CHANNELS,
    DATA_MIN_BYTES,
    MESSAGES_MAX,
    UNORDERED,
    BusyReason,
    Message,
    Prefix,
)

ASK_EVERY = 8  # of datagrams on their way, the last asks to be acknowledged at once
_ACK_BITS = 32
_LOST_BEHIND = 3  # one that so many later ones overtook is lost
_REMEMBERED = 128  # datagrams that were lost, and whose acknowledgement may still come


@dataclass(slots=True, eq=False)
class _Queued:
    """A message as a datagram carries it: whole, or a piece."""

    message: Message
    of: Outgoing
    order: int  # in which it was queued
    number: int = 0  # of its channel: the id, but it does not wrap around
    done: bool = False
    waits: bool = False  # is to be sent again


@dataclass(slots=True)
class _Flight:
    """A datagram with reliable messages that is not acknowledged."""

    sent_at: float
    queued_messages: list[_Queued]
    is_lost: bool = False


@dataclass(slots=True)
class _Channel:
    next_number: int = 0
    outstanding: dict[int, _Queued] = field(default_factory=dict)  # not delivered, oldest first


class Sender:
    """The sending half of a connection's messages."""

    def __init__(self, settings: Settings, max_datagram: int, round_trip: RoundTrip) -> None:
        """Nothing was queued."""
        self._settings = settings
        self.path = PathMtu(max_datagram, max(settings.datagram_sizes))
        self._round_trip = round_trip
        self._window = Window(round_trip)
        self._bulk = BulkPace(round_trip)
        self._order = count()
        self._channels = tuple(_Channel() for _ in range(CHANNELS))
        self._queues: dict[
            Priority, tuple[deque[_Queued], ...]
        ] = {  # by channel, the last of what is not reliable
            priority: tuple(deque() for _ in range(CHANNELS + 1)) for priority in Priority
        }
        self._repeats: list[_Queued] = []  # in the order in which they were queued
        self._refused: list[_Queued] = []
        self._refused_until = 0.0
        self._paused: set[int] = set()  # channels of what was refused
        self._flights: dict[int, _Flight] = {}  # by counter: all that may still be acknowledged
        self._on_their_way = 0  # of them, those that are not lost
        self._timeouts = 0  # in a row
        self._timed_out = 0  # counter of the last datagram when the last of them was counted
        self._last = 0  # counter of the last datagram
        self._filling = False  # a datagram within the window
        self._filling_bulk = False  # and within the pace of bulk
        self._is_bulk = False  # the last one
        self.heard_at = 0.0  # when something authentic came last
        self.pace = Pace(())
        self.queued_bytes = 0

    # ------------------------------------------------------------ in

    def limited(self, body: bytes, than: int) -> int:
        """LIMITS came: those newer `than` a version hold. Returns the version that holds.

        Raises:
            WireError: it is no LIMITS.
        """
        version, limits = read_limits_message(body)
        if version > than:
            self.pace = self.pace.changed(limits)
        return max(version, than)

    def queue(self, outgoing: Outgoing, now: float) -> None:
        """Take a message to be sent."""
        settings = self._settings
        outgoing.was_sent = False
        outgoing.flush_at = now if outgoing.priority is Priority.URGENT else now + settings.flush_s
        if outgoing.delivery is None:
            message = Message(outgoing.type, outgoing.body, priority=outgoing.priority)
            queued = _Queued(message, outgoing, next(self._order))
            self.queued_bytes += queued.message.size
            self._queues[outgoing.priority][CHANNELS].append(queued)
            return
        if not self.has_reliable:
            self.heard_at = max(self.heard_at, now)
        pieces = [outgoing.body] if outgoing.channel == UNORDERED else cut(outgoing.body)
        outgoing.missing = len(pieces)
        channel = self._channels[outgoing.channel]
        for index, body in enumerate(pieces):
            message = Message(
                outgoing.type,
                body,
                outgoing.channel,
                channel.next_number & 0xFFFF,
                outgoing.compressed,
                (index, len(pieces)) if len(pieces) > 1 else None,
                outgoing.priority,
            )
            queued = _Queued(message, outgoing, next(self._order), channel.next_number)
            self.queued_bytes += message.size
            channel.outstanding[channel.next_number] = queued
            channel.next_number += 1
            self._queues[outgoing.priority][outgoing.channel].append(queued)

    # ------------------------------------------------------------ out

    def due(self) -> float:
        """When `fill` has something to say, or something counts as lost."""
        at = NEVER
        if self._on_their_way:
            at = self._oldest().sent_at + self._timeout_s()
        if self._repeats:
            at = min(at, self._opens_at())
        if self._refused:
            at = min(at, self._refused_until)
        is_full = self._is_full()
        for head in self._heads():
            flush_at = 0.0 if is_full else head.of.flush_at
            at = min(at, max(flush_at, self._leaves_from(head)))
        return at

    def _oldest(self) -> _Flight:
        return next(flight for flight in self._flights.values() if not flight.is_lost)

    def _timeout_s(self) -> float:
        silent_for_s = self._oldest().sent_at - self.heard_at
        return max(self._settings.resend_min_s, self._round_trip.timeout_s(self._timeouts, silent_for_s))

    def _opens_at(self) -> float:
        return 0.0 if self._filling else self._window.opens_at(self._on_their_way)

    def expire(self, now: float) -> None:
        """Send again what was not acknowledged in time, or was refused until now."""
        lost = 0
        while self._on_their_way and self._oldest().sent_at + self._timeout_s() <= now:
            lost = next(counter for counter, flight in self._flights.items() if not flight.is_lost)
            self._lost(lost)
        if lost > self._timed_out:
            self._timed_out = self._last
            if self._timeouts:
                self._window.persists()
            self._timeouts += 1
            self.path.timed_out(self._timeouts, now)
        if self._refused and self._refused_until <= now:
            for queued in self._refused:
                insort(self._repeats, queued, key=lambda one: one.order)
            self._refused.clear()
            self._paused.clear()

    def _lost(self, counter: int, *, reduces: bool = True) -> list[_Queued]:
        """A datagram is not on its way any more; returns what is to be sent again."""
        flight = self._flights[counter]
        flight.is_lost = True
        self._on_their_way -= 1
        if reduces:
            self._window.lost(counter, self._last)
            self._bulk.lost()
        again = [queued for queued in flight.queued_messages if not (queued.done or queued.waits)]
        for queued in again:
            queued.waits = True
            if reduces:
                insort(self._repeats, queued, key=lambda one: one.order)
        for old in list(self._flights)[: max(0, len(self._flights) - _REMEMBERED)]:
            if self._flights[old].is_lost:
                del self._flights[old]
        return again

    def _is_full(self) -> bool:
        """Whether what waits fills a datagram: no company is worth waiting for."""
        size = number = 0
        for queues in self._queues.values():
            for queue in queues:
                for queued in queue:
                    size, number = size + queued.message.size, number + 1
                    if size > room(self.path.size) or number >= MESSAGES_MAX:
                        return True
        return False

    def fill(self, counter: int, now: float) -> list[Message]:
        """The messages of the datagram `counter`, which leaves now, as many as the path carries.

        Repetitions first, then what is urgent, normal and bulk.
        """
        chosen: list[_Queued] = []
        left = whole = room(self.path.size)
        if self._opens_at() <= now:
            for queued in self._repeats:
                if len(chosen) < MESSAGES_MAX and queued.message.size <= left:
                    left -= queued.message.size
                    chosen.append(queued)
                    self._within_window(now)
            self._repeats = [queued for queued in self._repeats if queued not in chosen]
            for queued in chosen:
                queued.waits = False
        while len(chosen) < MESSAGES_MAX:
            fresh = self._next(left, now)
            if fresh is None:
                break
            left -= fresh.message.size
            chosen.append(fresh)
            self._leaves(fresh, now)
        self._is_bulk, self._filling, self._filling_bulk = self._filling_bulk, False, False
        self._last = counter
        self.path.left(counter, DATA_MIN_BYTES + whole - left)
        reliable = [queued for queued in chosen if queued.of.delivery is not None]
        if reliable:
            self._flights[counter] = _Flight(now, reliable)
            self._on_their_way += 1
        return [queued.message for queued in chosen]

    def probe_due(self) -> float:
        """When to ask `path` for a PROBE, which takes nobody's place."""
        return NEVER if self._repeats or any(True for _ in self._heads()) else self.path.due

    def probed(self, counter: int, size: int, now: float) -> None:
        """A PROBE left."""
        self.path.probed(counter, size, now, self._round_trip.timeout_s(0, 0.0))

    @property
    def asks_at_once(self) -> bool:
        """Whether the datagram that was just filled is to ask for an acknowledgement at once."""
        return self._is_bulk or self._on_their_way % ASK_EVERY == ASK_EVERY - 1

    def _within_window(self, now: float) -> None:
        if not self._filling:
            self._filling = True
            self._window.left(now)

    def _next(self, room: int, now: float) -> _Queued | None:
        for head in self._heads():
            if head.message.size <= room and self._leaves_from(head) <= now:
                return self._queues[head.of.priority][self._queue_index(head)].popleft()
        return None

    def _leaves(self, queued: _Queued, now: float) -> None:
        queued.of.was_sent = True
        if queued.of.priority is Priority.BULK:
            self._filling_bulk = True
            self._bulk.left(now)
        if self._is_windowed(queued):
            self._within_window(now)
        if queued.of.delivery is None:
            queued.done = True
            self.queued_bytes -= queued.message.size
        if queued.message.piece is None or queued.message.piece[0] == 0:
            self.pace.take(queued.of.type, queued.of.cost_bytes, now)

    def _heads(self) -> Iterator[_Queued]:
        """What may be sent next, as it should be: by priority, in each the longest waiting first."""
        for priority in Priority:
            heads = [queue[0] for queue in self._queues[priority] if queue]
            yield from sorted(heads, key=lambda queued: queued.order)

    @staticmethod
    def _is_windowed(queued: _Queued) -> bool:
        return queued.of.delivery is not None or queued.of.priority is not Priority.URGENT

    def _leaves_from(self, queued: _Queued) -> float:
        """When it may leave; NEVER: when something else happens."""
        if queued.of.delivery is not None and (
            queued.message.channel in self._paused or self._is_beyond_window(queued)
        ):
            return NEVER
        at = 0.0
        if queued.message.piece is None or queued.message.piece[0] == 0:
            at = self.pace.conforms_at(queued.of.type, queued.of.cost_bytes)
        if self._is_windowed(queued):
            at = max(at, self._opens_at())
        if queued.of.priority is Priority.BULK and not self._filling_bulk:
            at = max(at, self._bulk.leaves_from)
        return at

    def _is_beyond_window(self, queued: _Queued) -> bool:
        outstanding = self._channels[queued.message.channel].outstanding
        return queued.number - next(iter(outstanding)) >= CHANNEL_WINDOW

    @staticmethod
    def _queue_index(queued: _Queued) -> int:
        return CHANNELS if queued.of.delivery is None else queued.message.channel

    # ------------------------------------------------------------ acknowledgements

    def acknowledged(self, prefix: Prefix, last_sent: int, now: float) -> None:
        """The peer has taken `ack`, and by bits those before it."""
        self.heard_at = now
        if not 1 <= prefix.ack <= last_sent:
            return
        flights = self._on_their_way
        flight = self._flights.get(prefix.ack)
        bits = (bit for bit in range(_ACK_BITS) if prefix.ack_bits >> bit & 1)
        counters = {prefix.ack, *(prefix.ack - 1 - bit for bit in bits)}
        sent_at = self.path.acknowledged(counters, prefix.ack, now)
        if flight is not None:
            sent_at = flight.sent_at
        if sent_at is not None and prefix.delay_s is not None:
            self._round_trip.measured(now - sent_at, now, prefix.delay_s)
        if flight is not None and prefix.delay_s is not None:
            self._bulk.measured(flight.sent_at, now)
        arrived = sum(self._taken(counter) for counter in sorted(counters, reverse=True))
        if not arrived:
            return
        self._timeouts = 0
        if self._on_their_way < flights:
            self._window.acknowledged(flights - self._on_their_way, flights)
        for counter in [
            c for c, flight in self._flights.items() if not flight.is_lost and c <= prefix.ack - _LOST_BEHIND
        ]:
            self._lost(counter)

    def _taken(self, counter: int) -> int:
        flight = self._flights.pop(counter, None)
        if flight is None:
            return 0
        self._on_their_way -= not flight.is_lost
        for queued in flight.queued_messages:
            if not queued.done:
                self._settle(queued)
        return 1

    def _settle(self, queued: _Queued) -> None:
        """It was taken. In order it is delivered when all before it are: until then it is kept."""
        queued.done = True
        queued.of.missing -= 1
        if queued.waits:
            queued.waits = False
            self._repeats = [other for other in self._repeats if other is not queued]
            self._refused = [other for other in self._refused if other is not queued]
        outstanding = self._channels[queued.message.channel].outstanding
        if queued.message.channel == UNORDERED:
            self._delivered(outstanding, queued)
            return
        while outstanding and next(iter(outstanding.values())).of.missing == 0:
            self._delivered(outstanding, next(iter(outstanding.values())))

    def _delivered(self, outstanding: dict[int, _Queued], queued: _Queued) -> None:
        del outstanding[queued.number]
        self.queued_bytes -= queued.message.size
        is_last = queued.message.piece is None or queued.message.piece[0] + 1 == queued.message.piece[1]
        if is_last and queued.of.delivery is not None:
            queued.of.delivery.settle()

    # ------------------------------------------------------------ refused, forgotten

    def refused(self, busy: Busy, now: float) -> None:
        """The peer did not take a datagram, or gave up what it had of messages that it has not read."""
        if busy.reason == BusyReason.FORGOTTEN:
            self._nothing_counts()
        flight = self._flights.get(busy.counter)
        if flight is None or flight.is_lost:
            return
        self._refused += self._lost(busy.counter, reduces=False)
        self._refused_until = max(self._refused_until, now + busy.retry_ms / 1000)
        self._paused |= {queued.message.channel for queued in flight.queued_messages}

    def _nothing_counts(self) -> None:
        """Whatever was or will be acknowledged of what was sent in order so far is sent again."""
        for channel in self._channels[:UNORDERED]:
            self._again(queued for queued in channel.outstanding.values() if queued.done)
        for flight in self._flights.values():
            for queued in flight.queued_messages:
                if queued.message.channel != UNORDERED and not (queued.done or queued.waits):
                    queued.waits = True
                    insort(self._repeats, queued, key=lambda one: one.order)
            flight.queued_messages = [
                queued for queued in flight.queued_messages if queued.message.channel == UNORDERED
            ]

    def _again(self, messages: Iterator[_Queued]) -> None:
        """They were acknowledged, and are not any more."""
        for queued in messages:
            queued.done, queued.waits = False, True
            queued.of.missing += 1
            insort(self._repeats, queued, key=lambda one: one.order)

    def restarted(self, restarted: Restarted) -> None:
        """The gateway's process was replaced by one that knows only which ids were delivered."""
        for number, channel in enumerate(self._channels):
            kept = list(channel.outstanding.values())
            ahead = [(queued.number - restarted.next_in[number]) & 0xFFFF for queued in kept]
            is_there = [
                at >= 0x8000 or (number == UNORDERED and at < CHANNEL_WINDOW and restarted.seen >> at & 1)
                for at in ahead
            ]
            self._again(one for one, there in zip(kept, is_there, strict=True) if one.done and not there)
            for one, there in zip(kept, is_there, strict=True):
                if there and not one.done:
                    self._settle(one)
        for counter in [c for c, flight in self._flights.items() if not flight.is_lost]:
            self._lost(counter)
        self._flights.clear()  # what is acknowledged from now on of what was sent before says nothing

    def moved(self, now: float) -> None:
        """This end is on another network: what is on its way is lost, and the path is another."""
        self.path.shrink(now)
        for counter in [c for c, flight in self._flights.items() if not flight.is_lost]:
            self._lost(counter)
        self._window = Window(self._round_trip)
        self._bulk = BulkPace(self._round_trip)
        self._timeouts = 0

    # ------------------------------------------------------------ the end

    def undelivered(self) -> list[Outgoing]:
        """Reliable messages that were not delivered, whole, in the order in which they were queued."""
        queued_messages = [queued for channel in self._channels for queued in channel.outstanding.values()]
        queued_messages.sort(key=lambda queued: queued.order)
        return list(dict.fromkeys(queued.of for queued in queued_messages))

    @property
    def has_reliable(self) -> bool:
        """Whether a reliable message waits or is not delivered."""
        return any(channel.outstanding for channel in self._channels)
