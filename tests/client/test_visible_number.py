# SPDX-License-Identifier: BSD-3-Clause
"""The number under which a player is seen: the C client and the Python client change it with the network."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from pyshim.protocol.client.phases import PhaseRules
from pyshim.protocol.session_control import Number
from pyshim.protocol.session_wire import Kind, read_header
from tests.client.c_client import CSession, Library
from tests.client.either import Either
from tests.session.internet import LinkConditions
from tests.session.model_gateway import ModelGateway, Seat

STORM = LinkConditions(loss=0.2, doubling=0.2, delay_s=(0.005, 0.12))


class Game(Either):
    """Connected to the model gateway."""

    def __init__(self, library: Library | None, gateway: ModelGateway, seed: int = 1) -> None:
        super().__init__(library, gateway, seed)
        self.gateway = gateway

    @property
    def seat(self) -> Seat:
        return self.gateway.seat(7)[1]

    def takes(self, under: Number) -> bool:
        """Whether the player takes what the gateway says under a number, to wherever it is."""
        since = len(self.internet.tap)
        self.session.receive(self.gateway.challenge(7, under), self.internet.now)
        self.internet.run(0.01)
        return Kind.PATH_RESPONSE in {header.kind for header in self.said(since)}


Make = Callable[..., Game]


@pytest.fixture(params=["c", "python"])
def make(request: pytest.FixtureRequest) -> Make:
    def of(gateway: ModelGateway | None = None, seed: int = 1) -> Game:
        library = request.getfixturevalue("library") if request.param == "c" else None
        return Game(library, gateway or ModelGateway(Random(seed).randbytes), seed)

    return of


def test_a_player_shows_its_spare_in_everything_once_it_is_on_another_network(make: Make) -> None:
    game = make()
    spare = game.seat.spare
    assert game.hears("here")
    assert game.shows(0) == {game.issued}
    since, counters = len(game.internet.tap), [header.counter for header in game.said()]
    game.moves()
    assert game.hears("there")
    game.internet.run(40)
    said = game.said(since)
    assert {header.session for header in said} == {spare.session}
    shown = [spare.counter(header.counter, to_gateway=True) for header in said]
    assert shown == [counters[-1] + 1 + n for n in range(len(said))], "counters go on"
    assert game.session.is_connected


def test_nothing_is_shown_but_the_number_issued_before_there_is_another_network(make: Make) -> None:
    game = make()
    game.internet.move_away(game.player)  # by a NAT: the player sees nothing of it
    assert game.hears("still here")
    game.internet.run(40)
    assert game.shows(0) == {game.issued}


def test_a_player_without_a_spare_keeps_its_number(make: Make) -> None:
    game = make(ModelGateway(Random(1).randbytes, gives_spares=False))
    game.moves()
    assert game.hears("there")
    assert game.shows(0) == {game.issued}


def test_a_player_takes_both_numbers_until_the_gateway_has_gone_over(make: Make) -> None:
    game = make()
    before, spare = game.seat.number, game.seat.spare
    game.internet.on_wire = lambda to_gateway, _: not to_gateway  # the gateway does not hear of it yet
    game.moves()
    game.internet.run(5)
    assert game.takes(before)
    assert game.takes(spare), "whichever the gateway writes"
    game.internet.run(2.8)
    assert game.takes(before), "what left before may come later"
    game.internet.run(0.3)
    assert not game.takes(before)
    assert game.takes(spare)


def test_each_further_network_sees_another_number(make: Make) -> None:
    game = make()
    seen = [game.shows(0)]
    for network in range(5):
        since = len(game.internet.tap)
        game.moves()
        assert game.hears(f"network {network}")
        game.internet.run(0.5)
        seen.append(game.shows(since))
    assert all(len(numbers) == 1 for numbers in seen)
    assert len(set.union(*seen)) == len(seen)
    assert game.session.is_connected


def test_a_spare_that_was_not_used_is_replaced(make: Make) -> None:
    game = make()
    first = game.seat.spare
    game.gateway.give(7, game.internet.now)
    game.internet.run(1)
    second, since = game.seat.spare, len(game.internet.tap)
    game.moves()
    assert game.hears("there")
    assert game.shows(since) == {second.session} != {first.session}


def test_a_number_that_was_used_before_it_came_is_no_spare(make: Make) -> None:
    game = make()
    game.gateway.give(7, game.internet.now)
    game.internet.run(1)
    late = game.seat.spare
    game.moves()
    assert game.hears("there")
    game.internet.run(1)
    spare, since = game.seat.spare, len(game.internet.tap)
    game.gateway.tell(7, late, game.internet.now)
    game.internet.run(1)
    game.moves()
    assert game.hears("elsewhere")
    assert game.shows(since) == {late.session, spare.session}
    assert game.said()[-1].session == spare.session


def test_a_player_that_moves_again_before_it_has_a_spare_keeps_its_number_there(make: Make) -> None:
    game = make()
    before, spare, since = game.seat.number, game.seat.spare, len(game.internet.tap)
    game.internet.on_wire = lambda to_gateway, _: not to_gateway
    game.moves()
    game.internet.run(1)
    game.moves()
    assert game.takes(before), "which the gateway has not left"
    game.internet.on_wire = lambda _to_gateway, _: True
    assert game.hears("there")
    game.internet.run(5)
    assert game.shows(since) == {spare.session}, "what it is given on this network is for the next one"
    given, since = game.seat.spare, len(game.internet.tap)
    game.moves()
    assert game.hears("elsewhere")
    assert game.shows(since) == {given.session}


def test_what_waits_to_leave_when_the_network_changes_leaves_under_the_spare(make: Make) -> None:
    game = make()
    spare, since = game.seat.spare, len(game.internet.tap)
    game.session.receive(game.gateway.challenge(7, game.seat.number), game.internet.now)
    game.moves()
    game.internet.run(1)
    assert Kind.PATH_RESPONSE in {header.kind for header in game.said(since)}
    assert game.shows(since) == {spare.session}


def test_a_player_who_leaves_and_is_then_on_another_network_says_so_under_the_spare(make: Make) -> None:
    game = make()
    spare, since = game.seat.spare, len(game.internet.tap)
    game.leaves()
    game.moves()
    game.internet.run(1)
    assert Kind.CLOSE in {header.kind for header in game.said(since)}
    assert game.shows(since) == {spare.session}
    assert game.seat.keys is None


def test_a_new_connection_begins_under_the_number_issued(make: Make) -> None:
    game = make()
    game.moves()
    assert game.hears("there")
    since = len(game.internet.tap)
    game.internet.gateway = ModelGateway(Random(2).randbytes)  # that one is silent
    assert game.internet.run(60, lambda: not game.session.is_connected)
    game.internet.gateway = game.gateway
    if isinstance(game.session, CSession):
        assert game.session.lib.pgc_connect(game.session.client) == 0
    assert game.internet.run(60, lambda: bool(game.session.is_connected))
    greetings = [read_header(datagram) for to_gateway, datagram in game.internet.tap[since:] if to_gateway]
    assert {one.session for one in greetings if one.kind in {Kind.HELLO, Kind.CONFIRM}} == {game.issued}
    since = len(game.internet.tap)
    assert game.hears("again")
    assert game.shows(since) == {game.issued}
    game.moves()
    since = len(game.internet.tap)
    assert game.hears("and elsewhere")
    assert game.shows(since).isdisjoint({game.issued})


def test_a_reset_counts_under_a_number_that_is_taken(make: Make) -> None:
    game = make()
    before = game.seat.number
    game.moves()
    assert game.hears("there")
    game.internet.run(4)
    ((_, right),) = game.gateway.reset(7)
    game.session.receive(right[:4] + before.session.to_bytes(4, "little") + right[8:], game.internet.now)
    assert game.session.is_connected
    game.session.receive(right, game.internet.now)
    assert not game.session.is_connected


@pytest.mark.parametrize("seed", range(3))
def test_a_player_who_moves_often_through_a_storm_loses_nothing(make: Make, seed: int) -> None:
    gateway = ModelGateway(Random(seed).randbytes, phases=PhaseRules(datagrams=25))
    game = make(gateway, seed=seed)
    game.internet.conditions = STORM
    for number in range(200):
        game.chat(str(number))
        game.internet.run(0.05)
        if number % 20 == 19:
            game.moves()
    assert game.internet.run(120, lambda: len(game.texts()) >= 200)
    game.internet.run(3)
    assert game.texts() == [str(number) for number in range(200)]
    assert len(game.shows(0)) > 5
    assert len({header.flags for header in game.said()}) == 2, "keys were changed, too"
    assert game.session.is_connected
