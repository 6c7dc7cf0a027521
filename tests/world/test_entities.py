# SPDX-License-Identifier: BSD-3-Clause
"""Entities of game processes: players see those near them, where they are, and nothing of who is gone."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from pyshim.game import Entity, EntityRefused, Event, Game, Joined, Why
from pyshim.protocol.client import Client, Ticket
from pyshim.protocol.world.state import Sort
from tests.gate import TIMEOUT_S, Gate
from tests.issuing.gateway import Api
from tests.ports import free_port

HALF_A_QUANTUM_M = 0.006
RADIUS_M = 20
MEADOW = {
    "name": "meadow",
    "bounds": [[-500, -500, -10], [500, 500, 90]],
    "radius_m": RADIUS_M,
    "leave_radius_m": RADIUS_M + 1,
    "budget_kbps": 1000,
    "entities": 65536,
}


def gateway(directory: Path, **world: Any) -> Gate:
    config = {
        "engine": "epoll",
        "ports": [{"name": "game0", "address": ["127.0.0.1/8"]}],
        "listen": [{"port": free_port(), "profile": "session", "world": "meadow"}],
        "worlds": [MEADOW | world],
        "game": {"listen": f"unix:{directory}/game.sock", "ring_kib": 4096},
    }
    return Gate(config, directory)


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    with gateway(tmp_path) as made:
        yield made


@asynccontextmanager
async def player(gate: Gate, number: int, x: float, y: float) -> AsyncIterator[Client]:
    async with Client(Ticket.from_json(json.dumps(Api(gate).issue(number)))) as client:
        client.move((x, y, 0))
        yield client


def game_of(gate: Gate, name: str = "arena") -> Game:
    return Game(gate.directory / "game.sock", name)


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        while not what():
            await asyncio.sleep(0.02)


async def heard(game: Game, kind: type[Event], count: int) -> list[Any]:
    found: list[Any] = []
    async with asyncio.timeout(TIMEOUT_S):
        while len(found) < count:
            found += [event for event in game.poll().events() if isinstance(event, kind)]
            await asyncio.sleep(0.01)
    return found


def entities(client: Client) -> dict[int, tuple[float, float, float]]:
    """Of the game's, by its own identities."""
    return {one.entity.identity: one.position for one in client.in_sight() if one.entity.sort is Sort.OTHER}


def are_at(client: Client, places: dict[int, tuple[float, float, float]]) -> bool:
    now = entities(client)
    return now.keys() == places.keys() and all(
        math.dist(now[identity], place) < HALF_A_QUANTUM_M for identity, place in places.items()
    )


def in_world(gate: Gate) -> float:
    return gate.metrics().value("pollgate_world_entities", world="meadow")


def refused(gate: Gate, reason: str) -> float:
    return gate.metrics().value("pollgate_game_orders_refused_total", process="arena", reason=reason)


