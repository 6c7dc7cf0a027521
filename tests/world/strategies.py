# SPDX-License-Identifier: BSD-3-Clause
"""Frames, records and bodies of WORLD_STATE, drawn."""

from __future__ import annotations

from hypothesis import strategies as st

from pyshim.protocol.world.record import Place, Record
from pyshim.protocol.world.shapes import (
    AGES,
    CODES,
    GAMES_BYTES_MAX,
    NUMBER_BITS,
    POSITION_BITS,
    SLOTS_MAX,
    VELOCITY_BITS,
    widths,
)
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
)


def unsigned(bits: int) -> st.SearchStrategy[int]:
    return st.integers(0, (1 << bits) - 1)


positions = st.tuples(*[unsigned(POSITION_BITS)] * 3)
velocities = st.tuples(
    *[st.integers(-(1 << VELOCITY_BITS - 1), (1 << VELOCITY_BITS - 1) - 1)] * 3
) | st.tuples(*[st.integers(-100, 100)] * 3)
places = st.builds(Place, positions, velocities)
ages = st.integers(1, AGES - 1)
slots = st.integers(0, SLOTS_MAX - 1)


@st.composite
def records(draw: st.DrawFn) -> Record:
    """One that some shape has room for; also a record of zeros."""
    if draw(st.booleans()):
        return Record()
    shape = draw(st.sampled_from(sorted(CODES)))
    values = [_signed(draw(unsigned(width))) if width else 0 for width in widths(shape)]
    vx, vy, vz, x, y, z = values
    return Record((vx, vy, vz), (x, y, z))


def _signed(zigzag: int) -> int:
    return zigzag // 2 if zigzag % 2 == 0 else -(zigzag + 1) // 2


def exceptions_of(slot: int) -> st.SearchStrategy[SlotException]:
    here = st.just(slot)
    return st.one_of(
        st.builds(Older, here, ages, records()),
        st.builds(Full, here, unsigned(NUMBER_BITS), unsigned(32), st.sampled_from(Sort), places),
        st.builds(Empty, here),
    )


def games(slot: int) -> st.SearchStrategy[Games]:
    return st.builds(Games, st.just(slot), unsigned(8), st.binary(max_size=GAMES_BYTES_MAX))


strips = st.builds(
    Strip,
    unsigned(16),
    unsigned(16),
    st.lists(st.builds(Glimpse, unsigned(NUMBER_BITS), unsigned(8), unsigned(8)), max_size=6).map(tuple),
)


@st.composite
def states(draw: st.DrawFn) -> WorldState:
    """Any body that a gateway can send."""
    base = draw(ages | st.just(0))
    present = draw(st.sets(slots)) if base else set()
    said: list[SlotException] = []
    for slot in draw(st.lists(slots, unique=True, max_size=8)):
        if slot not in present:
            said.append(draw(exceptions_of(slot)))
        if not (said and said[-1] == Empty(slot)) and draw(st.booleans()):
            said.append(draw(games(slot)))
    return WorldState(
        draw(unsigned(16)),
        draw(unsigned(8)),
        base,
        tuple((slot, draw(records())) for slot in sorted(present)),
        tuple(said),
        tuple(draw(st.lists(strips, max_size=3))),
    )
