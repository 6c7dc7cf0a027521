# SPDX-License-Identifier: BSD-3-Clause
"""Someone on the path delays what he likes, to both clients: nothing ends, comes twice, or moves anybody."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random

import pytest

from pyshim.plan import ListenerPolicy, Policy
from pyshim.protocol.client import Settings
from pyshim.protocol.client.phases import PhaseRules
from pyshim.protocol.session_wire import Kind
from tests.client.c_client import Library
from tests.client.test_outages import TRANSFER_BYTES, Talker, check, joined
from tests.client.world import World
from tests.session.attack import as_configured
from tests.session.core_gateway import NO_LIMITS, CoreGateway, plan
from tests.session.internet import Internet

HELD_S = 4.0
OFTEN = PhaseRules(datagrams=25)


@pytest.fixture
def gateway() -> Iterator[CoreGateway]:
    limits = Policy(30 * 10**9, 0, 1, (ListenerPolicy(0, 1),), NO_LIMITS)
    with CoreGateway(plan(limits)) as it:
        yield it
        it.check_books()


@dataclass
class Delayer:
    """`Internet.held_s`: by its rule."""

    internet: Internet
    rule: Callable[[Delayer, bool, bytes], float]
    random: Random = field(default_factory=lambda: Random(5))
    held: int = 0

    def __call__(self, to_gateway: bool, datagram: bytes) -> float:
        held_s = self.rule(self, to_gateway, datagram)
        self.held += held_s > 0
        return held_s


def five_seconds(_delayer: Delayer, _to_gateway: bool, _datagram: bytes) -> float:
    return 5.0


def together(delayer: Delayer, _to_gateway: bool, _datagram: bytes) -> float:
    """Until the next of moments that are 4 s apart."""
    return HELD_S - delayer.internet.now % HELD_S


def some(delayer: Delayer, _to_gateway: bool, _datagram: bytes) -> float:
    return HELD_S if delayer.random.random() < 0.3 else 0.0


def to_the_gateway(_delayer: Delayer, to_gateway: bool, _datagram: bytes) -> float:
    return HELD_S if to_gateway else 0.0


def acknowledgements(_delayer: Delayer, to_gateway: bool, datagram: bytes) -> float:
    """Short ones, so that every sample is of what he likes."""
    return HELD_S if len(datagram) < 60 and not to_gateway else 0.0


RULES = {
    "each by 5 s": five_seconds,
    "all of 4 s at once": together,
    "some by 4 s": some,
    "those to the gateway by 4 s": to_the_gateway,
    "acknowledgements by 4 s": acknowledgements,
}


def talk(world: World, talkers: list[Talker], seconds: float) -> None:
    """A movement each 50 ms, a word each 200 ms."""
    for turn in range(round(seconds * 20)):
        for one in talkers:
            one.move(world.internet.now)
            if turn % 4 == 0:
                one.chat(one.number % len(talkers) + 1, world.internet.now)
        world.internet.run(0.05)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_who_delays_ends_nothing_doubles_nothing_and_moves_nobody(
    library: Library, gateway: CoreGateway, rule: Callable[[Delayer, bool, bytes], float]
) -> None:
    world = World(library, gateway)
    talkers = joined(world, gateway, 2)
    talk(world, talkers, 5)
    world.internet.held_s = delayer = Delayer(world.internet, rule)
    sent = [world.internet.random.randbytes(TRANSFER_BYTES) for _ in talkers]
    for one, data in zip(talkers, sent, strict=True):
        one.transfer(one.number % 2 + 1, data, world.internet.now)
    talk(world, talkers, 40)  # longer than the idle time-out
    world.internet.held_s = lambda _to_gateway, _datagram: 0.0
    talk(world, talkers, 5)
    ended = world.internet.now
    assert delayer.held > 100
    check(world, talkers, transfers=2)  # each word once and in order
    assert world.internet.now - ended < 100
    assert sorted(data for one in talkers for data in one.transfers()) == sorted(sent)
    stats = gateway.stats()
    assert (stats.connections, stats.path_changes, sum(stats.closed.values())) == (2, 0, 0)
    assert stats.messages.lost["unacknowledged"] == 0


def held_kinds(*kinds: Kind, by_s: float) -> Callable[[bool, bytes], float]:
    return lambda _to_gateway, datagram: by_s if datagram[0] in kinds else 0.0


def test_datagrams_of_a_phase_that_is_over_for_more_than_3_s_come_again_in_the_present_one(
    gateway: CoreGateway,
) -> None:
    """What is held for 4 s was sealed in a phase before: it cannot be opened any more, and is said again."""
    internet = Internet(gateway)
    player = internet.join(gateway.issue(7), Settings(phases=OFTEN))
    assert internet.run(30, lambda: player.session.is_connected)
    one = Talker(7, player)
    random = Random(6)
    internet.held_s = lambda _to_gateway, _datagram: HELD_S if random.random() < 0.1 else 0.0
    for _ in range(600):
        one.chat(7, internet.now)
        internet.run(0.05)
    assert internet.run(60, lambda: len(one.words()) == one.said)
    internet.run(10)
    assert one.words() == [f"{n}" for n in range(600)]
    assert gateway.stats().key_updates > 10
    assert gateway.drops["bad_tag"] > 10
    assert not one.was_lost()
    assert gateway.stats().connections == 1


def test_challenges_that_are_held_for_4_s_move_nobody_and_a_move_follows_when_they_are_not(
    library: Library, gateway: CoreGateway
) -> None:
    world = World(library, gateway)
    talkers = joined(world, gateway, 2)
    internet = world.internet
    for one in talkers:
        internet.move_away(one.player)
    internet.held_s = held_kinds(Kind.PATH_RESPONSE, by_s=HELD_S)
    talk(world, talkers, 20)
    assert gateway.drops["bad_path_response"] >= 20
    assert gateway.stats().path_changes == 0
    internet.held_s = lambda _to_gateway, _datagram: 0.0
    talk(world, talkers, 2)
    assert gateway.stats().path_changes == 2
    check(world, talkers, transfers=0)
    assert gateway.stats().connections == 2


@pytest.mark.parametrize(
    "kind", [Kind.HELLO, Kind.CHALLENGE, Kind.CONFIRM, Kind.WELCOME], ids=lambda kind: str(kind.name)
)
def test_a_handshake_that_is_held_keeps_nobody_out_for_longer(
    library: Library, gateway: CoreGateway, kind: Kind
) -> None:
    """A cookie is good for 4 s; what comes for an earlier one is dropped, so no end has keys of its own."""
    world = World(library, gateway)
    internet = world.internet
    internet.held_s = held_kinds(kind, by_s=4.5)
    players = [world.join(gateway.issue(1)), internet.join(gateway.issue(2))]
    internet.run(6)
    internet.held_s = lambda _to_gateway, _datagram: 0.0
    assert internet.run(3.5, lambda: all(player.session.is_connected for player in players))
    internet.run(5)  # what was held comes
    talkers = [Talker(number, player) for number, player in enumerate(players, start=1)]
    talk(world, talkers, 5)
    check(world, talkers, transfers=0)
    assert gateway.stats().connected == 2


def test_words_that_are_held_until_they_are_over_the_limit_all_arrive(library: Library) -> None:
    """Each client keeps to 8 a second and 32 at once; those of 10 s come together, the refused come again."""
    with CoreGateway(plan(as_configured())) as gateway:
        world = World(library, gateway)
        talkers = joined(world, gateway, 2)
        internet = world.internet
        internet.held_s = lambda to_gateway, _datagram: 10 - internet.now % 10 if to_gateway else 0.0
        for _ in range(40 * 7):
            for one in talkers:
                one.chat(one.number % 2 + 1, internet.now)
            internet.run(1 / 7)
        internet.held_s = lambda _to_gateway, _datagram: 0.0
        check(world, talkers, transfers=0)
        stats = gateway.stats()
        assert stats.messages.refused["rate"] > 0
        assert stats.messages.received["chat"] == 2 * 280
        assert (stats.connections, sum(stats.closed.values())) == (2, 0)
        gateway.check_books()
