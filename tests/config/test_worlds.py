# SPDX-License-Identifier: BSD-3-Clause
"""Worlds in a configuration: what they are by default, and sentences where keys contradict."""

# ruff: noqa: E501  (an exact sentence stays on one line, where a search finds it)

from __future__ import annotations

import pytest

from pyshim._native import encode
from pyshim._native.decode import text
from pyshim.plan import plan_from_json, plan_to_json
from pyshim.planner import plan
from tests.config.written import errors, load
from tests.plan.builders import make_host

PORTS = """\
engine: epoll
ports: [{name: game0, address: [127.0.0.1/8]}]
"""
LISTEN = "listen: [{port: 1, profile: session, world: cave}, {port: 2, profile: session}, {port: 3}]\n"
MEADOW = "{name: meadow, bounds: [[-500, -500.5, -10], [500, 500, 90]]}"
CAVE = "{name: cave, bounds: [[0, 0, 0], [64, 64, 8]], tick_hz: 60, radius_m: 20, leave_radius_m: 22.5}"
WHOLE = f"{PORTS}{LISTEN}worlds: [{MEADOW}, {CAVE}]\n"


def test_worlds_reach_the_data_plane_in_micrometres() -> None:
    config = load(WHOLE)
    native = encode.plan_struct(plan_from_json(plan_to_json(plan(config, make_host(config)))))
    assert native.world_count == 2
    meadow, cave = native.world[0], native.world[1]
    assert text(meadow.name) == "meadow"
    assert list(meadow.low_um) == [-500_000_000, -500_500_000, -10_000_000]
    assert list(meadow.high_um) == [500_000_000, 500_000_000, 90_000_000]
    assert (meadow.tick_hz, meadow.radius_um, meadow.quantum_um) == (30, 64_000_000, 10_000)
    assert (cave.tick_hz, cave.radius_um, cave.leave_radius_um) == (60, 20_000_000, 22_500_000)
    assert list(native.listener_world)[:4] == [2, 0, 0, 0]
    config = load(WHOLE.replace("{port: 3}", "{port: 3, world: meadow}"))
    native = encode.plan_struct(plan_from_json(plan_to_json(plan(config, make_host(config)))))
    assert list(native.listener_world)[:4] == [2, 0, 1, 0]


def test_attacks_are_judged_where_combat_is_written() -> None:
    config = load(WHOLE.replace("tick_hz: 60", "tick_hz: 60, combat: {reach_m: 2.5, rewind_ms: 400}"))
    native = encode.plan_struct(plan_from_json(plan_to_json(plan(config, make_host(config)))))
    meadow, cave = (native.world[index].combat for index in range(2))
    assert not meadow.judged
    assert cave.judged
    assert (cave.reach_um, cave.rewind_ms, cave.interpolation_ms) == (2_500_000, 400, 100)
    assert (cave.body_radius_um, cave.body_height_um, cave.eye_um) == (300_000, 1_800_000, 1_600_000)


def test_movement_and_hysteresis_reach_the_data_plane() -> None:
    said = "hysteresis: 1.25, movement: {jitter_ms: 100, extrapolate_ms: 0}"
    config = load(WHOLE.replace("tick_hz: 60", f"tick_hz: 60, {said}"))
    native = encode.plan_struct(plan_from_json(plan_to_json(plan(config, make_host(config)))))
    meadow, cave = native.world[0], native.world[1]
    assert (meadow.jitter_ms, meadow.settle_ms, meadow.extrapolate_ms) == (250, 1000, 250)
    assert (cave.jitter_ms, cave.settle_ms, cave.extrapolate_ms) == (100, 1000, 0)
    assert (meadow.hysteresis_permille, cave.hysteresis_permille) == (1100, 1250)


@pytest.mark.parametrize(
    ("said", "warning"),
    [
        ("movement: {jitter_ms: 67, extrapolate_ms: 67}", None),
        (
            "movement: {jitter_ms: 66, extrapolate_ms: 66}",
            "worlds[1].movement.jitter_ms: 66, less than 4 ticks of tick_hz: 60: who says once a tick where they are is put back where two movements in a row are lost; write 67 or more",
        ),
        (
            "movement: {jitter_ms: 200, extrapolate_ms: 201}",
            "worlds[1].movement.extrapolate_ms: 201, more than jitter_ms: 200: who comes back after that is put back to where they were, and not shown to go on; write 200 or less",
        ),
    ],
)
def test_movements_that_will_not_look_well_are_warned_of(said: str, warning: str | None) -> None:
    config = load(WHOLE.replace("tick_hz: 60", f"tick_hz: 60, {said}"))
    warnings = [one for one in plan(config, make_host(config)).warnings if one.startswith("worlds")]
    assert warnings == ([] if warning is None else [warning])


