# SPDX-License-Identifier: BSD-3-Clause
"""Messages whose time comes later, in pieces or compressed: no more is kept or delivered than may be."""

from __future__ import annotations

import struct
import zlib

import pytest
from scapy.packet import Packet

from pyshim.protocol import session as layers
from pyshim.protocol.session import Message
from pyshim.protocol.session_wire import PIECE_BYTES, Kind, MessageType
from tests.session.raw_player import MOVED, RawPlayer, is_alive
from tests.session.vector_messages import CHAT, SKILL, message


def piece(index: int, count: int, body: bytes, number: int, **fields: int) -> Message:
    fields = {"reliable": 1, "is_fragment": 1, "channel": 2, **fields}
    whole = body if index + 1 == count else body.ljust(PIECE_BYTES, b"\0")
    fragment = layers.Fragment(index=index, count=count, piece=whole)
    return message(MessageType.BULK, fragment, id=number, **fields)


@pytest.mark.parametrize(
    "pieces",
    [
        [piece(1, 2, b"x", 0)],
        [piece(0, 3, bytes(8), 0), piece(2, 3, b"x", 1)],
        [piece(0, 3, bytes(8), 0), piece(1, 4, b"x", 1)],
        [piece(0, 3, bytes(8), 0), piece(0, 3, b"x", 1)],
        [piece(0, 2, bytes(8), 0), piece(1, 2, b"x", 1, compressed=1)],
        [piece(0, 2, bytes(8), 0), message(MessageType.SKILL, SKILL, reliable=1, channel=2, id=1)],
        [piece(0, 2, bytes(8), 0), piece(1, 2, b"x", 1, priority=1)],
    ],
    ids=[
        "begins in the middle",
        "left out",
        "count changed",
        "doubled",
        "compression changed",
        "something between",
        "priority changed",
    ],
)
def test_pieces_that_do_not_follow_end_the_connection(pieces: list[Message], player: RawPlayer) -> None:
    for one in pieces[:-1]:
        assert player.drop(player.data(one)) is None
    player.send(player.data(pieces[-1]))
    closes = [body for body in player.said() if isinstance(body, layers.Close)]
    assert [close.reason for close in closes] == [7]
    assert player.gateway.stats().closed["protocol"] == 1
    assert player.send(player.data(MOVED))[1][:1] == bytes(
        [Kind.RESET]
    )  # the CLOSE waits for its tenth of a second


@pytest.mark.parametrize(
    "pieces",
    [
        [piece(0, 2, b"\1", 0, compressed=1), piece(1, 2, b"\0", 1, compressed=1)],
        [piece(0, 2, struct.pack("<I", 9), 0, compressed=1), piece(1, 2, b"no zlib", 1, compressed=1)],
    ],
    ids=["of no length", "not to be expanded"],
)
def test_what_is_joined_and_not_understood_is_skipped(pieces: list[Message], player: RawPlayer) -> None:
    for one in pieces:
        assert player.drop(player.data(one)) is None
    assert player.gateway.stats().messages.skipped == 1
    assert player.gateway.stats().messages.memory_used == 0
    assert is_alive(player)


@pytest.mark.parametrize(
    ("index", "count", "length"),
    [(0, 145, PIECE_BYTES), (143, 144, 43), (0, 2, PIECE_BYTES - 1), (0, 2, PIECE_BYTES + 1), (1, 2, 0)],
)
def test_a_piece_that_cannot_be_ends_the_connection(
    stranger: RawPlayer, index: int, count: int, length: int
) -> None:
    stranger.max_datagram = 1400
    stranger.connect()
    fragment = layers.Fragment(index=index, count=count, piece=bytes(length))
    one = message(MessageType.BULK, fragment, id=0, reliable=1, is_fragment=1, channel=2)
    stranger.send(stranger.data(one))
    assert stranger.gateway.stats().closed["protocol"] == 1
    assert stranger.gateway.stats().messages.memory_used == 0


def test_pieces_that_never_end_are_bounded_and_given_back(stranger: RawPlayer) -> None:
    stranger.max_datagram = 1400
    stranger.connect()
    for number in range(1, 200):  # the first is missing for ever
        stranger.send(stranger.data(piece(number % 40, 40, bytes(8), number), at_once=False))
    assert stranger.gateway.stats().messages.memory_used <= 2 * 256 * 1024
    assert is_alive(stranger)
    stranger.gateway.expire(stranger.now + 100)
    assert stranger.gateway.stats().messages.memory_used == 0


@pytest.mark.parametrize("claimed", [1, 100, 1000, 65536, 65537, 0xFFFFFFFF])
def test_compressed_bomb_expands_to_no_more_than_it_says(claimed: int, stranger: RawPlayer) -> None:
    stranger.max_datagram = 1400
    stranger.connect()
    bomb = struct.pack("<I", claimed) + zlib.compress(bytes(1_000_000), 9)
    body = message(MessageType.BULK, bomb, compressed=1, reliable=1, channel=2)
    assert stranger.drop(stranger.data(body)) is None
    assert stranger.gateway.stats().messages.skipped == 1
    assert is_alive(stranger)


def test_datagram_above_the_longest_that_there_are_is_refused(player: RawPlayer) -> None:
    big = message(MessageType.BULK, layers.Bulk(target_id=7, data=bytes(1400)))
    assert player.drop(player.data(big)) is not None
    assert is_alive(player)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (MessageType.ATTACK, layers.Attack(target_id=0)),
        (MessageType.CHAT, layers.Chat(target_id=0, channel=0, text=b"hi")),
        (MessageType.SKILL, layers.Skill(skill_id=9, target_id=0)),
        (MessageType.BULK, layers.Bulk(target_id=0, data=b"whatever")),
    ],
    ids=["attack", "chat", "skill", "bulk"],
)
def test_what_everyone_near_should_get_is_taken_and_counted_as_lost(
    player: RawPlayer, kind: MessageType, body: Packet
) -> None:
    assert player.drop(player.data(message(kind, body), at_once=False)) is None
    said = player.gateway.stats().messages
    assert said.received[kind.name.lower()] == 1
    assert {reason: count for reason, count in said.lost.items() if count} == {"no_receiver": 1}


def test_a_player_gets_what_is_addressed_to_that_player(player: RawPlayer) -> None:
    assert player.drop(player.data(message(MessageType.CHAT, CHAT, priority=1), at_once=False)) is None
    player.now += 0.1
    (event,) = [body for body in player.said() if isinstance(body, Message)]
    assert event[layers.ChatEvent].sender_id == 7
    assert event[layers.ChatEvent].text == CHAT.text
