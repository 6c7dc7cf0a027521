# SPDX-License-Identifier: BSD-3-Clause
"""A game process and a world: whom the game places is there, for all."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pyshim.game import Game, Joined
from pyshim.protocol.client import Client, Correction, Refused, Ticket, WhyRefused
from tests.gate import TIMEOUT_S, Gate
from tests.issuing.gateway import Api
from tests.ports import free_port

HALF_A_QUANTUM_M = 0.006
FAR = (400, 0, 0)  # more than half a minute away at the speed that is allowed
SLOW_MPS2 = 0.05
FAST = (9, 0, 0)  # for which it takes three minutes
STANDING = (0, 0, 0)


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    world = {"name": "meadow", "bounds": [[-500, -500, -10], [500, 500, 90]], "max_speed_mps": 10}
    world |= {"max_acceleration_mps2": SLOW_MPS2}
    config = {
        "engine": "epoll",
        "ports": [{"name": "game0", "address": ["127.0.0.1/8"]}],
        "listen": [{"port": free_port(), "profile": "session", "world": "meadow"}],
        "worlds": [world],
        "game": {"listen": f"unix:{tmp_path}/game.sock", "ring_kib": 64},
    }
    with Gate(config, tmp_path) as made:
        yield made


def player(gate: Gate, number: int) -> Client:
    return Client(Ticket.from_json(json.dumps(Api(gate).issue(number))))


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        while not what():
            await asyncio.sleep(0.02)


async def joined(game: Game, count: int) -> None:
    """So many players are in, as far as the game has read."""
    found = 0
    async with asyncio.timeout(TIMEOUT_S):
        while found < count:
            found += sum(isinstance(event, Joined) for event in game.poll().events())
            await asyncio.sleep(0.01)


def corrections(client: Client) -> list[Correction]:
    return [event for event in client.session.events if isinstance(event, Correction)]


def where(client: Client, other: int) -> tuple[float, float, float] | None:
    return next((one.position for one in client.in_sight() if one.entity.identity == other), None)


def refused(gate: Gate) -> float:
    return gate.metrics().value("pollgate_game_orders_refused_total", process="arena", reason="body")


def judged(gate: Gate, outcome: str) -> float:
    return gate.metrics().value("pollgate_world_moves_total", world="meadow", outcome=outcome)


def test_whom_a_game_places_is_there_and_goes_on_from_there(gate: Gate) -> None:
    async def play(game: Game) -> None:
        async with player(gate, 7) as seven, player(gate, 8) as eight:
            await joined(game, 2)
            seven.move((0, 0, 0))
            eight.move((10, 0, 0))
            await until(lambda: where(seven, 8) is not None)
            game.place(8, (0, 20, 5))  # farther than it could have gone
            game.flush()
            await until(lambda: len(corrections(eight)) == 1)
            assert corrections(eight)[0].position == (0, 20, 5)
            assert corrections(eight)[0].refused is None
            await until(lambda: math.dist(where(seven, 8) or (9, 9, 9), (0, 20, 5)) < HALF_A_QUANTUM_M)
            eight.move((0, 20.5, 5))
            await until(lambda: math.dist(where(seven, 8) or (9, 9, 9), (0, 20.5, 5)) < HALF_A_QUANTUM_M)
            assert len(corrections(eight)) == 1

    with Game(gate.directory / "game.sock", "arena") as game:
        asyncio.run(play(game))


def test_who_was_nowhere_is_where_a_game_places_it_and_nobody_outside_of_the_world(gate: Gate) -> None:
    async def play(game: Game) -> None:
        async with player(gate, 7) as seven, player(gate, 8) as eight:
            await joined(game, 2)
            seven.move((0, 0, 0))
            game.place(8, (10, 0, 501))
            game.flush()
            await until(lambda: refused(gate) == 1)
            assert not corrections(eight)
            game.place(8, (10, 0, 1))
            game.flush()
            await until(lambda: math.dist(where(seven, 8) or (9, 9, 9), (10, 0, 1)) < HALF_A_QUANTUM_M)

    with Game(gate.directory / "game.sock", "arena") as game:
        asyncio.run(play(game))


@pytest.mark.parametrize(
    ("place", "velocity", "why"),
    [
        (FAR, STANDING, WhyRefused.SPEED),
        ((10, 0, 91), STANDING, WhyRefused.BOUNDS),
        ((10, 0, 0), FAST, WhyRefused.ACCELERATION),
    ],
    ids=["too fast", "outside", "at once"],
)
def test_who_moves_as_nobody_can_is_put_back_and_others_never_see_it_there(
    gate: Gate, place: tuple[float, float, float], velocity: tuple[float, float, float], why: WhyRefused
) -> None:
    name = why.name.lower()

    async def play() -> None:
        async with player(gate, 7) as seven, player(gate, 8) as eight:
            seven.move((0, 0, 0))
            eight.move((10, 0, 0))
            await until(lambda: where(seven, 8) is not None)
            # In the first moments what it says may be of before: refused in silence.
            while judged(gate, name) == 0:
                before = judged(gate, "stale")
                eight.move(place, velocity)
                await until(lambda before=before: judged(gate, name) + judged(gate, "stale") > before)  # type: ignore[misc]
            await until(lambda: len(corrections(eight)) == 1)
            assert math.dist(corrections(eight)[0].position, (10, 0, 0)) < HALF_A_QUANTUM_M
            assert corrections(eight)[0].refused == Refused(place, velocity, why)
            await asyncio.sleep(0.5)
            assert math.dist(where(seven, 8) or (9, 9, 9), (10, 0, 0)) < HALF_A_QUANTUM_M

    asyncio.run(play())
    assert judged(gate, name) == 1
