# SPDX-License-Identifier: BSD-3-Clause
"""The client's core against the model gateway: messages, outages, moves, ends."""

from __future__ import annotations

from itertools import pairwise

import pytest

from pyshim.protocol.client import (
    Bulk,
    Closed,
    Connected,
    Disconnected,
    Ending,
    Expired,
    QueueFull,
    Revoked,
    TimedOut,
    Undelivered,
)
from pyshim.protocol.client.outgoing import Outgoing, Priority
from pyshim.protocol.session_bodies import bulk_body, chat_body, move_body
from pyshim.protocol.session_wire import (
    CloseReason,
    Kind,
    MessageType,
)
from tests.session.internet import LinkConditions
from tests.session.model_world import STORM, connected, reason, say, texts, world


def test_chat_reaches_another_player_and_its_sender_knows() -> None:
    internet, gateway = world()
    alice, bob = connected(internet, gateway, 7), connected(internet, gateway, 8)
    delivery = say(internet, alice, "hi", to=8)
    assert internet.run(1, lambda: delivery.done)
    assert delivery.failure is None
    internet.run(1)
    assert texts(bob) == ["hi"]


@pytest.mark.parametrize("seed", range(10))
def test_every_message_arrives_once_and_in_order_through_a_storm(seed: int) -> None:
    internet, gateway = world(STORM, seed=seed)
    alice = connected(internet, gateway, 7)
    said = [f"message {index}" for index in range(300)]
    deliveries = [say(internet, alice, text, to=7) for text in said]
    assert internet.run(
        120, lambda: all(delivery.done for delivery in deliveries) and len(texts(alice)) >= 300
    )
    assert all(delivery.failure is None for delivery in deliveries)
    internet.run(5)
    assert texts(alice) == said


@pytest.mark.parametrize("size", [0, 1, 453, 454, 455, 1300, 5000, 65528])
def test_bulk_of_any_size_arrives_whole(size: int) -> None:
    internet, gateway = world(LinkConditions(loss=0.05, delay_s=(0.01, 0.03)))
    alice = connected(internet, gateway, 7)
    data = internet.random.randbytes(size)
    outgoing = Outgoing.reliable(MessageType.BULK, bulk_body(7, data), Priority.BULK, 2)
    alice.session.send(outgoing, internet.now)
    assert internet.run(60, lambda: any(isinstance(event, Bulk) for event in alice.heard))
    assert [event for event in alice.heard if isinstance(event, Bulk)] == [Bulk(7, 7, data)]


def test_smallest_datagrams_carry_the_largest_bulk() -> None:
    internet, gateway = world(path_mtu=508)
    alice = connected(internet, gateway, 7)
    data = internet.random.randbytes(65528)
    alice.session.send(
        Outgoing.reliable(MessageType.BULK, bulk_body(7, data), Priority.BULK, 2), internet.now
    )
    assert internet.run(60, lambda: any(isinstance(event, Bulk) for event in alice.heard))
    assert all(len(datagram) <= 508 for datagram in internet.wire[-200:] if datagram[0] != Kind.PROBE)


def test_lossless_bulk_is_sent_once() -> None:
    internet, gateway = world(path_mtu=508)
    alice = connected(internet, gateway, 7)
    data = internet.random.randbytes(60000)
    outgoing = Outgoing.reliable(MessageType.BULK, bulk_body(9, data), Priority.BULK, 2)
    alice.session.send(outgoing, internet.now)
    before = len(internet.wire)
    assert outgoing.delivery is not None
    assert internet.run(60, lambda: outgoing.delivery is not None and outgoing.delivery.done)
    sent = [datagram for datagram in internet.wire[before:] if len(datagram) > 400]
    assert len(sent) == 60004 // 458  # the last piece is short


def test_messages_of_one_moment_share_a_datagram() -> None:
    internet, gateway = world()
    alice = connected(internet, gateway, 7)
    before = len(internet.wire)
    for index in range(40):
        say(internet, alice, f"{index}", to=9)
    internet.run(0.019)
    assert len(internet.wire) == before + 1


def test_more_than_fifty_messages_need_another_datagram() -> None:
    internet, gateway = world()
    alice = connected(internet, gateway, 7)
    before = len(internet.wire)
    for _ in range(51):
        alice.session.send(Outgoing.unreliable(MessageType.HEARTBEAT, b"", Priority.NORMAL), internet.now)
    internet.run(0.004)
    assert len(internet.wire) == before + 1
    internet.run(0.005)
    assert len(internet.wire) == before + 2


def test_urgent_message_leaves_at_once_and_first() -> None:
    internet, gateway = world()
    alice = connected(internet, gateway, 7)
    before = len(internet.wire)
    say(internet, alice, "hi", to=9)
    internet.run(0.001)
    assert len(internet.wire) == before
    alice.session.send(Outgoing.reliable(MessageType.SKILL, bytes(8), Priority.URGENT, 0), internet.now)
    internet.run(0.0005)
    assert len(internet.wire) == before + 1
    internet.run(0.05)
    assert [number for _, number, _ in gateway.taken] == [MessageType.SKILL, MessageType.CHAT]


