# SPDX-License-Identifier: BSD-3-Clause
"""What greedy sources and players can do to a gateway: each beside a player that keeps to the limits."""

from __future__ import annotations

import struct
from collections import Counter
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

import pytest

from pyshim.plan import DEFAULT_DELIVERY, REQUEST_TYPES, DeliveryPolicy, ListenerPolicy
from pyshim.protocol.client import Bulk
from pyshim.protocol.client.outgoing import Outgoing, Priority
from pyshim.protocol.session_bodies import bulk_body
from pyshim.protocol.session_wire import (
    DATAGRAM_MAX_BYTES,
    HEADER_BYTES,
    Header,
    Kind,
    MessageType,
    pack_hello,
    read_header,
)
from pyshim.sessions import NoRoomError
from tests.native.core import Datagram
from tests.session.attack import BURST, MOVE, STRANGER, as_configured, join, policy, unpaced
from tests.session.core_gateway import NO_LIMITS, CoreGateway, plan
from tests.session.internet import Internet, Player
from tests.session.model_world import say, texts
from tests.session.raw_player import RawPlayer, is_alive
from tests.session.vector_messages import message

# ---------------------------------------------------------------- of a source


def sealed_by_nobody(session: int) -> bytes:
    """A datagram that only its tag shows to be forged."""
    return Header(Kind.DATA, 40, session, 1 << 20).pack() + bytes(28)


def at(address: IPv4Address | IPv6Address, port: int, payload: bytes) -> Datagram:
    return Datagram(address, port, 0, payload)


SOMEWHERE = [IPv4Address("203.0.113.9"), IPv6Address("2001:db8::9")]


@pytest.mark.parametrize("address", SOMEWHERE, ids=str)
def test_datagrams_from_where_their_session_is_not_are_limited_by_address_and_port(
    address: IPv4Address | IPv6Address,
) -> None:
    with CoreGateway(plan(policy(ListenerPolicy(10, 8)))) as gateway:
        internet = Internet(gateway)
        ticket = gateway.issue(7)
        join(internet, ticket)
        forged = sealed_by_nobody(ticket.session)
        now = gateway.tsc(internet.now)
        one = gateway.core.datagrams([at(address, 4000, forged)] * 40, now)
        assert Counter(answer.drop for answer in one) == {"bad_tag": 8, "source_rate_limited": 32}
        others = [at(address + 1, 4000, forged), at(address, 4001, forged)]
        assert [answer.drop for answer in gateway.core.datagrams(others, now)] == ["bad_tag"] * 2
        assert gateway.stats().dropped["source_rate_limited"] == 32


@pytest.mark.parametrize("address", SOMEWHERE, ids=str)
def test_a_flood_from_a_neighbours_port_does_not_keep_a_player_from_moving_behind_the_same_address(
    address: IPv4Address | IPv6Address,
) -> None:
    with CoreGateway(plan(as_configured())) as gateway:
        internet = Internet(gateway)
        player = RawPlayer(gateway, gateway.issue(7), now=internet.now)
        player.connect()
        assert player.keys is not None
        forged = sealed_by_nobody(player.ticket.session)
        held_off = 0
        for step in range(20):  # so many moves, each beside ten times what the address may send
            now = gateway.tsc(internet.now + 2 * step + 2)
            for _ in range(10):
                flood = gateway.core.datagrams([at(address, 4000, forged)] * BURST, now)
                held_off += sum(answer.drop == "source_rate_limited" for answer in flood)
            (asked,) = gateway.core.datagrams([at(address, 5000 + step, player.data())], now)
            assert asked.drop is None
            assert asked.reply is not None
            header = read_header(asked.reply)
            assert header.kind is Kind.PATH_CHALLENGE
            token = player.keys.gateway_to_client.open(header.counter, asked.reply, HEADER_BYTES)
            answer = player.sealed(Kind.PATH_RESPONSE, token)
            gateway.core.datagrams([at(address, 5000 + step, answer)], now)
            assert gateway.stats().path_changes == step + 1
        assert held_off == 20 * BURST * 9


def test_a_connected_player_is_not_counted_with_strangers_behind_his_address() -> None:
    with CoreGateway(plan(policy(ListenerPolicy(1, 4)))) as gateway:
        internet = Internet(gateway)
        alice = join(internet, gateway.issue(7))
        bob = gateway.issue(8)
        join(internet, bob)
        forged = [sealed_by_nobody(bob.session)] * 64
        drops = Counter(drop for drop, _ in gateway.burst([alice.address] * 64, forged, internet.now))
        assert drops["source_rate_limited"] >= 60
        deliveries = [say(internet, alice, f"{at}", to=7) for at in range(30)]
        assert internet.run(5, lambda: all(delivery.done for delivery in deliveries))
        assert len(texts(alice)) == 30
        gateway.check_books()


