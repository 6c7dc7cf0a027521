# SPDX-License-Identifier: BSD-3-Clause
"""`pollgate bench game`: messages reach the process that reads them, and are in one counter each."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from pyshim.bench.rig.game_run import Forwarding
from pyshim.bench.rig.placement import choose_placement
from tests.bench.commands import BRIEFLY, bench

pytestmark = pytest.mark.skipif(
    len(os.sched_getaffinity(0)) < 2 or shutil.which("cc") is None,
    reason="a worker and a process need a CPU each, and the process is compiled here",
)


def test_each_row_has_a_figure_with_the_process_and_without(tmp_path: Path) -> None:
    ended = bench("game", "--json", *BRIEFLY, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    report = json.loads(ended.stdout)
    assert (report["bench"], report["complete"]) == ("game", True)
    forward, round_trip = report["rows"]
    assert (forward["name"], forward["against"], forward["unit"]) == (
        "game-forward",
        "no-route",
        "messages/s",
    )
    assert forward["messages"] > 0
    assert 0 <= forward["lost_ratio"] <= 1
    assert forward["limited_by"] == ("cpus" if forward["lost_ratio"] > 0.01 else "gateway")
    assert (round_trip["name"], round_trip["against"], round_trip["unit"]) == (
        "game-round-trip",
        "acknowledged",
        "ns",
    )
    assert round_trip["added_ns"] == round_trip["samples"][0] - round_trip["against_samples"][0]
    assert round_trip["round_trips"] > 0
    for row in report["rows"]:
        assert row["value"] == row["samples"][0] > 0
        assert row["against_samples"][0] > 0
        assert row["ratio"]["median"] > 0


def test_only_with_a_route_messages_reach_the_process(tmp_path: Path) -> None:
    forwarding = Forwarding(tmp_path, 200, choose_placement())
    routed, unrouted = (forwarding.measure(0.2, routed=each) for each in (True, False))
    assert routed.delivered > 0
    assert routed.delivered + routed.lost == routed.taken
    assert unrouted.taken > 0
    assert unrouted.delivered == unrouted.lost == 0


def test_each_message_of_a_conversation_is_answered(tmp_path: Path) -> None:
    forwarding = Forwarding(tmp_path, 200, choose_placement())
    answered, acknowledged = (forwarding.converse(0.2, routed=each) for each in (True, False))
    assert answered.heard >= answered.trips > 0
    assert 0 < answered.p50_s <= answered.p99_s
    assert acknowledged.trips > 0 == acknowledged.heard
