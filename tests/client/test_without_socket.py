# SPDX-License-Identifier: BSD-3-Clause
"""The C client against the model gateway and the Python client, on a network with a clock of its own."""

from __future__ import annotations

import math
from random import Random

import pytest

from pyshim import messages
from pyshim.protocol.client import Chat, Settings, Ticket
from pyshim.protocol.client.outgoing import Outgoing, Priority
from pyshim.protocol.session_bodies import chat_body
from pyshim.protocol.session_wire import Denial, Kind, MessageType, read_header
from tests.client.c_client import Heard, Library
from tests.client.world import ModelWorld, c, heard
from tests.session.internet import LinkConditions
from tests.session.model_gateway import ModelGateway

STORM = LinkConditions(loss=0.2, doubling=0.2, delay_s=(0.005, 0.12))
OK, ARGUMENT, STATE, FULL, TOO_LONG, EVENTS = 0, -1, -2, -3, -4, -5


# ---------------------------------------------------------------- connecting


def test_client_connects_and_knows_its_player(library: Library) -> None:
    world = ModelWorld(library)
    player = world.connected()
    assert player.heard == [Heard("CONNECTED", 7, (3600, 30_000, 1400))]


def test_client_asks_for_less_where_the_path_loses_large_datagrams(library: Library) -> None:
    world = ModelWorld(library, path_mtu=1100)
    player = world.connected()
    assert heard(player, "CONNECTED") == [(3600, 30_000, 1000)]
    headers = [read_header(datagram) for datagram in world.internet.wire]
    assert [h.length for h in headers if h.kind is Kind.CONFIRM] == [1400, 1400, 1232, 1232, 1000]


@pytest.mark.parametrize("seed", range(10))
def test_client_connects_through_a_storm(library: Library, seed: int) -> None:
    ModelWorld(library, STORM, seed=seed).connected()


@pytest.mark.parametrize("denial", list(Denial)[1:])
def test_proved_denial_ends_the_attempt(library: Library, denial: Denial) -> None:
    world = ModelWorld(library)
    player = world.join(world.gateway.issue(7))
    world.gateway.seat(7)[1].denial = denial
    world.internet.run(1)
    assert heard(player, "CLOSED") == [(20 + denial, 0)]


def test_denial_that_anybody_can_have_sent_is_only_the_likely_reason(library: Library) -> None:
    world = ModelWorld(library)
    player = world.join(world.gateway.issue(7), connect_timeout_ms=5000)
    world.gateway.seat(7)[1].denial = Denial.VERSION
    world.internet.run(4.9)
    assert player.heard == []
    world.internet.run(0.2)
    assert heard(player, "CLOSED") == [(40, 20 + Denial.VERSION)]


def test_a_session_that_was_never_issued_is_not_reached(library: Library) -> None:
    world = ModelWorld(library)
    player = world.join(Ticket(99, bytes(32), "192.0.2.1", 8081), connect_timeout_ms=5000)
    world.internet.run(5.1)
    assert heard(player, "CLOSED") == [(40, 0)]


def test_greetings_are_repeated_ever_less_often(library: Library) -> None:
    world = ModelWorld(library)
    world.internet.on_wire = lambda _to_gateway, _datagram: False
    player = world.join(world.gateway.issue(7), connect_timeout_ms=10_000)
    world.internet.run(11)
    assert heard(player, "CLOSED") == [(40, 0)]
    assert 8 <= len(world.internet.wire) <= 10  # after 0.25, 0.5, 1 and then 2 s, or up to a quarter sooner
    assert len(set(world.internet.wire)) == 1, "a repeated HELLO has the same nonce"


def test_welcome_sealed_with_another_key_is_not_believed(library: Library) -> None:
    world = ModelWorld(library)
    ticket = world.gateway.issue(7)
    player = world.join(ticket)
    impostor = ModelGateway(Random(2).randbytes)
    impostor.issue(7)
    world.internet.gateway = impostor
    world.internet.run(15)
    assert heard(player, "CLOSED") == [(40, 0)]
    assert heard(player, "CONNECTED") == []


