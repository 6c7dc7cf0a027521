# SPDX-License-Identifier: BSD-3-Clause
"""What a gateway takes of a session, and how a client keeps to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pyshim import messages
from pyshim.protocol.session_control import Limit
from pyshim.protocol.session_wire import COST_BYTES

DATAGRAMS = 0  # the type of their limit
_SLOWER = 1.1  # who fills a bucket a tenth more slowly than the gateway is not refused


def cost(body_bytes: int, burst: int) -> int:
    """What a message with so many bytes of body, not compressed, costs of its limit."""
    return max(1, min(-(-body_bytes // COST_BYTES), burst))


@dataclass(slots=True)
class Bucket:
    """A bucket of `burst`, filled evenly."""

    burst: int
    interval_s: float
    full_at: float = 0.0  # when it would be full

    def conforms_at(self, costs: int) -> float:
        """When so much is in it."""
        return self.full_at - (self.burst - costs) * self.interval_s

    def take(self, costs: int, now: float) -> None:
        """It is in it."""
        self.full_at = max(self.full_at, now) + costs * self.interval_s


class Pace:
    """The buckets of a client, by type."""

    def __init__(self, limits: Iterable[Limit], slower: float = _SLOWER) -> None:
        """All full."""
        self._buckets = {
            limit.type: Bucket(limit.burst, slower * 60 / limit.per_minute)
            for limit in limits
            if limit.per_minute and limit.burst
        }

    def changed(self, limits: Iterable[Limit]) -> Pace:
        """Other limits; what was drawn from the buckets is."""
        pace = Pace(limits)
        for number, bucket in pace._buckets.items():
            if number in self._buckets:
                bucket.full_at = self._buckets[number].full_at
        return pace

    def conforms_at(self, number: int, body_bytes: int) -> float:
        """When a message of this type may leave."""
        bucket = self._buckets.get(messages.listed(number))
        return 0.0 if bucket is None else bucket.conforms_at(cost(body_bytes, bucket.burst))

    def take(self, number: int, body_bytes: int, now: float) -> None:
        """One leaves."""
        bucket = self._buckets.get(messages.listed(number))
        if bucket is not None:
            bucket.take(cost(body_bytes, bucket.burst), now)
