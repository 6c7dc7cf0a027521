# SPDX-License-Identifier: BSD-3-Clause
"""Bodies of WORLD_STATE in Python: what is written is read, and what no gateway writes is refused."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyshim.protocol.session_wire import WireError
from pyshim.protocol.world import shapes
from pyshim.protocol.world.bits import BitReader, BitWriter
from pyshim.protocol.world.record import (
    NoRecordError,
    Place,
    Record,
    applied,
    difference,
    read_record,
    write_record,
)
from pyshim.protocol.world.state import (
    Empty,
    Full,
    Games,
    Glimpse,
    Older,
    Sort,
    Strip,
    WorldState,
    decode,
    encode,
)
from pyshim.velocities import velocity_parts
from tests.world.refused import HEAD, REFUSED, of_bits
from tests.world.strategies import ages, places, records, states

FULL = Full(3, 0xABCDE, 0xDEADBEEF, Sort.OTHER, Place((1, 2, (1 << 21) - 1), (-1, -32768, 32767)))


def written(record: Record) -> bytes:
    bits = BitWriter()
    write_record(bits, record)
    return bits.written()


# ---------------------------------------------------------------- the code of the shapes


def test_codes_are_those_of_the_example_in_rfc_1951() -> None:
    found = shapes.canonical([3, 3, 3, 3, 3, 2, 4, 4])  # section 3.2.2, A to H
    said = ["010", "011", "100", "101", "110", "00", "1110", "1111"]
    assert [f"{found[shape].bits:0{found[shape].length}b}"[::-1] for shape in range(8)] == said


def test_no_code_begins_with_another() -> None:
    codes = sorted(f"{code.bits:0{code.length}b}"[::-1] for code in shapes.CODES.values())
    assert not any(after.startswith(before) for before, after in pairwise(codes))


def test_shapes_are_those_of_the_list() -> None:
    assert len(shapes.VELOCITY_WIDTHS) == len(shapes.POSITION_WIDTHS) == 4
    assert shapes.VELOCITY_WIDTHS[0] == shapes.POSITION_WIDTHS[0] == 0
    ground, height = shapes.VELOCITY_WIDTHS[1], shapes.VELOCITY_WIDTHS[2]
    along, up = shapes.POSITION_WIDTHS[3], shapes.POSITION_WIDTHS[0]
    assert shapes.widths(1 | 2 << 2 | 3 << 4) == (ground, ground, height, along, along, up)
    assert 0 not in shapes.CODES


# ---------------------------------------------------------------- records


@given(records())
def test_a_record_is_read_as_it_was_written(record: Record) -> None:
    data = written(record)
    assert len(data) <= 8
    assert read_record(BitReader(data)) == record


@given(places, places, ages, st.sampled_from((8, 4, 2, 1)))
def test_who_is_told_against_any_frame_is_where_he_is(base: Place, now: Place, age: int, parts: int) -> None:
    assert applied(base, difference(base, now, age, parts), age, parts) == now


@pytest.mark.parametrize("tick_hz", range(5, 129))
def test_who_turns_around_has_a_record_however_long_ticks_are(tick_hz: int) -> None:
    """At 6 m/s, in quanta of a centimetre."""
    speed = 600 * velocity_parts(tick_hz) // tick_hz
    base, now = (Place((5000, 0, 0), (way * speed, 0, 0)) for way in (1, -1))
    assert written(difference(base, now, 1, velocity_parts(tick_hz)))


@given(places, ages, records())
def test_what_a_record_tells_has_that_record(base: Place, age: int, record: Record) -> None:
    assert difference(base, applied(base, record, age), age) == record


def test_who_goes_on_as_predicted_costs_a_bit() -> None:
    base = Place((1000, 1000, 1000), (80, -80, 8))
    after = Place((1000 + 310, 1000 - 310, 1000 + 31), base.velocity)
    assert difference(base, after, 31) == Record()
    assert written(Record()) == b"\0"


@pytest.mark.parametrize(
    ("before", "now", "age", "moved"),
    [(1, 0, 1, 0), (0, 8, 1, 1), (7, 0, 1, 0), (-8, 0, 1, 0), (-9, 0, 1, -1), (-1, 0, 8, 0), (-1, 0, 9, -1)],
)
def test_halves_are_rounded_towards_more_and_what_is_negative_is_floored(
    before: int, now: int, age: int, moved: int
) -> None:
    base = Place((100, 100, 100), (before, 0, 0))
    there = applied(base, Record((now - before, 0, 0)), age)
    assert there.position == (100 + moved, 100, 100)


def test_a_difference_that_no_shape_has_room_for_has_no_record() -> None:
    with pytest.raises(NoRecordError):
        written(Record((1 << 20, 0, 0)))


# ---------------------------------------------------------------- bodies


@given(states())
def test_a_body_is_read_as_it_was_written(state: WorldState) -> None:
    assert decode(encode(state)) == state


@given(states())
def test_a_body_that_is_cut_off_is_refused(state: WorldState) -> None:
    body = encode(state)
    for size in range(len(body)):
        with pytest.raises(WireError):
            decode(body[:size])


@given(states())
def test_a_body_with_more_behind_it_is_refused(state: WorldState) -> None:
    with pytest.raises(WireError, match="1 bytes behind a WORLD_STATE"):
        decode(encode(state) + b"\0")


@given(states(), st.data())
@settings(max_examples=200)
def test_a_body_with_another_bit_is_read_or_refused(state: WorldState, data: st.DataObject) -> None:
    body = bytearray(encode(state))
    for at in data.draw(st.lists(st.integers(0, 8 * len(body) - 1), min_size=1, max_size=4)):
        body[at // 8] ^= 1 << at % 8
    try:
        found = decode(bytes(body))
    except WireError:
        return
    assert decode(encode(found)) == found


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        found = decode(body)
    except WireError:
        return
    assert decode(encode(found)) == found


def test_a_body_lies_as_the_document_says() -> None:
    state = WorldState(
        0x1234,
        5,
        2,
        ((0, Record()), (31, Record())),
        (Empty(7), Games(0, 9, b"\xff")),
        (Strip(0x0102, 0x0304, (Glimpse(0xFFFFF, 1, 0x80),)),),
    )
    bits = 0b00 | 7 << 2 | 2 << 7 | 0 << 9 | 3 << 14 | 9 << 16 | 1 << 24 | 0xFF << 30
    tail = (0xFFFFF | 1 << 20 | 0x80 << 28).to_bytes(5, "little")
    expected = (
        HEAD.pack(0x1234, 5, 2, 0x80000001, 2, 1) + bits.to_bytes(5, "little") + b"\x02\x01\x04\x03\x01"
    )
    assert encode(state) == expected + tail


def test_a_full_state_lies_as_the_document_says() -> None:
    body = encode(WorldState(0, 0, 0, (), (FULL,)))
    bits = int.from_bytes(body[10:], "little")
    fields = [(5, 3), (2, 1), (20, 0xABCDE), (32, 0xDEADBEEF), (2, 1), (21, 1), (21, 2), (21, (1 << 21) - 1)]
    for width, value in [*fields, (16, 0xFFFF), (16, 0x8000), (16, 0x7FFF)]:
        assert bits & (1 << width) - 1 == value
        bits >>= width
    assert bits == 0
    assert len(body) == 10 + (172 + 7) // 8


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED.keys())
def test_what_no_gateway_says_is_refused(body: bytes) -> None:
    with pytest.raises(WireError):
        decode(body)


def test_a_shape_without_a_code_is_refused() -> None:
    taken = sum(2 ** (shapes.LONGEST_CODE - code.length) for code in shapes.CODES.values())
    if taken == 2**shapes.LONGEST_CODE:
        pytest.skip("every row of bits begins with a code")
    for bits in range(2**shapes.LONGEST_CODE):
        if not any(bits & (1 << code.length) - 1 == code.bits for code in shapes.CODES.values()):
            with pytest.raises(WireError):
                decode(of_bits((1, 1), (bits, shapes.LONGEST_CODE), (0, 57), base=1, present=1))
            return


def test_padding_between_strips_that_is_not_zeros_is_refused() -> None:
    body = encode(WorldState(0, 0, 0, strips=(Strip(0, 0, (Glimpse(0, 0, 0),)), Strip(0, 0, ()))))
    assert decode(body).strips[1] == Strip(0, 0, ())
    broken = bytearray(body)
    broken[19] |= 0x10
    with pytest.raises(WireError, match="padding"):
        decode(bytes(broken))


def test_what_cannot_be_told_is_not_encoded() -> None:
    with pytest.raises(WireError):
        encode(WorldState(0, 0, 1, ((3, Record()),), (replace(FULL, slot=3),)))
    with pytest.raises(WireError):
        encode(WorldState(0, 0, 0, (), (Older(1, 0, Record()),)))
