# SPDX-License-Identifier: BSD-3-Clause
"""What is told of an entity against an older frame: how far it is from where it would have gone on.

All of it is whole numbers, so that both ends compute the same, to the bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pyshim.protocol.session_wire import WireError
from pyshim.protocol.world.bits import BitReader, BitWriter
from pyshim.protocol.world.shapes import (
    AGES,
    CODES,
    LONGEST_CODE,
    POSITION_BITS,
    SHAPE_OF,
    VELOCITY_BITS,
    Code,
    widths,
)
from pyshim.velocities import FINEST

Triple = tuple[int, int, int]

_FASTEST: Final = 1 << VELOCITY_BITS - 1


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody is in a frame, and how fast."""

    position: Triple  # quanta above the world's lowest corner
    velocity: Triple  # parts of a quantum per tick: FINEST of them, or fewer in worlds with long ticks

    @property
    def is_possible(self) -> bool:
        """Whether the gateway can have it in a frame."""
        return all(0 <= one < 1 << POSITION_BITS for one in self.position) and all(
            -_FASTEST <= one < _FASTEST for one in self.velocity
        )


@dataclass(frozen=True, slots=True)
class Record:
    """The difference to what was predicted."""

    velocity: Triple = (0, 0, 0)
    position: Triple = (0, 0, 0)


class NoRecordError(ValueError):
    """The difference does not fit: somebody is told in full instead."""


def _triple(values: Sequence[int]) -> Triple:
    x, y, z = values
    return x, y, z


def _predicted(base: Place, velocity: Triple, age: int, parts: int) -> Triple:
    """Where who was at `base` is after `age` ticks, with the mean of both velocities."""
    return _triple(
        [
            at + ((before + now) * age + parts) // (2 * parts)  # floor
            for at, before, now in zip(base.position, base.velocity, velocity, strict=True)
        ]
    )


def difference(base: Place, now: Place, age: int, parts: int = FINEST) -> Record:
    """The record of who is at `now`, `age` ticks after `base`; `parts`: as velocity_parts() says it."""
    assert 0 < age < AGES
    predicted = _predicted(base, now.velocity, age, parts)
    return Record(
        _triple([to - of for to, of in zip(now.velocity, base.velocity, strict=True)]),
        _triple([to - of for to, of in zip(now.position, predicted, strict=True)]),
    )


def applied(base: Place, record: Record, age: int, parts: int = FINEST) -> Place:
    """The place that a record tells, which may not be possible; `parts`: as velocity_parts() says it."""
    velocity = _triple([of + by for of, by in zip(base.velocity, record.velocity, strict=True)])
    predicted = _predicted(base, velocity, age, parts)
    return Place(_triple([of + by for of, by in zip(predicted, record.position, strict=True)]), velocity)


# ---------------------------------------------------------------- bits


def _zigzag(number: int) -> int:
    return number << 1 if number >= 0 else (-number << 1) - 1


def _unzigzag(number: int) -> int:
    return number >> 1 ^ -(number & 1)


def read_record(bits: BitReader) -> Record:
    """The next record.

    Raises:
        WireError: it is cut off, or begins with no shape's code.
    """
    if not bits.take(1):
        return Record()
    shape = _read_shape(bits)
    values = [_unzigzag(bits.take(width)) for width in widths(shape)]
    return Record(_triple(values[:3]), _triple(values[3:]))


def _read_shape(bits: BitReader) -> int:
    code = 0
    for length in range(1, LONGEST_CODE + 1):
        code |= bits.take(1) << length - 1
        shape = SHAPE_OF.get(Code(code, length))
        if shape is not None:
            return shape
    raise WireError("a record with a shape that no record has")


def write_record(bits: BitWriter, record: Record) -> None:
    """Write it in the fewest bits that its shapes allow.

    Raises:
        NoRecordError: no shape takes it.
    """
    values = [_zigzag(number) for number in (*record.velocity, *record.position)]
    bits.put(any(values), 1)
    if any(values):
        _write_shaped(bits, values, _shape_for(values))


def _shape_for(values: Sequence[int]) -> int:
    fitting = [
        (code.length + sum(widths(shape)), shape)
        for shape, code in CODES.items()
        if all(value >> width == 0 for value, width in zip(values, widths(shape), strict=True))
    ]
    if not fitting:
        raise NoRecordError("a difference that no record has room for")
    return min(fitting)[1]


def _write_shaped(bits: BitWriter, values: Sequence[int], shape: int) -> None:
    code = CODES[shape]
    bits.put(code.bits, code.length)
    for value, width in zip(values, widths(shape), strict=True):
        bits.put(value, width)
