# SPDX-License-Identifier: BSD-3-Clause
"""Priority travels: what its sender calls urgent waits for company neither in a client nor in the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from pyshim.plan import ListenerPolicy, Policy
from pyshim.protocol.client import Client, Settings
from pyshim.protocol.client.events import Chat
from pyshim.protocol.client.outgoing import Outgoing, Priority
from pyshim.protocol.session_bodies import chat_body
from pyshim.protocol.session_wire import MessageType
from tests.client.c_client import CSession, Heard, Library
from tests.client.world import World
from tests.session.core_gateway import NO_LIMITS, POLL_S, CoreGateway, plan
from tests.session.internet import Player
from tests.session.model_server import ModelServer

PATH_S = 2 * 0.02  # to the gateway, and from there
FLUSH_S = 0.005  # of either
OK = 0


@pytest.fixture
def gateway() -> Iterator[CoreGateway]:
    delivery = replace(NO_LIMITS, flush_us=round(FLUSH_S * 1e6))
    limits = Policy(30 * 10**9, 0, 1, (ListenerPolicy(0, 1),), delivery)
    with CoreGateway(plan(limits)) as it:
        yield it


def say(player: Player, priority: Priority, now: float) -> None:
    session: Any = player.session
    if isinstance(session, CSession):
        session.now_ns = round(now * 1e9)
        assert session.chat(2, "go", session.delivery(priority=int(priority))) == OK
        return
    outgoing = Outgoing.reliable(MessageType.CHAT, chat_body(2, 0, "go"), priority, 1)
    session.send(outgoing, now)


def chats(player: Player) -> int:
    heard: list[Any] = player.heard
    return sum(isinstance(one, Chat) or (isinstance(one, Heard) and one.type == "CHAT") for one in heard)


@pytest.mark.parametrize("kind", ["c", "python"])
def test_an_urgent_chat_waits_nowhere_and_a_normal_one_in_client_and_gateway(
    library: Library, gateway: CoreGateway, kind: str
) -> None:
    world = World(library, gateway)
    join = world.join if kind == "c" else world.internet.join
    one, other = (join(gateway.issue(number)) for number in (1, 2))
    assert world.internet.run(30, lambda: one.session.is_connected and other.session.is_connected)
    world.internet.run(1)
    took = {}
    for count, priority in enumerate((Priority.URGENT, Priority.NORMAL), 1):
        said_at = world.internet.now
        say(one, priority, said_at)
        assert world.internet.run(1, lambda count=count: chats(other) == count)
        took[priority] = world.internet.now - said_at - PATH_S
        world.internet.run(1)
    for priority, waited_s in took.items():
        print(f"{kind} client, {priority.name.lower()}: {waited_s * 1e3:.1f} ms more than the path")
    assert took[Priority.URGENT] <= 1.5 * POLL_S  # how often the core is asked here
    assert took[Priority.NORMAL] >= 2 * FLUSH_S - 1e-6


def test_python_client_says_a_chat_with_the_priority_that_it_is_given() -> None:
    async def play(server: ModelServer) -> None:
        ticket = server.issue(7)
        async with asyncio.timeout(60), Client(ticket, Settings(flush_s=30)) as game:
            await game.chat("go", to=7, priority=Priority.URGENT)  # another would wait for half a minute

    with ModelServer() as server:
        asyncio.run(play(server))
