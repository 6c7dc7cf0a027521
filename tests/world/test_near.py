# SPDX-License-Identifier: BSD-3-Clause
"""What is said to everyone near: who hears it, once each, and who does not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from pyshim.protocol.client import Attack, Chat, Client, Skill
from tests.engines.engines import ALL, CPUS, needs_two_cpus
from tests.network.namespace import Wire
from tests.session.deployment import Deployment, founded, heard, playing, settings
from tests.world.test_appliance import MEADOW, seen, standing, until

pytestmark = ALL

PLACES = {
    7: (0, 0, 1),
    8: (10, 0, 1),
    9: (0, 30, 1),
    10: (0, 0, 48),
    11: (40, 40, 1),
}  # the last is too far from 7
HEARERS = {8, 9, 10}


@pytest.fixture(params=[MEADOW, MEADOW | {"hearers": 2}], ids=["all", "two"])
def world(request: pytest.FixtureRequest) -> dict[str, Any]:
    made: dict[str, Any] = request.param
    return made


@pytest.fixture
def deployment(wire: Wire, engine: str, tmp_path: Path, world: dict[str, Any]) -> Iterator[Deployment]:
    with founded(wire, settings(engine, listener={"world": "meadow"}, worlds=[world]), tmp_path) as it:
        yield it


async def placed(stack: AsyncExitStack, deployment: Deployment) -> dict[int, Client]:
    """Players at their places, who all see each other as far as they are in sight."""
    clients = await stack.enter_async_context(playing(*map(deployment.issue, PLACES)))
    players = dict(zip(PLACES, clients, strict=True))
    await stack.enter_async_context(standing(*((players[number], PLACES[number]) for number in PLACES)))
    await until(lambda: seen(players[7]).keys() == HEARERS and len(seen(players[11])) > 0)
    return players


def events(client: Client, kind: type) -> int:
    return sum(isinstance(event, kind) for event in client.session.events)


def chats(client: Client) -> list[Chat]:
    """What of it came, without taking it."""
    return [event for event in client.session.events if isinstance(event, Chat)]


def test_everyone_near_hears_it_once_and_nobody_else(deployment: Deployment, world: dict[str, Any]) -> None:
    hearers = HEARERS if "hearers" not in world else {8, 9}  # the nearest

    async def game() -> None:
        async with AsyncExitStack() as stack:
            players = await placed(stack, deployment)
            await players[7].chat("hello " * 20, to=0)
            players[7].skill(5, 0)
            await players[7].attack(0, 77, (0.0, 1.0, 0.0))
            for one in (players[number] for number in hearers):  # in any order: an attack may overtake a chat
                await until(lambda one=one: all(events(one, kind) for kind in (Chat, Attack, Skill)))  # type: ignore[misc]
            await players[7].chat("and you", to=11)  # what is behind it came first, if it came
            await until(lambda: events(players[11], Chat) > 0)
            for number in hearers:
                assert chats(players[number]) == [Chat(7, 0, 0, "hello " * 20)]
                assert events(players[number], Attack) == events(players[number], Skill) == 1
            for number in PLACES.keys() - hearers:
                assert chats(players[number]) == ([Chat(7, 11, 0, "and you")] if number == 11 else [])
                assert events(players[number], Attack) == events(players[number], Skill) == 0

    deployment.play(game)
    assert deployment.total("session_messages_dispatched_total", to="near") == 3
    assert deployment.total("session_messages_lost_total", reason="no_receiver") == 0


def test_who_is_nowhere_is_heard_by_nobody(deployment: Deployment) -> None:
    ticket = deployment.issue(7)

    async def game() -> None:
        async with playing(ticket) as (alice,):
            await alice.chat("hello", to=0)

    deployment.play(game)
    assert deployment.total("session_messages_lost_total", reason="no_receiver") == 1


@needs_two_cpus
def test_everyone_near_is_of_all_workers(wire: Wire, engine: str, tmp_path: Path) -> None:
    worlds = [MEADOW | {"tick_hz": 8}]  # all clients are of one process, which reads all states
    changes: dict[str, Any] = {"workers": {"cpus": CPUS[:2]}, "worlds": worlds}
    if engine == "dpdk":
        changes |= {"device": ",qpairs=2", "port": {"queues": 2}}
    numbers = range(1, 25)
    with founded(wire, settings(engine, listener={"world": "meadow"}, **changes), tmp_path) as deployment:
        tickets = [deployment.issue(number) for number in numbers]

        async def game() -> None:
            async with playing(*tickets) as players, standing(*((one, (1, 2, 3)) for one in players)):
                await until(lambda: all(len(seen(one)) == len(numbers) - 1 for one in players))
                for number, one in zip(numbers, players, strict=True):
                    await one.chat(f"{number}", to=0)
                for number, one in zip(numbers, players, strict=True):
                    texts = {chat.text for chat in await heard(one, Chat, len(numbers) - 1)}
                    assert texts == {f"{other}" for other in numbers if other != number}
                await asyncio.sleep(0.2)
                assert not any(events(one, Chat) for one in players)

        deployment.play(game)
