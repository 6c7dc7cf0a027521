# SPDX-License-Identifier: BSD-3-Clause
"""`pollgate bench world`: readers decode what the movements say, and a row says what it is held to."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pyshim.bench.description import Request
from pyshim.bench.interest import interest_rows, ways
from pyshim.bench.pairs import Ratio
from pyshim.bench.reports.bars import Bar
from pyshim.bench.reports.report import Row
from pyshim.bench.reports.worlds import growth, growth_told
from pyshim.bench.rig.interest_run import InterestRun, has_tree, measure_interest
from pyshim.bench.rig.world_run import Place, World, WorldRun, measure_world
from pyshim.bench.world import with_costs_of
from pyshim.bench.world_rows import ROWS
from pyshim.views.units import number
from tests.bench.commands import BRIEFLY, bench

PLAYERS = 300


@pytest.mark.parametrize("place", list(Place))
def test_all_that_readers_decode_is_so(place: Place, tmp_path: Path) -> None:
    run = measure_world(tmp_path, World(players=PLAYERS, place=place), warm_ticks=280, ticks=120)
    assert run.wrong == run.glimpses_wrong == run.malformed == 0
    assert run.checked > 16 * 120 * 20
    assert run.greatest_error <= 1.25
    assert run.states == run.sent == 120 * PLAYERS
    assert 0.97 * run.states < run.taken < run.states  # two of a hundred movements are lost
    assert run.shed == run.overruns == 0


def test_what_is_not_sealed_says_the_same(tmp_path: Path) -> None:
    sealed, unsealed = (
        measure_world(tmp_path, World(PLAYERS, Place.TOWN, unsealed=unsealed), 60, 60)
        for unsealed in (False, True)
    )
    assert unsealed.wrong == unsealed.malformed == 0 < unsealed.checked
    assert (unsealed.sent, unsealed.taken) == (sealed.sent, sealed.taken)
    assert unsealed.bits_per_s == pytest.approx(sealed.bits_per_s, rel=0.01)


def test_players_of_profile_plain_are_told_what_is_so_when_they_ask(tmp_path: Path) -> None:
    run = measure_world(tmp_path, World(PLAYERS, Place.SPREAD, plain=True), 60, 60)
    assert run.wrong == run.malformed == run.shed == 0 < run.checked
    assert run.greatest_error <= 1.25
    assert run.sent == run.states
    assert run.states / 9 < run.looks < run.states / 6  # every eight ticks, and now and then beside that
    assert (
        0.9 * 60 * PLAYERS < run.states <= 60 * PLAYERS
    )  # two of a hundred questions are lost, or were late
    assert 0.97 * 60 * PLAYERS < run.taken < 60 * PLAYERS
    assert run.neighbours > 20


def test_the_row_of_profile_plain_has_its_players_and_its_bar() -> None:
    (row,) = (row for row in ROWS if row.plain)
    world = row.world(1)
    assert (world.players, world.tick_hz, world.plain, world.unsealed) == (200_000, 5, True, False)
    assert [(bar.key, bar.limit) for bar in row.bars] == [("busy_percent", 60)]


def test_movements_at_uneven_times_are_told_in_more(tmp_path: Path) -> None:
    even, uneven = (
        measure_world(tmp_path, World(PLAYERS, Place.TOWN, jitter=jitter), 60, 60) for jitter in (False, True)
    )
    assert uneven.wrong == uneven.malformed == 0 < uneven.checked
    assert uneven.taken == even.taken  # they are no reason to refuse any
    assert uneven.bytes_per_neighbour > 1.1 * even.bytes_per_neighbour


def test_on_a_faster_core_the_same_is_done(tmp_path: Path) -> None:
    run = measure_world(tmp_path, World(PLAYERS, Place.SPREAD, times_as_fast=4), 60, 60)
    assert run.wrong == run.shed == 0 < run.checked
    assert run.sent == 60 * PLAYERS


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


def test_the_seal_is_told_by_pairs(tmp_path: Path) -> None:
    ended = bench("world", "--rows", "town-5000-unsealed", "--json", *BRIEFLY, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    (row,) = json.loads(ended.stdout)["rows"]
    assert (row["against"], row["sealed"]) == ("sealed", False)
    assert len(row["against_samples"]) == len(row["samples"])
    assert row["seal_cycles_min"] <= row["seal_cycles"] <= row["seal_cycles_max"]


def _row(name: str, players: int, cycles: float) -> Row:
    details = {"players": players, "tick_hz": 60, "cycles": cycles, "cycles_moves": 0.0}
    return Row(name, "", 1, (1,), "", (1,), Ratio(1, 1, 1), "gateway", details)


def test_what_players_cost_is_told_by_their_number() -> None:
    rows = [
        _row("spread-200000", 200_000, 1500),
        _row("spread-5000", 5_000, 1000),
        _row("town-5000", 5_000, 4000),
        _row("spread-200000-unsealed", 200_000, 900),
        _row("spread-50000", 50_000, 1100),
    ]
    assert [line[-1] for line in growth(rows)[1:]] == ["1.00", "1.10", "1.50"]
    told = growth_told(rows)
    assert "spread-200000 over spread-5000: 1.50; bar 2, holds" in told
    assert "spread-200000 over spread-50000: 1.36; bar 1.3, does NOT hold" in told
    assert growth(rows[:1]) == []
    assert growth_told(rows[:1]) == ""


def test_what_there_was_no_time_for_is_reckoned_in() -> None:
    values = dict.fromkeys(WorldRun.__dataclass_fields__, 1)
    short, whole = (WorldRun(**{**values, "busy": busy, "cycles": 10 * busy}) for busy in (1.1, 1.9))
    told = with_costs_of(replace(short, shed=5), whole)
    assert (told.busy, told.cycles, told.shed) == (1.9, 19.0, 5)


@pytest.mark.parametrize("place", list(Place))
def test_every_way_finds_who_is_near_whom(place: Place) -> None:
    run = measure_interest(
        World(players=2000, place=place, cell_m=4 if place == Place.CROWD else 16), pairs=2
    )
    assert run.differ == run.wrong == 0
    assert len(run.in_turn) == len(run.everybody) == len(run.brute) == len(run.grid) == 2
    assert len(run.tree) == (2 if has_tree() else 0)
    assert 0 < run.missing_everybody < run.missing < 0.3  # by design: hysteresis, and turns


def test_interest_is_told_beside_the_best_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    run = InterestRun((0.002, 0.004), (0.02, 0.03), (0.2, 0.3), (0.04, 0.04), (), 0.05, 0.02, 0, 0)
    monkeypatch.setattr("pyshim.bench.rig.interest_run.measure_interest", lambda _world, _pairs: run)
    in_turn, everybody = interest_rows(Request(2, 1.0), "interest-town-50000")
    assert (in_turn.value, in_turn.against) == (3.0, "plain grid")
    assert (in_turn.ratio.median, everybody.ratio.max) == pytest.approx((0.075, 0.75))
    assert everybody.details["brute_ms"] == 250.0
    assert [row.details["bars"][0]["holds"] for row in (in_turn, everybody)] == [True, False]
    assert "scipy is not installed" in in_turn.note
    assert ways((in_turn,))[1] == ["interest-town-50000", "3.0", "250.0", "40.0", "-", "5.0 %"]


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


def test_attacks_are_judged_and_questions_are_answered_beside_the_ticks(tmp_path: Path) -> None:
    world = World(PLAYERS, Place.TOWN, attack_per_mille=20, asked_per_tick=2)
    run = measure_world(tmp_path, world, 60, 60)
    assert run.wrong == run.shed == 0 < run.checked
    assert 0.01 * run.taken < run.judged < 0.03 * run.taken
    assert run.found > 60  # in the spheres alone
    assert min(run.step_said_p99_s, run.step_asked_p99_s) > 0
