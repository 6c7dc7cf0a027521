# SPDX-License-Identifier: BSD-3-Clause
"""Players of the session profile against the running appliance, with each engine."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pyshim.protocol.client import Attack, Bulk, Chat, Client, Connected, Disconnected, Ending, Skill
from pyshim.protocol.session_wire import Kind
from tests.engines.engines import ALL
from tests.network.namespace import Wire
from tests.session.deployment import (
    PATIENCE_S,
    Deployment,
    founded,
    heard,
    kill,
    playing,
    quiet,
    settings,
)

pytestmark = ALL


@pytest.fixture
def deployment(wire: Wire, engine: str, tmp_path: Path) -> Iterator[Deployment]:
    with founded(wire, settings(engine), tmp_path) as it:
        yield it


@pytest.mark.parametrize("family", [4, 6])
def test_player_connects_moves_and_leaves(deployment: Deployment, family: int) -> None:
    ticket = deployment.issue(7, family=family)

    async def game() -> None:
        async with playing(ticket) as (alice,):
            (connected,) = await heard(alice, Connected)
            assert (connected.player_id, connected.max_datagram) == (7, 1400)
            alice.move((1.5, -2.25, 3.0), (0.0, 1.0, 0.0))
            await until(lambda: moved(deployment, ticket.session))

    deployment.play(game)
    assert deployment.position(ticket.session) == [1.5, -2.25, 3.0]
    deployment.gate.wait_until(lambda: deployment.total("sessions", state="connected") == 0)
    assert deployment.total("session_closed_total", reason="left") == 1


def test_everything_that_can_be_said_is_heard_by_whom_it_is_for(deployment: Deployment) -> None:
    tickets = [deployment.issue(7), deployment.issue(8, family=6)]

    async def game() -> None:
        async with playing(*tickets) as (alice, bob):
            await alice.attack(8, 77, (0.0, 1.0, -1.0))
            await alice.skill(9, 8)
            await alice.chat("héllo ✓", to=8)
            await bob.chat("to myself", to=8)
            assert await heard(bob, Attack) == [Attack(7, 8, 77, (0.0, 1.0, -1.0))]
            assert await heard(bob, Skill) == [Skill(7, 9, 8)]
            assert await heard(bob, Chat, 2) == [Chat(7, 8, 0, "héllo ✓"), Chat(8, 8, 0, "to myself")]

    deployment.play(game)


def test_longest_bulk_travels_both_ways(deployment: Deployment) -> None:
    tickets = [deployment.issue(7), deployment.issue(8)]
    data = random.Random(1).randbytes(65_528)

    async def game() -> None:
        async with playing(*tickets) as (alice, bob):
            there, back = alice.bulk(data, to=8), bob.bulk(data[::-1], to=7)
            assert await heard(bob, Bulk) == [Bulk(7, 8, data)]
            assert await heard(alice, Bulk) == [Bulk(8, 7, data[::-1])]
            await there
            await back

    deployment.play(game)


def test_player_who_moves_to_another_address_goes_on(deployment: Deployment) -> None:
    ticket = deployment.issue(7)

    async def game() -> None:
        async with playing(ticket) as (alice,):
            for number in range(3):
                await alice.chat(str(number), to=7)
                await alice.rebind()
            await alice.chat("3", to=7)
            assert [chat.text for chat in await heard(alice, Chat, 4)] == ["0", "1", "2", "3"]
            assert not any(isinstance(event, Disconnected) for event in alice.session.events)

    deployment.play(game)
    assert deployment.total("session_path_changes_total") == 3


def test_player_whose_address_changes_five_times_a_second_misses_nothing(deployment: Deployment) -> None:
    tickets = [deployment.issue(7), deployment.issue(8)]

    async def move_house(alice: Client) -> None:
        for step in range(200):
            alice.move((float(step), 0.0, 0.0), (0.0, 0.0, 0.0))
            await asyncio.sleep(0.02)
            if step % 10 == 9:
                await alice.rebind()

    async def game() -> None:
        async with playing(*tickets) as (alice, bob):
            moving = asyncio.create_task(move_house(alice))
            said = 0
            while not moving.done():
                bob.chat(str(said), to=7)
                said += 1
                await asyncio.sleep(0.03)
            await moving
            alice.move((0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
            bob.chat(str(said), to=7)
            texts = [chat.text for chat in await heard(alice, Chat, said + 1)]
            assert texts == [str(number) for number in range(said + 1)]
            assert not any(isinstance(event, Disconnected | Connected) for event in alice.session.events)

    deployment.play(game)
    assert (
        10 < deployment.total("session_path_changes_total") <= 20
    )  # a busy machine misses some, and no message
    assert deployment.total("session_connections_total") == 2


def test_worker_that_is_killed_is_not_noticed_by_idle_players(deployment: Deployment) -> None:
    tickets = [deployment.issue(7), deployment.issue(8, family=6)]

    async def game() -> None:
        async with playing(*tickets) as players:
            for alice in players:
                await alice.chat("before", to=7)
            await heard(players[0], Chat, 2)
            await heard(players[1], Connected)
            await quiet(players[0])
            for restarts in range(1, 3):
                await asyncio.to_thread(partial(kill, deployment, restarts))
                for alice in players:
                    await alice.chat("after", to=7)
                await heard(players[0], Chat, 2)
                await quiet(players[0])
            for alice in players:
                assert not any(isinstance(event, Disconnected | Connected) for event in alice.session.events)

    deployment.play(game)
    assert deployment.total("session_connections_total") == 2


def test_what_was_said_before_a_crash_is_refused_when_it_is_replayed_after_it(deployment: Deployment) -> None:
    ticket = deployment.issue(7)

    async def game() -> None:
        async with playing(ticket) as (alice,):
            sent = recorded(alice)
            for text in ("one", "two", "three"):
                await alice.chat(text, to=7)
            await heard(alice, Chat, 3)
            await quiet(alice)
            replayed = [datagram for datagram in sent if datagram[0] == Kind.DATA]
            assert len(replayed) >= 3
            await asyncio.to_thread(partial(kill, deployment, 1))
            for datagram in replayed:
                repeat(alice, datagram)
            await until(lambda: deployment.total("drops_total", reason="replayed") == len(replayed))
            await alice.chat("four", to=7)
            assert [chat.text for chat in await heard(alice, Chat)] == ["four"]

    deployment.play(game)
    assert deployment.total("session_connections_total") == 1
    assert deployment.total("session_messages_received_total", type="chat") == 4


def test_players_are_told_when_the_appliance_ends(deployment: Deployment) -> None:
    tickets = [deployment.issue(player) for player in range(1, 101)]

    async def game() -> None:
        async with playing(*tickets, keep_trying_s=0.0) as players:
            await asyncio.to_thread(deployment.gate.stop)
            for player in players:
                (over,) = await heard(player, Disconnected)
                assert over.reason == Ending.SHUTDOWN

    deployment.play(game)


# ---------------------------------------------------------------- helpers


async def until(reached: Callable[[], bool]) -> None:
    """Wait until a call gives true."""
    async with asyncio.timeout(PATIENCE_S):
        while not await asyncio.to_thread(reached):
            await asyncio.sleep(0.01)


def transport(client: Client) -> asyncio.DatagramTransport:
    assert client._transport is not None
    return client._transport


def recorded(client: Client) -> list[bytes]:
    """What a player sends from now on."""
    socket, sent = transport(client), list[bytes]()

    class Recorder(asyncio.DatagramTransport):
        def sendto(self, data: Any, addr: Any = None) -> None:
            sent.append(bytes(data))
            socket.sendto(data, addr)

        def close(self) -> None:
            socket.close()

    client._transport = Recorder()
    return sent


def repeat(client: Client, datagram: bytes) -> None:
    transport(client).sendto(datagram)


def moved(deployment: Deployment, session: int) -> bool:
    return deployment.position(session) is not None
