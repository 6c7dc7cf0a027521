# SPDX-License-Identifier: BSD-3-Clause
"""A scrape: every family of one snapshot, as prometheus-client asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from pyshim.metrics.families import FAMILIES
from pyshim.metrics.family import exposition
from pyshim.stats import Snapshot


class SnapshotCollector(Collector):
    """Turns one snapshot per scrape into every family, so that the figures of a scrape belong together."""

    def __init__(self, source: Callable[[], Snapshot]) -> None:
        """Read from `source`, once per scrape."""
        self._source = source

    def describe(self) -> list[Metric]:
        """Nothing: to be asked for names must not cost a snapshot."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Every family, read from one snapshot."""
        snapshot = self._source()
        return (exposition(family, snapshot) for family in FAMILIES)
