# SPDX-License-Identifier: BSD-3-Clause
"""The test vectors of WORLD_STATE: what is written, and what both readers make of them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from pyshim.protocol.session_wire import WireError
from pyshim.protocol.world.record import Place, Record, applied
from pyshim.protocol.world.state import decode, encode
from pyshim.protocol.world.view import WorldView
from pyshim.velocities import velocity_parts
from tests.world.c_view import CView, Reader, by_slot
from tests.world.make_vectors import OUT, flat, meaning, render
from tests.world.model import WORLD

VECTORS: dict[str, Any] = json.loads(OUT.read_text())


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    return Reader(tmp_path_factory.mktemp("world"))


def named(vector: dict[str, Any]) -> str:
    return str(vector["name"])


def place(values: list[int]) -> Place:
    x, y, z, vx, vy, vz = values
    return Place((x, y, z), (vx, vy, vz))


def test_vectors_are_what_the_generator_writes() -> None:
    assert OUT.read_text() == render(), "run python -m tests.world.make_vectors"


def test_codes_are_those_of_the_vectors(reader: Reader) -> None:
    """Of shapes, seen in what stands behind the code: six differences of 0."""
    for one in VECTORS["code"]:
        bits = "1" + one["code"]
        body = bytearray(b"\0\0\0\1\1" + bytes(5) + bytes(8))
        for at, bit in enumerate(bits):
            body[10 + at // 8] |= int(bit) << at % 8
        read = [reader.decode(bytes(body[: 10 + size])) is not None for size in range(1, 9)]
        assert sum(read) == 1  # of exactly one length
        assert decode(bytes(body[: 11 + read.index(True)])).records == ((0, Record()),)


@pytest.mark.parametrize(
    "vector", VECTORS["prediction"], ids=lambda one: f"{one['tick_hz']}-{one['base'][3:]}"
)
def test_predictions_are_rounded_as_in_the_vectors(reader: Reader, vector: dict[str, Any]) -> None:
    record = Record(tuple(vector["velocity"]), tuple(vector["position"]))
    parts = velocity_parts(vector["tick_hz"])
    assert flat(applied(place(vector["base"]), record, vector["age"], parts)) == vector["place"]
    base = [vector["base"][:3], vector["base"][3:]]
    spot = reader.ffi.new("struct world_spot *")
    difference = [vector["velocity"], vector["position"]]
    made = (
        reader.ffi.new("struct world_spot *", base),
        reader.ffi.new("struct world_difference *", difference),
    )
    possible = reader.lib.world_spot_apply(*made, vector["age"], vector["tick_hz"], spot)
    assert [*spot.position, *spot.velocity] == vector["place"]
    assert possible == place(vector["place"]).is_possible


@pytest.mark.parametrize("vector", VECTORS["bodies"], ids=named)
def test_bodies_mean_what_the_vectors_say(reader: Reader, vector: dict[str, Any]) -> None:
    body = bytes.fromhex(vector["body"])
    state = decode(body)
    assert json.loads(json.dumps(meaning(state))) == vector["state"]
    assert encode(state) == body
    assert reader.decode(body) == by_slot(state)


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=named)
def test_what_no_gateway_sends_is_refused(reader: Reader, vector: dict[str, Any]) -> None:
    body = bytes.fromhex(vector["body"])
    with pytest.raises(WireError):
        decode(body)
    assert reader.decode(body) is None


@pytest.mark.parametrize("row", VECTORS["rows"], ids=named)
def test_both_tables_have_in_sight_what_the_vectors_say(reader: Reader, row: dict[str, Any]) -> None:
    ours, theirs = WorldView(), CView(reader)
    for view in (ours, theirs):
        assert (
            view.begin(replace(WORLD, epoch=row["epoch"], tick=row["tick"], tick_hz=row["tick_hz"]), 0) == []
        )
    for datagram, step in enumerate(row["steps"], 1):
        body = bytes.fromhex(step["body"])
        ours.apply(decode(body), datagram, datagram / 60)
        theirs.apply(body, datagram, datagram / 60)
        seen = {entity.slot: entity.number for entity in ours.entities()}
        assert seen == {one["slot"]: one["number"] for one in step["places"]}
        for one in step["places"]:
            told = place(one["place"]) if one["place"] else None
            assert ours._slots[one["slot"]].history.get(step["tick"]) == told
            assert theirs.place(one["slot"], step["tick"]) == told
        for name in ("decoded", "undecodable", "late"):
            assert getattr(ours.counts, name) == theirs.count(name) == step[name]
