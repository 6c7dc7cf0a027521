# SPDX-License-Identifier: BSD-3-Clause
"""C clients and the C core on a bad network, against a model: what was said, and what may be heard of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

import pytest

from pyshim.plan import ListenerPolicy, Policy
from tests.client.c_client import Library
from tests.client.world import World, c, heard
from tests.session.core_gateway import NO_LIMITS, CoreGateway, plan
from tests.session.internet import LinkConditions, Player

PLAYERS = (7, 8, 9)
UNORDERED = 3
BAD = LinkConditions(loss=0.05, doubling=0.2, delay_s=(0.005, 0.06))


@pytest.fixture
def gateway() -> Iterator[CoreGateway]:
    with CoreGateway(plan(Policy(30 * 10**9, 0, 1, (ListenerPolicy(0, 1),), NO_LIMITS))) as it:
        yield it


@dataclass
class Said:
    """One message of the model."""

    text: str
    speaker: int
    listener: int
    channel: int
    reliable: bool


@dataclass
class Model:
    """Everything that was said, in order."""

    said: list[Said] = field(default_factory=list)

    def stream(self, speaker: int, listener: int, channel: int) -> list[str]:
        """The reliable ones of one channel between two players."""
        return [
            one.text
            for one in self.said
            if one.reliable and (one.speaker, one.listener, one.channel) == (speaker, listener, channel)
        ]

    def loose(self) -> set[str]:
        """Those that may be lost."""
        return {one.text for one in self.said if not one.reliable}


def chatter(world: World, players: dict[int, Player], model: Model, random: Random) -> None:
    """One player says something to one, perhaps the same."""
    speaker, listener = random.choice(PLAYERS), random.choice(PLAYERS)
    channel, reliable = random.randrange(4), random.random() < 0.8
    text = f"{len(model.said)} " + "x" * random.choice((0, 0, 10, 400))
    game = c(players[speaker])
    delivery = game.delivery(
        channel if reliable else 0,
        receipt=len(model.said) + 1 if reliable else 0,
        priority=random.randrange(3),
        reliable=reliable,
    )
    if game.chat(listener, text, delivery) == 0:
        model.said.append(Said(text, speaker, listener, channel if reliable else 0, reliable))


def check(players: dict[int, Player], model: Model) -> None:
    """Reliable ones all and once, in order where there is one; loose ones at most once; nothing else."""
    loose = model.loose()
    for listener, player in players.items():
        assert heard(player, "CLOSED") == []
        assert heard(player, "LOST") == []
        texts = [text for _, text in heard(player, "CHAT")]
        assert len(texts) == len(set(texts)), "something was heard twice"
        firm = [text for text in texts if text not in loose]
        for speaker in players:
            for channel in range(4):
                stream = model.stream(speaker, listener, channel)
                got = [text for text in firm if text in set(stream)]
                if channel == UNORDERED:
                    stream, got = sorted(stream), sorted(got)
                assert got == stream, f"{speaker} to {listener} on channel {channel}"
        addressed = {one.text for one in model.said if one.listener == listener}
        assert set(texts) <= addressed


@pytest.mark.parametrize("ways", [(True, False), (False,), (True,)], ids=["both ways", "back", "there"])
def test_a_session_for_once_finds_what_a_narrow_path_carries(
    library: Library, gateway: CoreGateway, ways: tuple[bool, ...]
) -> None:
    world = World(library, gateway)
    world.internet.on_wire = lambda to_gateway, datagram: to_gateway not in ways or len(datagram) <= 1100
    player = world.join(gateway.issue(7, once=True))
    assert world.internet.run(10, lambda: player.session.is_connected)
    world.internet.run(0.2)
    ((_, _, max_datagram),) = heard(player, "CONNECTED")
    assert max_datagram == 1000
    assert gateway.stats().handled["session_hello"] == 1


@pytest.mark.parametrize("seed", range(8))
def test_what_is_said_through_a_storm_is_heard_as_the_model_says(
    library: Library, gateway: CoreGateway, seed: int
) -> None:
    random = Random(seed)
    world = World(library, gateway, seed=seed)
    players = {number: world.connected(number, receipts=10_000) for number in PLAYERS}
    model = Model()
    world.internet.conditions = BAD
    for _ in range(300):
        chatter(world, players, model, random)
        if random.random() < 0.5:
            world.internet.run(random.uniform(0, 0.05))
    world.internet.conditions = LinkConditions()
    world.internet.run(20)
    check(players, model)
    receipts = {receipt for player in players.values() for (receipt,) in heard(player, "DELIVERED")}
    assert receipts == {n for n, one in enumerate(model.said, 1) if one.reliable}
    gateway.check_books()


@pytest.mark.parametrize("seed", range(4))
def test_wandering_players_hear_everything(library: Library, gateway: CoreGateway, seed: int) -> None:
    """Their addresses change all the time, as those of phones do."""
    random = Random(seed)
    world = World(library, gateway, seed=seed)
    players = {number: world.connected(number, receipts=10_000) for number in PLAYERS}
    model = Model()
    for turn in range(100):
        chatter(world, players, model, random)
        world.internet.run(random.uniform(0, 0.2))
        if turn % 20 == 0:
            random.choice(list(players.values())).address = 100 + turn // 20
    world.internet.run(20)
    check(players, model)
    assert gateway.stats().path_changes >= 1
    gateway.check_books()


@pytest.mark.parametrize("seed", range(4))
def test_reconnecting_players_hear_nothing_twice_and_their_receipts_are_settled(
    library: Library, gateway: CoreGateway, seed: int
) -> None:
    random = Random(seed)
    world = World(library, gateway, BAD, seed=seed)
    players = {number: world.connected(number, receipts=10_000) for number in PLAYERS}
    model = Model()
    for turn in range(200):
        chatter(world, players, model, random)
        world.internet.run(random.uniform(0, 0.05))
        if turn % 40 == 20:
            player = random.choice(list(players.values()))
            assert library.lib.pgc_reconnect(c(player).client) == 0
    world.internet.conditions = LinkConditions()
    world.internet.run(30)
    for number, player in players.items():
        texts = [text for _, text in heard(player, "CHAT")]
        assert len(texts) == len(set(texts))
        settled = [receipt for kind in ("DELIVERED", "LOST") for (receipt,) in heard(player, kind)]
        mine = [n for n, one in enumerate(model.said, 1) if one.reliable and one.speaker == number]
        assert sorted(settled) == mine
    gateway.check_books()


@pytest.mark.parametrize("size", [0, 1353, 1354, 1355, 5000, 65_528])
def test_bulk_of_any_size_travels_through_the_core(library: Library, gateway: CoreGateway, size: int) -> None:
    world = World(library, gateway)
    player = world.connected(7)
    data = Random(size).randbytes(size)
    assert c(player).bulk(7, data) == 0
    world.internet.run(20)
    assert heard(player, "BULK") == [(data,)]
    gateway.check_books()
