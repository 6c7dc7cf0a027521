# SPDX-License-Identifier: BSD-3-Clause
"""The game's own: message types 64 to 199 both ways, corrections, kicks. The Python client and the C core."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyshim.errors import InternalError
from pyshim.operator_messages import OperatorMessage
from pyshim.plan import REQUEST_TYPES, DeliveryPolicy, ListenerPolicy, Policy
from pyshim.protocol.client import (
    Correction,
    Disconnected,
    Ending,
    GameMessage,
    Refused,
    Ticket,
    WhyRefused,
)
from pyshim.protocol.client.intake import Intake
from pyshim.protocol.client.outgoing import Outgoing, Priority
from pyshim.protocol.session_wire import (
    CLOSED_GAME,
    EVENTS,
    GAME,
    KICK_REASONS,
    PIECE_BYTES,
    REQUESTS,
    CloseReason,
    Kind,
    Message,
    MessageType,
    read_messages,
)
from tests.session.core_gateway import NO_LIMITS, CoreGateway, plan
from tests.session.internet import Internet, LinkConditions, Player
from tests.session.model_gateway import ModelGateway

SIZES = (0, 1, 458, 459, 1400, 5000, 65_536)
BAD = LinkConditions(loss=0.05, doubling=0.2, delay_s=(0.005, 0.06))


@pytest.fixture
def gateway() -> Iterator[CoreGateway]:
    with CoreGateway(plan(Policy(30 * 10**9, 0, 1, (ListenerPolicy(0, 1),), NO_LIMITS))) as it:
        yield it
        it.check_books()


def connected(internet: Internet, ticket: Ticket) -> Player:
    player = internet.join(ticket)
    assert internet.run(30, lambda: player.session.is_connected), player.session.failure
    return player


@given(
    kind=st.sampled_from(GAME),
    body=st.binary(max_size=PIECE_BYTES),
    message_id=st.one_of(st.none(), st.integers(0, 65_535)),
    channel=st.integers(0, 3),
    priority=st.integers(0, 3),
)
def test_whatever_is_in_one_is_read_as_it_was_written_at_either_end(
    kind: int, body: bytes, message_id: int | None, channel: int, priority: int
) -> None:
    channel = 0 if message_id is None else channel
    said = Message(kind, body, channel, message_id, priority=priority)
    assert read_messages(said.pack()) == [said]
    for allowed in (REQUESTS, EVENTS):
        taken = Intake(allowed, 1 << 20).take([replace(said, message_id=message_id and 0)])
        assert [(one.type, one.body) for one in taken.whole] == [(kind, body)]
        assert not taken.skipped
        squeezed = replace(said, message_id=None, channel=0, body=compressed(body), compressed=True)
        assert Intake(allowed, 1 << 20).take([squeezed]).skipped == 1


def compressed(body: bytes) -> bytes:
    return struct.pack("<I", len(body)) + zlib.compress(body)


def heard(player: Player) -> list[GameMessage]:
    return [event for event in player.heard if isinstance(event, GameMessage)]


def test_what_players_say_to_the_game_is_taken_and_counted_as_nobodys(gateway: CoreGateway) -> None:
    internet = Internet(gateway, conditions=BAD)
    player, random = connected(internet, gateway.issue(7)), Random(1)
    said = [(number, random.randbytes(random.choice(SIZES[:-1]))) for number in (64, 127, 128, 199)] * 3
    said += [(200 - size % 100 - 1, random.randbytes(size)) for size in SIZES]
    receipts = []
    for number, body in said:
        outgoing = Outgoing.reliable(number, body, Priority.NORMAL, random.randrange(3))
        assert not outgoing.compressed
        assert outgoing.delivery is not None
        receipts.append(outgoing.delivery)
        player.session.send(outgoing, internet.now)
    player.session.send(Outgoing.unreliable(64, b"?", Priority.URGENT), internet.now)
    assert internet.run(120, lambda: all(one.done for one in receipts))
    assert all(one.failure is None for one in receipts)
    messages = gateway.stats().messages
    assert len(said) <= messages.received["game"] <= len(said) + 1  # the last one may be lost
    assert messages.lost["no_receiver"] == messages.received["game"]
    assert messages.skipped == 0


def test_what_the_game_says_arrives_in_order_and_whole_through_a_storm(gateway: CoreGateway) -> None:
    internet = Internet(gateway, conditions=BAD)
    ticket, random = gateway.issue(7), Random(2)
    player = connected(internet, ticket)
    said = [GameMessage(number, random.randbytes(random.randrange(600))) for number in (64, 130, 199)] * 5
    said += [GameMessage(random.choice(GAME), random.randbytes(size)) for size in SIZES]
    for one in said:
        gateway.send(OperatorMessage(ticket.session, one.type, one.body, 2), internet.now)
    assert internet.run(120, lambda: len(heard(player)) == len(said))
    assert heard(player) == said
    assert gateway.stats().messages.sent["game"] == len(said)


def test_a_correction_says_where_the_player_is_put_and_nothing_else_can_be_one(gateway: CoreGateway) -> None:
    internet = Internet(gateway)
    ticket = gateway.issue(7)
    player = connected(internet, ticket)
    motion = struct.pack("<6f", 1.0, -2.5, 0.125, 3.0, 0.0, -1.0)
    gateway.send(OperatorMessage(ticket.session, MessageType.CORRECTION, motion), internet.now)
    internet.run(1)
    said = [event for event in player.heard if isinstance(event, Correction)]
    assert said == [Correction((1.0, -2.5, 0.125), (3.0, 0.0, -1.0))]
    assert gateway.stats().messages.sent["correction"] == 1
    refused = struct.pack("<6fB3x", 90.0, -2.5, 0.125, 300.0, 0.0, -1.0, 2)
    gateway.send(OperatorMessage(ticket.session, MessageType.CORRECTION, motion + refused), internet.now)
    internet.run(1)
    said = [event for event in player.heard if isinstance(event, Correction)]
    assert said[1].refused == Refused((90.0, -2.5, 0.125), (300.0, 0.0, -1.0), WhyRefused.SPEED)
    infinite = motion + struct.pack("<f", float("inf")) + refused[4:]
    for wrong in (
        b"",
        motion[:-1],
        motion + b"\0",
        motion + refused[:-1],
        infinite,
        struct.pack("<f", float("nan")) + motion[4:],
    ):
        with pytest.raises(InternalError, match="the body is not that of a message of type 208"):
            gateway.send(OperatorMessage(ticket.session, MessageType.CORRECTION, wrong), internet.now)


def limited(burst: int) -> DeliveryPolicy:
    """The game's own types are, and nothing else."""
    at = REQUEST_TYPES.index("game")
    rates, bursts = [0] * len(REQUEST_TYPES), [1] * len(REQUEST_TYPES)
    rates[at], bursts[at] = 1, burst
    return replace(NO_LIMITS, message_pps=tuple(rates), message_burst=tuple(bursts))