# ---------------------------------------------------------------- messages


def test_every_kind_of_message_reaches_the_gateway(library: Library) -> None:
    world = ModelWorld(library)
    player = world.connected()
    assert c(player).move((1.0, 2.0, 3.0), (0.5, 0.0, 0.0)) == OK
    assert c(player).attack(0, 5, (1.0, 0.0, 0.0)) == OK
    assert c(player).chat(0, "hello") == OK
    assert c(player).skill(9, 0) == OK
    assert c(player).bulk(0, b"\0\1\2") == OK
    world.internet.run(1)
    taken = {number: body for _, number, body in world.gateway.taken if number != MessageType.HEARTBEAT}
    assert set(taken) == {1, 2, 3, 5, 7}
    assert taken[MessageType.CHAT] == chat_body(0, 0, "hello")
    assert taken[MessageType.BULK] == bytes(4) + b"\0\1\2"


def test_every_type_can_be_said_by_its_number_and_travels_as_the_list_says(library: Library) -> None:
    world = ModelWorld(library)
    player = world.connected(7)
    for one in messages.REQUESTS:
        assert one.body is not None
        body = chat_body(7, 0, "hi") if one.name == "chat" else bytes(one.body.least_bytes)
        assert c(player).say(one.number, body) == OK
        assert c(player).say(one.number, bytes(one.body.most_bytes + 1)) in (ARGUMENT, TOO_LONG)
    world.internet.run(1)
    said = {one.number for one in messages.REQUESTS}
    assert {number for _, number, _ in world.gateway.taken} == said
    for nothing in (0, 6, 201, 203, 456):
        assert c(player).say(nothing, b"") == ARGUMENT


def test_player_who_writes_to_himself_hears_it(library: Library) -> None:
    world = ModelWorld(library)
    player = world.connected(7)
    c(player).chat(7, "me")
    c(player).attack(7, 3, (0.0, 1.0, 0.0))
    c(player).skill(4, 7)
    c(player).bulk(7, b"bytes")
    world.internet.run(1)
    assert heard(player, "CHAT") == [(7, "me")]
    assert heard(player, "ATTACK") == [(3, (0.0, 1.0, 0.0))]
    assert heard(player, "SKILL") == [(4, 7)]
    assert heard(player, "BULK") == [(b"bytes",)]


def test_c_and_python_clients_chat_with_each_other(library: Library) -> None:
    world = ModelWorld(library)
    ours = world.connected(7)
    theirs = world.internet.join(world.gateway.issue(8), Settings())
    assert world.internet.run(5, lambda: theirs.session.is_connected)
    c(ours).chat(8, "from C")
    body = chat_body(7, 0, "from Python")
    theirs.session.send(Outgoing.reliable(MessageType.CHAT, body, Priority.NORMAL, 1), world.internet.now)
    world.internet.run(1)
    assert heard(ours, "CHAT") == [(7, "from Python")]
    assert [(e.sender, e.text) for e in theirs.heard if isinstance(e, Chat)] == [(7, "from C")]


@pytest.mark.parametrize("seed", range(10))
def test_every_message_arrives_once_and_in_order_through_a_storm(library: Library, seed: int) -> None:
    world = ModelWorld(library, STORM, seed=seed)
    one, other = world.connected(7), world.connected(8)
    said = [f"message {n}" for n in range(100)]
    for n, text in enumerate(said, 1):
        assert c(one).chat(8, text, c(one).delivery(receipt=n)) == OK
        world.internet.run(0.02)
    world.internet.run(20)
    assert [text for _, text in heard(other, "CHAT")] == said
    assert sorted(heard(one, "DELIVERED")) == [(n,) for n in range(1, 101)]
    assert heard(one, "LOST") == []


