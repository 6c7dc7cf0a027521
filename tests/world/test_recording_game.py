# SPDX-License-Identifier: BSD-3-Clause
"""What game processes do to worlds is recorded, too: entities, states, and who goes from world to world."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from itertools import dropwhile, groupby
from pathlib import Path
from typing import Any

from pyshim.game import Entity, Game, Joined
from pyshim.protocol.client import Client, Ticket
from pyshim.recording import replaying
from pyshim.recording.files import Recording
from tests.gate import Gate
from tests.issuing.gateway import Api
from tests.ports import free_port
from tests.world.test_entities import MEADOW, entities, game_of, heard, until
from tests.world.test_game_states import states
from tests.world.test_recording import parts, replay
from tests.world.test_worlds import world_of

BROOK = MEADOW | {"name": "brook"}
OAK, WOLF = 1, 2
HALF_A_QUANTUM_M = 0.006


@asynccontextmanager
async def recorded(directory: Path) -> AsyncIterator[tuple[Gate, Game, Client]]:
    """A gateway with two worlds that records, a game process, and player 7 in the meadow."""
    config = {
        "engine": "epoll",
        "ports": [{"name": "game0", "address": ["127.0.0.1/8"]}],
        "listen": [{"port": free_port(), "profile": "session", "world": "meadow"}],
        "worlds": [MEADOW, BROOK],
        "game": {"listen": f"unix:{directory}/game.sock"},
        "record": {"path": f"{directory}/world.rec", "memory_mib": 16},
    }
    with Gate(config, directory) as gate, game_of(gate) as game:
        async with Client(Ticket.from_json(json.dumps(Api(gate).issue(7)))) as client:
            client.move((0, 0, 0))
            while not any(event.player == 7 for event in await heard(game, Joined, 1)):
                pass
            await until(lambda: is_published(gate, "meadow", (0, 0, 0)))
            yield gate, game, client


def is_published(gate: Gate, world: str, place: tuple[float, float, float]) -> bool:
    """Whether the newest frame of a world has player 7 there. He is counted before a frame has him."""
    found = Api(gate)("GET", f"/v1/world/{world}?player=7")
    where = found.body["player"]["position"] if found.status == 200 else None
    return where is not None and math.dist(where, place) < HALF_A_QUANTUM_M


async def go(gate: Gate, game: Game, client: Client, world: str, place: tuple[float, float, float]) -> None:
    """The game sends player 7 to a place in a world, until he is there for all."""
    game.enter_world(7, world, place)
    game.flush()
    await until(lambda: world_of(client) == world and is_published(gate, world, place))


def write(gate: Gate) -> Path:
    answer = Api(gate)("POST", "/v1/recording")
    assert answer.status == 201
    path = Path(answer.body["path"])
    assert {part["differing"] for part in parts(path).values()} == {0}
    return path


def frames(path: Path, world: str) -> list[dict[int, replaying.Entity]]:
    """Entities of games in each frame of a world, by identity."""
    with closing(Recording(path)) as recording, closing(replaying.Replay(recording, 0)) as again:
        names = [one.name for one in recording.header.worlds]
        return [
            {one.identity: one for one in again.entities(frame) if not one.is_player}
            for frame in again.frames()
            if names[frame.world] == world
        ]


def rows(path: Path, player: int) -> list[dict[str, Any]]:
    return [json.loads(line) for line in replay(path, "--player", str(player), "--json").stdout.splitlines()]


def test_entities_and_states_are_done_again_to_the_bit(tmp_path: Path) -> None:
    async def play() -> Path:
        async with recorded(tmp_path) as (gate, game, client):
            game.spawn("meadow", [Entity(OAK, (1, 2, 3), state=b"oak"), Entity(WOLF, (5, 0, 0))])
            game.set_player_states({7: b"crown"})
            game.flush()
            await until(lambda: entities(client).keys() == {OAK, WOLF})
            for step in range(100):  # long enough for new ranks
                game.move_entities("meadow", [Entity(WOLF, (5 + step / 20, 0, 0), (1, 0, 0))])
                game.set_states("meadow", {WOLF: b"hungry" if step < 90 else b""})
                game.flush()
                await asyncio.sleep(0.05)
                if step == 89:
                    await until(lambda: states(client)[WOLF] == b"hungry")
            game.despawn("meadow", [OAK])
            game.flush()
            await until(lambda: entities(client).keys() == {WOLF})
            return await asyncio.to_thread(write, gate)

    path = asyncio.run(play())
    seen = frames(path, "meadow")
    trees = [found[OAK] for found in seen if OAK in found]
    assert all(math.dist(tree.position_m, (1, 2, 3)) < HALF_A_QUANTUM_M for tree in trees)
    assert {tree.state for tree in trees} == {b"oak"}
    wolves = [found[WOLF] for found in seen if WOLF in found]
    assert [state for state, _ in groupby(wolf.state for wolf in wolves)] == [b"", b"hungry", b""]
    assert wolves[-1].position_m[0] - wolves[0].position_m[0] > 4
    assert (OAK in seen[-1], WOLF in seen[-1]) == (False, True)
    assert rows(path, 7)[-1]["state"] == b"crown".hex()


def test_who_goes_from_world_to_world_is_done_again_in_each(tmp_path: Path) -> None:
    async def play() -> Path:
        async with recorded(tmp_path) as (gate, game, client):
            game.set_player_states({7: b"crown"})
            for turn in range(3):
                await go(gate, game, client, "brook", (10 + turn, 0, 0))
                await go(gate, game, client, "meadow", (20 + turn, 0, 0))
            return await asyncio.to_thread(write, gate)

    path = asyncio.run(play())
    found = rows(path, 7)
    stays = [world for world, _ in groupby(row["world"] for row in found)]
    assert stays == ["meadow", *["brook", "meadow"] * 3]
    places = {(row["world"], round(row["x_m"])) for row in found}
    assert places == {
        ("meadow", 0),
        *(("brook", 10 + turn) for turn in range(3)),
        *(("meadow", 20 + turn) for turn in range(3)),
    }
    since_brook = dropwhile(lambda row: row["world"] == "meadow", found)  # he had it before he went there
    assert {row["state"] for row in since_brook} == {b"crown".hex()}
