# SPDX-License-Identifier: BSD-3-Clause
"""The way to a player leads over another MAC from now on: a router that took over with one of its own.

A gate keeps no table of neighbours: what a session sends on its own goes to the MAC that brought a proved
datagram of its player, learned again from the first of each second or so.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pyshim.protocol.client import Chat, Client
from tests.network.namespace import PLAYERS_INTERFACE, PLAYERS_MAC, Wire
from tests.session.deployment import founded, heard, playing, settings

pytestmark = pytest.mark.parametrize("engine", ["dpdk"], indirect=True, scope="module")

SECOND = "02:00:00:00:00:a2"
LEARNED_WITHIN_S = 3.0  # once in 2^31 cycles of the TSC, and what a busy machine adds


@contextlib.asynccontextmanager
async def moving(*players: Client) -> AsyncIterator[None]:
    """For the time of the `with` block they move, as players do."""

    async def move() -> None:
        for step in itertools.count():
            for player in players:
                player.move((float(step), 0.0, 0.0), (0.0, 0.0, 0.0))
            await asyncio.sleep(0.05)

    task = asyncio.create_task(move())
    try:
        yield
    finally:
        task.cancel()


def test_what_a_session_sends_on_its_own_follows_its_player_to_another_mac(
    wire: Wire, tmp_path: Path
) -> None:
    with founded(wire, settings("dpdk"), tmp_path) as deployment:
        tickets = [deployment.issue(7), deployment.issue(8)]

        async def game() -> None:
            async with playing(*tickets) as (alice, bob), moving(alice, bob):
                for number, mac in enumerate((SECOND, PLAYERS_MAC)):
                    # The kernel takes only frames for the MAC that it has now.
                    wire.players.run("ip", "link", "set", PLAYERS_INTERFACE, "address", mac)
                    await asyncio.sleep(LEARNED_WITHIN_S)
                    await alice.chat(str(number), to=8)
                    assert [chat.text for chat in await heard(bob, Chat)] == [str(number)]
                    await bob.chat(str(number), to=7)
                    assert [chat.text for chat in await heard(alice, Chat)] == [str(number)]

        try:
            deployment.play(game)
        finally:
            wire.players.run("ip", "link", "set", PLAYERS_INTERFACE, "address", PLAYERS_MAC)
        assert deployment.total("session_connections_total") == len(tickets)
        assert deployment.total("session_path_changes_total") == 0  # the addresses are the same
