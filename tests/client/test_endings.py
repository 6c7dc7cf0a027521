# SPDX-License-Identifier: BSD-3-Clause
"""How a connection of the C client ends, and the next begins: against the model gateway, without sockets."""

from __future__ import annotations

import pytest

from pyshim.protocol import session as layers
from pyshim.protocol.session_wire import CloseReason, Kind
from tests.client.c_client import Library
from tests.client.world import ModelWorld, c, heard
from tests.definitions import numbers
from tests.session.internet import FirstToGatewayLost

OK = 0


def test_leaving_is_told_to_the_gateway(library: Library) -> None:
    world = ModelWorld(library)
    player = world.connected(7)
    assert library.lib.pgc_close(c(player).client) == OK
    world.internet.run(1)
    assert heard(player, "CLOSED") == [(CloseReason.LEFT, 0)]
    assert world.gateway.seat(7)[1].keys is None


@pytest.mark.parametrize("reason", list(CloseReason))
def test_gateways_reason_is_told(library: Library, reason: CloseReason) -> None:
    world = ModelWorld(library)
    player = world.connected(7)
    (sent,) = world.gateway.close(7, reason)
    c(player).receive(sent[1], world.internet.now)
    world.internet.run(0.1)
    assert heard(player, "CLOSED") == [(reason, 0)]


def closing(world: ModelWorld, reason: int) -> bytes:
    """A sealed CLOSE with any number for a reason."""
    session, seat = world.gateway.seat(7)
    return world.gateway._seal(session, seat, Kind.CLOSE, bytes(layers.Close(reason=reason)))


HIGHEST = max(numbers("CLOSED").values())  # of the list that the data plane has


def test_the_highest_reason_of_the_list_is_told(library: Library) -> None:
    world = ModelWorld(library)
    player = world.connected(7)
    c(player).receive(closing(world, HIGHEST), world.internet.now)
    world.internet.run(0.1)
    assert heard(player, "CLOSED") == [(HIGHEST, 0)]


def test_a_close_without_reason_ends_nothing(library: Library) -> None:
    world = ModelWorld(library)
    player = world.connected(7)
    refused = c(player).statistics().datagrams_refused
    c(player).receive(closing(world, 0), world.internet.now)
    world.internet.run(0.1)
    assert heard(player, "CLOSED") == []
    assert c(player).statistics().datagrams_refused == refused + 1


@pytest.mark.parametrize("reason", [HIGHEST + 1, 127])
def test_a_reason_that_is_not_in_the_list_is_told_as_its_number(library: Library, reason: int) -> None:
    world = ModelWorld(library)
    player = world.connected(7)
    c(player).receive(closing(world, reason), world.internet.now)
    world.internet.run(0.1)
    assert heard(player, "CLOSED") == [(256 + reason, 0)]


def test_a_forged_challenge_keeps_nobody_out(library: Library) -> None:
    world = ModelWorld(library)
    ticket = world.gateway.issue(7)
    player = world.join(ticket)
    forged = 0

    def forge(to_gateway: bool, datagram: bytes) -> bool:
        nonlocal forged
        if to_gateway and datagram[0] == Kind.HELLO:  # before the gateway's own can come
            head = layers.Session(kind=int(Kind.CHALLENGE), session=ticket.session)
            challenge = layers.Challenge(client_nonce=datagram[16:32], cookie=bytes(24))
            for _ in range(100):
                c(player).receive(layers.challenge(head, challenge, bytes(32)), world.internet.now)
            forged += 100
        return True

    world.internet.on_wire = forge
    assert world.internet.run(1, lambda: player.session.is_connected)
    assert forged >= 100


def test_a_reset_ends_a_connection_only_with_its_token(library: Library) -> None:
    world = ModelWorld(library)
    player = world.connected(7)
    head = layers.Session(kind=int(Kind.RESET), session=world.gateway.seat(7)[0])
    for guess in range(1000):
        token = guess.to_bytes(16, "little")
        c(player).receive(bytes(head / layers.Reset(token=token)), world.internet.now)
    assert player.session.is_connected
    ((_, reset),) = world.gateway.reset(7)
    c(player).receive(reset, world.internet.now)
    world.internet.run(0.1)
    assert heard(player, "CLOSED") == [(43, 0)]


def test_a_close_that_was_lost_is_said_again(library: Library) -> None:
    world = ModelWorld(library)
    player = world.connected(7)
    world.internet.on_wire = closes = FirstToGatewayLost(Kind.CLOSE, 3)
    assert c(player).lib.pgc_close(c(player).client) == OK
    _, seat = world.gateway.seat(7)
    for _ in range(20):  # the gateway talks on, as it has not heard it
        if seat.keys is not None:
            c(player).receive(world.gateway.say(7, world.internet.now), world.internet.now)
        world.internet.run(0.1)
    assert closes.left == 0
    assert seat.keys is None


def test_gateway_that_falls_silent_is_noticed_and_found_again(library: Library) -> None:
    world = ModelWorld(library)
    player = world.connected(7, silence_timeout_ms=3000, heartbeat_ms=1000)
    world.internet.run(10)
    assert player.session.is_connected, "heartbeats are answered"
    world.internet.on_wire = lambda _to_gateway, _datagram: False
    world.internet.run(4)
    assert heard(player, "CLOSED") == [(41, 0)]
    world.internet.on_wire = lambda _to_gateway, _datagram: True
    assert library.lib.pgc_connect(c(player).client) == OK
    world.internet.run(1)
    assert len(heard(player, "CONNECTED")) == 2


def test_reconnection_loses_what_was_not_acknowledged_and_goes_on(library: Library) -> None:
    world = ModelWorld(library)
    player = world.connected(7)
    c(player).chat(7, "lost", c(player).delivery(receipt=1))
    assert library.lib.pgc_reconnect(c(player).client) == OK
    world.internet.run(1)
    assert heard(player, "LOST") == [(1,)]
    c(player).chat(7, "found", c(player).delivery(receipt=2))
    world.internet.run(1)
    assert heard(player, "CHAT") == [(7, "found")]
    assert heard(player, "DELIVERED") == [(2,)]


def test_players_new_address_is_proved(library: Library) -> None:
    world = ModelWorld(library)
    player = world.connected(7)
    player.address = 2000
    c(player).chat(7, "moved")
    world.internet.run(2)
    assert world.gateway.seat(7)[1].address == 2000
    assert heard(player, "CHAT") == [(7, "moved")]
