# SPDX-License-Identifier: BSD-3-Clause
"""Writes dpdk_app/wire/world_vectors.json: bodies of WORLD_STATE and what they mean, from PROTOCOL.md alone.

    python -m tests.world.make_vectors [OUT.json]

The same bytes every time; they follow from wire/world_shapes.def and the widths in wire/world.h. Shape:

    code        shape -> its code, the first bit first
    prediction  tick_hz, base, age, velocity and position of a record -> place (rounding is part of the
                protocol)
    bodies      name, body -> state: what it says; one that a gateway sends is these bytes
    refused     name, body: no gateway sends it, and no reader takes it
    rows        name, tick and tick_hz of the WORLD before, steps: body -> tick (whole), decoded, undecodable
                and late (all until then), places: who is in which slot, and where in that frame, if it was
                told

A place is [x, y, z, vx, vy, vz].
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

from pyshim.protocol.world.record import Place, Record, Triple, applied
from pyshim.protocol.world.shapes import CODES, widths
from pyshim.protocol.world.state import (
    Empty,
    Full,
    Games,
    Glimpse,
    Older,
    SlotException,
    Sort,
    Strip,
    WorldState,
    decode,
    encode,
)
from pyshim.protocol.world.view import WorldView
from pyshim.velocities import velocity_parts
from tests.vectors import text_of, write
from tests.world import drawn
from tests.world.model import WORLD
from tests.world.refused import REFUSED

OUT = Path(__file__).resolve().parents[2] / "dpdk_app" / "wire" / "world_vectors.json"
HERE = Place((100_000, 200_000, 3_000), (80, -81, 7))


def flat(place: Place) -> list[int]:
    return [*place.position, *place.velocity]


def codes() -> Iterator[dict[str, Any]]:
    for shape, code in CODES.items():
        yield {"shape": shape, "code": f"{code.bits:0{code.length}b}"[::-1]}


def predictions() -> Iterator[dict[str, Any]]:
    rng = Random(1)
    speeds = [(0, 0, 0), (1, -1, 7), (8, -8, -9), (-15, 15, -16), (32767, -32768, 0)]
    for velocity in speeds:
        for age in (1, 2, 9, 31):
            yield _prediction(rng, velocity, age, 60)
    for tick_hz in (48, 47, 24, 23, 12, 11, 4):  # at the ends of each unit of velocities
        for velocity in ((1, -1, 7), (-15, 120, -16), (240, -240, 3)):
            for age in (1, 2, 31):
                yield _prediction(rng, velocity, age, tick_hz)


def _prediction(rng: Random, velocity: Triple, age: int, tick_hz: int) -> dict[str, Any]:
    base = Place((1_000_000, 1_000_000, 1_000_000), velocity)
    by = [rng.randrange(-9, 9) if abs(one) < 1000 else 0 for one in velocity]
    record = Record((by[0], by[1], by[2]), (rng.randrange(-9, 9), 0, -1))
    place = flat(applied(base, record, age, velocity_parts(tick_hz)))
    values = {"velocity": record.velocity, "position": record.position}
    return {"tick_hz": tick_hz, "base": flat(base), "age": age, **values, "place": place}


# ---------------------------------------------------------------- bodies


def meaning(state: WorldState) -> dict[str, Any]:
    """A state as JSON."""
    return {
        "tick": state.tick,
        "epoch": state.epoch,
        "base": state.base,
        "records": [{"slot": slot, **_record(record)} for slot, record in state.records],
        "exceptions": [_exception(one) for one in state.exceptions],
        "strips": [asdict(one) for one in state.strips],
    }


def _record(record: Record) -> dict[str, Any]:
    return {"velocity": list(record.velocity), "position": list(record.position)}


def _exception(one: SlotException) -> dict[str, Any]:
    match one:
        case Older():
            return {"kind": "older", "slot": one.slot, "age": one.age, **_record(one.record)}
        case Full():
            who = {"number": one.number, "identity": one.identity, "sort": int(one.sort)}
            return {"kind": "full", "slot": one.slot, **who, "place": flat(one.place)}
        case Empty():
            return {"kind": "empty", "slot": one.slot}
        case Games():
            return {"kind": "games", "slot": one.slot, "version": one.version, "data": one.data.hex()}


def _most(shape: int) -> Record:
    """The most that it has room for."""
    vx, vy, vz, x, y, z = (-(1 << width >> 1) for width in widths(shape))
    return Record((vx, vy, vz), (x, y, z))


def said() -> Iterator[tuple[str, WorldState]]:
    """States with their names."""
    full = Full(31, 0xFFFFF, 0xFFFFFFFF, Sort.OTHER, Place((0, (1 << 21) - 1, 1), (-32768, 32767, -1)))
    yield "nothing", WorldState(0, 0, 0)
    yield "a baseline of nobody", WorldState(65535, 255, 31)
    yield "all slots as predicted", WorldState(1, 1, 1, tuple((slot, Record()) for slot in range(32)))
    yield "in full", WorldState(2, 1, 0, (), (full,))
    yield "in full with the game's state", WorldState(2, 1, 0, (), (full, Games(31, 255, b"\xff" * 32)))
    yield "the game's state of none", WorldState(2, 1, 0, (), (Games(0, 0, b""),))
    yield "emptied", WorldState(2, 1, 0, (), (Empty(0), Empty(31)))
    yield "older ones", WorldState(2, 1, 0, (), (Older(5, 1, Record()), Older(6, 31, Record((1, 0, 0)))))
    glimpses = (Glimpse(0xFFFFF, 255, 0), Glimpse(1, 0, 255))
    yield "glimpses", WorldState(3, 1, 0, strips=(Strip(1, 2, glimpses[:1]), Strip(65535, 0, glimpses)))
    yield "a strip of none", WorldState(3, 1, 0, strips=(Strip(7, 8, ()),))
    yield "a difference of 1", WorldState(4, 1, 6, ((3, Record((1, -1, 1), (-1, 1, -1))),))
    shapes = sorted(CODES)
    for at in range(0, len(shapes), 32):
        records = tuple((slot, _most(shape)) for slot, shape in enumerate(shapes[at : at + 32]))
        yield f"the most of the shapes from {shapes[at]}", WorldState(5, 1, 7, records)
    rng = Random(2)
    for number in range(12):
        yield f"drawn {number}", drawn.state(rng)


def bodies() -> Iterator[dict[str, Any]]:
    for name, state in said():
        yield {"name": name, "body": encode(state).hex(), "state": meaning(state)}


def refused() -> Iterator[dict[str, Any]]:
    for name, body in REFUSED.items():
        yield {"name": name, "body": body.hex()}


# ---------------------------------------------------------------- rows


def _full(slot: int, number: int, place: Place = HERE) -> Full:
    return Full(slot, number, number + 100, Sort.PLAYER, place)


def _state(tick: int, *exceptions: SlotException, base: int = 0, slot: int = 0) -> WorldState:
    records = ((slot, Record()),) if base else ()
    return WorldState(tick & 0xFFFF, WORLD.epoch, base, records, exceptions)


def _moving(ticks: Sequence[int]) -> Iterator[WorldState]:
    """Somebody who is told against the frame told before, and at first in full."""
    yield _state(ticks[0], _full(0, 7))
    for before, tick in pairwise(ticks):
        record = Record((tick % 5 - 2, -(tick % 3), 0), (tick % 3 - 1, 0, 1))
        yield replace(_state(tick), base=tick - before, records=((0, record),))


def _turning() -> Iterator[WorldState]:
    """Somebody who walks, turns around at once, and walks back."""
    yield _state(10, _full(0, 7, Place((100_000, 200_000, 3_000), (120, -120, 3))))
    turned = Record((-240, 240, -6), (100, -100, 1))
    for tick, record in ((11, Record()), (12, turned), (13, Record()), (15, Record((7, 0, 0), (-3, 1, 0)))):
        base = 2 if tick == 15 else 1
        yield replace(_state(tick), base=base, records=((0, record),))


def rows_of_rates() -> Iterator[tuple[str, int, int, list[WorldState]]]:
    """Name, tick and tick_hz of the WORLD before, and what comes."""
    for name, tick, states in rows():
        yield name, tick, WORLD.tick_hz, states
    for tick_hz in (128, 30, 20, 5):
        yield f"turning around at {tick_hz} ticks a second", 10, tick_hz, list(_turning())


def rows() -> Iterator[tuple[str, int, list[WorldState]]]:
    """Name, tick of the WORLD before, and what comes."""
    yield "against the frame before", 10, list(_moving([10, 11, 13, 16, 20, 51]))
    yield "over the wrap of ticks", 65_500, list(_moving(range(65_500, 65_580, 10)))
    yield "whole ticks", 1_000_000, list(_moving([1_000_000, 1_000_031]))
    steps = [_state(10, _full(0, 7)), _state(13, base=2), _state(14, base=1), _state(15, base=5)]
    yield "a baseline that is not there", 10, steps
    late = [_state(10, _full(0, 7)), _state(42, _full(0, 7)), _state(35, base=25), _state(60, base=25)]
    yield "what comes late is a baseline, and has one", 10, late
    slots = [_state(10, _full(0, 7)), _state(12, _full(0, 8)), _state(11, Empty(0)), _state(11, base=1)]
    yield "who is replaced is no baseline", 10, [*slots, _state(13, base=1), _state(11, _full(0, 9))]
    emptied = [_state(10, _full(0, 7)), _state(12, Empty(0)), _state(11, _full(0, 7)), _state(13, base=3)]
    yield "who is gone stays gone", 10, emptied
    again = [_state(10, _full(0, 7)), _state(14, _full(0, 7)), _state(15, base=5), _state(12, _full(0, 7))]
    yield "in full again voids nothing", 10, [*again, _state(16, base=4)]


def _step(view: WorldView, datagram: int, state: WorldState) -> dict[str, Any]:
    body = encode(state)
    view.apply(decode(body), datagram, datagram / 60)
    tick = view._widened(state.tick)
    places = []
    for entity in view.entities():
        place = view._slots[entity.slot].history.get(tick)
        told = flat(place) if place else None
        places.append({"slot": entity.slot, "number": entity.number, "place": told})
    counts = {name: getattr(view.counts, name) for name in ("decoded", "undecodable", "late")}
    return {"body": body.hex(), "tick": tick, **counts, "places": places}


def played() -> Iterator[dict[str, Any]]:
    for name, tick, tick_hz, states in rows_of_rates():
        view = WorldView()
        view.begin(replace(WORLD, tick=tick, tick_hz=tick_hz), 0)
        steps = [_step(view, datagram, state) for datagram, state in enumerate(states, 1)]
        yield {"name": name, "epoch": WORLD.epoch, "tick": tick, "tick_hz": tick_hz, "steps": steps}


# ---------------------------------------------------------------- the file


def document() -> dict[str, Any]:
    """All of it."""
    return {
        "code": list(codes()),
        "prediction": list(predictions()),
        "bodies": list(bodies()),
        "refused": list(refused()),
        "rows": list(played()),
    }


def render() -> str:
    """The file's text."""
    return text_of(document())


if __name__ == "__main__":
    sys.exit(write(sys.argv[1:], OUT, render()))
