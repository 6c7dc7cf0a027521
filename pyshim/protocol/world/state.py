# SPDX-License-Identifier: BSD-3-Clause
"""The body of a WORLD_STATE: bytes to a value, and back for whoever plays a gateway."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from pyshim.protocol.session_wire import WireError, expect
from pyshim.protocol.world.bits import BitReader, BitWriter
from pyshim.protocol.world.record import Place, Record, read_record, write_record
from pyshim.protocol.world.shapes import (
    AGES,
    GAMES_BYTES_MAX,
    NUMBER_BITS,
    POSITION_BITS,
    SLOTS_MAX,
    VELOCITY_BITS,
)

_HEAD: Final = struct.Struct("<HBBIBB")
_STRIP: Final = struct.Struct("<HHB")
_SLOT_BITS: Final = 5
_AGE_BITS: Final = 5
_GLIMPSE_POSITION_BITS: Final = 8


class Kind(IntEnum):
    """What an exception is."""

    OLDER = 0
    FULL = 1
    EMPTY = 2
    GAMES = 3


class Sort(IntEnum):
    """What an entity is."""

    PLAYER = 0  # its identity is the player's id
    OTHER = 1  # a game process's


@dataclass(frozen=True, slots=True)
class Older:
    """A slot has a record against another frame than the common one."""

    slot: int
    age: int  # ticks
    record: Record


@dataclass(frozen=True, slots=True)
class Full:
    """Who is in a slot from now on, and where."""

    slot: int
    number: int  # of the world's
    identity: int
    sort: Sort
    place: Place


@dataclass(frozen=True, slots=True)
class Empty:
    """Nobody is in a slot from now on."""

    slot: int


@dataclass(frozen=True, slots=True)
class Games:
    """The game's own state of who is in a slot."""

    slot: int
    version: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Glimpse:
    """Somebody who has no slot."""

    number: int
    x: int  # 256ths of a cell
    y: int


@dataclass(frozen=True, slots=True)
class Strip:
    """Glimpses of one cell."""

    cell_x: int
    cell_y: int
    glimpses: tuple[Glimpse, ...]


SlotException = Older | Full | Empty | Games


@dataclass(frozen=True, slots=True)
class WorldState:
    """What one datagram tells of a frame."""

    tick: int  # modulo 2^16
    epoch: int
    base: int  # age of the common baseline in ticks; 0: there is none
    records: tuple[tuple[int, Record], ...] = ()  # by slot, against the common baseline
    exceptions: tuple[SlotException, ...] = ()
    strips: tuple[Strip, ...] = ()


def decode(body: bytes) -> WorldState:
    """What a body says.

    Raises:
        WireError: it is cut off, or says what no gateway says.
    """
    expect(len(body) >= _HEAD.size, f"a WORLD_STATE of {len(body)} bytes; it has at least {_HEAD.size}")
    tick, epoch, base, present, exceptions, strips = _HEAD.unpack_from(body)
    expect(base < AGES, f"a WORLD_STATE against a frame of {base} ticks before")
    expect(base > 0 or present == 0, "a WORLD_STATE with records against no frame")
    bits = BitReader(body[_HEAD.size :])
    records = tuple((slot, read_record(bits)) for slot in range(SLOTS_MAX) if present >> slot & 1)
    said = tuple(_read_exception(bits) for _ in range(exceptions))
    _check_slots(present, said)
    bits.align()
    seen = tuple(_read_strip(bits) for _ in range(strips))
    bits.end()
    return WorldState(tick, epoch, base, records, said, seen)


def _read_exception(bits: BitReader) -> SlotException:
    slot, kind = bits.take(_SLOT_BITS), Kind(bits.take(2))
    match kind:
        case Kind.OLDER:
            age = bits.take(_AGE_BITS)
            expect(age > 0, "a record against the frame that it is in")
            return Older(slot, age, read_record(bits))
        case Kind.FULL:
            return _read_full(bits, slot)
        case Kind.EMPTY:
            return Empty(slot)
        case Kind.GAMES:
            return _read_games(bits, slot)