def test_tiers_reach_the_data_plane() -> None:
    tiers = "tiers: [{from_m: 8, every_ticks: 2}, {from_m: 12.5, every_ticks: 8}]"
    config = load(WHOLE.replace("tick_hz: 60", f"tick_hz: 60, {tiers}"))
    native = encode.plan_struct(plan_from_json(plan_to_json(plan(config, make_host(config)))))
    meadow, cave = native.world[0], native.world[1]
    assert (meadow.tier_count, cave.tier_count) == (0, 2)
    told = [(tier.from_um, tier.every_ticks) for tier in list(cave.tier)[:2]]
    assert told == [(8_000_000, 2), (12_500_000, 8)]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            "leave_radius_m: 22.5",
            "leave_radius_m: 20",
            "worlds[1].leave_radius_m: found 20, allowed with radius_m: 20: more than that, such as 22.5",
        ),
        (
            "radius_m: 20, leave_radius_m: 22.5",
            "radius_m: 80",
            "worlds[1].leave_radius_m: found 72, allowed with radius_m: 80: more than that, such as 90",
        ),
        (
            "radius_m: 20, leave_radius_m: 22.5",
            "radius_m: 300, leave_radius_m: 400",
            "worlds[1].leave_radius_m: found 400, which is more than 32767 times quantum_m: 0.01; write less, or a larger quantum_m",
        ),
        (
            "tick_hz: 60",
            "tick_hz: 60, combat: {rewind_ms: 133}",
            "worlds[1].combat.rewind_ms: found 133, allowed with interpolation_ms: 100 and tick_hz: 60: 134 or more",
        ),
        (
            "tick_hz: 60",
            "tick_hz: 60, combat: {body_radius_m: 0.001}",
            "worlds[1].combat.body_radius_m: found 0.001, allowed with quantum_m: 0.01: that or more",
        ),
        (
            "tick_hz: 60",
            "tick_hz: 60, quantum_m: 0.001, radius_m: 8, leave_radius_m: 9, combat: {reach_m: 3000}",
            "worlds[1].combat.reach_m: found 3000, which is more than 2097151 times quantum_m: 0.001; write less, or a larger quantum_m",
        ),
        (
            "tick_hz: 60",
            "tick_hz: 60, tiers: [{from_m: 22.5, every_ticks: 2}]",
            "worlds[1].tiers[0].from_m: found 22.5, allowed with leave_radius_m: 22.5: less than that",
        ),
        (
            "tick_hz: 60",
            "tick_hz: 60, tiers: [{from_m: 8, every_ticks: 2}, {from_m: 8, every_ticks: 4}]",
            "worlds[1].tiers[1].from_m: found 8, allowed: more than 8, where the tier before it begins",
        ),
        (
            "tick_hz: 60",
            "tick_hz: 60, tiers: [{from_m: 8, every_ticks: 4}, {from_m: 9, every_ticks: 2}]",
            "worlds[1].tiers[1].every_ticks: found 2, allowed: more than 4, which the tier before it has",
        ),
        (
            "tick_hz: 60",
            "tick_hz: 60, tiers: [{from_m: 8, every_ticks: 3}]",
            "worlds[1].tiers[0].every_ticks: found 3, allowed: 2, 4 or 8",
        ),
        (
            "tick_hz: 60",
            "tick_hz: 60, budget_kbps: 38",
            "worlds[1].budget_kbps: found 38, allowed with tick_hz: 60: 39 or more, which tells of one or two",
        ),
        (
            "tick_hz: 60",
            "tick_hz: 60, max_speed_mps: 2434",
            "worlds[1].max_speed_mps: found 2434, allowed with quantum_m: 0.01 and tick_hz: 60: at most 2433; write 0 for that",
        ),
        (
            "tick_hz: 60",
            "tick_hz: 60, max_speed_mps: 0.1",
            "worlds[1].max_speed_mps: found 0.1, allowed with quantum_m: 0.01: 0.16 or more, or 0",
        ),
        (
            "tick_hz: 60",
            "tick_hz: 60, max_acceleration_mps2: 0.001",
            "worlds[1].max_acceleration_mps2: found 0.001, allowed with quantum_m: 0.01: 0.01 or more, or 0",
        ),
        (
            "[64, 64, 8]",
            "[64, -1, 8]",
            "worlds[1].bounds: found y from 0 to -1; the lowest corner comes first: exchange them",
        ),
        (
            "[64, 64, 8]",
            "[64, 0, 8]",
            "worlds[1].bounds: found y from 0 to 0; a world has room on each axis: write more than 0",
        ),
        (
            "[64, 64, 8]",
            "[64, 64, 30000]",
            "worlds[1].bounds: found z from 0 to 30000, which are more than 2097151 times quantum_m: 0.01; write a smaller world or a larger quantum_m",
        ),
        (
            "name: cave",
            "name: meadow",
            "worlds[1].name: name meadow is taken already by worlds[0].name on line 4; give each world its own",
        ),
        (
            "world: cave",
            "world: cellar",
            'listen[0].world: found "cellar", allowed: meadow, cave',
        ),
        (
            "{port: 3}",
            "{port: 3, profile: netcode, world: cave}",
            "listen[2].world: profile netcode has no worlds; remove it, or write profile: session",
        ),
        (
            LISTEN,
            "listen: [{port: 3, world: cave}]\n",
            "listen[0].world: profile plain has worlds only beside profile session; add a listener that speaks it",
        ),
    ],
)
def test_what_contradicts_is_refused_with_a_sentence(old: str, new: str, sentence: str) -> None:
    assert old in WHOLE
    assert any(sentence in line for line in errors(WHOLE.replace(old, new))), errors(WHOLE.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("tick_hz: 60", "tick_hz: 3, combat: {}", "tick_hz: found 3, allowed: a whole number from 4 to 128"),
        ("tick_hz: 60", "quantum_m: 0.0001", "quantum_m: found 0.0001, allowed: a number from 0.001 to 1"),
        (
            "tick_hz: 60",
            "combat: {interpolation_ms: 5000}",
            "combat.interpolation_ms: found 5000, allowed: a whole number from 0 to 500",
        ),
    ],
)
def test_nothing_is_reckoned_with_a_number_that_is_refused(old: str, new: str, sentence: str) -> None:
    assert errors(WHOLE.replace(old, new)) == [f"gate.yaml:4: worlds[1].{sentence}"]