@pytest.mark.parametrize("size", [0, 1, 453, 454, 455, 1360, 5000, 65_528])
@pytest.mark.parametrize("path_mtu", [508, 1400])
def test_bulk_of_any_size_arrives_whole(library: Library, size: int, path_mtu: int) -> None:
    world = ModelWorld(library, path_mtu=path_mtu)
    player = world.connected(7)
    data = Random(size).randbytes(size)
    assert c(player).bulk(7, data, c(player).delivery(channel=2, receipt=5)) == OK
    world.internet.run(10)
    assert heard(player, "BULK") == [(data,)]
    assert heard(player, "DELIVERED") == [(5,)]


def test_text_that_repeats_itself_is_compressed(library: Library) -> None:
    world = ModelWorld(library)
    player = world.connected(7)
    before = sum(map(len, world.internet.wire))
    c(player).chat(0, "ha" * 200)
    world.internet.run(0.1)
    assert sum(map(len, world.internet.wire)) - before < 300
    assert world.gateway.taken[-1][2] == chat_body(0, 0, "ha" * 200)


def test_messages_of_one_moment_share_a_datagram(library: Library) -> None:
    world = ModelWorld(library)
    player = world.connected(7)
    before = c(player).statistics().datagrams_sent
    for n in range(20):
        c(player).chat(0, f"{n}")
    world.internet.run(0.015)
    assert c(player).statistics().datagrams_sent == before + 1


def test_long_way_is_measured_so_that_nothing_is_sent_twice_for_long(library: Library) -> None:
    world = ModelWorld(library, LinkConditions(delay_s=(0.04, 0.04)))
    player = world.connected(7)
    for _ in range(20):
        c(player).chat(0, "ping")
        world.internet.run(0.2)
    assert 80_000 <= c(player).statistics().round_trip_us <= 110_000
    assert c(player).statistics().resent <= 1


def test_lost_message_is_told_when_the_gateway_was_silent_for_its_time(library: Library) -> None:
    world = ModelWorld(library)
    player = world.connected(7)
    world.internet.on_wire = lambda _to_gateway, _datagram: False
    c(player).chat(0, "nobody hears this", c(player).delivery(receipt=9))
    world.internet.run(28)
    assert heard(player, "CLOSED") == []
    world.internet.run(3)
    assert heard(player, "LOST") == [(9,)]
    assert heard(player, "CLOSED") == [(41, 0)]  # silent


@pytest.mark.parametrize("seconds", [5, 20])
def test_an_outage_is_survived_with_messages_under_way(library: Library, seconds: int) -> None:
    world = ModelWorld(library)
    one, other = world.connected(7), world.connected(8)
    data = Random(1).randbytes(65_528)
    c(one).bulk(8, data, c(one).delivery(channel=2, receipt=99))
    world.internet.run(0.05)
    world.internet.on_wire = lambda _to_gateway, _datagram: False
    for n in range(1, 21):
        c(one).chat(8, f"{n}", c(one).delivery(receipt=n))
    world.internet.run(seconds)
    world.internet.on_wire = lambda _to_gateway, _datagram: True
    world.internet.run(8)
    assert sorted(heard(one, "DELIVERED")) == [*((n,) for n in range(1, 21)), (99,)]
    assert [text for _, text in heard(other, "CHAT")] == [f"{n}" for n in range(1, 21)]
    assert heard(other, "BULK") == [(data,)]
    assert heard(one, "CLOSED") + heard(other, "CLOSED") == []


def test_what_the_protocol_cannot_carry_is_refused(library: Library) -> None:
    world = ModelWorld(library)
    player = world.connected(7)
    session = c(player)
    assert session.move((math.nan, 0.0, 0.0)) == ARGUMENT
    assert session.attack(1, 1, (math.inf, 0.0, 0.0)) == ARGUMENT
    assert session.chat(0, "") == ARGUMENT
    assert session.chat(0, b"\xff") == ARGUMENT
    assert session.chat(0, "x" * 513) == TOO_LONG
    assert session.bulk(0, bytes(65_529)) == TOO_LONG
    assert session.bulk(0, Random(1).randbytes(2000), session.delivery(channel=3)) == TOO_LONG
    assert session.bulk(0, b"", session.delivery(channel=4)) == ARGUMENT
    assert session.bulk(0, b"", session.delivery(channel=1, reliable=False)) == ARGUMENT
    assert session.bulk(0, b"", session.delivery(channel=0, receipt=1, reliable=False)) == ARGUMENT
    assert session.bulk(0, b"", session.delivery(priority=3)) == ARGUMENT


