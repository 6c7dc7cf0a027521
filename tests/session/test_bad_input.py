# SPDX-License-Identifier: BSD-3-Clause
"""Packets that the document does not allow, to the C core: none changes anything, each is counted."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from pyshim.protocol import session as layers
from pyshim.protocol.session import Message, Session
from pyshim.protocol.session_crypto import confirm_proof
from pyshim.protocol.session_wire import Denial, Kind, MessageType, pack_messages
from pyshim.protocol.session_wire import Message as Wire
from tests.session.core_gateway import CoreGateway
from tests.session.make_vectors import CHAT, MOVE, OUT, SKILL, message
from tests.session.raw_player import RawPlayer

DATA_VECTORS = json.loads(OUT.read_text())["data"]
MOVED = message(MessageType.MOVE, MOVE)
WRAP = 1 << 32


@pytest.fixture
def gateway() -> Iterator[CoreGateway]:
    with CoreGateway() as it:
        yield it
        it.check_books()


@pytest.fixture
def stranger(gateway: CoreGateway) -> RawPlayer:
    """Has a ticket, and has said nothing."""
    return RawPlayer(gateway, gateway.issue(7))


@pytest.fixture
def player(stranger: RawPlayer) -> RawPlayer:
    stranger.connect()
    return stranger


def handled(gateway: CoreGateway) -> int:
    return sum(gateway.stats().handled.values())


def is_alive(player: RawPlayer) -> bool:
    """Whether the connection still takes a datagram and answers it."""
    drop, answer = player.send(player.data(message(MessageType.HEARTBEAT)))
    return drop is None and Session(answer).ack == player.sent % WRAP


# ---------------------------------------------------------------- vectors


@pytest.mark.parametrize("vector", DATA_VECTORS, ids=lambda vector: vector["name"])
def test_core_takes_and_refuses_opened_data_as_in_the_vectors(
    vector: dict[str, Any], stranger: RawPlayer
) -> None:
    stranger.max_datagram = 1400
    stranger.connect()
    drop = stranger.drop(stranger.sealed(Kind.DATA, bytes.fromhex(vector["secret"])))
    assert (drop is None) == vector["valid"], drop
    assert is_alive(stranger)


def test_datagram_is_refused_whole_when_one_message_is_wrong(player: RawPlayer) -> None:
    wrong = struct.pack("<BBH", MessageType.MOVE, 0, 1) + b"\0"
    assert (
        player.drop(player.data(message(MessageType.SKILL, SKILL, reliable=1, id=0), wrong)) == "message_size"
    )
    assert player.gateway.stats().messages.received["skill"] == 0
    assert player.drop(player.data(message(MessageType.SKILL, SKILL, reliable=1, id=0))) is None
    assert player.gateway.stats().messages.received["skill"] == 1


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
    free = {"hello": {*range(4, 8), 20, 21, *range(24, 40)}, "confirm": {20, 21}}.get(kind, set())
    for at in set(range(len(whole))) - free:
        for bit in range(8):
            flipped = bytearray(whole)
            flipped[at] ^= 1 << bit
            assert player.drop(bytes(flipped)), (at, bit)
    assert handled(player.gateway) == before
    assert is_alive(player)


@pytest.mark.parametrize("fields", [{"flags": 1}, {"sequence": 1}, {"ack": 1}, {"ack_bits": 1}])
@pytest.mark.parametrize("kind", ["hello", "confirm"])
def test_greeting_with_a_field_that_must_be_0_is_refused(
    kind: str, fields: dict[str, int], stranger: RawPlayer
) -> None:
    stranger.challenge()
    build = {"hello": stranger.hello, "confirm": stranger.confirm}[kind]
    assert stranger.drop(build(fields)) == "session_header"


@pytest.mark.parametrize("flags", [2, 4, 128, 255])
def test_unknown_flags_are_refused_even_if_sealed(flags: int, player: RawPlayer) -> None:
    assert player.drop(player.data(MOVED, flags=flags)) == "session_header"
    assert is_alive(player)


# ---------------------------------------------------------------- kinds in every state


FROM_THE_GATEWAY = (Kind.CHALLENGE, Kind.WELCOME, Kind.PATH_CHALLENGE, Kind.DENIED)
NO_KINDS = (0, 10, 127, 255)


@pytest.mark.parametrize("kind", [*FROM_THE_GATEWAY, *NO_KINDS])
@pytest.mark.parametrize("size", [20, 36, 44, 56, 60, 508])
def test_kind_that_no_client_sends_is_dropped_in_every_state(
    kind: int, size: int, stranger: RawPlayer
) -> None:
    datagram = bytes(Session(kind=kind, session=stranger.ticket.session, length=size)) + bytes(size - 20)
    assert stranger.drop(datagram) in ("session_header", "session_state")
    stranger.connect()
    assert stranger.drop(datagram) in ("session_header", "session_state")
    assert is_alive(stranger)


@pytest.mark.parametrize("kind", [Kind.DATA, Kind.CLOSE, Kind.PATH_RESPONSE])
def test_sealed_kind_is_dropped_before_a_connection_and_after_it(kind: Kind, stranger: RawPlayer) -> None:
    size = {Kind.DATA: 60, Kind.CLOSE: 40, Kind.PATH_RESPONSE: 44}[kind]
    head = Session(kind=int(kind), session=stranger.ticket.session, length=size, sequence=1)
    datagram = bytes(head) + bytes(size - 20)
    assert stranger.drop(datagram) == "session_state"
    stranger.challenge()
    assert stranger.drop(datagram) == "session_state"
    stranger.connect()
    assert stranger.drop(stranger.sealed(Kind.CLOSE, layers.Close(reason=1))) is None
    assert stranger.drop(stranger.sealed(kind, bytes(size - 36))) == "session_state"


def test_kind_cannot_be_exchanged_for_another_sealed_one(player: RawPlayer) -> None:
    data = player.sealed(Kind.DATA, struct.pack("<BBH", 4, 0, 0))
    assert player.drop(bytes([Kind.CLOSE]) + data[1:]) == "bad_tag"
    assert player.drop(data) is None


@pytest.mark.parametrize(
    ("kind", "secret"),
    [
        (Kind.CLOSE, b""),
        (Kind.CLOSE, bytes(3)),
        (Kind.CLOSE, bytes(5)),
        (Kind.CLOSE, b"\0\0\0\0"),
        (Kind.CLOSE, b"\x01\0\0\x01"),
        (Kind.CLOSE, b"\x0a\0\0\0"),
        (Kind.PATH_RESPONSE, bytes(7)),
        (Kind.PATH_RESPONSE, bytes(9)),
        (Kind.PATH_RESPONSE, bytes(8)),
    ],
)
def test_control_datagram_with_a_wrong_body_is_dropped(kind: Kind, secret: bytes, player: RawPlayer) -> None:
    assert player.drop(player.sealed(kind, secret))
    assert is_alive(player)


# ---------------------------------------------------------------- handshake


def test_no_answer_to_a_stranger_is_longer_than_what_came(gateway: CoreGateway, stranger: RawPlayer) -> None:
    unknown = RawPlayer(gateway, stranger.ticket)
    for datagram in (
        stranger.hello(),
        stranger.hello(version=2),
        unknown.hello({"session": 0x00FFFFFF}),
        unknown.hello({"session": 0}),
        unknown.hello({"session": 0xFFFFFFFF}),
    ):
        _, answer = stranger.send(datagram)
        assert 0 < len(answer) <= len(datagram)
    stranger.challenge()
    for size in (508, 1400):
        _, answer = stranger.send(stranger.confirm(max_datagram=size, cookie=bytes(24)))
        assert len(answer) <= size


def test_million_spoofed_hellos_leave_nothing_behind(gateway: CoreGateway, stranger: RawPlayer) -> None:
    hello = stranger.hello()
    before = gateway.stats()
    sent = answered = 0
    for first in range(0, 1_000_000, 64):
        for _, answer in gateway.burst(range(first, first + 64), [hello] * 64, 100.0 + first * 1e-6):
            sent, answered = sent + len(hello), answered + len(answer)
    after = gateway.stats()
    assert answered <= sent
    assert after.connected == before.connected == 0
    assert after.connections == 0
    assert after.sessions_active == 0
    assert after.messages.memory_used == 0
    stranger.now = 102.0
    stranger.connect()


@pytest.mark.parametrize("reserved", [{"reserved": 1}, {"padding": b"\0" * 23 + b"\x01"}])
def test_hello_with_something_in_its_padding_is_refused(
    reserved: dict[str, Any], stranger: RawPlayer
) -> None:
    assert stranger.drop(stranger.hello(**reserved)) == "session_header"


@pytest.mark.parametrize("version", [0, 2, 65535])
def test_other_version_is_denied_without_proof(version: int, stranger: RawPlayer) -> None:
    # With one, whoever read a player's nonce could end his attempt with an answer of the gateway's own.
    _, answer = stranger.send(stranger.hello(version=version))
    denied = Session(answer)[layers.Denied]
    assert denied.reason == Denial.VERSION
    assert denied.client_nonce == stranger.nonce
    assert denied.proof == b"\0" * 16
    assert stranger.gateway.stats().denied["version"] == 1


def test_unknown_session_is_denied_without_proof(stranger: RawPlayer) -> None:
    _, answer = stranger.send(stranger.hello({"session": stranger.ticket.session ^ 0x00000100}))
    denied = Session(answer)[layers.Denied]
    assert (denied.reason, denied.proof) == (Denial.UNKNOWN, bytes(16))


def test_cookie_serves_nobody_else(gateway: CoreGateway, stranger: RawPlayer) -> None:
    stranger.challenge()
    assert stranger.drop(stranger.confirm(), source=2) == "cookie_forged"
    assert stranger.drop(stranger.confirm(client_nonce=bytes(16))) == "cookie_forged"
    other = RawPlayer(gateway, gateway.issue(8), cookie=stranger.cookie)
    assert other.drop(other.confirm()) == "cookie_forged"
    for at in range(24):
        cookie = bytearray(stranger.cookie)
        cookie[at] ^= 1
        assert stranger.drop(stranger.confirm(cookie=bytes(cookie))) in ("cookie_forged", "cookie_old")
    assert gateway.stats().connections == 0


def test_cookie_is_good_for_four_seconds(stranger: RawPlayer) -> None:
    stranger.challenge()
    stranger.now += 4.1
    assert stranger.drop(stranger.confirm()) == "cookie_old"
    stranger.now -= 0.2
    assert stranger.drop(stranger.confirm()) is None


def test_confirm_without_the_key_changes_nothing(player: RawPlayer) -> None:
    player.cookie = Session(player.send(player.hello())[1])[layers.Challenge].cookie
    confirm = player.confirm()
    assert player.drop(confirm[:-1] + bytes([confirm[-1] ^ 1])) == "bad_proof"
    assert is_alive(player)
    assert player.gateway.stats().connections == 1


@pytest.mark.parametrize("size", [0, 507, 1401, 65535])
def test_max_datagram_outside_its_limits_is_refused(size: int, stranger: RawPlayer) -> None:
    stranger.challenge()
    confirm = bytearray(stranger.confirm())
    confirm[22:24] = struct.pack("<H", size)
    assert stranger.drop(bytes(confirm)) == "session_header"


def test_proved_confirm_with_something_in_its_padding_is_refused(stranger: RawPlayer) -> None:
    stranger.challenge()
    body = layers.Confirm(max_datagram=508, client_nonce=stranger.nonce, cookie=stranger.cookie)
    body.padding = bytes(100) + b"\1" + bytes(508 - 80 - 101)
    before = bytes(stranger.head(Kind.CONFIRM) / body)[:-16]
    assert stranger.drop(before + confirm_proof(stranger.ticket.key, before)) == "session_header"


def test_repeated_confirm_brings_the_same_nonce_and_changes_nothing(player: RawPlayer) -> None:
    assert is_alive(player)
    _, first = player.send(player.log[1])
    _, second = player.send(player.log[1])
    assert first[20:36] == second[20:36]
    assert Session(first).sequence < Session(second).sequence
    player.welcome(second)
    assert is_alive(player)
    assert player.gateway.stats().connections == 1


def test_session_that_may_be_confirmed_once_is_consumed(gateway: CoreGateway) -> None:
    player = RawPlayer(gateway, gateway.issue(7, once=True))
    player.connect()
    thief = RawPlayer(gateway, player.ticket, address=2, nonce=bytes(16), now=101.0)
    _, answer = thief.send(thief.hello())
    if answer[0] == Kind.CHALLENGE:
        thief.cookie = Session(answer)[layers.Challenge].cookie
        _, answer = thief.send(thief.confirm())
    assert Session(answer)[layers.Denied].reason == Denial.CONSUMED
    player.now = 101.0
    assert is_alive(player)


def test_session_confirmed_from_elsewhere_has_new_keys_and_the_old_ones_are_worth_nothing(
    gateway: CoreGateway, player: RawPlayer
) -> None:
    other = RawPlayer(gateway, player.ticket, address=2, nonce=bytes(16), now=101.0)
    other.connect()
    player.now = 101.0
    assert player.drop(player.data(MOVED)) == "bad_tag"
    assert other.keys != player.keys
    assert is_alive(other)


# ---------------------------------------------------------------- replays


def test_replay_within_a_connection_is_dropped(player: RawPlayer) -> None:
    sent = [player.data(MOVED) for _ in range(300)]
    assert {player.drop(datagram) for datagram in sent} == {None}
    assert {player.drop(datagram) for datagram in sent} == {"replayed"}
    assert {player.drop(datagram, source=9) for datagram in sent} == {"replayed"}
    assert player.gateway.stats().messages.received["move"] == 300


def test_reordering_within_the_window_is_taken_and_behind_it_dropped(player: RawPlayer) -> None:
    sent = [player.data(MOVED) for _ in range(300)]
    outcome = [player.drop(datagram) for datagram in reversed(sent)]
    assert outcome[:256] == [None] * 256
    assert outcome[256:] == ["replayed"] * 44


def test_replay_across_reconnection_is_dropped(player: RawPlayer) -> None:
    sent = [player.data(MOVED) for _ in range(5)]
    assert {player.drop(datagram) for datagram in sent} == {None}
    old = list(player.log)
    player.now = 101.0
    player.nonce = bytes(16)
    player.connect()
    outcome = [player.drop(datagram) for datagram in old]
    assert outcome[1] == "cookie_old"  # the CONFIRM; the HELLO before it is anybody's to send
    assert set(outcome[2:]) == {"bad_tag"}
    assert is_alive(player)
    assert player.gateway.stats().connections == 2


def test_replayed_close_ends_nothing_after_reconnection(player: RawPlayer) -> None:
    close = player.sealed(Kind.CLOSE, layers.Close(reason=1))
    assert player.drop(close) is None
    player.now = 101.0
    player.nonce = bytes(16)
    player.connect()
    assert player.drop(close) == "bad_tag"
    assert is_alive(player)


def test_forged_datagram_does_not_move_the_window(player: RawPlayer) -> None:
    forged = bytearray(player.data(MOVED, counter=1 << 30))
    forged[-1] ^= 1
    player.sent = 0
    assert player.drop(bytes(forged)) == "bad_tag"
    assert player.drop(player.data(MOVED, counter=1)) is None


# ---------------------------------------------------------------- counters that wrap


def test_sequence_wraps_at_32_bits(player: RawPlayer) -> None:
    leap = (1 << 31) - 1
    first, last = (1, leap, 2 * leap - 9), (WRAP + leap, 2 * WRAP - 2, 2 * WRAP + 1)
    counters = (*first, *range(WRAP - 2, WRAP + 3), *last)
    for counter in counters:
        drop, answer = player.send(player.data(MOVED, counter=counter))
        assert drop is None, counter
        assert Session(answer).ack == counter % WRAP
    assert player.drop(player.data(MOVED, counter=2 * WRAP - 300)) == "replayed"
    assert player.gateway.stats().messages.received["move"] == len(counters)


def test_window_reaches_over_the_wrap(player: RawPlayer) -> None:
    leap = (1 << 31) - 1
    for counter in (leap, 2 * leap - 20, WRAP - 10):
        assert player.drop(player.data(MOVED, counter=counter)) is None
    assert player.drop(player.data(MOVED, counter=WRAP + 5)) is None
    for counter in range(WRAP - 9, WRAP + 5):
        assert player.drop(player.data(MOVED, counter=counter)) is None, counter
        assert player.drop(player.data(MOVED, counter=counter)) == "replayed", counter


def test_same_sequence_half_a_wrap_away_is_another_counter(player: RawPlayer) -> None:
    assert player.drop(player.data(MOVED, counter=(1 << 31) + 5)) == "replayed"  # taken for one behind 0
    player.sent = 0
    assert is_alive(player)


@pytest.mark.parametrize("channel", range(4))
def test_message_ids_wrap_at_16_bits(channel: int, stranger: RawPlayer) -> None:
    stranger.max_datagram = 1400
    stranger.connect()
    at = 0
    while at < 65536 + 300:
        batch = [Wire(MessageType.SKILL, bytes(8), channel, (at + n) % 65536) for n in range(50)]
        assert stranger.drop(stranger.quick(pack_messages(batch))) is None, at
        at += 50
    assert stranger.gateway.stats().messages.received["skill"] == at
    late = Wire(MessageType.SKILL, bytes(8), channel, (at - 1) % 65536)
    assert stranger.drop(stranger.quick(late.pack())) is None
    assert stranger.gateway.stats().messages.received["skill"] == at
    assert stranger.gateway.stats().messages.duplicates == 1


# ---------------------------------------------------------------- messages whose time comes later


def piece(index: int, count: int, body: bytes, number: int, **fields: int) -> Message:
    fields = {"reliable": 1, "is_fragment": 1, "channel": 2, **fields}
    fragment = layers.Fragment(index=index, count=count, piece=body)
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
        [piece(0, 2, b"\1", 0), piece(1, 2, b"\0", 1)],
        [piece(0, 2, struct.pack("<I", 9), 0, compressed=1), piece(1, 2, b"no zlib", 1, compressed=1)],
    ],
    ids=[
        "begins in the middle",
        "left out",
        "count changed",
        "doubled",
        "compression changed",
        "something between",
        "joined too short",
        "joined not to be expanded",
    ],
)
def test_pieces_that_do_not_follow_end_the_connection(pieces: list[Message], player: RawPlayer) -> None:
    for one in pieces[:-1]:
        assert player.drop(player.data(one)) is None
    player.send(player.data(pieces[-1]))
    closes = [body for body in player.said() if isinstance(body, layers.Close)]
    assert [close.reason for close in closes] == [7]
    assert player.gateway.stats().closed["protocol"] == 1
    assert player.drop(player.data(MOVED)) == "session_state"


def test_more_than_65536_bytes_in_pieces_end_the_connection(stranger: RawPlayer) -> None:
    stranger.max_datagram = 1400
    stranger.connect()
    outcome = [stranger.drop(stranger.data(piece(n, 60, bytes(1300), n), at_once=False)) for n in range(52)]
    assert None in outcome
    assert stranger.gateway.stats().closed["protocol"] == 1
    assert stranger.gateway.stats().messages.memory_used == 0


def test_pieces_that_never_end_are_bounded_and_given_back(stranger: RawPlayer) -> None:
    stranger.max_datagram = 1400
    stranger.connect()
    for number in range(1, 200):  # the first is missing for ever
        stranger.send(stranger.data(piece(number % 40, 40, bytes(1300), number), at_once=False))
    assert stranger.gateway.stats().messages.memory_used <= 2 * 256 * 1024
    assert is_alive(stranger)
    stranger.gateway.expire(stranger.now + 100)
    assert stranger.gateway.stats().messages.memory_used == 0


@pytest.mark.parametrize("claimed", [1, 100, 1000, 65536, 65537, 0xFFFFFFFF])
def test_compressed_bomb_expands_to_no_more_than_it_says(claimed: int, stranger: RawPlayer) -> None:
    stranger.max_datagram = 1400
    stranger.connect()
    bomb = struct.pack("<I", claimed) + zlib.compress(bytes(1_000_000), 9)
    drop = stranger.drop(stranger.data(message(MessageType.BULK, bomb, compressed=1, reliable=1, channel=2)))
    assert drop == "message_compression"
    assert is_alive(stranger)


def test_datagram_above_the_agreed_size_is_refused(player: RawPlayer) -> None:
    big = message(MessageType.BULK, layers.Bulk(target_id=7, data=bytes(600)))
    assert player.drop(player.data(big)) is not None
    assert is_alive(player)


def test_chat_that_everyone_near_should_get_is_taken(player: RawPlayer) -> None:
    near = layers.Chat(target_id=0, channel=0, text=b"hi")
    assert player.drop(player.data(message(MessageType.CHAT, near), at_once=False)) is None
    assert player.drop(player.data(message(MessageType.CHAT, CHAT), at_once=False)) is None
    player.now += 0.1
    (event,) = [body for body in player.said() if isinstance(body, Message)]
    assert event[layers.ChatEvent].sender_id == 7
    assert event[layers.ChatEvent].text == CHAT.text


# ---------------------------------------------------------------- acknowledgements


def test_messages_are_acknowledged_within_25_ms(player: RawPlayer) -> None:
    assert player.drop(player.data(MOVED, at_once=False)) is None
    assert player.gateway.due(player.now + 0.020) == []
    ((to, datagram),) = player.gateway.due(player.now + 0.026)
    assert (to, Session(datagram).ack) == (player.address, 1)
    assert player.gateway.due(player.now + 10) == []


def test_sixteen_datagrams_are_acknowledged_without_waiting(player: RawPlayer) -> None:
    answers = [player.send(player.data(MOVED, at_once=False))[1] for _ in range(16)]
    answers += [datagram for _, datagram in player.gateway.due(player.now + 0.002)]
    (header,) = [Session(answer) for answer in answers if answer]
    assert (header.ack, header.ack_bits) == (16, 0x7FFF)


def test_nothing_but_an_acknowledgement_is_not_acknowledged(player: RawPlayer) -> None:
    assert player.drop(player.data(at_once=False)) is None
    assert player.gateway.due(player.now + 10) == []


def test_bits_name_what_was_taken_before_the_newest(player: RawPlayer) -> None:
    for counter in (1, 3, 4, 9):
        assert player.drop(player.data(MOVED, at_once=False, counter=counter)) is None
    _, answer = player.send(player.data(MOVED, counter=40))
    assert (Session(answer).ack, Session(answer).ack_bits) == (40, 1 << 30)  # 9; 4 is 36 behind


def test_refused_datagram_is_not_acknowledged(player: RawPlayer) -> None:
    wrong = struct.pack("<BBH", MessageType.MOVE, 0, 1) + b"\0"
    assert player.drop(player.data(wrong)) == "message_size"
    _, answer = player.send(player.data(MOVED))
    assert (Session(answer).ack, Session(answer).ack_bits) == (2, 0)
