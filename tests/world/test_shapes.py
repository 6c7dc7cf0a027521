# SPDX-License-Identifier: BSD-3-Clause
"""The code of shapes that is in the sources suits the records that it was made for."""

from __future__ import annotations

import numpy as np

from tests.world import train_shapes


def in_sources() -> list[int]:
    text = (train_shapes.WIRE / "world_shapes.def").read_text()
    rows = [line for line in text.splitlines() if not line.startswith("//")]
    return [int(one) for one in " ".join(rows).split(",") if one.strip()]


def test_every_shape_but_the_first_has_a_code_and_no_room_is_left() -> None:
    length = in_sources()
    assert len(length) == train_shapes.SHAPES
    assert length[0] == 0
    assert all(1 <= one <= train_shapes.LONGEST for one in length[1:])
    assert sum(2.0**-one for one in length[1:]) == 1.0


def test_codes_are_as_short_as_their_limit_allows() -> None:
    share = np.array([0.5, 0.25, 0.125, 0.125])
    assert train_shapes.lengths(share, 3) == [1, 2, 3, 3]
    assert train_shapes.lengths(share, 2) == [2, 2, 2, 2]


def test_a_record_has_a_tenth_of_a_byte_more_than_it_must() -> None:
    own = train_shapes.needed(train_shapes.TOWN, 100, 500, 7)
    velocity, position = train_shapes.VELOCITY, train_shapes.POSITION
    share = train_shapes.shapes(own, velocity, position)
    told = train_shapes.average(share, in_sources(), velocity, position)
    ideal = train_shapes.least_bits(own, velocity, position)
    assert ideal <= told < ideal + 0.8
    assert told / 8 < 2.0


def test_widths_are_those_of_the_header() -> None:
    header = (train_shapes.WIRE / "world.h").read_text()
    said = [
        tuple(int(n) for n in header.split(name)[1].split("{")[1].split("}")[0].replace("\\", "").split(","))
        for name in ("#define WORLD_WIDTHS_VELOCITY", "#define WORLD_WIDTHS_POSITION")
    ]
    assert said == [train_shapes.VELOCITY, train_shapes.POSITION]
