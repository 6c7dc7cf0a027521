# SPDX-License-Identifier: BSD-3-Clause
"""How long datagrams may be: what the path is believed to carry, and when to ask it for more (RFC 8899)."""

from __future__ import annotations

from pyshim.protocol.client.congestion import NEVER
from pyshim.protocol.session_wire import DATAGRAM_SIZES

LEAST = min(DATAGRAM_SIZES)
_LOST_BEHIND = 3  # one that so many later ones overtook is lost
_LOST_IN_A_ROW = 3  # and the path swallows long ones
_TIMEOUTS_IN_A_ROW = 2
_PROBES_OF_A_SIZE = 3
_PROBE_EVERY_S = 1.0
_SEARCH_EVERY_S = 600.0
_FAR_BEHIND = 64  # nobody acknowledges what is


class PathMtu:
    """What the path carries. Shrinks where long datagrams vanish, grows when a PROBE is acknowledged."""

    def __init__(self, size: int, most: int) -> None:
        """The handshake proved `size` bytes; never is a datagram longer than `most`."""
        self.size = size
        self._most = max(most, size)
        self._longs: dict[int, int] = {}  # counters of long datagrams that are on their way: bytes
        self._lost = 0  # of them, in a row
        self._probes: dict[int, tuple[int, float]] = {}  # counters that are on their way: bytes, since when
        self._tried = 0  # PROBEs of this size
        self._next_at = -NEVER

    @property
    def due(self) -> float:
        """When to ask for a `probe`, if nothing waits to be sent."""
        return self._next_at if self.size < self._most else NEVER

    def probe(self, now: float) -> int | None:
        """Bytes of the PROBE that is to leave now."""
        if now < self.due:
            return None
        if self._tried == _PROBES_OF_A_SIZE:
            self._tried = 0
            self._next_at = now + _SEARCH_EVERY_S
            return None
        return min(size for size in (*DATAGRAM_SIZES, self._most) if self.size < size <= self._most)

    def probed(self, counter: int, size: int, now: float, timeout_s: float) -> None:
        """It left."""
        self._tried += 1
        self._probes[counter] = size, now
        self._next_at = now + max(_PROBE_EVERY_S, timeout_s)

    def left(self, counter: int, size: int) -> None:
        """A datagram that is to be acknowledged left."""
        if size > LEAST:
            self._longs[counter] = size

    def acknowledged(self, counters: set[int], newest: int, now: float) -> float | None:
        """Tell of datagrams that the peer has; returns when the PROBE left that is `newest`, if one is."""
        sample = self._probes.get(newest) if newest in counters else None
        for counter in counters & self._probes.keys():
            size, _ = self._probes.pop(counter)
            if size > self.size:
                self.size, self._tried, self._next_at = size, 0, now
        for counter, _size in list(self._longs.items()):
            if counter in counters:
                self._lost = 0
            elif newest - counter < _LOST_BEHIND:
                continue
            else:
                self._lost += newest - counter < _FAR_BEHIND
            del self._longs[counter]
        for counter in [counter for counter in self._probes if newest - counter >= _FAR_BEHIND]:
            del self._probes[counter]
        if self._lost >= _LOST_IN_A_ROW and self.size > LEAST:
            self.shrink(now)
        return None if sample is None else sample[1]

    def timed_out(self, in_a_row: int, now: float) -> None:
        """So many time-outs passed in a row."""
        if in_a_row >= _TIMEOUTS_IN_A_ROW and self._longs and self.size > LEAST:
            self.shrink(now)

    def shrink(self, now: float) -> None:
        """The path is another, or swallows long datagrams: it carries the least, until a search says more."""
        self.size, self._tried, self._lost, self._next_at = LEAST, 0, 0, now
        self._longs.clear()
        self._probes.clear()
