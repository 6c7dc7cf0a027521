# SPDX-License-Identifier: BSD-3-Clause
"""Which poll loops still turn, judged by the supervisor's own clock."""

from __future__ import annotations

from collections.abc import Sequence


class Heartbeats:
    """Remembers when each worker's heartbeat was last seen to move.

    Movement is what counts, not the age that the heartbeat claims: after the supervisor itself was stopped,
    or the whole machine was, every heartbeat is old at first and none has stalled.
    """

    def __init__(self) -> None:
        """Nothing is known yet: the first look starts every clock."""
        self._seen: list[tuple[int, float]] = []  # value, and when it was first seen

    def look(self, values: Sequence[int], now_s: float) -> None:
        """Take in what the statistics page says now."""
        if len(self._seen) != len(values):
            self._seen = [(value, now_s) for value in values]
        self._seen = [
            (value, since if value == before else now_s)
            for value, (before, since) in zip(values, self._seen, strict=True)
        ]

    def still(self, now_s: float) -> list[int]:
        """Indexes of the workers whose heartbeat did not move between the last two looks."""
        return [index for index, (_, since) in enumerate(self._seen) if since < now_s]

    def stalled(self, now_s: float, timeout_s: float) -> list[int]:
        """Indexes of the workers whose heartbeat has not moved for longer than `timeout_s`."""
        return [index for index, (_, since) in enumerate(self._seen) if now_s - since > timeout_s]
