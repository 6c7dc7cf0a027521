# SPDX-License-Identifier: BSD-3-Clause
"""Packets that the document does not allow, to the C core: none changes anything, each is counted."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest

from pyshim.protocol import session as layers
from pyshim.protocol.session import Session
from pyshim.protocol.session_wire import Kind, MessageType
from tests.session.core_gateway import CoreGateway
from tests.session.make_vectors import OUT
from tests.session.raw_player import MOVED, RawPlayer, is_alive
from tests.session.vector_messages import SKILL, message

DATA_VECTORS = json.loads(OUT.read_text())["data"]


def handled(gateway: CoreGateway) -> int:
    return sum(gateway.stats().handled.values())


# ---------------------------------------------------------------- vectors


@pytest.mark.parametrize("vector", DATA_VECTORS, ids=lambda vector: vector["name"])
def test_opened_data_meets_the_fate_that_the_vectors_say(vector: dict[str, Any], stranger: RawPlayer) -> None:
    stranger.max_datagram = 1400
    stranger.connect()
    stranger.send(stranger.quick(bytes.fromhex(vector["secret"])))
    stats = stranger.gateway.stats()
    fate = "taken"
    if stats.closed["protocol"]:
        fate = "closes"
    elif any(stats.messages.refused.values()):
        fate = "refused"
    elif stats.messages.skipped:
        fate = "skipped"
    assert fate == vector["fate"]
    assert fate == "closes" or is_alive(stranger)


def test_what_is_wrong_leaves_the_others_of_its_datagram_alone(player: RawPlayer) -> None:
    wrong = struct.pack("<BBH", MessageType.MOVE, 0, 1) + b"\0"
    skill = message(MessageType.SKILL, SKILL, reliable=1, id=0)
    assert player.drop(player.data(wrong, skill, at_once=False)) is None
    assert player.gateway.stats().messages.received["skill"] == 1
    assert player.gateway.stats().messages.skipped == 1


# ---------------------------------------------------------------- headers and lengths


@pytest.mark.parametrize("by", [-1, 1, -20, 65535])
@pytest.mark.parametrize("kind", ["hello", "confirm", "data"])
def test_length_that_is_not_the_datagrams_is_refused(kind: str, by: int, player: RawPlayer) -> None:
    right = {"hello": player.hello(), "confirm": player.confirm(), "data": player.data(MOVED)}[kind]
    wrong = right[:2] + struct.pack("<H", (len(right) + by) & 0xFFFF) + right[4:]
    assert player.drop(wrong) == "session_header"
    assert is_alive(player)


@pytest.mark.parametrize("kind", ["hello", "confirm", "data", "close", "path response"])
def test_datagram_cut_anywhere_or_padded_is_refused(kind: str, player: RawPlayer) -> None:
    whole = {
        "hello": player.hello(),
        "confirm": player.confirm(),
        "data": player.data(MOVED),
        "close": player.sealed(Kind.CLOSE, layers.Close(reason=1)),
        "path response": player.sealed(Kind.PATH_RESPONSE, layers.Path()),
    }[kind]
    before = handled(player.gateway)
    for size in [*range(len(whole)), len(whole) + 1, len(whole) + 16, 1400, 1401, 1472, 1473]:
        cut = (whole + bytes(2000))[:size]
        if size == len(whole):
            continue
        assert player.drop(cut), size
        if size >= 4:  # the same, and the length says so
            assert player.drop(cut[:2] + struct.pack("<H", size) + cut[4:]), size
    assert handled(player.gateway) == before
    assert is_alive(player)


@pytest.mark.parametrize("kind", ["hello", "confirm", "data", "close", "path response"])
def test_every_flipped_bit_is_noticed(kind: str, player: RawPlayer) -> None:
    whole = {
        "hello": player.hello(),
        "confirm": player.confirm(),
        "data": player.data(MOVED),
        "close": player.sealed(Kind.CLOSE, layers.Close(reason=1)),
        "path response": player.sealed(Kind.PATH_RESPONSE, layers.Path()),
    }[kind]
    before = handled(player.gateway)
    # Another version is denied; so is a HELLO of another session, and its nonce may be any.
    free = {"hello": {*range(4, 8), 12, 13, *range(16, 32)}, "confirm": {12, 13}}.get(kind, set())
    for at in set(range(len(whole))) - free:
        for bit in range(8):
            flipped = bytearray(whole)
            flipped[at] ^= 1 << bit
            assert player.drop(bytes(flipped)), (at, bit)
    assert handled(player.gateway) == before
    assert is_alive(player)


@pytest.mark.parametrize("fields", [{"flags": 1}, {"counter": 1}, {"counter": 1 << 31}])
@pytest.mark.parametrize("kind", ["hello", "confirm"])
def test_greeting_with_a_field_that_must_be_0_is_refused(
    kind: str, fields: dict[str, int], stranger: RawPlayer
) -> None:
    stranger.challenge()
    build = {"hello": stranger.hello, "confirm": stranger.confirm}[kind]
    assert stranger.drop(build(fields)) == "session_header"


@pytest.mark.parametrize("flags", [2, 3, 4, 128, 255])
def test_unknown_flags_are_refused_even_if_sealed(flags: int, player: RawPlayer) -> None:
    assert player.drop(player.data(MOVED, flags=flags)) == "session_header"
    assert is_alive(player)


# ---------------------------------------------------------------- kinds in every state


FROM_THE_GATEWAY = (Kind.CHALLENGE, Kind.WELCOME, Kind.PATH_CHALLENGE, Kind.DENIED, Kind.RESET)
NO_KINDS = (0, 12, 127, 255)


@pytest.mark.parametrize("kind", [*FROM_THE_GATEWAY, *NO_KINDS])
@pytest.mark.parametrize("size", [12, 28, 36, 48, 52, 508])
def test_kind_that_no_client_sends_is_dropped_in_every_state(
    kind: int, size: int, stranger: RawPlayer
) -> None:
    datagram = bytes(Session(kind=kind, session=stranger.ticket.session, length=size)) + bytes(size - 12)
    assert stranger.drop(datagram) in ("session_header", "session_state")
    stranger.connect()
    assert stranger.drop(datagram) in ("session_header", "session_state")
    assert is_alive(stranger)


@pytest.mark.parametrize("kind", [Kind.DATA, Kind.CLOSE, Kind.PATH_RESPONSE, Kind.PROBE])
def test_sealed_kind_is_dropped_before_a_connection_and_after_it(kind: Kind, stranger: RawPlayer) -> None:
    size = {Kind.DATA: 60, Kind.CLOSE: 36, Kind.PATH_RESPONSE: 36, Kind.PROBE: 60}[kind]
    head = Session(kind=int(kind), session=stranger.ticket.session, length=size, counter=1)
    datagram = bytes(head) + bytes(size - 12)
    assert stranger.drop(datagram) == "session_state"
    stranger.challenge()
    assert stranger.drop(datagram) == "session_state"
    stranger.connect()
    assert stranger.drop(stranger.sealed(Kind.CLOSE, layers.Close(reason=1))) is None
    drop, answer = stranger.send(stranger.sealed(kind, bytes(size - 28)))
    if size >= 40:
        assert answer[:1] == bytes([Kind.RESET])
    else:
        assert (drop, answer) == ("session_state", b"")


def test_kind_cannot_be_exchanged_for_another_sealed_one(player: RawPlayer) -> None:
    data = player.data(struct.pack("<BBH", 4, 0, 0))
    assert player.drop(bytes([Kind.PROBE]) + data[1:]) == "bad_tag"
    assert player.drop(data) is None
    response = player.sealed(Kind.PATH_RESPONSE, bytes([1]) + bytes(7))
    assert player.drop(bytes([Kind.CLOSE]) + response[1:]) == "bad_tag"


@pytest.mark.parametrize(
    ("kind", "secret"),
    [
        (Kind.CLOSE, b""),
        (Kind.CLOSE, b"\x01" + bytes(6)),
        (Kind.CLOSE, b"\x01" + bytes(8)),
        (Kind.CLOSE, bytes(8)),
        (Kind.CLOSE, b"\x01" + bytes(6) + b"\x01"),
        (Kind.PATH_RESPONSE, bytes(7)),
        (Kind.PATH_RESPONSE, bytes(9)),
        (Kind.PATH_RESPONSE, bytes(8)),
    ],
)
def test_control_datagram_with_a_wrong_body_is_dropped(kind: Kind, secret: bytes, player: RawPlayer) -> None:
    assert player.drop(player.sealed(kind, secret))
    assert is_alive(player)
