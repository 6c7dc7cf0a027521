# SPDX-License-Identifier: BSD-3-Clause
"""A state is no longer than `budget_kbps` allows; what it leaves no room for is counted, and for how long."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from pyshim.game import Entity
from tests.gate import Gate
from tests.world.test_entities import game_of, gateway, player, until

TICK_HZ = 20
NEIGHBOURS = 8  # as many as a state tells of in full at most
MANY = 16  # of whom the least budget leaves no room for a glimpse
ENTITIES = 100
LEAST_KBPS = 16  # that the configuration allows: 100 bytes at each tick


def crowd(turn: int) -> list[Entity]:
    """All near, in circles, each at a speed of its own."""
    found = []
    for identity in range(1, ENTITIES + 1):
        radius, turning = 2 + identity % 9, (0.3 + identity / ENTITIES) * (-1) ** identity
        angle = identity + turn * turning
        x, y = math.cos(angle) * radius, math.sin(angle) * radius
        found.append(Entity(identity, (x, y, 0), (-y * turning * 10, x * turning * 10, 0)))
    return found


def counts(gate: Gate) -> Callable[[str], float]:
    """All as of one moment."""
    samples = gate.metrics()
    return lambda name: samples.value(f"pollgate_world_{name}_total", world="meadow")


def unseen(gate: Gate, within: str) -> float:
    return gate.metrics().value("pollgate_world_unseen_pair_ticks_total", world="meadow", within=within)


def play(gate: Gate, enough: Callable[[], bool]) -> None:
    """A player stands in the crowd until that is true."""

    async def stand() -> None:
        with game_of(gate) as game:
            game.spawn("meadow", crowd(0))
            game.flush()
            async with player(gate, 7, 0, 0) as client:
                turn = 0

                def walk() -> bool:
                    nonlocal turn
                    turn += 1
                    game.move_entities("meadow", crowd(turn))
                    game.flush()
                    game.poll()
                    client.move((0, 0, 0))
                    return len(client.in_sight()) >= NEIGHBOURS and enough()

                await until(walk)

    asyncio.run(stand())


@pytest.mark.parametrize("kbps", [LEAST_KBPS, 128])
def test_a_state_is_as_long_as_the_budget_allows(tmp_path: Path, kbps: int) -> None:
    least = LEAST_KBPS * 1000 / 8 / TICK_HZ
    with gateway(tmp_path, tick_hz=TICK_HZ, neighbours=NEIGHBOURS, budget_kbps=kbps) as gate:
        play(gate, lambda: counts(gate)("states") > 4 * TICK_HZ)
        count = counts(gate)
    assert 0 < count("looks_capped") <= count("looks")
    assert count("looks_cut") == 0
    if kbps == LEAST_KBPS:
        assert count("state_bytes") <= least * (count("states") + 1)  # one may be between its two counts
        assert min(count("left_out_entities"), count("shed_glimpses")) > 0
    else:
        assert count("state_bytes") > least * (count("states") + 1)
        assert count("left_out_entities") == count("shed_glimpses") == 0
        assert count("glimpses") > 0


@pytest.mark.parametrize(("kbps", "within"), [(LEAST_KBPS, "longer"), (128, "1s")])
def test_who_has_no_room_for_glimpses_is_said_to_see_nobody_else(
    tmp_path: Path, kbps: int, within: str
) -> None:
    with gateway(tmp_path, tick_hz=TICK_HZ, neighbours=MANY, budget_kbps=kbps) as gate:
        play(gate, lambda: unseen(gate, within) > 0)
        assert within == "longer" or unseen(gate, "longer") == 0
