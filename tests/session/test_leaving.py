# SPDX-License-Identifier: BSD-3-Clause
"""A game that leaves: the gateway hears it although datagrams are lost, and nobody waits without need."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest

from pyshim.protocol import session as layers
from pyshim.protocol.client import Client, Ending
from pyshim.protocol.session import Session
from pyshim.protocol.session_wire import Kind
from tests.session.core_gateway import CoreGateway
from tests.session.internet import FirstToGatewayLost, Internet, LinkConditions
from tests.session.model_server import ModelServer
from tests.session.model_world import connected, reason, world

LOSSY = LinkConditions(loss=0.4, doubling=0.2, delay_s=(0.005, 0.06))
TIMEOUT_S = 90


@pytest.fixture
def gateway() -> Iterator[CoreGateway]:
    with CoreGateway() as it:
        yield it


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as it:
        yield it


# ---------------------------------------------------------------- on a network with a clock of its own


def test_leaving_takes_one_round_trip() -> None:
    internet, gateway = world(LinkConditions(delay_s=(0.02, 0.02)))
    player = connected(internet, gateway)
    internet.run(1)
    began = internet.now
    player.session.close(internet.now)
    assert player.session.is_leaving
    assert internet.run(3, lambda: not player.session.is_leaving)
    assert internet.now - began == pytest.approx(0.04)
    assert gateway.seat(7)[1].keys is None
    assert reason(player) is Ending.LEFT


@pytest.mark.parametrize("kinds", [(Kind.CLOSE,), (Kind.DATA,), (Kind.CLOSE, Kind.DATA)])
def test_gateway_that_did_not_hear_a_close_is_told_again(kinds: tuple[Kind, ...]) -> None:
    internet, gateway = world()
    player = connected(internet, gateway)
    internet.run(1)
    losses = [FirstToGatewayLost(kind, 3) for kind in kinds]
    internet.on_wire = lambda to_gateway, datagram: all(loss(to_gateway, datagram) for loss in losses)
    player.session.close(internet.now)
    assert internet.run(3, lambda: not player.session.is_leaving)
    assert gateway.seat(7)[1].keys is None


@pytest.mark.parametrize("seed", range(20))
def test_gateway_hears_over_a_link_that_loses_four_of_ten(seed: int) -> None:
    internet, gateway = world(seed=seed)
    player = connected(internet, gateway)
    internet.conditions = LOSSY
    player.session.close(internet.now)
    assert internet.run(4, lambda: not player.session.is_leaving)
    assert gateway.seat(7)[1].keys is None
    assert len([one for to_gateway, one in internet.tap if to_gateway and one[0] == Kind.CLOSE]) <= 31


def test_gateway_that_says_nothing_is_waited_for_for_three_seconds() -> None:
    internet, gateway = world()
    player = connected(internet, gateway)
    internet.on_wire = lambda _to_gateway, _datagram: False
    began = internet.now
    player.session.close(internet.now)
    assert internet.run(60, lambda: not player.session.is_leaving)
    assert internet.now - began == pytest.approx(3.0)
    said = len(internet.wire)
    internet.run(10)
    assert len(internet.wire) == said


def test_reset_with_another_token_does_not_say_that_the_gateway_has_heard() -> None:
    internet, gateway = world()
    player = connected(internet, gateway)
    internet.on_wire = lambda _to_gateway, _datagram: False
    player.session.close(internet.now)
    head = Session(kind=int(Kind.RESET), session=gateway.seat(7)[0])
    for guess in range(100):
        player.session.receive(bytes(head / layers.Reset(token=bytes([guess] * 16))), internet.now)
    assert player.session.is_leaving
    assert player.session.ignored.forged == 100


@pytest.mark.parametrize("seed", range(5))
def test_core_hears_over_a_link_that_loses_four_of_ten(gateway: CoreGateway, seed: int) -> None:
    internet = Internet(gateway, seed=seed)
    player = internet.join(gateway.issue(7))
    assert internet.run(30, lambda: player.session.is_connected)
    internet.conditions = LOSSY
    player.session.close(internet.now)
    assert internet.run(4, lambda: not player.session.is_leaving)
    assert gateway.stats().connected == 0
    gateway.check_books()


def test_core_answers_who_leaves_in_one_round_trip(gateway: CoreGateway) -> None:
    internet = Internet(gateway, LinkConditions(delay_s=(0.02, 0.02)))
    player = internet.join(gateway.issue(7))
    assert internet.run(30, lambda: player.session.is_connected)
    internet.run(1)
    player.session.close(internet.now)
    assert internet.run(0.09, lambda: not player.session.is_leaving)  # before it would ask again
    assert gateway.stats().connected == 0


# ---------------------------------------------------------------- over sockets


def losing(server: ModelServer, loses: Callable[[bytes], bool]) -> None:
    """The server does not get what it loses."""
    receive = server.gateway.receive
    server.gateway.receive = lambda source, datagram, now: (  # type: ignore[method-assign]
        [] if loses(datagram) else receive(source, datagram, now)
    )


def test_game_that_leaves_is_there_until_the_gateway_has_heard(server: ModelServer) -> None:
    lost: list[bytes] = []

    def loses(datagram: bytes) -> bool:
        if datagram[0] != Kind.CLOSE or len(lost) == 3:
            return False
        lost.append(datagram)
        return True

    async def play() -> None:
        async with Client(server.issue(7)) as game:
            with server.lock:
                losing(server, loses)
            game.move((0.0, 0.0, 0.0))

    asyncio.run(asyncio.wait_for(play(), TIMEOUT_S))
    assert len(lost) == 3
    with server.lock:
        assert server.gateway.seat(7)[1].keys is None


def test_game_leaves_a_gateway_that_is_gone(server: ModelServer) -> None:
    async def play() -> None:
        async with Client(server.issue(7)):
            with server.lock:
                losing(server, lambda _datagram: True)

    asyncio.run(asyncio.wait_for(play(), TIMEOUT_S))


def test_game_that_is_cancelled_says_that_it_leaves_and_waits_for_nothing(server: ModelServer) -> None:
    heard: list[int] = []

    async def play(ready: asyncio.Event) -> None:
        async with Client(server.issue(7)):
            with server.lock:
                losing(server, lambda datagram: heard.append(datagram[0]) is None)
            ready.set()
            await asyncio.sleep(TIMEOUT_S)

    async def cancel() -> None:
        ready = asyncio.Event()
        game = asyncio.create_task(play(ready))
        await asyncio.wait_for(ready.wait(), TIMEOUT_S)
        game.cancel()
        await asyncio.gather(game, return_exceptions=True)
        assert game.cancelled()
        async with asyncio.timeout(TIMEOUT_S):
            while Kind.CLOSE not in heard:
                await asyncio.sleep(0.01)

    asyncio.run(cancel())
    assert heard.count(Kind.CLOSE) == 1
