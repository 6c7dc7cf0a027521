# SPDX-License-Identifier: BSD-3-Clause
"""Players go from network to network, nobody can follow them, and play goes on: against core and gateway."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pytest

from pyshim.protocol.client import Chat, Client, Ticket
from pyshim.protocol.session_wire import Kind, read_header
from tests.client.c_client import Game, Library
from tests.client.either import Either
from tests.client.test_gateway import until, values
from tests.gate import Gate
from tests.issuing.gateway import Api, configuration
from tests.javascript.players import PATIENCE_S
from tests.javascript.players import Player as JavaScript
from tests.session.core_gateway import CoreGateway
from tests.session.crossing import LOOPBACK, Crossing
from tests.session.internet import Internet, LinkConditions
from tests.session.observer import Seen, links, numbers, tell_order

NETWORKS = 4
ROUGH = LinkConditions(doubling=0.2, delay_s=(0.005, 0.12))


# ---------------------------------------------------------------- the core


@pytest.fixture
def core() -> Iterator[CoreGateway]:
    with CoreGateway() as gateway:
        yield gateway
        gateway.check_books()


@pytest.fixture(params=["c", "python"])
def player(request: pytest.FixtureRequest, core: CoreGateway) -> Either:
    library = request.getfixturevalue("library") if request.param == "c" else None
    return Either(library, core, silence_s=300)


def seen_by(internet: Internet, address: int) -> Seen:
    """What passed by the network of an address."""
    return [one for one, place in zip(internet.tap, internet.places, strict=True) if place == address]


def assert_not_followed(networks: list[Seen]) -> None:
    """No two networks saw anything by which they know that they saw the same player."""
    for one, other in combinations(range(len(networks)), 2):
        assert links(networks[one], networks[other]) == [], (one, other)


@pytest.mark.parametrize("conditions", [LinkConditions(), ROUGH], ids=["still", "rough"])
def test_nobody_follows_a_player_from_network_to_network(player: Either, conditions: LinkConditions) -> None:
    player.internet.conditions = conditions
    addresses = [player.player.address]
    for network in range(NETWORKS):
        for message in range(5):
            assert player.hears(f"{network}: {message}")
        player.internet.run(5)  # what still flies on this network lands
        if network < NETWORKS - 1:
            player.moves()
            addresses.append(player.player.address)
    networks = [seen_by(player.internet, address) for address in addresses]
    assert all(len(seen) > 10 for seen in networks)
    assert_not_followed(networks)
    assert all(len(numbers(seen)) == 1 for seen in networks)
    assert len(player.texts()) == 5 * NETWORKS
    player.internet.conditions = LinkConditions()
    player.internet.run(1)


@pytest.mark.parametrize("when", ["before", "on the way", "after"])
def test_a_crash_beside_a_change_of_network_costs_nothing(
    core: CoreGateway, player: Either, when: str
) -> None:
    addresses = [player.player.address]
    for network in range(NETWORKS):
        assert player.hears(f"{network}: here")
        assert player.hears(f"{network}: given")
        if when == "before":
            core.crash()
        player.moves()
        addresses.append(player.player.address)
        if when == "on the way":
            player.internet.run(0.01)
            core.crash()
        assert player.hears(f"{network}: there")
        if when == "after":
            core.crash()
        assert player.hears(f"{network}: still there")
        player.internet.run(5)
    networks = [seen_by(player.internet, address) for address in addresses]
    assert all(len(numbers(seen)) == 1 for seen in networks)
    assert_not_followed(networks)
    assert len(player.texts()) == 4 * NETWORKS
    assert player.session.is_connected


def test_a_gateway_that_lost_a_connection_says_so_under_the_number_that_it_has(
    core: CoreGateway, player: Either
) -> None:
    player.moves()
    assert player.hears("there")
    (number,) = player.shows(len(player.internet.tap) - 5)
    assert number != player.issued
    player.internet.on_wire = lambda _to_gateway, _datagram: False
    for _ in range(10):
        player.internet.run(5)
        core.expire(player.internet.now)
    assert player.session.is_connected, "its own patience is longer"
    player.internet.on_wire = lambda _to_gateway, _datagram: True
    since = len(player.internet.tap)
    assert player.internet.run(30, player.is_reset)
    headers = [
        read_header(datagram) for to_gateway, datagram in player.internet.tap[since:] if not to_gateway
    ]
    assert {one.session for one in headers if one.kind is Kind.RESET} == {number}
    player.internet.run(1)


def test_spares_tell_nothing_of_the_numbers_issued(core: CoreGateway) -> None:
    internet = Internet(core)
    tickets = [core.issue(number) for number in range(1, 41)]
    players = [internet.join(ticket) for ticket in tickets]
    assert internet.run(30, lambda: all(one.session.is_connected for one in players))
    internet.run(2)
    before = len(internet.tap)
    for one in players:
        internet.move_away(one)
        one.session.moved(internet.now)
    internet.run(2)
    spares = []
    for one in players:
        (spare,) = numbers(seen_by(internet, one.address))
        spares.append(spare)
    assert len(internet.tap) > before
    assert {spare >> 24 for spare in spares} == {tickets[0].session >> 24}, "the gateway's bits stay"
    assert tell_order([ticket.session for ticket in tickets], spares) == []


# ---------------------------------------------------------------- the gateway, over sockets


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    directory = tmp_path_factory.mktemp("gate")
    with Gate(configuration(directory), directory) as running:
        yield running


def play_in_c(ticket: dict[str, Any], library: Library) -> None:
    game = Game(library, Ticket.from_json(json.dumps(ticket)))
    until(game, lambda: game.is_connected)
    for network in range(NETWORKS):
        for message in range(2):  # with the second, or before, the spare for the next network comes
            text = f"{network}: {message}"
            assert game.chat(7, text, game.delivery(1)) == 0
            until(game, lambda text=text: any(one[-1] == text for one in values(game, "CHAT")))  # type: ignore[misc]
        if network < NETWORKS - 1:
            assert library.lib.pgc_rebind(game.client) == 0
    assert values(game, "CLOSED") == []
    assert library.lib.pgc_close(game.client) == 0


def play_in_python(ticket: dict[str, Any]) -> None:
    async def play() -> None:
        async with asyncio.timeout(PATIENCE_S), Client(Ticket.from_json(json.dumps(ticket))) as game:
            events = game.events()
            for network in range(NETWORKS):
                for message in range(2):
                    text = f"{network}: {message}"
                    game.chat(text, to=7)
                    async for event in events:
                        if isinstance(event, Chat) and event.text == text:
                            break
                if network < NETWORKS - 1:
                    await game.rebind()

    asyncio.run(play())


def play_in_javascript(ticket: dict[str, Any]) -> None:
    with JavaScript(ticket) as game:
        game.heard("connected")
        for network in range(NETWORKS):
            for message in range(2):
                game.chat(f"{network}: {message}", 7)
                came = game.messages("CHAT_EVENT", 2 * network + message + 1)
                assert came[-1]["text"] == f"{network}: {message}"
            if network < NETWORKS - 1:
                game.do("networkChanged")
                game.heard("moved", network + 1)
        game.do("close")
        game.heard("closed")


@pytest.mark.parametrize("kind", ["c", "python", "javascript"])
def test_a_player_goes_over_networks_and_each_sees_a_stranger(
    request: pytest.FixtureRequest, gate: Gate, kind: str
) -> None:
    before = gate.metrics().value("pollgate_session_number_changes_total")
    ticket = Api(gate).issue(7, 3600)
    host, _, port = ticket["address"].rpartition(":")
    with Crossing((host, int(port))) as crossing:
        relayed = ticket | {"address": f"{LOOPBACK}:{crossing.port}"}
        if kind == "c":
            play_in_c(relayed, request.getfixturevalue("library"))
        elif kind == "python":
            play_in_python(relayed)
        else:
            play_in_javascript(relayed)
        networks = list(crossing.networks)
    assert len(networks) == NETWORKS
    assert all(len(numbers(seen)) == 1 for seen in networks)
    assert_not_followed(networks)
    gate.wait_metric("pollgate_session_number_changes_total", before + NETWORKS - 1)
