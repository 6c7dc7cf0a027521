# SPDX-License-Identifier: BSD-3-Clause
"""How long the gateway had packets in hand, from the histogram that it exports."""

from __future__ import annotations

import math
from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

from pyshim.bench.rig.processes import fetch

_BUCKETS = "pollgate_message_handling_seconds_bucket"

Histogram = Mapping[float, float]  # upper bound in seconds → how many took at most that long


def handling_histogram(url: str) -> Histogram:
    """One scrape of the gateway at `url`, summed over its workers."""
    counts: dict[float, float] = {}
    for family in text_string_to_metric_families(fetch(url)):
        for sample in family.samples:
            if sample.name == _BUCKETS:
                bound = float(sample.labels["le"])
                counts[bound] = counts.get(bound, 0.0) + sample.value
    return counts


def quantile(before: Histogram, after: Histogram, share: float) -> float | None:
    """Seconds within which this share of what came between two scrapes was handled; None when nothing came.

    Within a bucket, times are taken to be spread evenly; one without an upper bound stands for its lower one.
    """
    grown = sorted((bound, count - before.get(bound, 0.0)) for bound, count in after.items())
    wanted = share * grown[-1][1] if grown else 0.0
    if wanted <= 0:
        return None
    below_bound, below = 0.0, 0.0
    for bound, count in grown:
        if count >= wanted:
            if math.isinf(bound):
                return below_bound
            return below_bound + (bound - below_bound) * (wanted - below) / (count - below)
        below_bound, below = bound, count
    return below_bound
