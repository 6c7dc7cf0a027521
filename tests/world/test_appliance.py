# SPDX-License-Identifier: BSD-3-Clause
"""Players of a world against the running appliance, with each engine: they see each other where they are."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from pyshim.protocol.client import Client
from tests.engines.engines import ALL
from tests.network.namespace import Wire
from tests.session.deployment import PATIENCE_S, Deployment, founded, kill, playing, settings

pytestmark = ALL

MEADOW: dict[str, Any] = {
    "name": "meadow",
    "bounds": [[-500, -500, -10], [500, 500, 90]],
    "tick_hz": 20,
    "radius_m": 50,
    "leave_radius_m": 60,
}


@pytest.fixture
def deployment(wire: Wire, engine: str, tmp_path: Path) -> Iterator[Deployment]:
    world = settings(engine, listener={"world": "meadow"}, worlds=[MEADOW], sessions={"capacity": 64})
    with founded(wire, world, tmp_path) as it:
        yield it


@pytest.fixture
def crowded(wire: Wire, engine: str, tmp_path: Path) -> Iterator[Deployment]:
    """Where players see one other each."""
    world = settings(engine, listener={"world": "meadow"}, worlds=[MEADOW | {"neighbours": 1}])
    with founded(wire, world, tmp_path) as it:
        yield it


def seen(client: Client) -> dict[int, tuple[float, float, float]]:
    """Where the players are whom a player sees, by their ids."""
    return {one.entity.identity: one.position for one in client.in_sight()}


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not what():
            await asyncio.sleep(0.02)


@asynccontextmanager
async def standing(*places: tuple[Client, tuple[float, float, float]]) -> AsyncIterator[None]:
    """For the time of the block, players say again and again where they stand."""

    async def say() -> None:
        while True:
            for client, place in places:
                client.move(place)
            await asyncio.sleep(0.05)

    saying = asyncio.create_task(say())
    try:
        yield
    finally:
        saying.cancel()


def test_players_see_who_is_near_and_nobody_else(deployment: Deployment) -> None:
    tickets = [deployment.issue(7), deployment.issue(8, family=6), deployment.issue(9)]

    async def game() -> None:
        async with (
            playing(*tickets) as (alice, bob, carol),
            standing((alice, (0, 0, 1)), (bob, (30, 0, 2)), (carol, (0, 70, 3))),
        ):
            await until(lambda: seen(alice).keys() == {8} and seen(bob).keys() == {7})
            assert math.dist(seen(alice)[8], (30, 0, 2)) < 0.006  # half a quantum
            assert math.dist(seen(bob)[7], (0, 0, 1)) < 0.006
            await asyncio.sleep(1)
            assert not seen(carol)

    deployment.play(game)
    assert deployment.total("world_moves_total", world="meadow", outcome="taken") > 3
    assert deployment.total("world_states_total", world="meadow") > 3
    assert deployment.total("world_tick_duration_seconds_count", world="meadow") > 3
    assert deployment.total("world_unseen_seconds_count", world="meadow") > 3
    assert deployment.total("world_unseen_seconds_bucket", world="meadow", le="8.0") > 0


def test_who_walks_away_is_seen_walking_and_then_not(deployment: Deployment) -> None:
    tickets = [deployment.issue(7), deployment.issue(8)]

    async def game() -> None:
        async with playing(*tickets) as (alice, bob), standing((alice, (0, 0, 0))):
            began = asyncio.get_running_loop().time()
            seen_at = []
            while asyncio.get_running_loop().time() < began + 8:
                x = 10 * (asyncio.get_running_loop().time() - began)
                bob.move((x, 5, 0), (10, 0, 0))
                await asyncio.sleep(0.05)
                seen_at += [place[0] for player, place in seen(alice).items() if player == 8]
            assert 55 < max(seen_at) < 64.5  # the leave radius, and what it walks until it is looked at again
            # Where nothing came for a while, it went on at its velocity, and is put right then.
            assert all(later > earlier - 2.5 for earlier, later in pairwise(seen_at))
            assert not seen(alice)

    deployment.play(game)


def test_after_a_crash_of_the_worker_all_is_as_before(deployment: Deployment) -> None:
    tickets = [deployment.issue(7), deployment.issue(8)]

    async def game() -> None:
        async with (
            playing(*tickets) as (alice, bob),
            standing((alice, (0, 0, 1)), (bob, (30, 0, 2))),
        ):
            await until(lambda: 8 in seen(alice) and 7 in seen(bob))
            before = alice.session.view.world
            await asyncio.to_thread(kill, deployment, 1)
            await until(lambda: alice.session.view.world not in (None, before))
            await until(lambda: seen(alice).keys() == {8} and seen(bob).keys() == {7})
            assert math.dist(seen(alice)[8], (30, 0, 2)) < 0.006

    deployment.play(game)


def test_who_goes_on_from_another_address_sees_on(deployment: Deployment) -> None:
    tickets = [deployment.issue(7), deployment.issue(8)]

    async def game() -> None:
        async with playing(*tickets) as (alice, bob), standing((alice, (0, 0, 1)), (bob, (30, 0, 2))):
            await until(lambda: 8 in seen(alice) and 7 in seen(bob))
            world = alice.session.view.world
            await alice.rebind()
            await asyncio.sleep(1)
            states = alice.session.view.counts.states
            await until(lambda: alice.session.view.counts.states > states + 5)
            assert alice.session.view.world == world
            assert seen(alice).keys() == {8}

    deployment.play(game)
    assert deployment.total("world_told_entities_total", how="full") < 20


def test_whom_there_is_no_slot_for_is_glimpsed(crowded: Deployment) -> None:
    tickets = [crowded.issue(7), crowded.issue(8), crowded.issue(9)]
    places = ((0, 0, 1), (10, 0, 1), (-30, 20, 1))

    async def game() -> None:
        async with playing(*tickets) as players, standing(*zip(players, places, strict=True)):
            alice = players[0]

            def glimpsed(place: tuple[float, float, float]) -> bool:
                return any(math.dist(one.position, place[:2]) < 0.5 for one in alice.glimpses())

            await until(lambda: seen(alice).keys() == {8} and glimpsed(places[2]))

    crowded.play(game)
    assert crowded.total("world_glimpses_total", world="meadow") > 3
    assert crowded.total("world_unseen_pair_ticks_total", world="meadow", within="1s") > 3


def test_ranks_of_those_who_left_are_free_again(deployment: Deployment) -> None:
    """More players come and go than a part has ranks for; who stays sees the last of them."""
    crowd, rounds = 16, 21  # with 64 sessions there are 320 ranks
    tickets = [deployment.issue(player) for player in range(7, 8 + crowd)]

    async def game() -> None:
        async with playing(tickets[0]) as (alice,), standing((alice, (0, 0, 1))):

            async def visit(player: int) -> None:
                async with Client(tickets[player - 7]) as visitor, standing((visitor, (30, 0, 2))):
                    await until(lambda: player in seen(alice))

            for _ in range(rounds):
                await asyncio.gather(*(visit(8 + i) for i in range(crowd)))
                await until(lambda: not seen(alice))
            async with playing(tickets[1]) as (bob,), standing((bob, (10, 0, 2))):
                await until(lambda: seen(alice).keys() == {8} and seen(bob).keys() == {7})

    deployment.play(game, timeout_s=5 * PATIENCE_S)  # 336 handshakes
    assert deployment.total("world_moves_total", world="meadow", outcome="taken") > 320
