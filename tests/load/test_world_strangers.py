# SPDX-License-Identifier: BSD-3-Clause
"""`pollgate load --world` beside others: what a game process has there, and another player."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest

from pyshim.game import Entity, Game
from pyshim.protocol.client import Client, Ticket
from tests.gate import Gate
from tests.issuing.gateway import Api
from tests.load.worlds import MEADOW, World
from tests.ports import free_port

WORLD = World(players=100, seconds=4)
ENTITIES = range(1, 61)  # named as players are: they are others all the same
FOREIGNER = 5000
SECONDS_APART = 0.1


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def gate(tmp_path: Path, port: int) -> Iterator[Gate]:
    config = {
        "engine": "epoll",
        "ports": [{"name": "game0", "address": ["127.0.0.1/8"]}],
        "listen": [{"port": port, "profile": "session", "world": "meadow"}],
        "worlds": [MEADOW | {"entities": len(ENTITIES)}],
        "game": {"listen": f"unix:{tmp_path}/game.sock"},
    }
    with Gate(config, tmp_path) as made:
        yield made


def walking(at_s: float) -> list[Entity]:
    """In circles among the players."""
    found = []
    for identity in ENTITIES:
        radius, angle = identity, identity + at_s / 10
        x, y = math.cos(angle), math.sin(angle)
        velocity = (-y * radius / 10, x * radius / 10, 0.0)
        found.append(Entity(identity, (x * radius, y * radius, 40.0), velocity))
    return found


async def stand(ticket: Ticket, over: Event) -> None:
    async with Client(ticket) as client:
        while not over.is_set():
            client.move((3.0, 4.0, 40.0))
            await asyncio.sleep(SECONDS_APART)


@contextmanager
def others(gate: Gate) -> Iterator[None]:
    """Are there for the time of the block."""
    over = Event()
    ticket = Ticket.from_json(json.dumps(Api(gate).issue(FOREIGNER)))
    foreigner = Thread(target=lambda: asyncio.run(stand(ticket, over)))

    def walk() -> None:
        ticks = 0
        while not over.wait(SECONDS_APART):
            game.move_entities("meadow", walking(ticks * SECONDS_APART))
            game.flush()
            game.poll()
            ticks += 1

    with Game(gate.directory / "game.sock", "arena") as game:
        game.spawn("meadow", walking(0))
        game.flush()
        walker = Thread(target=walk)
        walker.start()
        foreigner.start()
        try:
            gate.wait_metric("pollgate_world_entities", len(ENTITIES), world="meadow")
            gate.wait_metric("pollgate_world_players", 1, world="meadow")
            yield
        finally:
            over.set()
            walker.join()
            foreigner.join()


@pytest.mark.parametrize("walk", ["spread", "crowd"])
def test_who_is_none_of_ours_is_no_fault_and_ours_are_held_to_the_rules(
    gate: Gate, port: int, walk: str
) -> None:
    with others(gate):
        target = f"127.0.0.1:{port}"
        seen = WORLD.step(gate.config_path, "--walk", walk, target=target, strangers=True)["world"]
    assert seen["strangers"] > WORLD.players
