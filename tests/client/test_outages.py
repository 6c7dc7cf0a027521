# SPDX-License-Identifier: BSD-3-Clause
"""Networks that lose a fifth, double and reorder, or carry nothing for a while: both clients, the C core."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest

from pyshim.plan import ListenerPolicy, Policy
from pyshim.protocol.client.events import Bulk, Chat, Disconnected
from pyshim.protocol.client.outgoing import Outgoing, Priority
from pyshim.protocol.session_bodies import bulk_body, chat_body, move_body
from pyshim.protocol.session_wire import MessageType
from tests.client.c_client import CSession, Heard, Library
from tests.client.world import World
from tests.session.core_gateway import NO_LIMITS, CoreGateway, plan
from tests.session.internet import LinkConditions, Player

STORM = LinkConditions(loss=0.2, doubling=0.1, delay_s=(0.02, 0.06))  # of each way
OK = 0
TRANSFER_BYTES = 65_528
MOVE = ((1.0, 2.0, 3.0), (0.0, 0.0, 0.0))


@pytest.fixture
def gateway() -> Iterator[CoreGateway]:
    limits = Policy(30 * 10**9, 0, 1, (ListenerPolicy(0, 1),), NO_LIMITS)
    with CoreGateway(plan(limits, issued_capacity=128, message_memory_mib=64)) as it:
        yield it


@dataclass
class Talker:
    """A player of either client who says numbered words and sends transfers to another."""

    number: int
    player: Player
    said: int = 0
    receipts: list[Any] = field(default_factory=list)

    @property
    def session(self) -> Any:
        return self.player.session

    @property
    def is_c(self) -> bool:
        return isinstance(self.session, CSession)

    def move(self, now: float) -> None:
        if self.is_c:
            self.session.move(*MOVE)
        else:
            self.session.send(Outgoing.unreliable(MessageType.MOVE, move_body(*MOVE), Priority.URGENT), now)

    def chat(self, to: int, now: float) -> None:
        text = f"{self.said}"
        self.said += 1
        if self.is_c:
            assert self.session.chat(to, text) == OK
        else:
            body = chat_body(to, 0, text)
            self.session.send(Outgoing.reliable(MessageType.CHAT, body, Priority.NORMAL, 1), now)

    def transfer(self, to: int, data: bytes, now: float) -> None:
        if self.is_c:
            assert self.session.bulk(to, data) == OK
        else:
            self.session.send(Outgoing.reliable(MessageType.BULK, bulk_body(to, data), Priority.BULK, 2), now)

    def words(self) -> list[str]:
        heard: list[Any] = self.player.heard
        return [
            one.values[1] if isinstance(one, Heard) else one.text
            for one in heard
            if isinstance(one, Chat) or (isinstance(one, Heard) and one.type == "CHAT")
        ]

    def transfers(self) -> list[bytes]:
        heard: list[Any] = self.player.heard
        return [
            one.values[0] if isinstance(one, Heard) else one.data
            for one in heard
            if isinstance(one, Bulk) or (isinstance(one, Heard) and one.type == "BULK")
        ]

    def was_lost(self) -> bool:
        heard: list[Any] = self.player.heard
        return any(
            isinstance(one, Disconnected) or (isinstance(one, Heard) and one.type == "CLOSED")
            for one in heard
        )


def joined(world: World, gateway: CoreGateway, count: int) -> list[Talker]:
    """C and Python players, by turns."""
    talkers = []
    for number in range(1, count + 1):
        ticket = gateway.issue(number)
        player = world.join(ticket) if number % 2 else world.internet.join(ticket)
        talkers.append(Talker(number, player))
    assert world.internet.run(30, lambda: all(one.session.is_connected for one in talkers))
    return talkers


def play(world: World, talkers: list[Talker], seconds: float, every_s: float) -> None:
    """Each moves, and says a word to the next now and then."""
    end, random = world.internet.now + seconds, Random(3)
    while world.internet.now < end:
        for one in talkers:
            one.move(world.internet.now)
            if random.random() < 0.1:
                one.chat(one.number % len(talkers) + 1, world.internet.now)
        world.internet.run(every_s)


def check(world: World, talkers: list[Talker], transfers: int) -> None:
    """All are there, and heard all that was said to them, once and in order."""

    def all_heard() -> bool:
        return all(
            len(talkers[one.number % len(talkers)].words()) == one.said for one in talkers
        ) and transfers == sum(len(one.transfers()) for one in talkers)

    # Where a network holds datagrams back by 40 ms, at random, bulk has its least pace: 64 KiB in 40 to 80 s.
    assert world.internet.run(300, all_heard)
    for one in talkers:
        assert talkers[one.number % len(talkers)].words() == [f"{n}" for n in range(one.said)]
        assert not one.was_lost()


def storm(library: Library, gateway: CoreGateway, players: int, seconds: float, transfers: int) -> None:
    world = World(library, gateway)
    talkers = joined(world, gateway, players)
    world.internet.conditions = STORM
    sent = [world.internet.random.randbytes(TRANSFER_BYTES) for _ in range(transfers)]
    for n, data in enumerate(sent):
        one = talkers[n % players]
        one.transfer(one.number % players + 1, data, world.internet.now)
    play(world, talkers, seconds, every_s=0.1)
    check(world, talkers, transfers)
    assert sorted(data for one in talkers for data in one.transfers()) == sorted(sent)
    assert gateway.stats().connected == players
    gateway.check_books()


def test_at_a_fifth_lost_doubled_and_reordered_everybody_stays_and_everything_arrives(
    library: Library, gateway: CoreGateway
) -> None:
    storm(library, gateway, players=6, seconds=20, transfers=6)


@pytest.mark.full
@pytest.mark.timeout(3600)  # an hour of work for a machine that does other things, too
def test_sixty_players_stay_ten_minutes_at_a_fifth_lost_and_twenty_transfers_arrive(
    library: Library, gateway: CoreGateway
) -> None:
    storm(library, gateway, players=60, seconds=600, transfers=20)


@pytest.mark.parametrize("seconds", [5, 20])
@pytest.mark.parametrize("lost", ["both ways", "to the gateway", "to the players"])
def test_an_outage_is_survived_with_messages_under_way_from_either_end(
    library: Library, gateway: CoreGateway, seconds: int, lost: str
) -> None:
    world = World(library, gateway)
    talkers = joined(world, gateway, 2)
    for one in talkers:
        data = world.internet.random.randbytes(TRANSFER_BYTES)
        one.transfer(one.number % 2 + 1, data, world.internet.now)
    world.internet.run(0.1)
    ways = {"both ways": (), "to the gateway": (False,), "to the players": (True,)}[lost]
    world.internet.on_wire = lambda to_gateway, _datagram: to_gateway in ways
    for _ in range(20):
        for one in talkers:
            one.chat(one.number % 2 + 1, world.internet.now)
    world.internet.run(seconds)
    world.internet.on_wire = lambda _to_gateway, _datagram: True
    check(world, talkers, transfers=2)
    assert gateway.stats().messages.lost["unacknowledged"] == 0


def test_who_is_away_for_longer_than_the_idle_timeout_is_told_what_is_not_known_to_have_arrived(
    library: Library, gateway: CoreGateway
) -> None:
    world = World(library, gateway)
    one, other = joined(world, gateway, 2)
    world.internet.on_wire = lambda _to_gateway, _datagram: False
    assert one.session.chat(2, "hi", one.session.delivery(receipt=9)) == OK
    body = chat_body(1, 0, "hi")
    outgoing = Outgoing.reliable(MessageType.CHAT, body, Priority.NORMAL, 1)
    other.session.send(outgoing, world.internet.now)
    world.internet.run(29)
    assert not one.was_lost()
    world.internet.run(3)
    heard: list[Any] = one.player.heard
    assert [event.values for event in heard if event.type == "LOST"] == [(9,)]
    assert outgoing.delivery is not None
    assert outgoing.delivery.failure is not None
    gateway.expire(world.internet.now)
    assert gateway.stats().closed["idle"] == 2


def test_a_ping_is_answered_within_the_round_trip(library: Library, gateway: CoreGateway) -> None:
    world = World(library, gateway)
    one, other = joined(world, gateway, 2)
    asked_at = world.internet.now
    assert one.session.ping(77) == 0
    other.session.ping(78, world.internet.now)
    heard: list[Any] = one.player.heard
    assert world.internet.run(1, lambda: any(event.type == "PONG" for event in heard))
    assert world.internet.now - asked_at == pytest.approx(0.04, abs=0.005)
    assert [event.values for event in heard if event.type == "PONG"] == [(77,)]
    assert world.internet.run(1, lambda: bool(other.session.pongs))