def test_connections_that_are_proved_are_limited_by_source_and_others_get_in() -> None:
    limits = ListenerPolicy(0, 1, connections_pps=1, connections_burst=20)
    with CoreGateway(plan(policy(limits))) as gateway:
        internet = Internet(gateway)
        drops: Counter[str | None] = Counter()
        for number in range(60):
            player = RawPlayer(gateway, gateway.issue(100 + number), address=STRANGER, now=internet.now)
            player.challenge()
            drops[player.drop(player.confirm())] += 1
        assert drops == {None: 20, "connection_rate_limited": 40}
        join(internet, gateway.issue(8))
        assert gateway.stats().dropped["connection_rate_limited"] == 40
        gateway.check_books()


def test_a_flood_of_hellos_from_a_players_own_address_does_not_keep_the_player_out() -> None:
    limits = ListenerPolicy(10, 8, connections_pps=1, connections_burst=4)
    with CoreGateway(plan(policy(limits))) as gateway:
        internet = Internet(gateway)
        ticket = gateway.issue(7)
        hello = pack_hello(ticket.session, bytes(16))
        player = RawPlayer(gateway, ticket, now=internet.now)
        for _ in range(20):  # a hundred times what the address may send
            gateway.burst([player.address] * 64, [hello] * 64, internet.now)
        player.connect()
        assert is_alive(player)
        gateway.check_books()


def test_handshakes_take_no_more_than_their_share_and_players_go_on() -> None:
    delivery = replace(NO_LIMITS, handshake_permille=1)
    with CoreGateway(plan(policy(delivery=delivery))) as gateway:
        internet = Internet(gateway)
        alice = join(internet, gateway.issue(7))
        internet.run(1)  # Alice's handshake took time, too: much of it if this process was interrupted
        hello = pack_hello(gateway.issue(8).session, bytes(16))
        drops: Counter[str | None] = Counter()
        for at in range(400):  # at one instant: all of a worker's time, and more
            sources = range(STRANGER + at * BURST, STRANGER + (at + 1) * BURST)
            drops.update(drop for drop, _ in gateway.burst(list(sources), [hello] * BURST, internet.now))
        assert drops.keys() == {None, "handshake_budget"}
        deliveries = [say(internet, alice, f"{at}", to=7) for at in range(30)]
        assert internet.run(5, lambda: all(delivery.done for delivery in deliveries))
        assert gateway.stats().dropped["handshake_budget"] == drops["handshake_budget"]
        join(internet, gateway.issue(9))  # the budget grows again as time passes
        gateway.check_books()


# ---------------------------------------------------------------- of a session


def greedy(gateway: CoreGateway) -> tuple[Internet, Player, Player]:
    """One who does not keep to limits, and another player."""
    internet = Internet(gateway)
    mallory = join(internet, gateway.issue(7))
    unpaced(mallory)
    return internet, mallory, join(internet, gateway.issue(8))


def bodies() -> dict[str, tuple[int, bytes]]:
    chat = struct.pack("<IBBH", 0, 0, 0, 1) + b"a"
    return {
        "move": (MessageType.MOVE, MOVE),
        "attack": (MessageType.ATTACK, struct.pack("<II3f", 0, 1, 1.0, 0.0, 0.0)),
        "chat": (MessageType.CHAT, chat),
        "heartbeat": (MessageType.HEARTBEAT, b""),
        "skill": (MessageType.SKILL, struct.pack("<II", 1, 0)),
        "bulk": (MessageType.BULK, struct.pack("<I", 0) + b"data"),
        "ping": (MessageType.PING, bytes(4)),
        "game": (MessageType.GAME, b""),
    }


