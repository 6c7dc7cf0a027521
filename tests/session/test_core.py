# SPDX-License-Identifier: BSD-3-Clause
"""The Python client against the C core: two implementations of one document, and the tests' own clock."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pyshim import messages
from pyshim.errors import InternalError
from pyshim.operator_messages import OperatorMessage
from pyshim.protocol.client import Bulk, Chat, Connected, Disconnected, Ending, Expired, Inventory, Revoked
from pyshim.protocol.client.outgoing import Outgoing, Priority
from pyshim.protocol.session_bodies import bulk_body, chat_body, move_body
from pyshim.protocol.session_wire import MessageType
from tests.session.core_gateway import CoreGateway
from tests.session.internet import Internet, LinkConditions, Player
from tests.session.model_world import STORM, say, texts

MOVE = move_body((1.0, 2.0, 3.0), (0.0, 0.0, 0.0))


@pytest.fixture
def gateway() -> Iterator[CoreGateway]:
    with CoreGateway() as it:
        yield it


def connected(internet: Internet, player_id: int = 7) -> Player:
    assert isinstance(internet.gateway, CoreGateway)
    player = internet.join(internet.gateway.issue(player_id))
    assert internet.run(30, lambda: player.session.is_connected), player.session.failure
    return player


def test_client_connects_to_the_core(gateway: CoreGateway) -> None:
    player = connected(Internet(gateway))
    (event,) = player.heard
    assert isinstance(event, Connected)
    assert (event.player_id, event.max_datagram) == (7, 1400)
    assert 86_000 < event.expires_in_s <= 86_400
    assert gateway.stats().connected == 1
    gateway.check_books()


@pytest.mark.parametrize("ways", [(True, False), (False,), (True,)], ids=["both ways", "back", "there"])
def test_a_session_for_once_finds_what_a_narrow_path_carries(
    gateway: CoreGateway, ways: tuple[bool, ...]
) -> None:
    internet = Internet(gateway)
    internet.on_wire = lambda to_gateway, datagram: to_gateway not in ways or len(datagram) <= 1100
    player = internet.join(gateway.issue(7, once=True))
    assert internet.run(10, lambda: player.session.is_connected), player.session.failure
    (event,) = player.heard
    assert isinstance(event, Connected)
    assert event.max_datagram == 1000
    gateway.check_books()


def test_chat_travels_through_the_core(gateway: CoreGateway) -> None:
    internet = Internet(gateway)
    alice, bob = connected(internet, 7), connected(internet, 8)
    delivery = say(internet, alice, "hi", to=8)
    assert internet.run(1, lambda: delivery.done)
    assert delivery.failure is None
    internet.run(1)
    assert [event for event in bob.heard if isinstance(event, Chat)] == [Chat(7, 8, 0, "hi")]
    gateway.check_books()


@pytest.mark.parametrize("channel", range(4))
@pytest.mark.parametrize("seed", range(3))
def test_every_message_arrives_once_through_a_storm(seed: int, channel: int, gateway: CoreGateway) -> None:
    internet = Internet(gateway, seed=seed)
    alice = connected(internet)
    internet.conditions = LinkConditions(loss=0.05, doubling=0.2, delay_s=(0.005, 0.06))
    said = [f"message {index}" for index in range(300)]
    deliveries = [say(internet, alice, text, to=7, channel=channel) for text in said]
    internet.run(60, lambda: all(delivery.done for delivery in deliveries))
    internet.conditions = LinkConditions()
    internet.run(5)
    gateway.check_books()
    connections = sum(isinstance(event, Connected) for event in alice.heard)
    heard = texts(alice)
    if connections == 1:
        assert all(delivery.failure is None for delivery in deliveries)
        assert (heard if channel < 3 else sorted(heard)) == (said if channel < 3 else sorted(said))
    assert len(heard) == len(set(heard))


@pytest.mark.parametrize("size", [0, 1, 1300, 1353, 1354, 1355, 5000, 65528])
def test_bulk_of_any_size_travels_through_the_core(size: int, gateway: CoreGateway) -> None:
    internet = Internet(gateway)
    alice = connected(internet)
    data = internet.random.randbytes(size)
    alice.session.send(
        Outgoing.reliable(MessageType.BULK, bulk_body(7, data), Priority.BULK, 2), internet.now
    )
    assert internet.run(60, lambda: any(isinstance(event, Bulk) for event in alice.heard)), alice.heard
    assert [event for event in alice.heard if isinstance(event, Bulk)] == [Bulk(7, 7, data)]
    gateway.check_books()


def test_compressed_bulk_travels_through_the_core(gateway: CoreGateway) -> None:
    internet = Internet(gateway)
    alice = connected(internet)
    data = b"ab" * 30_000
    alice.session.send(
        Outgoing.reliable(MessageType.BULK, bulk_body(7, data), Priority.BULK, 2), internet.now
    )
    before = len(internet.wire)
    assert internet.run(60, lambda: any(isinstance(event, Bulk) for event in alice.heard))
    assert [event for event in alice.heard if isinstance(event, Bulk)] == [Bulk(7, 7, data)]
    assert sum(map(len, internet.wire[before:])) < 5_000
    messages = gateway.stats().messages
    assert messages.expand_out == 60_004
    assert messages.compress_in["bulk"] == 60_008
    assert messages.compress_out["bulk"] < 6_000


def test_client_asks_the_core_for_less_where_the_path_loses_large_datagrams(gateway: CoreGateway) -> None:
    internet = Internet(gateway)
    internet.on_wire = lambda _to_gateway, datagram: len(datagram) <= 1100
    alice = connected(internet)
    assert isinstance(alice.heard[0], Connected)
    assert alice.heard[0].max_datagram == 1000


def test_welcome_that_is_too_long_for_the_way_back_is_asked_for_again_shorter(gateway: CoreGateway) -> None:
    internet = Internet(gateway)
    internet.on_wire = lambda to_gateway, datagram: to_gateway or len(datagram) <= 1100
    alice = connected(internet)
    assert isinstance(alice.heard[0], Connected)
    assert alice.heard[0].max_datagram == 1000


def test_players_new_address_is_challenged_and_used(gateway: CoreGateway) -> None:
    internet = Internet(gateway)
    alice = connected(internet)
    internet.move_away(alice)
    delivery = say(internet, alice, "hi", to=7)
    assert internet.run(5, lambda: delivery.done)
    internet.run(1)
    assert texts(alice) == ["hi"]
    assert gateway.stats().path_changes == 1
    assert sum(isinstance(event, Connected) for event in alice.heard) == 1
    gateway.check_books()


@pytest.mark.parametrize("moves_hz", [60, 20])
@pytest.mark.parametrize("round_trip_s", [0.001, 0.02, 0.04, 0.06])
def test_player_whose_address_changes_all_the_time_keeps_his_session(
    round_trip_s: float, moves_hz: int, gateway: CoreGateway
) -> None:
    """Each address lasts for two round trips and one movement: long enough to be asked, and to be told."""
    internet = Internet(gateway, LinkConditions(delay_s=(round_trip_s / 2, round_trip_s / 2)))
    alice, bob = connected(internet, 7), connected(internet, 8)
    said = []
    for step in range(10 * moves_hz):
        if step % (moves_hz // 5) == 0:
            internet.move_away(alice)
        if step % (moves_hz // 10) == 0:
            said.append(say(internet, bob, f"{step}", to=7))
        alice.session.send(Outgoing.unreliable(MessageType.MOVE, MOVE, Priority.URGENT), internet.now)
        internet.run(1 / moves_hz)
    internet.run(5)
    assert texts(alice) == [f"{step}" for step in range(0, 10 * moves_hz, moves_hz // 10)]
    assert sum(isinstance(event, Connected) for event in alice.heard) == 1
    assert gateway.stats().path_changes == 50
    gateway.check_books()


def test_operator_writes_to_a_player(gateway: CoreGateway) -> None:
    internet = Internet(gateway)
    ticket = gateway.issue(7)
    alice = internet.join(ticket)
    assert internet.run(5, lambda: alice.session.is_connected)
    gateway.send(OperatorMessage(ticket.session, MessageType.INVENTORY, b"sword " * 50), internet.now)
    gateway.send(
        OperatorMessage(ticket.session, MessageType.CHAT_EVENT, chat_body(7, 3, "maintenance")), internet.now
    )
    internet.run(1)
    assert alice.heard[1:] == [Inventory(b"sword " * 50), Chat(0, 7, 3, "maintenance")]


def test_revoked_player_is_told_and_stays_away(gateway: CoreGateway) -> None:
    internet = Internet(gateway)
    ticket = gateway.issue(7)
    alice = internet.join(ticket)
    assert internet.run(5, lambda: alice.session.is_connected)
    assert gateway.table.revoke(ticket.session)
    say(internet, alice, "hi", to=7)
    end = internet.now + 10
    while internet.now < end and alice.session.failure is None:
        internet.run(0.5)
        gateway.expire(internet.now)
    assert isinstance(alice.session.failure, Revoked)
    assert gateway.stats().connected == 0
    gateway.check_books()


def test_session_that_was_revoked_before_is_denied_with_proof(gateway: CoreGateway) -> None:
    internet = Internet(gateway)
    ticket = gateway.issue(7)
    gateway.table.revoke(ticket.session)
    alice = internet.join(ticket)
    assert internet.run(5, lambda: alice.session.failure is not None)
    assert isinstance(alice.session.failure, Revoked)


def test_expired_session_is_denied_with_proof(gateway: CoreGateway) -> None:
    internet = Internet(gateway)
    ticket = gateway.issue(7, ttl_s=1)
    internet.now += 5
    alice = internet.join(ticket)
    assert internet.run(5, lambda: alice.session.failure is not None)
    assert isinstance(alice.session.failure, Expired)


def test_second_client_of_a_ticket_replaces_the_first(gateway: CoreGateway) -> None:
    internet = Internet(gateway)
    ticket = gateway.issue(7)
    first = internet.join(ticket)
    assert internet.run(5, lambda: first.session.is_connected)
    second = internet.join(ticket)
    assert internet.run(5, lambda: second.session.is_connected)
    internet.run(20)
    assert second.session.is_connected
    assert Disconnected(Ending.REPLACED, final=True) in first.heard
    assert gateway.stats().connected == 1


def test_idle_player_is_kept_by_heartbeats(gateway: CoreGateway) -> None:
    internet = Internet(gateway)
    alice = connected(internet)
    for _ in range(60):
        internet.run(2)
        gateway.expire(internet.now)
    assert alice.session.is_connected
    assert sum(isinstance(event, Connected) for event in alice.heard) == 1


def test_memory_for_messages_comes_back(gateway: CoreGateway) -> None:
    internet = Internet(gateway, conditions=STORM)
    alice = connected(internet)
    for index in range(50):
        say(internet, alice, f"{index}" * 100, to=7, channel=index % 4)
    internet.run(10)
    internet.conditions = LinkConditions()
    internet.run(10)
    alice.session.close(internet.now)
    internet.run(1)
    gateway.expire(internet.now + 60)
    assert gateway.stats().connected == 0
    assert gateway.stats().messages.memory_used == 0


def test_a_type_that_an_operator_cannot_send_is_refused_with_all_that_can(gateway: CoreGateway) -> None:
    said = [one.number for one in messages.MESSAGES if one.kind == "GIVEN"]
    allowed = ", ".join(
        map(str, [MessageType.CHAT_EVENT, MessageType.BULK_EVENT, *map(int, said), "64 to 199"])
    )
    internet = Internet(gateway)
    ticket = gateway.issue(7)
    alice = internet.join(ticket)
    assert internet.run(5, lambda: alice.session.is_connected)
    with pytest.raises(InternalError, match=f"^message type 9 cannot be sent; allowed are {allowed}$"):
        gateway.send(OperatorMessage(ticket.session, 9, b"x"), internet.now)
