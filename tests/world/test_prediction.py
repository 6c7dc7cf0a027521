# SPDX-License-Identifier: BSD-3-Clause
"""The own player: inputs hold at once, and a correction changes what it must and nothing else."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyshim.protocol.world.about import Vector
from pyshim.protocol.world.prediction import Motion, Prediction

START = Motion((0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
WALL_X = 10.0


def walk(motion: Motion, velocity: Vector) -> Motion:
    """A tenth of a second at this velocity."""
    x, y, z = (at + 0.1 * speed for at, speed in zip(motion.position, velocity, strict=True))
    return Motion((x, y, z), velocity)


def walk_to_the_wall(motion: Motion, velocity: Vector) -> Motion:
    """The same where a wall is."""
    to = walk(motion, velocity)
    x, y, z = to.position
    return Motion((min(x, WALL_X), y, z), velocity)


def as_floats(vector: Vector) -> Vector:
    """As it comes back from the wire."""
    x, y, z = struct.unpack("<3f", struct.pack("<3f", *vector))
    return x, y, z


def test_an_input_holds_at_once() -> None:
    player = Prediction(START, walk)
    assert player.move((10.0, 0.0, 0.0), 0.0).position == pytest.approx((1.0, 0.0, 0.0))
    assert player.motion.velocity == (10.0, 0.0, 0.0)


def test_what_the_game_had_not_seen_is_applied_again() -> None:
    player = Prediction(START, walk)
    for step in range(10):
        player.move((10.0, 0.0, 0.0), step / 10)
    moved = player.correct(Motion((0.0, 5.0, 0.0), (0.0, 0.0, 0.0)), 0.45)
    assert player.motion.position == pytest.approx((5.0, 5.0, 0.0))
    assert moved == pytest.approx((-5.0, 5.0, 0.0))
    assert player.unseen == 5


def test_a_correction_after_all_inputs_is_where_the_player_is() -> None:
    player = Prediction(START, walk)
    player.move((10.0, 0.0, 0.0), 1.0)
    there = Motion((7.0, 8.0, 9.0), (1.0, 0.0, 0.0))
    player.correct(there, 1.0)
    assert player.motion == there


def test_what_was_seen_is_not_applied_again() -> None:
    player = Prediction(START, walk)
    player.move((10.0, 0.0, 0.0), 1.0)
    player.move((0.0, 10.0, 0.0), 2.0)
    player.seen(1.5)
    player.correct(START, 0.0)
    assert player.motion.position == pytest.approx((0.0, 1.0, 0.0))


def test_inputs_that_are_too_old_count_as_seen() -> None:
    player = Prediction(START, walk, kept=3)
    for step in range(10):
        player.move((10.0, 0.0, 0.0), float(step))
    player.correct(START, -1.0)
    assert player.motion.position == pytest.approx((3.0, 0.0, 0.0))


velocities = st.tuples(*[st.integers(-20, 20).map(float)] * 3)


@given(st.lists(velocities, max_size=40), st.integers(0, 40))
def test_a_game_that_agrees_changes_nothing(inputs: list[Vector], seen: int) -> None:
    player, game = Prediction(START, walk_to_the_wall), START
    for at, velocity in enumerate(inputs):
        player.move(velocity, float(at))
        if at < seen:
            game = walk_to_the_wall(game, velocity)
    before = player.motion
    assert player.correct(game, seen - 0.5) == (0.0, 0.0, 0.0)
    assert player.motion == before


@given(st.lists(velocities, min_size=1, max_size=40), st.integers(0, 40), st.integers(-3, 3).map(float))
def test_after_a_correction_both_ends_come_to_the_same(
    inputs: list[Vector], at_input: int, pushed: float
) -> None:
    """The game pushes the player when it has seen some inputs, and sees the others afterwards."""
    player, game = Prediction(START, walk_to_the_wall), START
    for at, velocity in enumerate(inputs):
        player.move(velocity, float(at))
    for velocity in inputs[:at_input]:
        game = walk_to_the_wall(game, velocity)
    x, y, z = game.position
    game = Motion((x - 5, y + pushed, z), game.velocity)
    player.correct(game, at_input - 0.5)
    for velocity in inputs[at_input:]:
        game = walk_to_the_wall(game, velocity)
    assert player.motion == game


def test_a_refused_movement_says_which_inputs_were_seen() -> None:
    player = Prediction(START, walk)
    said = [player.move((10.0, 0.1, 0.0), step / 10) for step in range(10)]
    heard = Motion(as_floats(said[5].position), as_floats(said[5].velocity))
    player.correct(Motion((0.0, 5.0, 0.0), (0.0, 0.0, 0.0)), -1.0, heard)  # of time the caller knows nothing
    assert player.unseen == 4
    assert player.motion.position == pytest.approx((4.0, 5.04, 0.0))


def test_a_movement_that_nobody_remembers_says_nothing() -> None:
    player = Prediction(START, walk, kept=3)
    said = [player.move((10.0, 0.0, 0.0), float(step)) for step in range(10)]
    player.correct(START, 8.0, said[2])
    assert player.unseen == 1
    player.correct(START, -1.0, said[9])  # said before the last correction
    assert player.unseen == 1