def test_lost_message_is_sent_again_later_and_later_but_each_second_at_last() -> None:
    internet, gateway = world(LinkConditions(delay_s=(0.01, 0.01)))
    alice = connected(internet, gateway, 7)
    internet.run(1)
    sent_at: list[float] = []

    def lose(to_gateway: bool, datagram: bytes) -> bool:
        if to_gateway and datagram[0] == Kind.DATA:
            sent_at.append(internet.now)
        return not to_gateway

    internet.on_wire = lose
    delivery = say(internet, alice, "hi", to=9)
    internet.run(8)
    waits = [after - before for before, after in pairwise(sent_at)]
    assert all(after == pytest.approx(min(2 * before, 1)) for before, after in pairwise(waits))
    assert waits[-1] == pytest.approx(1)
    assert not delivery.done
    internet.on_wire = lambda _to_gateway, _datagram: True
    assert internet.run(2, lambda: delivery.done)
    assert delivery.failure is None


def test_what_is_not_known_to_be_delivered_is_told_when_the_gateway_was_silent_for_its_time() -> None:
    internet, gateway = world()
    alice = connected(internet, gateway, 7)
    internet.on_wire = lambda _to_gateway, _datagram: False
    delivery = say(internet, alice, "hi", to=9)
    assert not internet.run(28, lambda: delivery.done)
    assert internet.run(4, lambda: delivery.done)
    assert isinstance(delivery.failure, Undelivered)
    assert [event.reason for event in alice.heard if isinstance(event, Disconnected)] == [Ending.SILENT]


@pytest.mark.parametrize("seconds", [5, 20])
def test_an_outage_is_survived_with_messages_under_way(seconds: int) -> None:
    internet, gateway = world()
    alice, bob = connected(internet, gateway, 7), connected(internet, gateway, 8)
    data = internet.random.randbytes(65_528)
    bulk = Outgoing.reliable(MessageType.BULK, bulk_body(8, data), Priority.BULK, 2)
    alice.session.send(bulk, internet.now)
    internet.run(0.05)
    internet.on_wire = lambda _to_gateway, _datagram: False
    deliveries = [say(internet, alice, f"{number}", to=8) for number in range(20)]
    internet.run(seconds)
    internet.on_wire = lambda _to_gateway, _datagram: True
    assert internet.run(5, lambda: all(delivery.done for delivery in deliveries))
    internet.run(5)
    assert texts(bob) == [f"{number}" for number in range(20)]
    assert [event for event in bob.heard if isinstance(event, Bulk)] == [Bulk(7, 8, data)]
    assert (alice.session.is_connected, bob.session.is_connected) == (True, True)
    assert not any(isinstance(event, Disconnected) for event in alice.heard + bob.heard)


def test_a_ping_comes_back_without_waiting_for_an_acknowledgement() -> None:
    internet, gateway = world(LinkConditions(delay_s=(0.03, 0.03)))
    alice = connected(internet, gateway, 7)
    at = internet.now
    alice.session.ping(77, internet.now)
    assert internet.run(1, lambda: bool(alice.session.pongs))
    assert alice.session.pongs[0] == 77
    assert internet.now - at == pytest.approx(0.06, abs=0.001)


def test_client_comes_back_when_the_gateway_falls_silent() -> None:
    internet, gateway = world()
    alice = connected(internet, gateway, 7)
    gateway.seat(7)[1].keys = None  # the gateway forgot the connection and says nothing
    gateway.resets = False
    assert internet.run(60, lambda: len(alice.heard) >= 3)
    assert [type(event) for event in alice.heard] == [Connected, Disconnected, Connected]
    assert alice.heard[1] == Disconnected(Ending.SILENT)


@pytest.mark.parametrize("close", [CloseReason.IDLE, CloseReason.RESTARTED, CloseReason.SHUTDOWN])
def test_client_comes_back_after_a_close_that_allows_it(close: CloseReason) -> None:
    internet, gateway = world()
    alice = connected(internet, gateway, 7)
    for to, datagram in gateway.close(7, close):
        internet._fly(to, datagram, to_gateway=False)
    assert internet.run(5, lambda: len(alice.heard) == 3)
    assert alice.heard[1] == Disconnected(Ending(close.name.lower()))
    assert isinstance(alice.heard[2], Connected)


