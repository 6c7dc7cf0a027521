# SPDX-License-Identifier: BSD-3-Clause
"""A world of two workers: their players see each other as if there were one."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pyshim.protocol.client import Client
from tests.engines.engines import ALL, CPUS, needs_two_cpus
from tests.network.namespace import Wire
from tests.session.deployment import Deployment, founded, kill, playing, settings
from tests.world.test_appliance import MEADOW, seen, standing, until

pytestmark = [ALL, needs_two_cpus]

PLAYERS = range(1, 25)  # that all of them hash to one of two workers has a probability of 2 ** -23
PLACES = {player: (2.0 * player, 1.0, 2.0) for player in PLAYERS}  # all in sight of all


@pytest.fixture
def deployment(wire: Wire, engine: str, tmp_path: Path) -> Iterator[Deployment]:
    worlds = [MEADOW | {"tick_hz": 8}]  # all clients are of one process, which reads all states
    changes: dict[str, Any] = {"workers": {"cpus": CPUS[:2]}, "worlds": worlds}
    if engine == "dpdk":
        changes |= {"device": ",qpairs=2", "port": {"queues": 2}}
    with founded(wire, settings(engine, listener={"world": "meadow"}, **changes), tmp_path) as it:
        yield it


def sees_all(player: int, client: Client) -> bool:
    """All others, each where it stands."""
    others = {other: place for other, place in PLACES.items() if other != player}
    now = seen(client)
    return now.keys() == others.keys() and all(
        math.dist(now[other], place) < 0.006 for other, place in others.items()
    )


def players_of(deployment: Deployment, worker: str) -> int:
    return deployment.total("worker_world_players", worker=worker, world="meadow")


def test_players_of_both_workers_see_each_other_also_after_a_crash(deployment: Deployment) -> None:
    tickets = [deployment.issue(player) for player in PLAYERS]

    async def game() -> None:
        async with playing(*tickets) as clients:
            by_number = dict(zip(PLAYERS, clients, strict=True))
            async with standing(*((client, PLACES[player]) for player, client in by_number.items())):
                await until(lambda: all(sees_all(player, client) for player, client in by_number.items()))
                assert min(of_workers := [players_of(deployment, worker) for worker in "01"]) > 0
                assert sum(of_workers) == len(PLAYERS)
                worlds = [client.session.view.world for client in clients]
                await asyncio.to_thread(kill, deployment, 1)
                await until(lambda: all(client.session.view.world not in worlds for client in clients))
                await until(lambda: all(sees_all(player, client) for player, client in by_number.items()))

    deployment.play(game)
    deployment.gate.wait_until(lambda: [players_of(deployment, worker) for worker in "01"] == [0, 0])
    assert all(deployment.total("session_connections_total", worker=worker) > 0 for worker in "01")