def test_all_types_of_the_games_own_have_one_limit_which_a_client_keeps_to() -> None:
    policy = Policy(30 * 10**9, 0, 1, (ListenerPolicy(0, 1),), limited(8))
    with CoreGateway(plan(policy)) as gateway:
        internet = Internet(gateway)
        player = connected(internet, gateway.issue(7))
        costs = {64: 1, 100: 1401, 199: 2801}  # bytes: 1, 2 and 3 of the limit; and two more of 1
        receipts = []
        for number, size in (*costs.items(), (65, 0), (66, 1400), (67, 1), (68, 1)):
            outgoing = Outgoing.reliable(number, bytes(size), Priority.URGENT, 0)
            assert outgoing.delivery is not None
            receipts.append(outgoing.delivery)
            player.session.send(outgoing, internet.now)
        internet.run(0.9)
        assert [one.done for one in receipts] == [True] * 5 + [False] * 2
        assert internet.run(10, lambda: all(one.done for one in receipts))
        assert not gateway.stats().messages.refused["rate"]
        gateway.check_books()


def kicked(reason: int) -> list[Disconnected]:
    """What a Python client is told of a CLOSE for this reason."""
    gateway = ModelGateway(Random(1).randbytes)
    internet = Internet(gateway)
    player = connected(internet, gateway.issue(7))
    session, seat = gateway.seat(7)
    close = gateway._seal(session, seat, Kind.CLOSE, struct.pack("<B7x", reason))
    player.session.receive(close, internet.now)
    internet.run(5)
    return [event for event in player.heard if isinstance(event, Disconnected)]


@pytest.mark.parametrize("why", [KICK_REASONS.start, 7, KICK_REASONS.stop - 1])
def test_who_is_kicked_is_told_the_games_own_reason_and_stays_away(why: int) -> None:
    assert kicked(CLOSED_GAME + why) == [Disconnected(Ending.KICKED, final=True, kick_reason=why)]


def test_who_is_kicked_without_a_reason_is_told_so() -> None:
    assert kicked(CloseReason.KICKED) == [Disconnected(Ending.KICKED, final=True)]
