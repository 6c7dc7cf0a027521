# SPDX-License-Identifier: BSD-3-Clause
"""Results that tests make up."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from pyshim.load.result import UNSENT, Counts, Latency, Result, Times
from pyshim.load.scenario import TYPES, Trial
from pyshim.load.world_result import WorldCounts

TSC_HZ = 1_000_000_000
NO_WORLD = WorldCounts(**{each.name: 0 for each in fields(WorldCounts)})
NO_LATENCY = Latency.of([], 0.0, 0.0)


def counts(**changes: Any) -> Counts:
    """1,000 messages in a second, all answered, by a generator that was busy for a tenth of it."""
    values: dict[str, Any] = {
        "offered": 1000,
        "sent": 1000,
        "not_sent": 0,
        "acknowledged": 1000,
        "lost": 0,
        "duplicated": 0,
        "reordered": 0,
        "invalid": 0,
        "stray": 0,
        "host": 0,
        "late": 0,
        "worst_lag_s": 0.0,
        "sent_bytes": 44_000,
        "elapsed_s": 1.0,
        "busy_cycles": TSC_HZ // 10,
        "total_cycles": TSC_HZ,
        "latency_sum_s": 0.0,
        "latency_max_s": 0.0,
        "connected": 0,
        "connect_s": 0.0,
        "handshakes": 0,
        "closed": 0,
        "heard": 0,
        "replies": 0,
        "reply_sum_s": 0.0,
        "reply_max_s": 0.0,
        "unsent": dict.fromkeys(UNSENT, 0),
        "refusals": 0,
        "refusal": 0,
        "sent_of_type": {name: 1000 if name == "move" else 0 for name in TYPES},
        "acknowledged_of_type": {name: 1000 if name == "move" else 0 for name in TYPES},
        "world": NO_WORLD,
    }
    return Counts(**{**values, **changes})


def result(trial: Trial | None = None, *, cut_short: bool = False, **changes: Any) -> Result:
    """What came of a trial of 1,000 messages per second, unless another is given."""
    return Result.of(
        trial or Trial(100, 1.0, 1000.0),
        counts(**changes),
        Times(Latency.of([(1000, 900), (5000, 100)], 1.4e-3, 5e-6), NO_LATENCY, NO_LATENCY),
        tsc_hz=TSC_HZ,
        cut_short=cut_short,
    )
