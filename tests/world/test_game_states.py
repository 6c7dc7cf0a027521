# SPDX-License-Identifier: BSD-3-Clause
"""The game's own state of entities and of players: whoever sees one has it, and nobody is told twice."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from pyshim.game import Entity, EntityRefused, Game, GameError, Joined, Why
from pyshim.protocol.client import Client
from tests.gate import TIMEOUT_S, Gate
from tests.issuing.gateway import Api
from tests.world.test_entities import game_of, gateway, heard, player, refused, until


def states(client: Client) -> dict[int, bytes]:
    """Of whoever is in sight, by identity."""
    return {one.entity.identity: one.state for one in client.in_sight()}


def told(gate: Gate) -> float:
    return gate.metrics().value("pollgate_world_told_game_states_total", world="meadow")


async def until_quiet(gate: Gate) -> None:
    """Until nobody is told for a second: what is acknowledged late is told again before."""
    async with asyncio.timeout(TIMEOUT_S):
        before = -1.0
        while (now := told(gate)) != before:
            before = now
            await asyncio.sleep(1)


async def is_here(game: Game, number: int) -> None:
    while not any(event.player == number for event in await heard(game, Joined, 1)):
        pass


def test_an_entitys_state_is_told_with_it_and_when_it_changes(tmp_path: Path) -> None:
    with gateway(tmp_path) as gate:

        async def play() -> None:
            async with player(gate, 7, 0, 0) as seven, player(gate, 8, 1, 1) as eight:
                with game_of(gate) as game:
                    game.spawn("meadow", [Entity(1, (1, 0, 0), state=b"oak"), Entity(2, (2, 0, 0))])
                    game.flush()
                    await until(lambda: states(seven) == {1: b"oak", 2: b"", 8: b""})
                    game.set_states("meadow", {1: b"", 2: bytes(range(32))})
                    game.flush()
                    await until(lambda: states(seven) == {1: b"", 2: bytes(range(32)), 8: b""})
                    await until(lambda: states(eight) == {1: b"", 2: bytes(range(32)), 7: b""})
                    await until_quiet(gate)  # never every tick

        asyncio.run(play())


def test_a_players_state_holds_from_world_to_world_until_the_connection_ends(tmp_path: Path) -> None:
    with gateway(tmp_path) as gate:

        async def play() -> None:
            async with player(gate, 8, 1, 1) as eight:
                with game_of(gate) as game:
                    async with player(gate, 7, 0, 0):
                        await is_here(game, 7)
                        game.set_player_states({7: b"crowned", 99: b"nobody"})
                        game.flush()
                        await until(lambda: states(eight) == {7: b"crowned"})
                        game.enter_world(7, None)
                        game.flush()
                        await until(lambda: states(eight) == {})
                        game.enter_world(7, "meadow", (0, 0, 0))
                        game.flush()
                        await until(lambda: states(eight) == {7: b"crowned"})
                    await until(lambda: states(eight) == {})
                    async with player(gate, 7, 0, 0):
                        await until(lambda: states(eight) == {7: b""})

        asyncio.run(play())


def test_operators_see_the_states(tmp_path: Path) -> None:
    with gateway(tmp_path) as gate:
        api = Api(gate)

        def sight() -> dict[str, Any]:
            found: dict[str, Any] = api("GET", "/v1/world/meadow?player=7").body["player"]
            return found

        async def play() -> None:
            async with player(gate, 7, 0, 0) as seven:
                with game_of(gate) as game:
                    game.spawn("meadow", [Entity(1, (1, 0, 0), state=b"oak"), Entity(2, (2, 0, 0))])
                    await is_here(game, 7)
                    game.set_player_states({7: b"\0crown"})
                    game.flush()
                    await until(lambda: states(seven) == {1: b"oak", 2: b""})
                    found = await asyncio.to_thread(sight)
                    assert found["state"] == "0063726f776e"
                    seen = [(one["identity"], one["state"]) for one in found["sees"]]
                    assert seen == [(1, "6f616b"), (2, "")]

        asyncio.run(play())


def test_a_state_of_nobody_or_of_anothers_is_refused(tmp_path: Path) -> None:
    with gateway(tmp_path) as gate:

        async def play() -> None:
            with game_of(gate) as game, game_of(gate, "other") as other:
                other.spawn("meadow", [Entity(1, (1, 0, 0))])
                other.flush()
                await until(lambda: gate.metrics().value("pollgate_world_entities", world="meadow") == 1)
                game.set_states("meadow", {1: b"mine", 2: b"none"})
                game.flush()
                assert {(one.entity, one.why) for one in await heard(game, EntityRefused, 2)} == {
                    (1, Why.NONE),
                    (2, Why.NONE),
                }
                assert refused(gate, "no_entity") == 1
                with pytest.raises(GameError, match="33 bytes, at most 32"):
                    game.set_states("meadow", {1: bytes(33)})

        asyncio.run(play())
