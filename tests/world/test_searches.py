# SPDX-License-Identifier: BSD-3-Clause
"""A game process asks who was where: in a sphere, or in the way of a ray, at a tick that players saw."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyshim.game import Became, Entity, Found, Game, Search
from pyshim.protocol.client import Client, Ticket
from tests.gate import TIMEOUT_S, Gate
from tests.issuing.gateway import Api
from tests.ports import free_port
from tests.world.test_combat import between, places, running
from tests.world.test_entities import entities, until

QUANTUM_M = 0.01
LOW = (-500, -500, -10)
MEADOW = {
    "name": "meadow",
    "bounds": [LOW, [500, 500, 90]],
    "radius_m": 200,
    "leave_radius_m": 220,
    "budget_kbps": 1000,
    "entities": 100,
    "combat": {"rewind_ms": 1000, "body_radius_m": 0.5, "eye_m": 1.6},
}
CALM = {"name": "calm", "bounds": [LOW, [500, 500, 90]]}


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    config = {
        "engine": "epoll",
        "ports": [{"name": "game0", "address": ["127.0.0.1/8"]}],
        "listen": [{"port": free_port(), "profile": "session", "world": "meadow"}],
        "worlds": [MEADOW, CALM],
        "game": {"listen": f"unix:{tmp_path}/game.sock", "ring_kib": 256},
    }
    with Gate(config, tmp_path) as made:
        yield made


def player(gate: Gate, number: int) -> Client:
    return Client(Ticket.from_json(json.dumps(Api(gate).issue(number))))


async def answer(game: Game, cookie: int) -> Found:
    game.flush()
    async with asyncio.timeout(TIMEOUT_S):
        while True:
            for event in game.poll().events():
                if isinstance(event, Found):
                    assert event.cookie == cookie
                    return event
            await asyncio.sleep(0.005)


def quanta(position: tuple[float, float, float]) -> tuple[int, ...]:
    return tuple(round((at - low) / QUANTUM_M) for at, low in zip(position, LOW, strict=True))


def outcome(gate: Gate, name: str, world: str = "meadow") -> float:
    return gate.metrics().value("pollgate_world_searches_total", world=world, outcome=name)


def test_who_was_asked_for_was_where_players_saw_it_to_the_quantum_and_never_a_tick_off(gate: Gate) -> None:
    async def play(game: Game) -> None:
        async with player(gate, 7) as seven, player(gate, 8) as eight:
            seven.move((0, 0, 0))
            async with running(eight, 30):
                await until(lambda: bool(seven.in_sight()) and len(places(seven, 8)) > 20)
                done = 0
                async with asyncio.timeout(TIMEOUT_S):
                    while done < 12:
                        known, parts = places(seven, 8), (0, 1, 128, 255)[done % 4]
                        tick = max(known) - 4
                        await asyncio.sleep(0.02)
                        if tick not in known or tick + 1 not in known:
                            continue
                        game.search_sphere("meadow", (0, 0, 0), 100, Search((tick, parts)), cookie=done)
                        found = await answer(game, done)
                        if found.became is Became.TOO_OLD:  # a host that was busy for a second
                            continue
                        assert (found.became, found.tick, found.parts) == (Became.ANSWERED, tick, parts)
                        assert found.newest > tick
                        [one] = [one for one in found.who if one.identity == 8]
                        assert one.is_player
                        assert quanta(one.position) == between(known[tick], known[tick + 1], parts)
                        done += 1

    with Game(gate.directory / "game.sock", "arena") as game:
        asyncio.run(play(game))
    assert outcome(gate, "answered") == 12


def test_the_nearest_of_those_who_are_meant_and_who_is_in_the_way(gate: Gate) -> None:
    async def play(game: Game) -> None:
        async with player(gate, 7) as seven:
            seven.move((0, 10, 0))
            game.spawn("meadow", [Entity(100 + n, (2.0 * n, 0, 0)) for n in range(10)])
            game.flush()
            await until(lambda: len(entities(seven)) == 10)

            game.search_sphere("meadow", (4.1, 0, 0), 50, Search(most=3), cookie=1)
            found = await answer(game, 1)
            assert found.total == 11
            assert [one.identity for one in found.who] == [102, 103, 101]
            assert [round(one.distance, 3) for one in found.who] == [0.1, 1.9, 2.1]
            assert not any(one.is_player for one in found.who)

            game.search_sphere("meadow", (4.1, 0, 0), 50, Search(entities=False), cookie=2)
            assert [one.identity for one in (await answer(game, 2)).who] == [7]
            game.search_sphere("meadow", (4.1, 0, 0), 50, Search(entities=False, but_player=7), cookie=3)
            assert (await answer(game, 3)).total == 0

            line = ((0, -5, 1), (0.0, 1.0, 0.0), 30.0)
            game.search_ray("meadow", line, cookie=4)
            assert [(one.identity, round(one.distance, 2)) for one in (await answer(game, 4)).who] == [
                (100, 4.5),
                (7, 14.5),
            ]
            game.search_ray("meadow", (line[0], line[1], 14.0), cookie=5)
            assert [one.identity for one in (await answer(game, 5)).who] == [100]

    with Game(gate.directory / "game.sock", "arena") as game:
        asyncio.run(play(game))


def test_what_cannot_be_answered_says_why(gate: Gate) -> None:
    async def play(game: Game) -> None:
        game.search_sphere("meadow", (0, 0, 0), 10, cookie=1)
        newest = (await answer(game, 1)).newest
        game.search_sphere("meadow", (0, 0, 0), 10, Search((newest - 500, 0)), cookie=2)
        found = await answer(game, 2)
        assert (found.became, found.who) == (Became.TOO_OLD, ())
        game.search_sphere("meadow", (0, 0, 0), 10, Search((newest + 500, 0)), cookie=3)
        found = await answer(game, 3)
        assert found.became is Became.CLAMPED
        assert found.tick == found.newest
        game.search_sphere("calm", (0, 0, 0), 10, Search((newest, 0)), cookie=4)
        assert (await answer(game, 4)).became is Became.NO_COMBAT
        game.search_sphere("calm", (0, 0, 0), 10, cookie=5)
        assert (await answer(game, 5)).became is Became.ANSWERED
        game.search_sphere("nowhere", (0, 0, 0), 10, cookie=6)
        assert (await answer(game, 6)).became is Became.NO_WORLD
        game.search_sphere("meadow", (0, 0, 500), 10, cookie=7)
        game.search_sphere("meadow", (0, 0, 0), 10, cookie=8)
        await answer(game, 8)  # the one before it is refused, and not told

    with Game(gate.directory / "game.sock", "arena") as game:
        asyncio.run(play(game))
    assert [outcome(gate, one) for one in ("answered", "too_old", "clamped")] == [2, 1, 1]
    assert [outcome(gate, one, "calm") for one in ("answered", "no_combat")] == [1, 1]
    for reason in ("no_world", "body"):
        assert gate.metrics().value("pollgate_game_orders_refused_total", process="arena", reason=reason) == 1
