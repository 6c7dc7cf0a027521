# SPDX-License-Identifier: BSD-3-Clause
"""The client's core gets a connection from the model gateway, or learns why not."""

from __future__ import annotations

import base64

import pytest

from pyshim.protocol import session as layers
from pyshim.protocol.client import (
    BadTicketError,
    Connected,
    Denied,
    Disconnected,
    Ending,
    Expired,
    Revoked,
    Ticket,
    TimedOut,
)
from pyshim.protocol.session import Session
from pyshim.protocol.session_wire import (
    HEADER_BYTES,
    Denial,
    Header,
    Kind,
    read_header,
)
from tests.session.internet import FirstToGatewayLost
from tests.session.model_world import STORM, connected, world


def test_client_connects_and_knows_its_player() -> None:
    internet, gateway = world()
    player = connected(internet, gateway)
    assert player.heard == [Connected(7, 3600, 1400)]


def test_client_asks_for_less_where_the_path_loses_large_datagrams() -> None:
    internet, gateway = world(path_mtu=1100)
    player = connected(internet, gateway)
    assert player.heard == [Connected(7, 3600, 1000)]
    kinds = [read_header(datagram) for datagram in internet.wire]
    sizes = [header.length for header in kinds if header.kind is Kind.CONFIRM]
    assert sizes == [1400, 1400, 1232, 1232, 1000]


@pytest.mark.parametrize("seed", range(20))
def test_client_connects_through_a_storm(seed: int) -> None:
    internet, gateway = world(STORM, seed=seed)
    connected(internet, gateway)


@pytest.mark.parametrize(
    ("denial", "kind"),
    [
        (Denial.EXPIRED, Expired),
        (Denial.REVOKED, Revoked),
        (Denial.CONSUMED, Denied),
        (Denial.FULL, Denied),
    ],
)
def test_proved_denial_ends_the_attempt(denial: Denial, kind: type[Denied]) -> None:
    internet, gateway = world()
    player = internet.join(gateway.issue(7))
    gateway.seat(7)[1].denial = denial
    assert internet.run(1, lambda: player.session.failure is not None)
    assert type(player.session.failure) is kind
    assert player.session.failure.reason is denial


def test_denial_that_anybody_can_have_sent_is_only_the_likely_reason() -> None:
    internet, gateway = world()
    player = internet.join(gateway.issue(7))
    gateway.seat(7)[1].denial = Denial.VERSION
    internet.run(9)
    assert player.session.failure is None
    assert internet.run(2, lambda: player.session.failure is not None)
    assert isinstance(player.session.failure, TimedOut)
    assert "another version" in str(player.session.failure)


def test_a_forged_challenge_keeps_nobody_out() -> None:
    internet, gateway = world()
    ticket = gateway.issue(7)
    forged = 0

    def forge(to_gateway: bool, datagram: bytes) -> bool:
        nonlocal forged
        if to_gateway and datagram[0] == Kind.HELLO:  # before the gateway's own can come
            head = Session(kind=int(Kind.CHALLENGE), session=ticket.session)
            challenge = layers.Challenge(client_nonce=datagram[16:32], cookie=bytes(24))
            for _ in range(100):
                player.session.receive(layers.challenge(head, challenge, bytes(32)), internet.now)
            forged += 100
        return True

    player = internet.join(ticket)
    internet.on_wire = forge
    assert internet.run(1, lambda: player.session.is_connected)
    assert forged >= 100


def test_a_reset_ends_a_connection_only_with_its_token_and_the_client_comes_back() -> None:
    internet, gateway = world()
    player = connected(internet, gateway, 7)
    head = Session(kind=int(Kind.RESET), session=gateway.seat(7)[0])
    for guess in range(1000):
        token = guess.to_bytes(16, "little")
        player.session.receive(bytes(head / layers.Reset(token=token)), internet.now)
    assert player.session.is_connected
    ((_, reset),) = gateway.reset(7)
    player.session.receive(reset, internet.now)
    assert not player.session.is_connected
    assert player.heard[-1:] != [Disconnected(Ending.RESET, final=True)]
    assert internet.run(2, lambda: player.session.is_connected)
    assert Disconnected(Ending.RESET) in player.heard


def test_a_reset_of_an_earlier_connection_ends_none() -> None:
    internet, gateway = world()
    player = connected(internet, gateway, 7)
    ((_, reset),) = gateway.reset(7)
    player.session.receive(reset, internet.now)
    assert internet.run(2, lambda: player.session.is_connected)
    player.session.receive(reset, internet.now)
    internet.run(1)
    assert player.session.is_connected
    assert len([event for event in player.heard if isinstance(event, Disconnected)]) == 1


def test_a_close_that_was_lost_is_said_again() -> None:
    internet, gateway = world()
    player = connected(internet, gateway, 7)
    internet.on_wire = closes = FirstToGatewayLost(Kind.CLOSE, 3)
    player.session.close(internet.now)
    _, seat = gateway.seat(7)
    for _ in range(20):  # the gateway talks on, as it has not heard it
        if seat.keys is not None:
            player.session.receive(gateway.say(7, internet.now), internet.now)
        internet.run(0.1)
    assert closes.left == 0
    assert seat.keys is None


@pytest.mark.parametrize("counter", [0, 1, 2**31 - 1, 2**31, 2**32 - 1])
def test_welcome_that_anybody_can_have_sent_changes_nothing(counter: int) -> None:
    internet, gateway = world()
    ticket = gateway.issue(7)
    forged: list[int] = []

    def forge(to_gateway: bool, datagram: bytes) -> bool:
        if to_gateway and datagram[0] == Kind.CONFIRM:
            header = Header(Kind.WELCOME, len(datagram), ticket.session, counter)
            player.session.receive(header.pack() + bytes(len(datagram) - HEADER_BYTES), internet.now)
            forged.append(counter)
        return True

    player = internet.join(ticket)
    internet.on_wire = forge
    assert internet.run(1, lambda: bool(player.heard))
    assert forged
    assert player.heard == [Connected(7, 3600, 1400)]


def test_wrong_key_is_the_likely_reason_of_a_challenge_without_welcome() -> None:
    internet, gateway = world()
    ticket = gateway.issue(7)
    player = internet.join(Ticket(ticket.session, bytes(32), ticket.host, ticket.port))
    assert internet.run(11, lambda: player.session.failure is not None)
    assert "not with this session's key" in str(player.session.failure)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"session": 1, "key": "00", "address": "a:1"}',
        '{"session": 0, "key": "KEY", "address": "a:1"}',
        '{"session": true, "key": "KEY", "address": "a:1"}',
        '{"session": 1, "key": "KEY", "address": "a"}',
        '{"session": 1, "key": "KEY", "address": "a:0"}',
        '{"session": 1, "key": 7, "address": "a:1"}',
        '{"session": 1, "key": "KEY", "address": "a:1", "session": 2}',
    ],
)
def test_ticket_that_was_not_issued_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(BadTicketError):
        Ticket.from_json(text.replace("KEY", "q" * 43))


def test_ticket_is_read_as_issued_and_does_not_show_its_key() -> None:
    key = "-_" * 21 + "w"
    ticket = Ticket.from_json(
        f'{{"session": 7, "key": "{key}", "address": "[2001:db8::1]:8081", "expires": 1}}'
    )
    assert (ticket.session, ticket.host, ticket.port) == (7, "2001:db8::1", 8081)
    assert key not in repr(ticket)
    assert ticket.key == base64.urlsafe_b64decode(key + "=")
    assert str(ticket.key) not in repr(ticket)
