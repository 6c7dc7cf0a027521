# SPDX-License-Identifier: BSD-3-Clause
"""The numbers of `wire/world.h`, and the prefix code of the shapes in `wire/world_shapes.def`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pyshim.definitions import definitions

_HEADER = re.sub(r"\\\n", " ", definitions("wire/world.h"))


def _number(name: str) -> int:
    found = re.search(rf"^#define WORLD_{name} (\d+)\b", _HEADER, re.MULTILINE)
    assert found is not None, name
    return int(found[1])


def _numbers(name: str) -> tuple[int, ...]:
    found = re.search(rf"^#define WORLD_{name}\s*\{{([\d\s,]+)\}}", _HEADER, re.MULTILINE)
    assert found is not None, name
    return tuple(int(number) for number in re.findall(r"\d+", found[1]))


SLOTS_MAX: Final = _number("SLOTS_MAX")
AGES: Final = _number("AGES")
NUMBER_BITS: Final = _number("NUMBER_BITS")
POSITION_BITS: Final = _number("POSITION_BITS")
VELOCITY_BITS: Final = _number("VELOCITY_BITS")
RECORD_BITS: Final = _number("RECORD_BITS")
GLIMPSE_BITS: Final = _number("GLIMPSE_BITS")
GAMES_BYTES_MAX: Final = _number("STATE_BYTES_MAX")
SHAPES: Final = _number("SHAPES")
VELOCITY_WIDTHS: Final = _numbers("WIDTHS_VELOCITY")
POSITION_WIDTHS: Final = _numbers("WIDTHS_POSITION")


@dataclass(frozen=True, slots=True)
class Code:
    """How a shape is written: its first bit is the lowest of `bits`."""

    bits: int
    length: int


def canonical(lengths: Sequence[int]) -> Mapping[int, Code]:
    """The code of each shape by how long it is, as RFC 1951 3.2.2 deals them out; 0: it has none."""
    found = {}
    following = length = 0
    for shape in sorted((one for one in range(len(lengths)) if lengths[one]), key=lambda one: lengths[one]):
        following <<= lengths[shape] - length
        length = lengths[shape]
        found[shape] = Code(int(f"{following:0{length}b}"[::-1], 2), length)
        following += 1
    assert following <= 1 << length, "wire/world_shapes.def: more codes than there are"
    return found


def widths(shape: int) -> tuple[int, int, int, int, int, int]:
    """Bits of each value of a record: velocity x, y, z, then position x, y, z."""
    ground, height = VELOCITY_WIDTHS[shape & 3], VELOCITY_WIDTHS[shape >> 2 & 3]
    along, up = POSITION_WIDTHS[shape >> 4 & 3], POSITION_WIDTHS[shape >> 6 & 3]
    return ground, ground, height, along, along, up


def _lengths() -> tuple[int, ...]:
    text = re.sub(r"//.*", "", definitions("wire/world_shapes.def"))
    found = tuple(int(length) for length in re.findall(r"\d+", text))
    assert len(found) == SHAPES, f"wire/world_shapes.def: {len(found)} lengths"
    return found


def _usable() -> dict[int, Code]:
    """Those of shapes that a record can have: not the one of zeros, and none that makes it too long."""
    return {
        shape: code
        for shape, code in canonical(_lengths()).items()
        if shape and 1 + code.length + sum(widths(shape)) <= RECORD_BITS
    }


CODES: Final[Mapping[int, Code]] = _usable()
SHAPE_OF: Final[Mapping[Code, int]] = {code: shape for shape, code in CODES.items()}
LONGEST_CODE: Final = max(code.length for code in CODES.values())
