# SPDX-License-Identifier: BSD-3-Clause
"""Where the path carries less than the longest datagram, states of a world keep to what it carries.

What is longer than the path's MTU is dropped at the players' end, as by a tunnel that says nothing.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from pyshim.protocol.client import Client, Ticket
from tests.engines.engines import ALL
from tests.engines.rules import dropping
from tests.network.namespace import Wire
from tests.session.deployment import Deployment, founded, settings
from tests.world.test_appliance import MEADOW, seen, standing, until

pytestmark = ALL

NEIGHBOURS = 32
PLACES = {
    player: (1.0 * player, 1.0, 2.0) for player in range(1, 35)
}  # more than one can be told of, all near


@pytest.fixture
def deployment(wire: Wire, engine: str, tmp_path: Path) -> Iterator[Deployment]:
    world = settings(
        engine, listener={"world": "meadow"}, worlds=[MEADOW | {"tick_hz": 5}], sessions={"capacity": 64}
    )
    with founded(wire, world, tmp_path) as it:
        yield it


@contextmanager
def narrow(wire: Wire, family: int, mtu: int) -> Iterator[None]:
    """For the time of the block, players do not get what is longer than the MTU."""
    longer = ("-p", "udp", "-m", "length", "--length", f"{mtu + 1}:65535")
    with dropping(wire.players, "INPUT", *longer, family=family):
        yield


@asynccontextmanager
async def coming(*tickets: Ticket) -> AsyncIterator[dict[Client, tuple[float, float, float]]]:
    """Players who connect all at once, as a handshake takes a while there; and where each will be."""
    async with AsyncExitStack() as stack:
        connecting = (stack.enter_async_context(Client(ticket)) for ticket in tickets)
        yield dict(zip(await asyncio.gather(*connecting), PLACES.values(), strict=True))


def sees_as_many_as_can_be(client: Client) -> bool:
    now = seen(client)
    return len(now) == NEIGHBOURS and all(math.dist(at, PLACES[one]) < 0.006 for one, at in now.items())


@pytest.mark.parametrize(("family", "mtu"), [(4, 576), (6, 1280)])
def test_who_is_behind_a_narrow_path_sees_as_many_as_others(
    wire: Wire, deployment: Deployment, family: int, mtu: int
) -> None:
    tickets = [deployment.issue(player, family=family) for player in PLACES]

    async def game() -> None:
        async with coming(*tickets) as places, standing(*places.items()):
            await until(lambda: all(map(sees_as_many_as_can_be, places)))

    with narrow(wire, family, mtu):
        deployment.play(game)


def test_who_comes_to_be_behind_a_narrow_path_sees_newcomers(wire: Wire, deployment: Deployment) -> None:
    tickets = [deployment.issue(player) for player in PLACES]

    async def game() -> None:
        async with coming(*tickets) as places:
            first, *others = places.items()
            async with standing(first):
                await until(lambda: first[0].session.view.world is not None)
                with narrow(wire, 4, 576):  # and all the others come into the world at once
                    async with standing(*others):
                        await until(lambda: all(map(sees_as_many_as_can_be, places)))

    deployment.play(game)