def _read_full(bits: BitReader, slot: int) -> Full:
    number, identity, sort = bits.take(NUMBER_BITS), bits.take(32), bits.take(2)
    x, y, z = (bits.take(POSITION_BITS) for _ in range(3))
    vx, vy, vz = (bits.take_signed(VELOCITY_BITS) for _ in range(3))
    expect(sort in set(Sort), f"an entity of sort {sort}")
    return Full(slot, number, identity, Sort(sort), Place((x, y, z), (vx, vy, vz)))


def _read_games(bits: BitReader, slot: int) -> Games:
    version, size = bits.take(8), bits.take(6)
    expect(size <= GAMES_BYTES_MAX, f"{size} bytes of a game's state; there are at most {GAMES_BYTES_MAX}")
    return Games(slot, version, bits.take(8 * size).to_bytes(size, "little"))


def _check_slots(present: int, exceptions: tuple[SlotException, ...]) -> None:
    """Of a slot it says once who is in it or where, and once what the game says, of who is in it then."""
    told = {slot for slot in range(SLOTS_MAX) if present >> slot & 1}
    emptied, games = set(), set()
    for one in exceptions:
        slot = one.slot
        if isinstance(one, Games):
            expect(slot not in emptied, f"a game's state of nobody, in slot {slot}")
            expect(slot not in games, f"two states of the game's, of slot {slot}")
            games.add(slot)
            continue
        expect(slot not in told, f"slot {slot} twice")
        expect(isinstance(one, Older) or slot not in games, f"who is in slot {slot}, behind his state")
        told.add(slot)
        if isinstance(one, Empty):
            emptied.add(slot)


def _read_strip(bits: BitReader) -> Strip:
    cell_x, cell_y, count = (bits.take(width) for width in (16, 16, 8))
    glimpses = tuple(
        Glimpse(bits.take(NUMBER_BITS), bits.take(_GLIMPSE_POSITION_BITS), bits.take(_GLIMPSE_POSITION_BITS))
        for _ in range(count)
    )
    bits.align()
    return Strip(cell_x, cell_y, glimpses)


# ---------------------------------------------------------------- to bytes


def encode(state: WorldState) -> bytes:
    """The body that says it.

    Raises:
        NoRecordError: a difference has no shape.
        WireError: no body says it.
    """
    bits = BitWriter()
    present = 0
    for slot, record in sorted(state.records, key=lambda one: one[0]):
        present |= 1 << slot
        write_record(bits, record)
    for one in state.exceptions:
        _write_exception(bits, one)
    bits.align()
    for strip in state.strips:
        _write_strip(bits, strip)
    head = _HEAD.pack(state.tick, state.epoch, state.base, present, len(state.exceptions), len(state.strips))
    body = head + bits.written()
    if decode(body) != state:
        raise WireError("a WORLD_STATE that cannot be told")
    return body


def _write_exception(bits: BitWriter, one: SlotException) -> None:
    bits.put(one.slot, _SLOT_BITS)
    match one:
        case Older():
            bits.put(Kind.OLDER, 2)
            bits.put(one.age, _AGE_BITS)
            write_record(bits, one.record)
        case Full():
            bits.put(Kind.FULL, 2)
            for number, width in _full_fields(one):
                bits.put(number, width)
        case Empty():
            bits.put(Kind.EMPTY, 2)
        case Games():
            bits.put(Kind.GAMES, 2)
            bits.put(one.version, 8)
            bits.put(len(one.data), 6)
            bits.put(int.from_bytes(one.data, "little"), 8 * len(one.data))


def _full_fields(one: Full) -> Iterator[tuple[int, int]]:
    yield one.number, NUMBER_BITS
    yield one.identity, 32
    yield one.sort, 2
    yield from ((value, POSITION_BITS) for value in one.place.position)
    yield from ((value, VELOCITY_BITS) for value in one.place.velocity)


def _write_strip(bits: BitWriter, strip: Strip) -> None:
    for number, width in ((strip.cell_x, 16), (strip.cell_y, 16), (len(strip.glimpses), 8)):
        bits.put(number, width)
    for one in strip.glimpses:
        bits.put(one.number, NUMBER_BITS)
        bits.put(one.x, _GLIMPSE_POSITION_BITS)
        bits.put(one.y, _GLIMPSE_POSITION_BITS)
    bits.align()
