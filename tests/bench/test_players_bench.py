# SPDX-License-Identifier: BSD-3-Clause
"""`pollgate bench players` works: a row per pace, each set beside what was asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pyshim.bench.players import paces
from tests.bench.commands import BRIEFLY, bench

ASKED = {"ladder-5000x60": 300_000.0, "paced-500000": 500_000.0, "paced-1000000": 1_000_000.0}


def test_players_has_a_row_per_pace(tmp_path: Path) -> None:
    ended = bench("players", "--json", *BRIEFLY, cwd=tmp_path)

    assert ended.returncode == 0, ended.stderr
    report = json.loads(ended.stdout)
    assert {row["name"]: row["against_samples"][0] for row in report["rows"]} == ASKED
    for row in report["rows"]:
        assert (row["unit"], row["against"], row["device"]) == ("packets/s", "asked", "net_memif")
        assert row["players"] == 5000
        assert row["value"] == row["samples"][0] > 0
        assert row["ratio"]["median"] == pytest.approx(row["value"] / row["rate_pps"])
        assert row["limited_by"] in ("gateway", "generator", "cpus")
        assert ("Limited by the generator" in row["note"]) == (row["limited_by"] == "generator")
        assert 0 <= row["loss_ratio"] < 1
        quantiles = ("latency_p50_s", "latency_p99_s", "latency_p99_9_s", "latency_max_s")
        assert sorted(row[key] for key in quantiles) == [row[key] for key in quantiles]


def test_the_ladder_has_all_five_steps_when_it_is_asked_for() -> None:
    steps = {pace.name: (pace.players, pace.rate_pps) for pace in paces(ladder=True)}

    assert list(steps.items())[:5] == [
        ("ladder-100x10", (100, 1000.0)),
        ("ladder-500x20", (500, 10_000.0)),
        ("ladder-1000x30", (1000, 30_000.0)),
        ("ladder-2000x50", (2000, 100_000.0)),
        ("ladder-5000x60", (5000, 300_000.0)),
    ]
    assert [*steps][4:] == [pace.name for pace in paces(ladder=False)] == [*ASKED]
