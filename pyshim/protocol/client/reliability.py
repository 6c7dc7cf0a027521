# SPDX-License-Identifier: BSD-3-Clause
"""What goes out: batches by priority; reliable messages again, until a datagram with them is acknowledged."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

from pyshim.protocol.client.fragments import cut
from pyshim.protocol.client.outgoing import Outgoing, Priority
from pyshim.protocol.client.settings import Settings
from pyshim.protocol.session_wire import (
    CHANNEL_WINDOW,
    CHANNELS,
    MESSAGES_MAX,
    UNORDERED,
    Message,
    Prefix,
)

NEVER = float("inf")
FLIGHTS_MAX = 32  # datagrams with reliable messages on their way: one names 33
ASK_EVERY = 8  # of them, the last asks to be acknowledged at once
_ACK_BITS = 32
_UNMEASURED_S = 1.0  # RFC 6298 2.1


class RoundTrip:
    """Smoothed round trip and its variation (RFC 6298)."""

    def __init__(self, floor_s: float) -> None:
        """Nothing was measured. `floor_s`: no time-out is shorter."""
        self._floor_s = floor_s
        self.smoothed_s: float | None = None
        self._variation_s = 0.0
        self._least_s = float("inf")

    def measured(self, sample_s: float, delay_s: float = 0.0) -> None:
        """One round trip took `sample_s`, of which the peer says that it waited `delay_s` (RFC 9002 5.3)."""
        self._least_s = min(self._least_s, sample_s)
        if sample_s - delay_s >= self._least_s:
            sample_s -= delay_s
        if self.smoothed_s is None:
            self.smoothed_s, self._variation_s = sample_s, sample_s / 2
            return
        self._variation_s += (abs(self.smoothed_s - sample_s) - self._variation_s) / 4
        self.smoothed_s += (sample_s - self.smoothed_s) / 8

    @property
    def timeout_s(self) -> float:
        """After this, what was not acknowledged counts as lost."""
        if self.smoothed_s is None:
            return _UNMEASURED_S
        return max(self._floor_s, self.smoothed_s + 4 * self._variation_s)


@dataclass(slots=True, eq=False)
class _Queued:
    """A message as a datagram carries it: whole, or a piece."""

    message: Message
    of: Outgoing
    order: int  # in which it was queued
    number: int = 0  # of its channel: the id, but it does not wrap around
    sends: int = 0
    done: bool = False


@dataclass(slots=True)
class _Flight:
    """A datagram with reliable messages that is not acknowledged."""

    sent_at: float
    queued_messages: list[_Queued]


@dataclass(slots=True)
class _Channel:
    next_number: int = 0
    outstanding: dict[int, _Queued] = field(default_factory=dict)  # not delivered, oldest first


class Sender:
    """The sending half of a connection's messages."""

    def __init__(self, settings: Settings, max_datagram: int, round_trip: RoundTrip) -> None:
        """Nothing was queued."""
        self._settings = settings
        self._max_datagram = max_datagram
        self._round_trip = round_trip
        self._order = count()
        self._channels = tuple(_Channel() for _ in range(CHANNELS))
        self._queues: dict[
            Priority, tuple[deque[_Queued], ...]
        ] = {  # by channel, the last of what is not reliable
            priority: tuple(deque() for _ in range(CHANNELS + 1)) for priority in Priority
        }
        self._repeats: deque[_Queued] = deque()
        self._timers: list[tuple[float, int, _Queued, int]] = []  # when, order, whose, after how many sends
        self._on_their_way: dict[int, _Flight] = {}  # by counter, of which no message was repeated
        self._flights: dict[int, _Flight] = {}  # all that may still be acknowledged
        self.queued_bytes = 0
        self.gave_up = False

    # ------------------------------------------------------------ in

    def queue(self, outgoing: Outgoing, now: float) -> None:
        """Take a message to be sent."""
        settings = self._settings
        outgoing.was_sent = False
        outgoing.flush_at = now if outgoing.priority is Priority.URGENT else now + settings.flush_s
        if outgoing.delivery is None:
            queued = _Queued(Message(outgoing.type, outgoing.body), outgoing, next(self._order))
            self.queued_bytes += queued.message.size
            self._queues[outgoing.priority][CHANNELS].append(queued)
            return
        pieces = cut(outgoing.body, self._max_datagram)
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
            )
            queued = _Queued(message, outgoing, next(self._order), channel.next_number)
            self.queued_bytes += message.size
            channel.outstanding[channel.next_number] = queued
            channel.next_number += 1
            self._queues[outgoing.priority][outgoing.channel].append(queued)

    # ------------------------------------------------------------ out

    def due(self) -> float:
        """When `fill` has something to say."""
        while self._timers and self._is_stale(self._timers[0]):
            heapq.heappop(self._timers)
        at = self._timers[0][0] if self._timers else NEVER
        if any(not queued.done for queued in self._repeats):
            return 0.0
        waiting = [queued.of.flush_at for queued in self._heads()]
        return min(at, *waiting, NEVER)

    def expire(self, now: float) -> None:
        """Put what was not acknowledged in time among what is sent again, or give up."""
        while self._timers and (self._timers[0][0] <= now or self._is_stale(self._timers[0])):
            timer = heapq.heappop(self._timers)
            queued = timer[2]
            if self._is_stale(timer):
                continue
            if queued.sends > self._settings.resends:
                self.gave_up = True
                return
            self._repeats.append(queued)
            for counter in [
                c for c, flight in self._on_their_way.items() if queued in flight.queued_messages
            ]:
                del self._on_their_way[counter]

    def is_full(self, room: int) -> bool:
        """Whether what may leave now fills a datagram: no company is worth waiting for."""
        size = number = 0
        for queues in self._queues.values():
            for queue in queues:
                for queued in queue:
                    size, number = size + queued.message.size, number + 1
                    if size > room or number >= MESSAGES_MAX:
                        return any(True for _ in self._heads())
        return False

    def fill(self, counter: int, now: float, room: int) -> list[Message]:
        """The messages of the datagram `counter`, which leaves now with `room` bytes for them.

        Repetitions first, then what is urgent, normal and bulk.
        """
        chosen: list[_Queued] = []
        while len(chosen) < MESSAGES_MAX:
            queued = self._next(room)
            if queued is None:
                break
            room -= queued.message.size
            chosen.append(queued)
            self._sent(queued, now)
        reliable = [queued for queued in chosen if queued.of.delivery is not None]
        if reliable:
            flight = _Flight(now, reliable)
            self._flights[counter] = self._on_their_way[counter] = flight
        return [queued.message for queued in chosen]

    @property
    def asks_at_once(self) -> bool:
        """Whether the datagram that was just filled is to ask for an acknowledgement at once."""
        return len(self._on_their_way) % ASK_EVERY == ASK_EVERY - 1

    def _next(self, room: int) -> _Queued | None:
        while self._repeats:
            if self._repeats[0].done:
                self._repeats.popleft()
            elif self._repeats[0].message.size <= room:
                return self._repeats.popleft()
            else:
                return None
        for head in self._heads():
            if head.message.size <= room:
                queue = self._queues[head.of.priority][self._queue_index(head)]
                return queue.popleft()
        return None

    def _heads(self) -> Iterator[_Queued]:
        """What may be sent next, as it should be: by priority, in each the longest waiting first."""
        is_closed = len(self._on_their_way) >= FLIGHTS_MAX
        for priority in Priority:
            heads = [queue[0] for queue in self._queues[priority] if queue]
            for head in sorted(heads, key=lambda queued: queued.order):
                if head.of.delivery is None or not (is_closed or self._is_beyond_window(head)):
                    yield head

    def _is_beyond_window(self, queued: _Queued) -> bool:
        outstanding = self._channels[queued.message.channel].outstanding
        return queued.number - next(iter(outstanding)) >= CHANNEL_WINDOW

    @staticmethod
    def _queue_index(queued: _Queued) -> int:
        return CHANNELS if queued.of.delivery is None else queued.message.channel

    def _sent(self, queued: _Queued, now: float) -> None:
        queued.sends += 1
        queued.of.was_sent = True
        if queued.of.delivery is None:
            queued.done = True
            self.queued_bytes -= queued.message.size
            return
        wait_s = self._round_trip.timeout_s * (1 << (queued.sends - 1))
        heapq.heappush(self._timers, (now + wait_s, queued.order, queued, queued.sends))

    @staticmethod
    def _is_stale(timer: tuple[float, int, _Queued, int]) -> bool:
        return timer[2].done or timer[2].sends != timer[3]

    # ------------------------------------------------------------ acknowledgements

    def acknowledged(self, prefix: Prefix, last_sent: int, now: float) -> None:
        """The peer has taken `ack`, and by bits those before it."""
        if not 1 <= prefix.ack <= last_sent:
            return
        flight = self._flights.get(prefix.ack)
        if flight is not None and prefix.delay_s is not None:
            self._round_trip.measured(now - flight.sent_at, prefix.delay_s)
        self._taken(prefix.ack)
        for bit in range(_ACK_BITS):
            if prefix.ack_bits >> bit & 1:
                self._taken(prefix.ack - 1 - bit)

    def _taken(self, counter: int) -> None:
        flight = self._flights.pop(counter, None)
        self._on_their_way.pop(counter, None)
        if flight is None:
            return
        for queued in flight.queued_messages:
            if not queued.done:
                self._settle(queued)
        # Earlier copies of what arrived wait for nothing any more.
        for other in [
            c for c, f in self._flights.items() if all(queued.done for queued in f.queued_messages)
        ]:
            del self._flights[other]
            self._on_their_way.pop(other, None)

    def _settle(self, queued: _Queued) -> None:
        """It was taken. In order it is delivered when all before it are: until then the peer holds it."""
        queued.done = True
        self.queued_bytes -= queued.message.size
        outstanding = self._channels[queued.message.channel].outstanding
        if queued.message.channel == UNORDERED:
            self._delivered(outstanding, queued)
            return
        while outstanding and (first := next(iter(outstanding.values()))).done:
            self._delivered(outstanding, first)

    @staticmethod
    def _delivered(outstanding: dict[int, _Queued], queued: _Queued) -> None:
        del outstanding[queued.number]
        queued.of.missing -= 1
        if queued.of.missing == 0 and queued.of.delivery is not None:
            queued.of.delivery.settle()

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
