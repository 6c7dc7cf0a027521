# SPDX-License-Identifier: BSD-3-Clause
"""The C client and the game's own: message types 64 to 199 both ways, corrections, kicks."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from random import Random

import pytest

from pyshim.operator_messages import OperatorMessage
from pyshim.plan import ListenerPolicy, Policy
from pyshim.protocol.session_wire import GAME, Kind, MessageType
from tests.client.c_client import Library
from tests.client.world import ModelWorld, World, c, heard
from tests.session.core_gateway import NO_LIMITS, CoreGateway, plan
from tests.session.internet import LinkConditions

OK, ARGUMENT, TOO_LONG = 0, -1, -4
CLOSED_GAME = 384  # PGC_CLOSED_GAME
SIZES = (0, 1, 458, 459, 1400, 5000, 65_536)
BAD = LinkConditions(loss=0.05, doubling=0.2, delay_s=(0.005, 0.06))


@pytest.fixture
def gateway() -> Iterator[CoreGateway]:
    with CoreGateway(plan(Policy(30 * 10**9, 0, 1, (ListenerPolicy(0, 1),), NO_LIMITS))) as it:
        yield it
        it.check_books()


def test_what_is_said_to_the_game_arrives_as_it_was_said(library: Library) -> None:
    world = ModelWorld(library, BAD)
    player, random = world.connected(7), Random(3)
    said = [(random.choice(GAME), random.randbytes(size)) for size in SIZES * 2]
    for number, (kind, body) in enumerate(said, 1):
        assert c(player).game(kind, body, c(player).delivery(2, receipt=number)) == OK
        world.internet.run(1)
    assert world.internet.run(120, lambda: len(heard(player, "DELIVERED")) == len(said))
    assert [(kind, body) for _, kind, body in world.gateway.taken if kind in GAME] == said


def test_it_travels_by_default_reliable_on_the_first_channel_and_by_any_other_way(library: Library) -> None:
    world = ModelWorld(library)
    player = world.connected(7)
    assert c(player).game(199, b"as usual") == OK
    assert c(player).say(64, b"by its number") == OK
    assert c(player).game(64, b"loose", c(player).delivery(0, reliable=False)) == OK
    assert c(player).game(64, bytes(458), c(player).delivery(3)) == OK
    assert c(player).game(64, bytes(459), c(player).delivery(3)) == TOO_LONG
    assert c(player).game(64, bytes(1400), c(player).delivery(0, reliable=False)) == TOO_LONG
    assert c(player).game(64, bytes(65_537)) == TOO_LONG
    for number in (63, 200, 208):
        assert c(player).game(number, b"") == ARGUMENT
    world.internet.run(1)
    taken = [(kind, body) for _, kind, body in world.gateway.taken if kind in GAME]
    assert sorted(taken) == sorted(
        [(199, b"as usual"), (64, b"by its number"), (64, b"loose"), (64, bytes(458))]
    )


def test_what_the_game_says_is_heard_as_it_was_said(library: Library, gateway: CoreGateway) -> None:
    world = World(library, gateway, BAD)
    ticket, random = gateway.issue(7), Random(4)
    player = world.join(ticket)
    assert world.internet.run(30, lambda: player.session.is_connected)
    said = [(random.choice(GAME), random.randbytes(size), 1) for size in SIZES * 2]
    for kind, body, channel in said:
        gateway.send(OperatorMessage(ticket.session, kind, body, channel), world.internet.now)
    assert world.internet.run(120, lambda: len(heard(player, "GAME")) == len(said))
    assert heard(player, "GAME") == said
    world.internet.conditions = LinkConditions()
    gateway.send(OperatorMessage(ticket.session, 70, b"loose", reliable=False), world.internet.now)
    world.internet.run(1)
    assert heard(player, "GAME")[len(said) :] == [(70, b"loose", None)]


def test_who_is_said_to_be_elsewhere_is_told_where(library: Library, gateway: CoreGateway) -> None:
    world = World(library, gateway)
    ticket = gateway.issue(7)
    player = world.join(ticket)
    assert world.internet.run(30, lambda: player.session.is_connected)
    motion = struct.pack("<6f", 1.0, -2.5, 0.125, 3.0, 0.0, -1.0)
    gateway.send(OperatorMessage(ticket.session, MessageType.CORRECTION, motion), world.internet.now)
    world.internet.run(1)
    assert heard(player, "CORRECTION") == [((1.0, -2.5, 0.125), (3.0, 0.0, -1.0))]
    refused = struct.pack("<6fB3x", 90.0, -2.5, 0.125, 300.0, 0.0, -1.0, 2)
    gateway.send(
        OperatorMessage(ticket.session, MessageType.CORRECTION, motion + refused), world.internet.now
    )
    world.internet.run(1)
    assert heard(player, "CORRECTION")[1][2:] == (2, (90.0, -2.5, 0.125), (300.0, 0.0, -1.0))


@pytest.mark.parametrize("why", [0, 7, 127])
def test_who_is_kicked_is_told_the_games_own_reason(library: Library, why: int) -> None:
    world = ModelWorld(library)
    player = world.connected(7)
    session, seat = world.gateway.seat(7)
    close = world.gateway._seal(session, seat, Kind.CLOSE, struct.pack("<B7x", 128 + why))
    c(player).receive(close, world.internet.now)
    world.internet.run(0.1)
    assert heard(player, "CLOSED") == [(CLOSED_GAME + why, 0)]
    said = library.ffi.string(library.lib.pgc_closed_text(CLOSED_GAME + why))
    assert said == b"kicked by the game, for a reason of its own"
