# SPDX-License-Identifier: BSD-3-Clause
"""A C client is told of a world: who comes, who goes, where they are; and nothing if it does not ask."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest

from pyshim.protocol.session_wire import Message, MessageType, pack_messages
from pyshim.protocol.world.about import World as About
from pyshim.protocol.world.about import encode_world
from pyshim.protocol.world.record import Place
from pyshim.protocol.world.state import (
    Empty,
    Full,
    Games,
    Glimpse,
    SlotException,
    Sort,
    Strip,
    WorldState,
    encode,
)
from tests.client.c_client import Heard, Library
from tests.client.world import ModelWorld, c, heard
from tests.session.internet import Player
from tests.world.model import WORLD, ModelGateway

HERE = Place((100_000, 2_000, 0), (80, 0, 0))
LOW_M = tuple(one / 1000 for one in WORLD.low_mm)


def full(slot: int, number: int, place: Place = HERE, sort: Sort = Sort.PLAYER) -> Full:
    return Full(slot, number, number + 100, sort, place)


def state(tick: int, *said: SlotException, epoch: int = WORLD.epoch) -> bytes:
    return encode(WorldState(tick & 0xFFFF, epoch, 0, (), said))


class Game:
    """A model gateway that tells a C client of a world."""

    def __init__(self, library: Library, **options: int) -> None:
        self.world = ModelWorld(library)
        self.player: Player = self.world.connected(7, **options)
        self.c = c(self.player)

    def tell(self, *bodies: bytes | About) -> None:
        """Messages in one datagram."""
        messages = [
            Message(MessageType.WORLD, encode_world(one))
            if isinstance(one, About)
            else Message(MessageType.WORLD_STATE, one)
            for one in bodies
        ]
        now = self.world.internet.now
        self.c.receive(self.world.gateway.say(7, now, pack_messages(messages)), now)

    def told(self) -> list[tuple[str, tuple[Any, ...]]]:
        """What was told of the world since the last call."""
        heard: list[Any] = [*self.player.heard, *self.c.events]
        events = [(one.type, one.values) for one in heard if isinstance(one, Heard)]
        self.player.heard.clear()
        self.c.events.clear()
        return [one for one in events if one[0] in ("WORLD", "ENTER", "LEAVE", "STATE")]

    def skipped(self) -> int:
        return int(self.c.statistics().world_skipped)


@pytest.fixture
def game(library: Library) -> Game:
    return Game(library, world=1)


def test_who_does_not_ask_is_told_nothing_and_takes_all_the_same(library: Library) -> None:
    game = Game(library)
    game.tell(WORLD, state(1, full(0, 5)))
    game.world.internet.run(0.5)
    assert game.told() == []
    assert game.c.in_sight(0) == game.c.glimpses(0) == {}
    assert game.c.statistics().world_states == 0
    assert game.c.statistics().datagrams_refused == 0


def test_who_comes_and_goes_is_told_in_order(game: Game) -> None:
    game.tell(WORLD, state(1, full(3, 5), Games(3, 1, b"hat"), full(4, 6, sort=Sort.OTHER)))
    assert game.told() == [
        ("WORLD", ("town", 32, 60, 64.0)),
        ("ENTER", (3, 5, 105, True)),
        ("ENTER", (4, 6, 106, False)),
        ("STATE", (5, 1, b"hat")),
    ]
    game.tell(state(2, full(3, 7), Empty(4), Games(3, 1, b"cap")))
    assert game.told() == [
        ("LEAVE", (3, 5, 105, True)),
        ("LEAVE", (4, 6, 106, False)),
        ("ENTER", (3, 7, 107, True)),
        ("STATE", (7, 1, b"cap")),
    ]
    game.tell(state(3, full(3, 7), Games(3, 1, b"cap")))
    assert game.told() == []
    assert game.c.statistics().world_states == 3


def test_another_epoch_in_the_same_datagram_is_another_world(game: Game) -> None:
    game.tell(WORLD, state(1, full(3, 5)))
    game.told()
    other = replace(WORLD, epoch=4, tick=1000, name="dungeon")
    game.tell(other, state(1000, full(4, 5), epoch=4))
    assert game.told() == [
        ("LEAVE", (3, 5, 105, True)),
        ("WORLD", ("dungeon", 32, 60, 64.0)),
        ("ENTER", (4, 5, 105, True)),
    ]
    assert list(game.c.in_sight(0)) == [5]
    game.tell(state(3, full(4, 6)))
    assert game.skipped() == 1


def test_what_waits_to_be_asked_for_holds_the_next_datagram_back(game: Game) -> None:
    now = game.world.internet.now
    first, second = (
        game.world.gateway.say(7, now, pack_messages([Message(kind, body)]))
        for kind, body in ((MessageType.WORLD, encode_world(WORLD)), (MessageType.WORLD_STATE, state(1)))
    )
    lib = game.c.lib
    assert lib.pgc_receive(game.c.client, first, len(first)) == 0
    assert lib.pgc_event_waiting(game.c.client)
    assert lib.pgc_receive(game.c.client, second, len(second)) == lib.PGC_ERROR_EVENTS
    game.c.listen()
    assert not lib.pgc_event_waiting(game.c.client)
    assert lib.pgc_receive(game.c.client, second, len(second)) == 0


def test_what_no_gateway_says_is_counted_and_ends_nothing(game: Game) -> None:
    game.tell(replace(WORLD, slots=33), replace(WORLD, cell_shift=5), replace(WORLD, name="x" * 31 + "\0"))
    game.tell(WORLD, state(1, full(0, 5)) + b"\0", state(1)[:9])
    assert game.c.is_connected
    assert [name for name, _ in game.told()] == ["WORLD"]
    assert game.skipped() >= 3


def test_nobody_of_the_connection_before_is_in_sight(game: Game) -> None:
    game.tell(WORLD, state(1, full(0, 5)))
    assert game.c.lib.pgc_reconnect(game.c.client) == 0
    assert game.c.in_sight(0) == {}
    assert game.world.internet.run(30, lambda: game.c.is_connected)
    game.told()
    game.tell(WORLD, state(1, full(0, 5)))
    assert [name for name, _ in game.told()] == ["WORLD", "ENTER"]


def test_who_is_in_sight_is_shown_between_what_came_in_metres(library: Library) -> None:
    game = Game(library, world=1, world_delay_ms=50)
    begin = game.world.internet.now
    game.tell(WORLD)
    for tick in range(1, 31):
        game.world.internet.run(begin + tick / 60 - game.world.internet.now)
        game.tell(state(tick, full(0, 5, Place((100_000 + 10 * tick, 2_000, 0), (80, 0, 0)))))
    now = game.c.now_ns / 1e9
    (position, velocity, beyond_ms) = game.c.in_sight(now)[5]
    assert position[0] == pytest.approx(LOW_M[0] + 1000 + 0.1 * 27, abs=0.02)
    assert position[1:] == pytest.approx((LOW_M[1] + 20, LOW_M[2]))
    assert velocity == pytest.approx((6.0, 0.0, 0.0))
    assert beyond_ms == 0
    (later, _, beyond_ms) = game.c.in_sight(now + 1.05)[5]
    assert later[0] == pytest.approx(LOW_M[0] + 1000 + 0.1 * (30 + 15), abs=0.02)
    assert beyond_ms == pytest.approx(1000, abs=5)


def test_glimpses_are_told_with_their_age(game: Game) -> None:
    strip = Strip(25, 1, tuple(Glimpse(number, number, 0) for number in range(3)))
    game.tell(WORLD, encode(WorldState(1, WORLD.epoch, 0, (), (full(0, 2),), (strip,))))
    now = game.c.now_ns / 1e9
    found = game.c.glimpses(now + 2)
    assert sorted(found) == [0, 1]
    (position, age_ms) = found[1]
    assert position == pytest.approx((LOW_M[0] + (25 * 4096 + 16 + 8) / 100, LOW_M[1] + (4096 + 8) / 100))
    assert age_ms == pytest.approx(2000, abs=5)
    assert len(game.c.glimpses(now, room=1)) == 1


def test_over_a_bad_network_everybody_is_shown_where_he_was(library: Library) -> None:
    rng = Random(4)
    gateway = ModelGateway(rng, walkers=20, slots=16, tick=65_400)
    game = Game(library, world=1)
    game.tell(replace(WORLD, tick=65_400))
    on_way: list[tuple[int, int, bytes]] = []
    for step in range(300):
        datagram, body = gateway.step(change=0.01)
        if rng.random() > 0.1:
            on_way.append((step + rng.randrange(3), datagram, body))
        game.world.internet.run(1 / 60)
        for due in sorted(one for one in on_way if one[0] <= step):
            on_way.remove(due)
            game.tell(due[2])
            gateway.acknowledged(due[1])
    names = [name for name, _ in game.told()]
    seen = game.c.in_sight(game.c.now_ns / 1e9)
    assert names.count("ENTER") - names.count("LEAVE") == len(seen) > 10
    for number, (position, _, beyond_ms) in seen.items():
        if beyond_ms == 0:
            known = gateway.walkers[number].places
            near = [known[tick].position for tick in range(gateway.tick - 12, gateway.tick + 1)]
            x_m = [LOW_M[0] + one[0] / 100 for one in near]
            assert min(x_m) - 0.02 <= position[0] <= max(x_m) + 0.02
    assert heard(game.player, "CLOSED") == []