@pytest.mark.parametrize("name", REQUEST_TYPES)
def test_messages_are_limited_by_type_in_each_session(name: str) -> None:
    at = REQUEST_TYPES.index(name)
    pps, burst = [0] * len(REQUEST_TYPES), [1] * len(REQUEST_TYPES)
    pps[at], burst[at] = 1, 10
    delivery = replace(NO_LIMITS, message_pps=tuple(pps), message_burst=tuple(burst))
    with CoreGateway(plan(policy(delivery=delivery))) as gateway:
        internet, mallory, alice = greedy(gateway)
        kind, body = bodies()[name]
        for _ in range(40):
            mallory.session.send(Outgoing.unreliable(kind, body, Priority.URGENT), internet.now)
            internet.run(0.001)
        alice.session.send(Outgoing.unreliable(kind, body, Priority.URGENT), internet.now)
        other = "move" if name != "move" else "heartbeat"
        for _ in range(20):
            kind, body = bodies()[other]
            mallory.session.send(Outgoing.unreliable(kind, body, Priority.URGENT), internet.now)
            internet.run(0.001)
        internet.run(0.1)
        stats = gateway.stats()
        assert 10 <= stats.messages.received[name] - 1 <= 12
        assert stats.dropped["message_rate_limited"] + stats.messages.over_limit >= 28
        assert stats.messages.received[other] >= 20
        assert (mallory.session.is_connected, alice.session.is_connected) == (True, True)
        gateway.check_books()


def limited(name: str, pps: int, burst: int) -> DeliveryPolicy:
    """Nothing is limited but one type."""
    at = REQUEST_TYPES.index(name)
    rates, bursts = [0] * len(REQUEST_TYPES), [1] * len(REQUEST_TYPES)
    rates[at], bursts[at] = pps, burst
    return replace(NO_LIMITS, message_pps=tuple(rates), message_burst=tuple(bursts))


def test_a_reliable_message_beyond_the_limit_comes_again_and_is_taken_once() -> None:
    with CoreGateway(plan(policy(delivery=limited("chat", 20, 5)))) as gateway:
        internet = Internet(gateway)
        alice = join(internet, gateway.issue(7))
        unpaced(alice)
        deliveries = []
        for number in range(12):
            deliveries.append(say(internet, alice, f"{number}", to=7))
            internet.run(0.02)
        assert internet.run(10, lambda: all(delivery.done for delivery in deliveries))
        assert texts(alice) == [f"{number}" for number in range(12)]
        assert gateway.stats().messages.refused["rate"] > 0
        gateway.check_books()


@pytest.mark.parametrize("paces", [True, False], ids=["who knows the limits", "who does not"])
def test_33_words_said_at_once_all_arrive_though_32_may_be(paces: bool) -> None:
    with CoreGateway(plan(as_configured())) as gateway:
        internet = Internet(gateway)
        alice = join(internet, gateway.issue(7))
        if not paces:
            unpaced(alice)
        deliveries = [say(internet, alice, f"{number}", to=7) for number in range(33)]
        assert internet.run(10, lambda: all(delivery.done for delivery in deliveries))
        internet.run(1)
        assert [delivery.failure for delivery in deliveries] == [None] * 33
        assert texts(alice) == [f"{number}" for number in range(33)]
        assert alice.session.is_connected
        assert gateway.stats().messages.received["chat"] == 33
        gateway.check_books()


@pytest.mark.parametrize("paces", [True, False], ids=["who knows the limits", "who does not"])
@pytest.mark.parametrize("compressible", [True, False], ids=["compressed", "in pieces"])
def test_bulk_after_bulk_of_64_kib_each_awaited_arrives(paces: bool, compressible: bool) -> None:
    with CoreGateway(plan(as_configured())) as gateway:
        internet = Internet(gateway)
        alice = join(internet, gateway.issue(7))
        if not paces:
            unpaced(alice)
        for number in range(1, 4):
            data = bytes([number]) * 65_528 if compressible else internet.random.randbytes(65_528)
            outgoing = Outgoing.reliable(MessageType.BULK, bulk_body(7, data), Priority.BULK, 2)
            alice.session.send(outgoing, internet.now)
            assert outgoing.delivery is not None
            delivery = outgoing.delivery
            assert internet.run(30, lambda delivery=delivery: delivery.done)  # type: ignore[misc]
            assert delivery.failure is None
        internet.run(10)
        assert gateway.stats().messages.received["bulk"] == 3
        assert len([event for event in alice.heard if isinstance(event, Bulk)]) == 3
        assert alice.session.is_connected
        gateway.check_books()


def cost(body_bytes: int, way: str) -> int:
    """Of a limit of 100 bulks: how many a message of so many bytes leaves less."""
    with CoreGateway(plan(policy(delivery=limited("bulk", 1, 100)))) as gateway:
        internet = Internet(gateway)
        alice = join(internet, gateway.issue(7))
        unpaced(alice)
        noise = internet.random.randbytes(body_bytes - 4)
        body = bytes(body_bytes) if way == "compressed" else bytes(4) + noise
        outgoing = Outgoing.reliable(MessageType.BULK, body, Priority.BULK, 2)
        assert outgoing.compressed == (way == "compressed")
        alice.session.send(outgoing, internet.now)
        assert outgoing.delivery is not None
        delivery = outgoing.delivery
        assert internet.run(2, lambda: delivery.done)
        for _ in range(120):
            alice.session.send(Outgoing.unreliable(MessageType.BULK, bytes(4), Priority.URGENT), internet.now)
        internet.run(0.1)
        return 100 - gateway.stats().messages.received["bulk"] + 1


