# SPDX-License-Identifier: BSD-3-Clause
"""Distance tiers: who is far away is told of less often, and is where they are all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyshim.protocol.client import Client
from tests.engines.engines import ALL
from tests.network.namespace import Wire
from tests.session.deployment import PATIENCE_S, Deployment, founded, playing, settings
from tests.world.test_appliance import MEADOW, seen, until

pytestmark = ALL

TIERS = [{"from_m": 15, "every_ticks": 2}, {"from_m": 30, "every_ticks": 8}]
SPEED_MPS = 2.0
STATES = 48


@pytest.fixture
def deployment(wire: Wire, engine: str, tmp_path: Path) -> Iterator[Deployment]:
    world = settings(engine, listener={"world": "meadow"}, worlds=[MEADOW | {"tiers": TIERS}])
    with founded(wire, world, tmp_path) as it:
        yield it


async def told_share(alice: Client, bob: Client, x: float) -> float:
    """In how many of the states that Alice gets she is told of Bob, who walks up and down so far away."""
    counts, walking = alice.session.view.counts, asyncio.get_running_loop()
    began, states, decoded = walking.time(), -1, 0
    async with asyncio.timeout(PATIENCE_S):
        while states < 0 or counts.states < states + STATES:
            turn = (walking.time() - began) % 2
            alice.move((0, 0, 1), (0, 0, 0))
            bob.move(
                (x + SPEED_MPS * min(turn, 2 - turn), 0, 1), (SPEED_MPS if turn < 1 else -SPEED_MPS, 0, 0)
            )
            await asyncio.sleep(0.03)
            if states < 0 and walking.time() > began + 1.5:  # it has looked around since
                states, decoded = counts.states, counts.decoded
            if states >= 0:
                assert x - 1.5 < seen(alice)[8][0] < x + SPEED_MPS + 1.5
    return (counts.decoded - decoded) / (counts.states - states)


def test_who_is_far_is_told_of_less_often(deployment: Deployment) -> None:
    tickets = [deployment.issue(7), deployment.issue(8)]

    async def game() -> None:
        async with playing(*tickets) as (alice, bob):
            alice.move((0, 0, 1), (0, 0, 0))
            bob.move((5, 0, 1), (0, 0, 0))
            await until(lambda: 8 in seen(alice))
            assert await told_share(alice, bob, 5) > 0.8
            assert 0.35 < await told_share(alice, bob, 20) < 0.65
            assert 0.05 < await told_share(alice, bob, 40) < 0.25

    deployment.play(game)