def test_game_that_says_too_much_is_told_and_goes_on_later(library: Library) -> None:
    world = ModelWorld(library)
    player = world.connected(7)
    said = 0
    while (result := c(player).bulk(7, Random(said).randbytes(1000), c(player).delivery(channel=2))) == OK:
        said += 1
        assert said < 10_000
    assert result == FULL
    world.internet.run(20)
    assert len(heard(player, "BULK")) == said
    assert c(player).chat(7, "again") == OK


def test_receipts_are_bounded(library: Library) -> None:
    world = ModelWorld(library)
    player = world.connected(7, receipts=2)
    assert c(player).chat(0, "1", c(player).delivery(receipt=1)) == OK
    assert c(player).chat(0, "2", c(player).delivery(receipt=2)) == OK
    assert c(player).chat(0, "3", c(player).delivery(receipt=3)) == FULL
    world.internet.run(1)
    assert sorted(heard(player, "DELIVERED")) == [(1,), (2,)]
    assert c(player).chat(0, "3", c(player).delivery(receipt=3)) == OK


def test_nothing_is_said_before_it_is_connected(library: Library) -> None:
    world = ModelWorld(library)
    player = world.join(world.gateway.issue(7))
    assert c(player).chat(0, "early") == STATE


# ---------------------------------------------------------------- what should not be


def test_forged_and_replayed_datagrams_change_nothing(library: Library) -> None:
    world = ModelWorld(library)
    player = world.connected(7)
    c(player).chat(7, "once")
    fleeting = c(player).delivery(0, reliable=False)  # has no id: only its counter tells
    c(player).chat(7, "at most once", fleeting)
    world.internet.run(1)
    random = Random(3)
    for datagram in list(world.internet.wire):
        c(player).receive(datagram, world.internet.now)
        broken = bytearray(datagram)
        broken[random.randrange(len(broken))] ^= 1 << random.randrange(8)
        c(player).receive(bytes(broken), world.internet.now)
        c(player).receive(datagram[: random.randrange(len(datagram))], world.internet.now)
        c(player).receive(datagram + b"\0", world.internet.now)
    world.internet.run(1)
    assert sorted(heard(player, "CHAT")) == [(7, "at most once"), (7, "once")]
    assert player.session.is_connected
    assert c(player).statistics().datagrams_refused >= 4


@pytest.mark.parametrize("length", [0, 1, 19, 20, 35, 36, 1400, 1401, 65_535])
def test_datagrams_of_any_length_are_survived(library: Library, length: int) -> None:
    world = ModelWorld(library)
    player = world.connected(7)
    c(player).receive(Random(length).randbytes(length), world.internet.now)
    assert player.session.is_connected


def test_options_outside_of_their_range_are_refused(library: Library) -> None:
    ffi, lib = library.ffi, library.lib
    for name, value in {
        "session": 0,
        "max_datagram": 507,
        "memory_bytes": 1000,
        "receipts": 0,
        "heartbeat_ms": 0,
        "connect_timeout_ms": 0,
        "queue_bytes": 1 << 31,
    }.items():
        options = ffi.new("struct pgc_options *")
        lib.pgc_options_init(options)
        options.session = 1
        assert lib.pgc_new(options) != ffi.NULL
        setattr(options, name, value)
        assert lib.pgc_new(options) == ffi.NULL, name


def test_errors_and_reasons_have_words(library: Library) -> None:
    text = library.ffi.string
    assert text(library.lib.pgc_error_text(-3)) == b"too much is unacknowledged; try again later"
    assert text(library.lib.pgc_closed_text(24)) == b"denied: the session was revoked"
    assert text(library.lib.pgc_closed_text(0)) == b"unknown reason"
