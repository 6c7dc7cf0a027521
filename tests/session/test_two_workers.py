# SPDX-License-Identifier: BSD-3-Clause
"""Two workers: their players talk to each other, change the worker that gets their packets, survive."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pyshim.protocol.client import Chat, Client, Connected, Disconnected, Ending
from tests.engines.engines import ALL, CPUS, needs_two_cpus
from tests.network.namespace import Wire
from tests.session.deployment import Deployment, founded, heard, kill, playing, quiet, settings

pytestmark = [ALL, needs_two_cpus]

PLAYERS = range(1, 25)  # that all of them hash to one of two workers has a probability of 2 ** -23


@pytest.fixture
def deployment(wire: Wire, engine: str, tmp_path: Path) -> Iterator[Deployment]:
    changes: dict[str, Any] = {"workers": {"cpus": CPUS[:2]}}
    if engine == "dpdk":
        changes |= {"device": ",qpairs=2", "port": {"queues": 2}}
    with founded(wire, settings(engine, **changes), tmp_path) as it:
        yield it


async def everyone_hears_everyone(players: list[Client]) -> None:
    receipts = [
        speaker.chat(f"{sender} to {target}", to=target)
        for sender, speaker in zip(PLAYERS, players, strict=True)
        for target in PLAYERS
    ]
    for receipt in receipts:
        await receipt
    for target, listener in zip(PLAYERS, players, strict=True):
        texts = sorted(chat.text for chat in await heard(listener, Chat, len(PLAYERS)))
        assert texts == sorted(f"{sender} to {target}" for sender in PLAYERS)


def test_players_of_both_workers_hear_each_other(deployment: Deployment) -> None:
    tickets = [deployment.issue(player) for player in PLAYERS]

    async def game() -> None:
        async with playing(*tickets) as players:
            await everyone_hears_everyone(players)

    deployment.play(game)
    assert all(deployment.total("session_connections_total", worker=worker) > 0 for worker in "01")
    lost = deployment.gate.metrics().matching("pollgate_session_messages_lost_total")
    # A player who leaves may not have acknowledged the last message.
    assert sum(count for labels, count in lost if labels["reason"] != "closed") == 0, lost


def handed_over(deployment: Deployment, direction: str) -> int:
    return deployment.total("handed_over_packets_total", direction=direction)


def test_player_whose_new_address_is_another_workers_stays_where_he_is(deployment: Deployment) -> None:
    tickets = [deployment.issue(player) for player in PLAYERS]

    async def game() -> None:
        async with playing(*tickets) as players:
            await everyone_hears_everyone(players)
            for player in players:
                await player.rebind()
            await everyone_hears_everyone(players)
            for player in players:
                assert not any(isinstance(event, Disconnected | Connected) for event in player.session.events)

    deployment.play(game)
    assert deployment.total("session_connections_total") == len(PLAYERS)
    assert deployment.total("session_path_changes_total") == len(PLAYERS)
    assert deployment.total("session_number_changes_total") == len(PLAYERS)
    deployment.gate.wait_until(lambda: handed_over(deployment, "in") == handed_over(deployment, "out") > 0)


def test_idle_players_go_on_with_the_same_keys_when_the_workers_are_killed(deployment: Deployment) -> None:
    tickets = [deployment.issue(player) for player in PLAYERS]

    async def game() -> None:
        async with playing(*tickets) as players:
            await everyone_hears_everyone(players)
            for restarts in range(1, 3):
                for player in players:
                    await quiet(player)
                await asyncio.to_thread(partial(kill, deployment, restarts))
                await everyone_hears_everyone(players)
            for player in players:
                assert not any(isinstance(event, Disconnected | Connected) for event in player.session.events)

    deployment.play(game)
    assert deployment.total("session_connections_total") == len(PLAYERS)
    assert deployment.total("sessions_recovered_total") == 2 * len(PLAYERS)


def test_players_of_many_networks_have_another_number_in_each_also_after_crashes(
    deployment: Deployment,
) -> None:
    tickets = [deployment.issue(player) for player in PLAYERS]
    networks = 4

    async def game() -> None:
        async with playing(*tickets) as players:
            await everyone_hears_everyone(players)
            for network in range(1, networks + 1):
                for player in players:
                    await player.rebind()
                await everyone_hears_everyone(players)
                for player in players:
                    await quiet(player)
                if network % 2 == 0:
                    await asyncio.to_thread(partial(kill, deployment, network // 2))
                    await everyone_hears_everyone(players)
            for player in players:
                assert not any(isinstance(event, Disconnected | Connected) for event in player.session.events)

    deployment.play(game)
    assert deployment.total("session_connections_total") == len(PLAYERS)
    assert deployment.total("session_number_changes_total") == networks * len(PLAYERS)


def test_talkative_players_lose_nothing_they_say_when_the_workers_are_killed(deployment: Deployment) -> None:
    tickets = [deployment.issue(player) for player in PLAYERS]
    over = asyncio.Event()

    async def talk(player: Client, target: int) -> None:
        while not over.is_set():
            await player.chat("still there?", to=target)

    async def game() -> None:
        async with playing(*tickets) as players, asyncio.TaskGroup() as talks:
            for player, target in zip(players, reversed(PLAYERS), strict=True):
                talks.create_task(talk(player, target))
            for restarts in range(1, 4):
                await asyncio.sleep(0.2)
                await asyncio.to_thread(partial(kill, deployment, restarts))
            over.set()
        # Outside: everybody has been heard after the last crash.

    async def after() -> None:
        async with playing(*tickets) as players:
            await everyone_hears_everyone(players)

    deployment.play(game)
    deployment.play(after)
    assert deployment.total("session_closed_total", reason=str(Ending.RESTARTED)) == 0
    assert deployment.total("session_connections_total") == 2 * len(PLAYERS)
