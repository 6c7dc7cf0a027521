# SPDX-License-Identifier: BSD-3-Clause
"""A gateway that tells one player of a world, as the document has it and without any haste.

It is written for what the readers are held to: whoever it holds for known must be known.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from random import Random

from pyshim.protocol.world.about import World
from pyshim.protocol.world.record import NoRecordError, Place, difference
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
    encode,
)

OVERDUE_TICKS = 12  # an acknowledgement of somebody's first frame
WORLD = World(3, 60, 12, 32, 10_000, (-1_000_000, 2_000, 0), 6400, 7200, 0, "town")


class Walker:
    """Somebody who walks about, and now and then stands elsewhere."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._x8 = [rng.randrange(1 << 23) for _ in range(3)]  # eighths of a quantum
        self._v = [0, 0, 0]
        self.places: dict[int, Place] = {}

    def walk(self, tick: int, ticks: int) -> None:
        rng = self._rng
        if rng.random() < 0.1:
            self._v = [rng.randrange(-90, 90) for _ in range(3)]
        if rng.random() < 0.002:
            self._x8 = [rng.randrange(1 << 23) for _ in range(3)]
        for axis in range(3):
            there = self._x8[axis] + self._v[axis] * ticks
            if not 0 <= there < 1 << 24:
                self._v[axis], there = 0, self._x8[axis]
            self._x8[axis] = there
        x, y, z = (at >> 3 for at in self._x8)
        vx, vy, vz = self._v
        self.places[tick] = Place((x, y, z), (vx, vy, vz))
        self.places.pop(tick - 128, None)


@dataclass
class Slot:
    number: int | None = None
    since: int = 0
    base: int | None = None
    told_full: int | None = None  # that frame is its baseline until its acknowledgement is overdue
    emptied: int | None = None  # a frame that says so, until it is acknowledged


@dataclass
class Frame:
    """What one datagram told."""

    tick: int
    slots: dict[int, tuple[int | None, bool]] = field(default_factory=dict)  # who, and can it be decoded


class ModelGateway:
    """Everybody's places, and what one client has of them."""

    def __init__(self, rng: Random, walkers: int, slots: int, tick: int = 0, ticks: int = 1) -> None:
        self.rng, self.ticks = rng, ticks
        self.tick, self.datagram = tick, 0
        self.walkers = {number: Walker(rng) for number in range(walkers)}
        self.slots = [Slot() for _ in range(slots)]
        self.frames: dict[int, Frame] = {}  # by datagram
        self.known: deque[tuple[int, int, int]] = deque()  # slot, number, tick that a client has for sure

    def place(self, number: int, tick: int) -> Place | None:
        return self.walkers[number].places.get(tick)

    def step(self, *, change: float) -> tuple[int, bytes]:
        """Another tick: the number of the datagram, and the body in it."""
        self.tick += self.ticks
        self.datagram += 1
        for walker in self.walkers.values():
            walker.walk(self.tick, self.ticks)
        for slot in self.slots:
            if self.rng.random() < change:
                self._change(slot)
        state = self._told(Frame(self.tick))
        return self.datagram, encode(state)

    def _change(self, slot: Slot) -> None:
        free = set(self.walkers) - {one.number for one in self.slots}
        number = self.rng.choice([None, *sorted(free)]) if free else None
        if number != slot.number:
            slot.number, slot.since, slot.base, slot.told_full = number, self.tick, None, None
            slot.emptied = self.tick if number is None else None

    def _told(self, frame: Frame) -> WorldState:
        said: list[SlotException] = []
        records = []
        common = self._common()
        for index, slot in enumerate(self.slots):
            if slot.number is None:
                if slot.emptied is not None:
                    said.append(Empty(index))
                    frame.slots[index] = (None, True)
                continue
            one = self._one(index, slot, frame)
            if isinstance(one, Older) and one.age == common:
                records.append((index, one.record))
            else:
                said.append(one)
            if isinstance(one, Full):
                said.append(Games(index, slot.number & 0xFF, bytes([slot.number & 0xFF])))
        self.frames[self.datagram] = frame
        self.frames.pop(self.datagram - 1000, None)
        base = common if records else 0
        return WorldState(
            self.tick & 0xFFFF, WORLD.epoch, base, tuple(records), tuple(said), (self._strip(),)
        )

    def _common(self) -> int:
        ages = [self.tick - slot.base for slot in self.slots if slot.number is not None and slot.base]
        usable = [age for age in ages if 0 < age < 32]
        return max(set(usable), key=usable.count) if usable else 0

    def _one(self, index: int, slot: Slot, frame: Frame) -> Older | Full:
        number = slot.number
        assert number is not None
        now = self.walkers[number].places[self.tick]
        first = slot.told_full
        if first is not None and slot.base is None and self.tick - first > OVERDUE_TICKS * self.ticks:
            slot.told_full = first = None
        base = slot.base if slot.base is not None else first
        if base is not None and 0 < self.tick - base < 32:
            before = self.place(number, base)
            assert before is not None
            record = difference(before, now, self.tick - base)
            one = Older(index, self.tick - base, record)
            if _has_shape(one):
                frame.slots[index] = (number, slot.base is not None)
                return one
        slot.told_full = self.tick
        if slot.base is not None and self.tick - slot.base >= 32:
            slot.base = None
        frame.slots[index] = (number, True)
        return Full(index, number, number ^ 0xFFFF0000, Sort.OTHER if number % 5 == 0 else Sort.PLAYER, now)

    def _strip(self) -> Strip:
        number = self.rng.randrange(1 << 20)
        cells = self.rng.randrange(512), self.rng.randrange(512)
        return Strip(*cells, (Glimpse(number, self.rng.randrange(256), self.rng.randrange(256)),))

    def acknowledged(self, datagram: int) -> None:
        """The client has it. What could be decoded in it is a baseline from now on."""
        frame = self.frames.get(datagram)
        for index, (number, decodable) in frame.slots.items() if frame else ():
            slot = self.slots[index]
            assert frame is not None
            if slot.number != number or slot.since > frame.tick or not decodable:
                continue
            if number is None:
                slot.emptied = None
            elif slot.base is None or slot.base < frame.tick:
                slot.base = frame.tick
                self.known.append((index, number, frame.tick))


def _has_shape(one: Older) -> bool:
    try:
        encode(WorldState(0, 0, 0, (), (one,)))
    except NoRecordError:
        return False
    return True