@pytest.mark.parametrize(
    ("close", "kind"),
    [
        (CloseReason.EXPIRED, Expired),
        (CloseReason.REVOKED, Revoked),
        (CloseReason.REPLACED, Closed),
        (CloseReason.PROTOCOL, Closed),
    ],
)
def test_client_stays_away_after_a_close_that_is_final(close: CloseReason, kind: type[Exception]) -> None:
    internet, gateway = world()
    alice = connected(internet, gateway, 7)
    for to, datagram in gateway.close(7, close):
        internet._fly(to, datagram, to_gateway=False)
    assert internet.run(5, lambda: alice.session.failure is not None)
    assert type(alice.session.failure) is kind
    before = len(internet.wire)
    internet.run(60)
    assert len(internet.wire) == before
    with pytest.raises(kind):
        say(internet, alice, "hi", to=7)


def test_client_stops_trying_after_a_while_and_says_what_is_likely() -> None:
    internet, gateway = world()
    alice = connected(internet, gateway, 7, keep_trying_s=20.0)
    internet.on_wire = lambda _to_gateway, _datagram: False
    assert internet.run(100, lambda: alice.session.failure is not None)
    assert isinstance(alice.session.failure, TimedOut)
    assert reason(alice) is Ending.SILENT


def test_message_given_while_away_is_sent_on_the_next_connection() -> None:
    internet, gateway = world()
    alice = connected(internet, gateway, 7)
    for to, datagram in gateway.close(7, CloseReason.IDLE):
        internet._fly(to, datagram, to_gateway=False)
    assert internet.run(1, lambda: not alice.session.is_connected)
    delivery = say(internet, alice, "hi", to=7)
    assert internet.run(5, lambda: delivery.done)
    internet.run(1)
    assert delivery.failure is None
    assert texts(alice) == ["hi"]


def test_players_new_address_is_found_and_proved() -> None:
    internet, gateway = world()
    alice = connected(internet, gateway, 7)
    internet.move_away(alice)
    delivery = say(internet, alice, "hi", to=7)
    assert internet.run(5, lambda: delivery.done)
    assert gateway.seat(7)[1].address == alice.address
    internet.run(1)
    assert texts(alice) == ["hi"]
    assert len([event for event in alice.heard if isinstance(event, Connected)]) == 1


def test_game_that_says_too_much_is_told() -> None:
    internet, gateway = world()
    alice = connected(internet, gateway, 7, queue_bytes=2000)
    for _ in range(1000):
        try:
            say(internet, alice, "hi", to=9)
        except QueueFull:
            break
    else:
        pytest.fail("1000 messages in 2000 bytes")
    internet.run(1)
    say(internet, alice, "there is room again", to=9)


def test_game_that_does_not_listen_gets_everything_later() -> None:
    internet, gateway = world()
    alice = connected(internet, gateway, 7, events=8)
    alice.session.events.extend([Connected(0, 0, 0)] * 8)
    alice.heard.clear()
    held = list(alice.session.events)
    delivery = say(internet, alice, "hi", to=7)
    end = internet.now + 1
    while internet.now < end:
        internet.step(end)
        alice.session.events.clear()
        alice.session.events.extend(held)
    assert delivery.done
    assert alice.session.ignored.no_room > 0
    alice.session.events.clear()
    assert internet.run(10, lambda: texts(alice) == ["hi"])


def test_leaving_is_told_to_the_gateway() -> None:
    internet, gateway = world()
    alice = connected(internet, gateway, 7)
    alice.session.close(internet.now)
    internet.run(1)
    assert gateway.seat(7)[1].keys is None
    assert reason(alice) is Ending.LEFT


def test_moves_are_not_sent_again_and_not_kept_while_away() -> None:
    internet, gateway = world()
    alice = connected(internet, gateway, 7)
    body = move_body((1.0, 2.0, 3.0), (0.0, 0.0, 0.0))
    internet.on_wire = lambda to_gateway, _datagram: not to_gateway
    alice.session.send(Outgoing.unreliable(MessageType.MOVE, body, Priority.NORMAL), internet.now)
    internet.run(0.5)
    internet.on_wire = lambda _to_gateway, _datagram: True
    internet.run(0.5)
    assert gateway.taken == []
    assert not alice.session.has_undelivered


def test_forged_and_replayed_datagrams_change_nothing() -> None:
    internet, gateway = world()
    alice = connected(internet, gateway, 7)
    say(internet, alice, "hi", to=7)
    fleeting = Outgoing.unreliable(MessageType.CHAT, chat_body(7, 0, "at most once"), Priority.NORMAL)
    alice.session.send(fleeting, internet.now)  # has no id: only its counter tells
    internet.run(1)
    heard = list(alice.heard)
    assert sorted(texts(alice)) == ["at most once", "hi"]
    for datagram in internet.wire:
        for at in range(len(datagram)):
            alice.session.receive(
                datagram[:at] + bytes([datagram[at] ^ 1]) + datagram[at + 1 :], internet.now
            )
        alice.session.receive(datagram, internet.now)
        alice.session.receive(datagram[:-1], internet.now)
        alice.session.receive(datagram + b"\0", internet.now)
    internet.run(1)
    assert alice.heard == heard
    assert alice.session.is_connected
