# SPDX-License-Identifier: BSD-3-Clause
"""A thousand players behind one address, as of a provider, come back after an outage together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address
from typing import Any

import pytest

from tests.client.c_client import CSession, Heard, Library
from tests.client.world import World
from tests.native.core import Datagram
from tests.session.attack import as_configured
from tests.session.core_gateway import FIRST, CoreGateway, Sent, plan

PLAYERS = 1000
OUTAGE_S = 30  # as long as a connection lives without anything authentic, by default
BACK_S = 10
TURN_S = 0.1
FIRST_PORT = 20000
OK = 0


class OneAddress(CoreGateway):
    """All players have one address, and a port each."""

    def burst(
        self, sources: Sequence[int], datagrams: Sequence[bytes], now: float
    ) -> list[tuple[str | None, bytes]]:
        self._now = max(self._now, now)
        burst = [
            Datagram(IPv4Address(FIRST), FIRST_PORT + source, 0, datagram)
            for source, datagram in zip(sources, datagrams, strict=True)
        ]
        answers = self.core.datagrams(burst, self.tsc(now))
        return [(answer.drop, answer.reply or b"") for answer in answers]

    def due(self, now: float) -> Sent:
        self._now = max(self._now, now)
        return [(packet.to_port - FIRST_PORT, packet.payload) for packet in self.core.due(self.tsc(now))]


@pytest.fixture
def gateway() -> Iterator[CoreGateway]:
    with OneAddress(plan(as_configured(), issued_capacity=2 * PLAYERS, message_memory_mib=64)) as it:
        yield it


def play(world: World, seconds: float) -> None:
    """As games do: whose connection is over connects anew."""
    end = world.internet.now + seconds
    while world.internet.now < end:
        for player in world.internet.players:
            session: Any = player.session
            heard: list[Any] = player.heard
            if any(isinstance(event, Heard) and event.type == "CLOSED" for event in heard):
                heard.clear()
                assert isinstance(session, CSession)
                assert session.lib.pgc_connect(session.client) == OK
        world.internet.run(TURN_S)
        world.gateway.expire(world.internet.now)  # type: ignore[attr-defined]


def test_a_thousand_behind_one_address_are_back_ten_seconds_after_an_outage_of_thirty(
    library: Library, gateway: CoreGateway
) -> None:
    world = World(library, gateway)
    for number in range(PLAYERS):
        world.join(gateway.issue(1 + number))
        world.internet.run(0.005)
    play(world, 5)
    assert gateway.stats().connected == PLAYERS
    world.internet.on_wire = lambda _to_gateway, _datagram: False
    play(world, OUTAGE_S)
    world.internet.on_wire = lambda _to_gateway, _datagram: True
    players: list[Any] = [player.session for player in world.internet.players]
    back_s = 0.0
    while back_s < BACK_S and not all(player.is_connected for player in players):
        play(world, TURN_S)
        back_s += TURN_S
    print(f"the last of {PLAYERS} players is back after {back_s:.1f} s")
    play(world, BACK_S - back_s)
    assert sum(player.is_connected for player in players) == PLAYERS
    assert gateway.stats().connected == PLAYERS
