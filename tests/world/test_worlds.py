# SPDX-License-Identifier: BSD-3-Clause
"""Several worlds in one gateway: who is in which by listener, ticket and game; nobody sees another's."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from pyshim.game import Game, Joined
from pyshim.protocol.client import Client, Correction, Ticket
from tests.gate import TIMEOUT_S, Gate
from tests.issuing.gateway import Api, token_command
from tests.ports import free_port

HALF_A_QUANTUM_M = 0.006
WORLDS = [
    {"name": "town", "bounds": [[-500, -500, -10], [500, 500, 90]], "tick_hz": 30},
    {"name": "cave", "bounds": [[0, 0, -90], [200, 200, 10]], "tick_hz": 50, "quantum_m": 0.005},
]


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    config = {
        "engine": "epoll",
        "ports": [{"name": "game0", "address": ["127.0.0.1/8"]}],
        "listen": [{"port": free_port(), "profile": "session", "world": "town"}],
        "worlds": WORLDS,
        "control": {"listen": f"unix:{tmp_path}/control.sock"},
        "game": {"listen": f"unix:{tmp_path}/game.sock", "ring_kib": 64},
    }
    with Gate(config, tmp_path) as made:
        yield made


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        while not what():
            await asyncio.sleep(0.02)


@asynccontextmanager
async def players(gate: Gate, **worlds: str | None) -> AsyncIterator[list[Client]]:
    """p1 and so on, each with a ticket for that world."""
    api = Api(gate)
    async with AsyncExitStack() as stack:
        found = []
        for name, world in worlds.items():
            more: dict[str, Any] = {} if world is None else {"world": world}
            ticket = Ticket.from_json(json.dumps(api.issue(int(name[1:]), **more)))
            found.append(await stack.enter_async_context(Client(ticket)))
        yield found


@asynccontextmanager
async def attached(gate: Gate, count: int) -> AsyncIterator[Game]:
    """A game process that knows of so many players."""
    with Game(gate.directory / "game.sock", "arena") as game:
        here: set[int] = set()
        async with asyncio.timeout(TIMEOUT_S):
            while len(here) < count:
                here |= {event.player for event in game.poll().events() if isinstance(event, Joined)}
                await asyncio.sleep(0.01)
        yield game


def where(client: Client) -> dict[int, tuple[float, float, float]]:
    return {one.entity.identity: one.position for one in client.in_sight()}


def world_of(client: Client) -> str | None:
    world = client.session.view.world
    return None if world is None else world.name


def sees(client: Client, **others: tuple[float, float, float]) -> bool:
    """These and nobody else, each where it is."""
    now = where(client)
    return now.keys() == {int(name[1:]) for name in others} and all(
        math.dist(now[int(name[1:])], place) < HALF_A_QUANTUM_M for name, place in others.items()
    )


def test_players_of_two_worlds_in_the_same_place_see_those_of_their_own(gate: Gate) -> None:
    async def play() -> None:
        async with players(gate, p1=None, p2="town", p3="cave", p4="cave") as (one, two, three, four):
            for x, client in enumerate((one, two, three, four)):
                client.move((10 + x, 10, 0))
            await until(lambda: sees(one, p2=(11, 10, 0)) and sees(two, p1=(10, 10, 0)))
            await until(lambda: sees(three, p4=(13, 10, 0)) and sees(four, p3=(12, 10, 0)))
            assert [world_of(client) for client in (one, two, three, four)] == ["town"] * 2 + ["cave"] * 2
            worlds = [client.session.view.world for client in (one, three)]
            assert [world.tick_hz for world in worlds if world] == [30, 50]
            assert gate.metrics().value("pollgate_world_players", world="town") == 2

    asyncio.run(play())
    ticks = gate.metrics()
    assert all(ticks.value("pollgate_world_ticks_total", world=name) > 0 for name in ("town", "cave"))


def test_who_is_moved_leaves_the_one_world_and_is_placed_in_the_other(gate: Gate) -> None:
    async def play() -> None:
        async with players(gate, p1=None, p2=None, p3="cave") as (one, two, three), attached(gate, 3) as game:
            one.move((10, 10, 0))
            two.move((12, 10, 0))
            three.move((50, 50, -5))
            await until(lambda: sees(one, p2=(12, 10, 0)) and sees(three))
            connections = two.session.view.world
            game.enter_world(2, "cave", (51, 50, -5))
            game.flush()
            await until(lambda: sees(one) and sees(three, p2=(51, 50, -5)) and sees(two, p3=(50, 50, -5)))
            assert world_of(two) == "cave"
            assert two.session.view.world is not connections
            placed = [event for event in two.session.events if isinstance(event, Correction)]
            assert [event.position for event in placed] == [(51, 50, -5)]
            two.move((51, 51, -5))
            await until(lambda: sees(three, p2=(51, 51, -5)))
            info = Api(gate)("GET", "/v1/sessions?player_id=2").body["sessions"][0]
            assert info["world"] == "cave"
            assert info["connections"] == 1
            now = gate.metrics()
            assert now.value("pollgate_world_players", world="town") == 1
            assert now.value("pollgate_world_players", world="cave") == 2
            assert now.value("pollgate_world_arrivals_total", world="cave") == 1
            assert now.value("pollgate_world_departures_total", world="town") == 1

    asyncio.run(play())


def test_without_a_place_one_stays_where_it_is_if_that_is_in_the_other_world(gate: Gate) -> None:
    async def play() -> None:
        async with players(gate, p1=None, p2=None, p3="cave") as (one, two, three), attached(gate, 3) as game:
            one.move((10, 10, 0))
            two.move((-300, 10, 0))  # which the cave has not
            three.move((11, 10, 0))
            await until(lambda: world_of(two) == "town" and sees(one) and sees(three))
            game.enter_world(1, "cave")
            game.enter_world(2, "cave")
            game.flush()
            await until(lambda: sees(three, p1=(10, 10, 0)) and sees(one, p3=(11, 10, 0)))
            await until(lambda: world_of(two) == "cave")  # it hears so, though it is nowhere yet
            assert not where(two)
            two.move((12, 10, 0))
            await until(lambda: sees(three, p1=(10, 10, 0), p2=(12, 10, 0)))
            await until(lambda: sees(two, p1=(10, 10, 0), p3=(11, 10, 0)))

    asyncio.run(play())


def test_who_is_taken_out_of_all_worlds_hears_it_and_is_seen_by_nobody_until_it_is_put_back(
    gate: Gate,
) -> None:
    async def play() -> None:
        async with players(gate, p1=None, p2=None) as (one, two), attached(gate, 2) as game:
            one.move((10, 10, 0))
            two.move((12, 10, 0))
            await until(lambda: sees(one, p2=(12, 10, 0)) and sees(two, p1=(10, 10, 0)))
            game.enter_world(2, None)
            game.flush()
            await until(lambda: sees(one) and world_of(two) is None and not where(two))
            two.move((13, 10, 0))
            await asyncio.sleep(0.3)
            assert not where(one)
            assert not where(two)
            game.enter_world(2, "town", (14, 10, 0))
            game.flush()
            await until(lambda: sees(one, p2=(14, 10, 0)) and sees(two, p1=(10, 10, 0)))

    asyncio.run(play())


def test_worlds_that_are_none_are_refused(gate: Gate) -> None:
    answer = Api(gate)("POST", "/v1/sessions", {"player_id": 9, "ttl": 60, "world": "moon"})
    assert answer.status == 400
    assert answer.body == {"error": "world: there is no 'moon'; allowed: town, cave"}
    issued = token_command(gate, "issue", "--player", "9", "--world", "moon")
    assert issued.returncode != 0
    assert "there is no 'moon'; allowed: town, cave" in issued.stderr
    issued = token_command(gate, "issue", "--player", "9", "--world", "cave")
    assert issued.returncode == 0

    async def play() -> None:
        async with players(gate, p1=None) as (one,), attached(gate, 1) as game:
            one.move((10, 10, 0))
            await until(lambda: world_of(one) == "town")
            game.enter_world(1, "moon")
            game.enter_world(1, "cave", (10, 10, 11))
            game.flush()
            await until(lambda: refused(gate, "no_world") == 1 and refused(gate, "body") == 1)
            assert world_of(one) == "town"

    asyncio.run(play())


def refused(gate: Gate, reason: str) -> float:
    return gate.metrics().value("pollgate_game_orders_refused_total", process="arena", reason=reason)


def test_a_worker_that_dies_leaves_everybody_in_their_worlds(gate: Gate) -> None:
    async def play() -> None:
        async with players(gate, p1=None, p2=None, p3="cave", p4=None) as (one, two, three, four):
            async with attached(gate, 4) as game:
                one.move((10, 10, 0))
                two.move((12, 10, 0))
                three.move((50, 50, -5))
                four.move((11, 10, 0))
                await until(lambda: sees(one, p2=(12, 10, 0), p4=(11, 10, 0)) and sees(three))
                game.enter_world(2, "cave", (51, 50, -5))
                game.enter_world(4, None)
                game.flush()
                await until(lambda: sees(one) and sees(three, p2=(51, 50, -5)) and world_of(four) is None)
            await asyncio.to_thread(gate.kill_worker)
            # Each is where it was without a word: nobody moves.
            await until(lambda: gate.metrics().value("pollgate_world_players", world="cave") == 2)
            await until(lambda: sees(three, p2=(51, 50, -5)) and sees(two, p3=(50, 50, -5)) and sees(one))
            four.move((11, 10, 0))
            await asyncio.sleep(0.3)
            assert sees(one)
            assert not where(four)
            assert [world_of(client) for client in (one, two, three, four)] == ["town", "cave", "cave", None]

    asyncio.run(play())