def grid(n: int, step: float = 7.0) -> dict[int, tuple[float, float, float]]:
    """In rows of 40, around the origin: (0, 0) is in the middle of four."""
    return {1_000_000 + i: ((i % 40 - 20) * step + 0.5, (i // 40 - 12) * step + 0.5, 1.0) for i in range(n)}


def near(
    places: dict[int, tuple[float, float, float]], at: tuple[float, float], radius: float = RADIUS_M
) -> dict[int, tuple[float, float, float]]:
    return {one: place for one, place in places.items() if math.dist(place, (*at, 0)) <= radius}


def sees_near(client: Client, places: dict[int, tuple[float, float, float]], at: tuple[float, float]) -> bool:
    """All within the radius, nobody beyond the one at which they leave, each where it is."""
    now = entities(client)
    seen = {one: places[one] for one in now if one in near(places, at, RADIUS_M + 1)}
    return near(places, at).keys() <= now.keys() and are_at(client, seen)


def test_of_a_thousand_that_move_all_the_time_a_player_sees_those_near_and_where_they_are(gate: Gate) -> None:
    async def play() -> None:
        async with player(gate, 7, 0, 0) as seven, player(gate, 8, 50, 50) as eight:
            with game_of(gate) as game:
                places = grid(1000)
                game.spawn("meadow", [Entity(one, place) for one, place in places.items()])
                game.flush()
                await until(lambda: sees_near(seven, places, (0, 0)))
                assert 16 < len(entities(seven)) < 32
                for step in range(60):  # they move, and stand at last
                    places = {one: (x + 0.25, y - 0.1, z) for one, (x, y, z) in places.items()}
                    speed = (0.0, 0.0, 0.0) if step == 59 else (7.5, -3.0, 0.0)
                    game.move_entities("meadow", [Entity(*one, speed) for one in places.items()])
                    game.flush()
                    await asyncio.sleep(1 / 30)
                await until(lambda: sees_near(seven, places, (0, 0)))
                await until(lambda: sees_near(eight, places, (50, 50)))
                assert in_world(gate) == 1000
                gone = set(near(places, (0, 0), RADIUS_M + 2))
                game.despawn("meadow", gone)
                game.flush()
                await until(lambda: are_at(seven, {}))
                # Some of them were out of sight, and may be read later.
                await until(lambda: in_world(gate) == 1000 - len(gone))

    asyncio.run(play())


def test_what_a_process_has_is_gone_when_it_is_and_nobody_elses(gate: Gate) -> None:
    async def play() -> None:
        async with player(gate, 7, 0, 0) as seven:
            with game_of(gate, "other") as other:
                other.spawn("meadow", [Entity(5, (3, 3, 0))])
                other.flush()
                with game_of(gate) as game:
                    game.spawn("meadow", [Entity(one, place) for one, place in grid(900).items()])
                    game.flush()
                    await until(lambda: in_world(gate) == 901 and len(entities(seven)) > 16)
                    game.spawn("meadow", [Entity(5, (4, 4, 0))])
                    game.move_entities("meadow", [Entity(5, (4, 4, 0)), Entity(6, (4, 4, 0))])
                    game.move_entities("meadow", [Entity(1_000_000, (0, 0, 91))])
                    game.flush()
                    told = await heard(game, EntityRefused, 4)
                    assert told == [
                        EntityRefused("meadow", 5, Why.TAKEN),
                        EntityRefused("meadow", 5, Why.NONE),
                        EntityRefused("meadow", 6, Why.NONE),
                        EntityRefused("meadow", 1_000_000, Why.PLACE),
                    ]
                await until(lambda: are_at(seven, {5: (3, 3, 0)}))
                await until(lambda: in_world(gate) == 1)

    asyncio.run(play())
    assert refused(gate, "taken") == 1
    assert refused(gate, "no_entity") == 1
    assert refused(gate, "body") == 1


def test_as_many_as_the_configuration_says_and_no_more(gate: Gate) -> None:
    with game_of(gate) as game:
        for first in range(0, 65536, 4096):
            game.spawn(
                "meadow",
                [Entity(one, (one % 900 - 450, one // 900, 0)) for one in range(first, first + 4096)],
            )
            game.flush()
        gate.wait_metric("pollgate_world_entities", 65536, world="meadow")
        game.spawn("meadow", [Entity(65536, (0, 0, 0)), Entity(65535, (0, 0, 0))])  # one more, and one again
        game.flush()
        told = asyncio.run(heard(game, EntityRefused, 1))
        assert told == [EntityRefused("meadow", 65536, Why.NO_ROOM)]
        assert in_world(gate) == 65536
        assert refused(gate, "entities") == 1
    gate.wait_until(lambda: in_world(gate) == 0)


def test_a_process_that_is_killed_leaves_nothing_and_its_successor_begins_anew(gate: Gate) -> None:
    async def play() -> None:
        async with player(gate, 7, 0, 0) as seven:
            program = (
                "import sys, time\nfrom pyshim.game import Entity, Game\n"
                f"game = Game({str(gate.directory / 'game.sock')!r}, 'arena')\n"
                "game.spawn('meadow', [Entity(1, (1, 1, 0)), Entity(2, (2, 2, 0))])\n"
                "game.flush()\ntime.sleep(100)\n"
            )
            process = await asyncio.create_subprocess_exec("python", "-P", "-c", program)
            try:
                await until(lambda: are_at(seven, {1: (1, 1, 0), 2: (2, 2, 0)}))
            finally:
                process.kill()
                await process.wait()
            await until(lambda: are_at(seven, {}))
            with game_of(gate) as game:
                game.spawn("meadow", [Entity(1, (5, 5, 0))])
                game.flush()
                await until(lambda: are_at(seven, {1: (5, 5, 0)}))
                await asyncio.sleep(0.3)
                assert are_at(seven, {1: (5, 5, 0)})

    asyncio.run(play())


def test_what_a_player_says_to_all_near_is_for_players(tmp_path: Path) -> None:
    async def play(gate: Gate) -> None:
        async with player(gate, 7, 0, 0) as seven, player(gate, 8, 10, 0) as eight:
            with game_of(gate) as game:
                await heard(game, Joined, 2)
                game.spawn(
                    "meadow", [Entity(one, (1 + one / 10, 0, 0)) for one in range(8)]
                )  # all of them nearer
                game.flush()
                await until(lambda: len(entities(seven)) == 8)
                await until(lambda: len(entities(eight)) == 8)
                await seven.chat("hello", to=0)
                await until(lambda: any(getattr(one, "text", "") == "hello" for one in eight.session.events))

    with gateway(tmp_path, hearers=1) as gate:
        asyncio.run(play(gate))