@pytest.mark.parametrize(("body_bytes", "costs"), [(1400, 1), (1401, 2), (14_000, 10), (65_532, 47)])
@pytest.mark.parametrize("way", ["compressed", "in pieces"])
def test_a_message_costs_the_same_by_every_way(body_bytes: int, costs: int, way: str) -> None:
    assert costs - 3 <= cost(body_bytes, way) <= costs  # the bucket fills meanwhile


def test_what_is_not_understood_leaves_the_others_of_its_datagram_alone(player: RawPlayer) -> None:
    unknown = message(63, b"of a newer client", reliable=1, channel=1, id=0)  # type: ignore[arg-type]
    skill = message(MessageType.SKILL, bytes(8), reliable=1, channel=1, id=1)
    drop, answer = player.send(player.data(unknown, skill))
    assert drop is None
    said = player.gateway.stats().messages
    assert (said.skipped, said.received["skill"]) == (1, 1)
    assert player.opened(answer).ack == player.sent


def test_datagrams_of_a_session_are_limited_and_another_session_does_not_feel_it() -> None:
    limits = ListenerPolicy(0, 1, session_pps=10, session_burst=20)
    with CoreGateway(plan(policy(limits))) as gateway:
        internet, mallory, alice = greedy(gateway)
        for _ in range(100):
            mallory.session.send(Outgoing.unreliable(MessageType.MOVE, MOVE, Priority.URGENT), internet.now)
            internet.run(0.001)
        internet.run(0.1)
        assert gateway.stats().dropped["session_rate_limited"] >= 70
        refused = gateway.stats().dropped["session_rate_limited"]
        delivery = say(internet, alice, "hi", to=8)
        assert internet.run(1, lambda: delivery.done)
        assert texts(alice) == ["hi"]
        internet.run(20, lambda: False)
        delivery = say(internet, mallory, "sorry", to=8)
        assert internet.run(5, lambda: delivery.done)  # the player is heard again within the limit
        assert gateway.stats().dropped["session_rate_limited"] >= refused
        gateway.check_books()


def test_limits_of_the_default_configuration_let_a_lively_player_through() -> None:
    assert as_configured().delivery == DEFAULT_DELIVERY
    with CoreGateway(plan(as_configured())) as gateway:
        internet = Internet(gateway)
        alice = join(internet, gateway.issue(7))
        for at in range(600):  # ten seconds at 60 Hz, an attack each quarter, a word each second
            alice.session.send(Outgoing.unreliable(MessageType.MOVE, MOVE, Priority.URGENT), internet.now)
            if at % 15 == 0:
                kind, body = bodies()["attack"]
                alice.session.send(Outgoing.unreliable(kind, body, Priority.URGENT), internet.now)
            if at % 60 == 0:
                say(internet, alice, "on my way", to=7)
            internet.run(1 / 60)
        internet.run(1)
        stats = gateway.stats()
        assert stats.messages.received["move"] == 600
        assert len(texts(alice)) == 10
        assert not any(stats.dropped.values())


# ---------------------------------------------------------------- of what was agreed on


def test_when_every_slot_is_taken_nobody_is_issued_a_session_and_nobody_loses_his() -> None:
    with CoreGateway(plan(policy(), issued_capacity=4)) as gateway:
        internet = Internet(gateway)
        players = [join(internet, gateway.issue(number)) for number in range(1, 5)]
        with pytest.raises(NoRoomError):
            gateway.issue(5)
        deliveries = [
            say(internet, player, "hi", to=number) for number, player in enumerate(players, start=1)
        ]
        assert internet.run(5, lambda: all(delivery.done for delivery in deliveries))
        assert gateway.stats().connected == 4


def test_a_players_datagram_never_exceeds_what_he_agreed_on(gateway: CoreGateway) -> None:
    internet = Internet(gateway)
    alice = join(internet, gateway.issue(7))
    for at in range(50):
        say(internet, alice, "x" * 500 + f"{at}", to=7)
    internet.run(5)
    assert len(texts(alice)) == 50
    assert max(map(len, internet.wire)) <= DATAGRAM_MAX_BYTES
