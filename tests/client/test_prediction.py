# SPDX-License-Identifier: BSD-3-Clause
"""The own player in the C client is where the Python one has it, before and after corrections."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from pyshim.protocol.world.about import Vector
from pyshim.protocol.world.prediction import Motion, Prediction
from tests.client.c_client import Library

START = Motion((0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
WALL_X = 16.0  # all is in halves and quarters, so that both count alike


def walk(motion: Motion, velocity: Vector) -> Motion:
    x, y, z = (at + 0.25 * speed for at, speed in zip(motion.position, velocity, strict=True))
    return Motion((min(x, WALL_X), y, z), velocity)


class CPrediction:
    """The C one, with the calls of the Python one."""

    def __init__(self, library: Library, step: Callable[[Motion, Vector], Motion]) -> None:
        self._ffi, self._lib = library.ffi, library.lib

        def stepped(_context: Any, motion: Any, given: Any) -> None:
            after = step(self._motion(motion), tuple(given.value)[:3])
            motion.position, motion.velocity = after.position, after.velocity

        self._step = self._ffi.callback("pgc_step", stepped)
        self._it = self._ffi.new("struct pgc_prediction *")
        self._lib.pgc_prediction_init(self._it, self._made(START), self._step, self._ffi.NULL)

    def _made(self, motion: Motion) -> Any:
        return self._ffi.new("struct pgc_motion *", [motion.position, motion.velocity])

    @staticmethod
    def _motion(motion: Any) -> Motion:
        x, y, z = motion.position
        vx, vy, vz = motion.velocity
        return Motion((x, y, z), (vx, vy, vz))

    @property
    def motion(self) -> Motion:
        return self._motion(self._it.motion)

    @property
    def unseen(self) -> int:
        return int(self._it.inputs)

    def move(self, given: Vector, at: int) -> None:
        made = self._ffi.new("struct pgc_input *", [at, [*given, 0, 0, 0], 0])
        self._lib.pgc_prediction_move(self._it, made)

    def seen(self, until: int) -> None:
        self._lib.pgc_prediction_seen(self._it, until)

    def correct(self, to: Motion, seen_until: int, refused: Motion | None = None) -> Vector:
        if refused is not None:
            seen_until = self._lib.pgc_prediction_refused(self._it, self._made(refused)) or seen_until
        moved = self._ffi.new("float[3]")
        self._lib.pgc_prediction_correct(self._it, self._made(to), seen_until, moved)
        x, y, z = moved
        return x, y, z


@pytest.mark.parametrize("seed", range(4))
def test_both_clients_have_the_own_player_at_the_same_place(library: Library, seed: int) -> None:
    rng = Random(seed)

    def drawn() -> Vector:
        return float(rng.randrange(-8, 9)), float(rng.randrange(-8, 9)), float(rng.randrange(-1, 2))

    python, native = Prediction(START, walk), CPrediction(library, walk)
    said: list[Motion] = []
    for at in range(1, 1500):
        given = drawn()
        said = [*said[-300:], python.move(given, at)]
        native.move(given, at)
        if rng.random() < 0.01:
            to, seen = Motion(drawn(), drawn()), max(0, at - rng.randrange(400))
            refused = rng.choice([None, rng.choice(said)])
            assert native.correct(to, seen, refused) == python.correct(to, seen, refused)
        if rng.random() < 0.02:
            seen = max(0, at - rng.randrange(300))
            python.seen(seen)
            native.seen(seen)
        assert native.motion == python.motion
        assert native.unseen == python.unseen
    assert python.unseen > 0


def test_an_input_holds_at_once_and_what_was_not_seen_is_applied_again(library: Library) -> None:
    player = CPrediction(library, walk)
    for at in range(1, 5):
        player.move((4.0, 0.0, 0.0), at)
    assert player.motion.position == (4.0, 0.0, 0.0)
    assert player.correct(Motion((0.0, 5.0, 0.0), (0.0, 0.0, 0.0)), 3) == (-3.0, 5.0, 0.0)
    assert player.motion == Motion((1.0, 5.0, 0.0), (4.0, 0.0, 0.0))


def test_a_refused_movement_says_which_inputs_were_seen(library: Library) -> None:
    player = CPrediction(library, walk)
    said = [Motion((float(at), 0.0, 0.0), (4.0, 0.0, 0.0)) for at in range(1, 5)]
    for at in range(1, 5):
        player.move((4.0, 0.0, 0.0), at)
        assert player.motion == said[at - 1]
    player.correct(Motion((0.0, 5.0, 0.0), (0.0, 0.0, 0.0)), 0, said[2])
    assert player.unseen == 1
    assert player.motion == Motion((1.0, 5.0, 0.0), (4.0, 0.0, 0.0))
