# SPDX-License-Identifier: BSD-3-Clause
"""How much may be on its way: the round trip, and a window of datagrams as of RFC 9002, section 7."""

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
_QUEUE_S = 0.05  # bulk adds no more than this
_LOOK_S = 1.0
_LEAST_OF_S = 5.0  # the least round trip is of so long, and as long before


class RoundTrip:
    """Smoothed round trip and its variation (RFC 6298), and the least of the last seconds (RFC 6817)."""

    def __init__(self) -> None:
        """Nothing was measured."""
        self.smoothed_s: float | None = None
        self._variation_s = 0.0
        self._latest_s = 0.0
        self._least_s = self._least_before_s = NEVER
        self._least_since = -NEVER
        self.looked_at = -NEVER  # when something was measured, or was to be

    @property
    def least_s(self) -> float:
        """The least of the last five to ten seconds."""
        return min(self._least_s, self._least_before_s)

    @property
    def bulk_from(self) -> float:
        """When bulk may leave: where a queue on the path has grown, a datagram each second."""
        has_queue = self._latest_s > self.least_s + _QUEUE_S
        return self.looked_at + _LOOK_S if has_queue else 0.0

    def measured(self, sample_s: float, now: float, delay_s: float = 0.0) -> None:
        """One round trip took `sample_s`, of which the peer waited `delay_s`."""
        least_s = self.least_s
        self._latest_s, self.looked_at = sample_s, now
        if now - self._least_since >= _LEAST_OF_S:
            self._least_before_s, self._least_s, self._least_since = self._least_s, sample_s, now
        self._least_s = min(self._least_s, sample_s)
        if sample_s - delay_s >= least_s:
            sample_s -= delay_s
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