WORDS = "allowed: two corners in metres, the lowest first, such as [[-500, -500, -10], [500, 500, 90]], each number from -1000000 to 1000000"


@pytest.mark.parametrize(
    ("bounds", "found"),
    [
        ("[[0, 0], [64, 64, 8]]", "found [[0, 0], [64, 64, 8]], "),
        ("[[0, 0, 0], [64, 64, .inf]]", "found [[0, 0, 0], [64, 64, inf]], "),
        ("[[0, 0, 0], [64, 64, .nan]]", "found [[0, 0, 0], [64, 64, nan]], "),
        ("[[0, 0, 0], [64, true, 8]]", "found [[0, 0, 0], [64, True, 8]], "),
        ("[[0, 0, 0], [64, 64, high]]", "found [[0, 0, 0], [64, 64, 'high']], "),
        ("[[0, 0, 0], [64, 64, 1000001]]", "found [[0, 0, 0], [64, 64, 1000001]], "),
        ("[0, 0, 0]", "found [0, 0, 0], "),
        ("meadow", "found meadow, "),
        ("{x: 1}", "found {'x': 1}, "),
    ],
)
def test_bounds_are_two_corners(bounds: str, found: str) -> None:
    written = WHOLE.replace("[[0, 0, 0], [64, 64, 8]]", bounds)
    assert written != WHOLE
    (said,) = errors(written)
    assert said == f"gate.yaml:4: worlds[1].bounds: {found}{WORDS}"


def test_a_world_without_bounds_is_told_what_they_are() -> None:
    (said,) = errors(WHOLE.replace("bounds: [[0, 0, 0], [64, 64, 8]], ", ""))
    assert said == f"gate.yaml:4: worlds[1].bounds: missing; write {WORDS.removeprefix('allowed: ')}"


def test_a_listener_names_a_world_that_there_is() -> None:
    (found,) = errors(PORTS + "listen: [{port: 1, profile: session, world: cave}]\n")
    assert found.endswith('listen[0].world: found "cave", allowed: none; add one to worlds')


def test_there_must_be_a_world_to_record() -> None:
    assert errors(f"{PORTS}record: {{path: a.rec}}\n") == [
        "gate.yaml:3: record.path: there is no world to record; remove it, or add worlds"
    ]
