# SPDX-License-Identifier: BSD-3-Clause
"""`pollgate bench world`: readers decode what the movements say, and a row says what it is held to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pyshim.bench.reports.bars import Bar
from pyshim.bench.rig.world_run import Place, World, measure_world
from pyshim.views.units import number
from tests.bench.commands import BRIEFLY, bench

PLAYERS = 300


@pytest.mark.parametrize("place", list(Place))
def test_all_that_readers_decode_is_so(place: Place, tmp_path: Path) -> None:
    run = measure_world(tmp_path, World(players=PLAYERS, place=place), warm_ticks=280, ticks=120)
    assert run.wrong == run.glimpses_wrong == run.puzzled == 0
    assert run.checked > 16 * 120 * 20
    assert run.greatest_error <= 1.25
    assert run.states == run.sent == 120 * PLAYERS
    assert 0.97 * run.states < run.taken < run.states  # two of a hundred movements are lost
    assert run.shed == run.overruns == 0


def test_who_stands_is_told_in_less(tmp_path: Path) -> None:
    moving, standing = (
        measure_world(tmp_path, World(PLAYERS, Place.TOWN, standing_percent=percent), 60, 60)
        for percent in (0, 70)
    )
    assert standing.bytes_per_neighbour < moving.bytes_per_neighbour


def test_a_row_says_what_it_is_held_to(tmp_path: Path) -> None:
    ended = bench("world", "--rows", "town-5000", "--json", *BRIEFLY, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    report = json.loads(ended.stdout)
    assert (report["bench"], report["complete"]) == ("world", True)
    (row,) = report["rows"]
    assert (row["name"], row["unit"], row["players"]) == ("town-5000", "% of a core", 5000)
    assert row["value"] == row["samples"][0] > 0
    assert row["checked"] > 0 == row["wrong"]
    held = {bar["figure"]: bar for bar in row["bars"]}
    assert held.keys() >= {"busy_percent", "tick_p99_s", "appears_s", "bytes_per_neighbour", "handling_p99_s"}
    assert held["bytes_per_neighbour"]["found"] == row["bytes_per_neighbour"]


def test_a_bar_is_held_by_the_median() -> None:
    at_most, at_least = Bar("a", "as few", 2, number), Bar("b", "as many", 2, number, at_least=True)
    assert at_most.judged([1, 2, 9])["holds"]
    assert not at_most.judged([1, 3, 9])["holds"]
    assert at_least.judged([1, 2, 9])["holds"]
    assert not at_least.judged([0, 1, 9])["holds"]


def test_a_world_that_is_not_known_is_refused(tmp_path: Path) -> None:
    ended = bench("world", "--rows", "village", cwd=tmp_path)
    assert ended.returncode == 2
    assert "'village' is not one of spread-5000" in " ".join(ended.stderr.replace("│", " ").split())
