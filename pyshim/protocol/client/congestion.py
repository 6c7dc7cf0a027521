# SPDX-License-Identifier: BSD-3-Clause
"""How much may be on its way: the round trip, a window as of RFC 9002, section 7, and a pace of bulk."""

from __future__ import annotations

NEVER = float("inf")
WINDOW_FIRST = 4  # datagrams; the window is never smaller, and no more leave at once
WINDOW_MOST = 32  # an acknowledgement names 33
_UNMEASURED_S = 0.2
_SPREAD_MIN_S = 0.01
_ACKNOWLEDGE_S = 0.025  # a peer may wait so long with its acknowledgement
_TIMEOUT_MAX_S = 1.0
_SILENT_S = 10.0  # nothing authentic came for so long:
_SILENT_MAX_S = 2.0  # the time-out then
_LEAST_OF_S = 30.0  # the least round trip is of so long, and as long before
BULK_EXCESS_S = (
    0.02  # of the round trip over the least: more of it twice in a row, or twice as much, and bulk slows down
)
BULK_FIRST = 1 / 4  # of a datagram in a round trip: what ten say at once is gone before they say more
BULK_LEAST = 1 / 64
BULK_GROWS = 1 / 32  # and by a 32nd: by a share alone, a small pace would stay small beside large ones
_BULK_INTERVAL_S = (
    0.2,
    1.0,
)  # the longest between two datagrams of bulk is four round trips, but within these


class RoundTrip:
    """Smoothed round trip and its variation (RFC 6298), and the least of the last seconds (RFC 6817)."""

    def __init__(self) -> None:
        """Nothing was measured."""
        self.smoothed_s: float | None = None
        self._variation_s = 0.0
        self.latest_s = 0.0  # 0: nothing was measured
        self._least_s = self._least_before_s = NEVER
        self._least_since = -NEVER

    @property
    def excess_s(self) -> float:
        """How much longer the last one was than the least of the last 30 to 60 seconds."""
        return self.latest_s - min(self._least_s, self._least_before_s)

    def measured(self, sample_s: float, now: float, delay_s: float = 0.0) -> None:
        """One round trip took `sample_s`, of which the peer waited `delay_s`."""
        least_s = min(self._least_s, self._least_before_s)
        self.latest_s = max(sample_s - delay_s, 1e-6)
        if now - self._least_since >= _LEAST_OF_S:
            self._least_before_s, self._least_s, self._least_since = self._least_s, NEVER, now
        self._least_s = min(self._least_s, self.latest_s)
        if sample_s - delay_s >= least_s:  # a peer that waits longer than it may makes the time-out longer
            sample_s -= min(delay_s, _ACKNOWLEDGE_S)
        if self.smoothed_s is None:
            self.smoothed_s, self._variation_s = sample_s, sample_s / 2
            return
        self._variation_s += (abs(self.smoothed_s - sample_s) - self._variation_s) / 4
        self.smoothed_s += (sample_s - self.smoothed_s) / 8

    def timeout_s(self, in_a_row: int, silent_for_s: float) -> float:
        """After this, what was not acknowledged counts as lost; `in_a_row`: time-outs before."""
        timeout_s = _UNMEASURED_S
        if self.smoothed_s is not None:
            timeout_s = self.smoothed_s + max(4 * self._variation_s, _SPREAD_MIN_S) + _ACKNOWLEDGE_S
        most_s = _SILENT_MAX_S if silent_for_s > _SILENT_S else _TIMEOUT_MAX_S
        return min(timeout_s * (1 << min(in_a_row, 16)), max(most_s, timeout_s))


class Window:
    """How many datagrams may be on their way, and when the next one may leave."""

    def __init__(self, round_trip: RoundTrip) -> None:
        """Nothing was sent."""
        self._round_trip = round_trip
        self._size = float(WINDOW_FIRST)
        self._threshold = NEVER
        self._reduced_at = 0  # counter of the last datagram when it was reduced
        self._paced = 0.0

    @property
    def size(self) -> int:
        """Datagrams."""
        return int(self._size)

    def _interval_s(self) -> float:
        return (self._round_trip.smoothed_s or 0.0) * 4 / (5 * self.size)

    def opens_at(self, flights: int) -> float:
        """When another datagram may leave, with so many on their way."""
        if flights >= self.size:
            return NEVER
        return self._paced - (WINDOW_FIRST - 1) * self._interval_s()

    def left(self, now: float) -> None:
        """A datagram left."""
        self._paced = max(self._paced, now) + self._interval_s()

    def acknowledged(self, datagrams: int, flights: int) -> None:
        """Of `flights` that were on their way, so many arrived; a window that is not used does not grow."""
        if 2 * flights < self.size:
            return
        grows = datagrams if self._size < self._threshold else datagrams / self._size
        self._size = min(self._size + grows, WINDOW_MOST)

    def lost(self, counter: int, last: int) -> None:
        """A datagram was lost; those before `last`, which left last, reduce the window no more."""
        if counter > self._reduced_at:
            self._reduced_at = last
            self._size = self._threshold = max(self._size / 2, WINDOW_FIRST)

    def persists(self) -> None:
        """Nothing is acknowledged for a while."""
        self._size = float(WINDOW_FIRST)


class BulkPace:
    """How soon after each other datagrams with bulk leave, so that they make nobody wait for long (RFC 6817).

    By a rate, as one datagram of each of several players on one link would already be too much.
    """

    def __init__(self, round_trip: RoundTrip) -> None:
        """Nothing was sent."""
        self._round_trip = round_trip
        self._size = BULK_FIRST  # datagrams in a round trip
        self._doubles = True  # until a queue is seen for the first time
        self._above = 0  # samples in a row
        self._grew = False  # when it changed last
        self._changed_at = self._left_at = -NEVER

    @property
    def leaves_from(self) -> float:
        """When the next one may leave."""
        return self._left_at + self._interval_s()

    def _interval_s(self) -> float:
        shortest_s, longest_s = _BULK_INTERVAL_S
        latest_s = self._round_trip.latest_s
        if not latest_s:
            return shortest_s
        return min(latest_s / self._size, max(shortest_s, min(4 * latest_s, longest_s)))

    def left(self, now: float) -> None:
        """One left."""
        self._left_at = now

    def lost(self) -> None:
        """A datagram was lost: the queue may be a short one."""
        self._doubles = False

    def measured(self, sent_at: float, now: float) -> None:
        """A round trip was measured.

        Of a datagram before the pace was halved it says nothing; of one before it grew, only that the pace
        was too fast already.
        """
        is_before = sent_at < self._changed_at
        if is_before and not self._grew:
            return
        excess_s = self._round_trip.excess_s
        self._doubles &= excess_s <= BULK_EXCESS_S / 2
        self._above = self._above + 1 if excess_s > BULK_EXCESS_S else 0
        if self._above >= 2 or excess_s > 2 * BULK_EXCESS_S:
            self._change(self._size / 2, now)
        elif not (self._above or is_before) and self._was_used(sent_at):
            self._change(self._size * 2 if self._doubles else self._size * 33 / 32 + BULK_GROWS, now)

    def _was_used(self, sent_at: float) -> bool:
        """Since it changed. While it doubles, its whole effect is to be seen first: one round trip later."""
        if self._doubles and sent_at < self._changed_at + self._round_trip.latest_s:
            return False
        return self._left_at >= self._changed_at

    def _change(self, size: float, now: float) -> None:
        self._grew = size > self._size
        self._size = min(max(size, BULK_LEAST), WINDOW_MOST)
        self._changed_at, self._above = now, 0
