# SPDX-License-Identifier: BSD-3-Clause
"""The C client's reader and the Python one take the same bodies, refuse the same, and see the same."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from pyshim.protocol.session_wire import WireError
from pyshim.protocol.world.record import Place
from pyshim.protocol.world.state import Full, Sort, WorldState, decode, encode
from pyshim.protocol.world.view import Entered, EntityState, ViewEvent, ViewSettings, WorldView
from tests.world import drawn
from tests.world.c_view import CView, Reader, by_slot
from tests.world.model import WORLD, ModelGateway


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    return Reader(tmp_path_factory.mktemp("world"))


def decoded(body: bytes) -> WorldState | None:
    try:
        return by_slot(decode(body))
    except WireError:
        return None


def agree(reader: Reader, rng: Random, bodies: int) -> int:
    """Both readers have the same of each body, and of one that is broken; how many broken ones are read."""
    read = 0
    for _ in range(bodies):
        state = drawn.state(rng)
        body = encode(state)
        assert reader.decode(body) == by_slot(state), body.hex()
        broken = drawn.broken(rng, body)
        found = decoded(broken)
        assert reader.decode(broken) == found, broken.hex()
        read += found is not None
    return read


@pytest.mark.parametrize("seed", range(4))
def test_both_readers_have_the_same_of_whole_and_of_broken_bodies(reader: Reader, seed: int) -> None:
    assert 0 < agree(reader, Random(seed), 1000) < 1000


def test_both_readers_have_the_same_of_any_bytes(reader: Reader) -> None:
    rng = Random(5)
    for _ in range(5000):
        head = bytes(
            [rng.getrandbits(8), 0, rng.getrandbits(8), rng.randrange(4), *(4 * [0]), rng.randrange(3), 0]
        )
        body = bytearray(head + rng.randbytes(rng.randrange(24)))
        body[4 + rng.randrange(4)] |= 1 << rng.randrange(8)
        assert reader.decode(bytes(body)) == decoded(bytes(body)), body.hex()


def sorted_by_slot(events: list[ViewEvent]) -> list[ViewEvent]:
    order = {Entered: 1, EntityState: 2}
    return sorted(events, key=lambda one: (one.entity.slot, order.get(type(one), 0)))


@pytest.mark.parametrize("seed", range(6))
def test_both_tables_have_the_same_in_sight(reader: Reader, seed: int) -> None:
    rng = Random(seed)
    gateway = ModelGateway(rng, walkers=24, slots=16, tick=65_400)
    ours = WorldView(ViewSettings(glimpses_max=1 << 20))
    theirs = CView(reader)
    world = replace(WORLD, tick=65_400)
    assert ours.begin(world, 0) == theirs.begin(world, 0)
    on_way: list[tuple[int, int, bytes]] = []
    for step in range(400):
        datagram, body = gateway.step(change=0.02)
        if rng.random() >= 0.05:
            on_way.append((step + rng.randrange(1 + seed), datagram, body))
        if step % 100 == 99:
            world = replace(world, epoch=world.epoch + 1, tick=gateway.tick)
            assert sorted_by_slot(ours.begin(world, datagram)) == theirs.begin(world, datagram)
        for due in sorted(one for one in on_way if one[0] <= step):
            on_way.remove(due)
            is_old = rng.random() < 0.1  # it says so: nothing of it counts
            told = replace(decode(due[2]), epoch=world.epoch - is_old)
            now_s = 100 + step / 60
            assert sorted_by_slot(ours.apply(told, due[1], now_s)) == theirs.apply(
                encode(told), due[1], now_s
            )
            if not is_old:
                gateway.acknowledged(due[1])
        same_places(ours, theirs, gateway.tick, 100 + (step + rng.random()) / 60)
    for name in ("states", "other_epoch", "decoded", "undecodable", "impossible", "late", "stateless"):
        assert theirs.count(name) == getattr(ours.counts, name)
    assert ours.counts.undecodable > 0
    assert ours.counts.other_epoch > 0


def same_places(ours: WorldView, theirs: CView, newest: int, at_s: float) -> None:
    assert ours.world is not None
    most = 0.25 * ours.world.tick_hz
    for entity in ours.entities():
        slot = ours._slots[entity.slot]
        history = slot.history
        for one in range(newest - 63, newest + 1):
            assert theirs.place(entity.slot, one) == history.get(one)
        shown = history.at(ours._shown_tick(slot, at_s), most, ours.world.velocity_parts)
        position, beyond = theirs.seen(entity.slot, at_s)
        assert position == pytest.approx(shown.position, abs=0.1)  # who jumps does so in a tick
        assert beyond == pytest.approx(shown.beyond_ticks, abs=1e-3)


def test_both_have_a_player_in_one_slot(reader: Reader) -> None:
    """With FULLs of few players and of the game's own in any slots, early and late."""
    rng = Random(5)
    ours, theirs = WorldView(), CView(reader)
    for view in (ours, theirs):
        view.begin(WORLD, 0)
    for tick in range(1, 400):
        place = Place((rng.randrange(1000), 0, 0), (0, 0, 0))
        number = rng.randrange(24)
        told = Full(rng.randrange(8), number, 100 + number % 3, Sort(number // 12), place)
        state = WorldState(max(1, tick - rng.randrange(4)), WORLD.epoch, 0, (), (told,))
        events = sorted_by_slot(ours.apply(state, tick, tick / 60))
        assert theirs.apply(encode(state), tick, tick / 60) == events
        players = [one.identity for one in ours.entities() if one.sort is Sort.PLAYER]
        assert len(set(players)) == len(players)
    assert theirs.count("late") == ours.counts.late > 0


@pytest.mark.parametrize(("tick_hz", "parts"), [(60, 8), (30, 4), (12, 2), (5, 1)])
def test_both_show_who_goes_on_by_how_velocities_are_told(reader: Reader, tick_hz: int, parts: int) -> None:
    ours, theirs = WorldView(), CView(reader)
    world = replace(WORLD, tick=10, tick_hz=tick_hz)
    there = Full(0, 7, 107, Sort.PLAYER, Place((100_000, 0, 0), (80, 0, 0)))
    told = WorldState(10, WORLD.epoch, 0, (), (there,))
    for view in (ours, theirs):
        view.begin(world, 0)
    ours.apply(told, 1, 1.0)
    theirs.apply(encode(told), 1, 1.0)
    same_places(ours, theirs, 10, 1 + 4 / tick_hz)
    position, _ = theirs.seen(0, 1 + 4 / tick_hz)  # three frames behind
    assert position[0] == pytest.approx(100_000 + 80 / parts, abs=1e-3)
    (seen,) = ours.in_sight(1.0)
    assert seen.velocity[0] == pytest.approx(80 / parts * world.quantum_m * tick_hz)


def test_both_tables_have_the_same_glimpses(reader: Reader) -> None:
    rng = Random(3)
    ours, theirs = WorldView(), CView(reader)
    ours.begin(WORLD, 0)
    theirs.begin(WORLD, 0)
    for tick in range(1, 60):
        told = replace(drawn.state(rng), tick=tick, epoch=WORLD.epoch, base=0, records=(), exceptions=())
        strips = tuple(replace(one, cell_x=one.cell_x % 600, cell_y=one.cell_y % 500) for one in told.strips)
        glimpses = [tuple(replace(seen, number=seen.number % 8) for seen in one.glimpses) for one in strips]
        told = replace(told, strips=tuple(map(lambda one, of: replace(one, glimpses=of), strips, glimpses)))
        ours.apply(told, tick, tick / 60)
        theirs.apply(encode(told), tick, tick / 60)
    assert theirs.glimpses() == ours._glimpses
    assert len(ours._glimpses) == 8
