# SPDX-License-Identifier: BSD-3-Clause
"""Counters and what is made of them in the C core: replays, the last one, acknowledgements."""

from __future__ import annotations

import struct

import pytest

from pyshim.protocol import session as layers
from pyshim.protocol.session_wire import COUNTER_MAX, Kind, MessageType, pack_messages
from pyshim.protocol.session_wire import Message as Wire
from tests.session.raw_player import MOVED, RawPlayer, is_alive
from tests.session.vector_messages import message

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


# ---------------------------------------------------------------- far and last counters


def test_counters_are_whole_and_leap_as_far_as_they_like(player: RawPlayer) -> None:
    counters = (1, 2**31 - 1, 2**31, 2**31 + 5, *range(COUNTER_MAX - 3, COUNTER_MAX + 1))
    for counter in counters:
        drop, answer = player.send(player.data(MOVED, counter=counter))
        assert drop is None, counter
        assert player.opened(answer).ack == counter
    assert player.drop(player.data(MOVED, counter=COUNTER_MAX - 256)) == "replayed"
    assert player.gateway.stats().messages.received["move"] == len(counters)


def test_no_counter_follows_the_last(player: RawPlayer) -> None:
    assert player.drop(player.data(MOVED, counter=COUNTER_MAX)) is None
    for counter in (0, 1, 2, 300, COUNTER_MAX):
        assert player.drop(player.data(MOVED, counter=counter)) == "replayed", counter
    assert player.drop(player.data(MOVED, counter=COUNTER_MAX - 1)) is None


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


# ---------------------------------------------------------------- acknowledgements


def test_messages_are_acknowledged_within_25_ms(player: RawPlayer) -> None:
    assert player.drop(player.data(MOVED, at_once=False)) is None
    assert player.gateway.due(player.now + 0.020) == []
    ((to, datagram),) = player.gateway.due(player.now + 0.026)
    assert (to, player.opened(datagram).ack) == (player.address, 1)
    assert player.gateway.due(player.now + 10) == []


def test_sixteen_datagrams_are_acknowledged_without_waiting(player: RawPlayer) -> None:
    answers = [player.send(player.data(MOVED, at_once=False))[1] for _ in range(16)]
    answers += [datagram for _, datagram in player.gateway.due(player.now + 0.002)]
    (said,) = [player.opened(answer) for answer in answers if answer]
    assert (said.ack, said.ack_bits) == (16, 0x7FFF)


@pytest.mark.parametrize("at_once", [False, True])
def test_nothing_but_an_acknowledgement_is_not_acknowledged(at_once: bool, player: RawPlayer) -> None:
    assert player.send(player.data(at_once=at_once)) == (None, b"")
    assert player.gateway.due(player.now + 10) == []


def test_bits_name_what_was_taken_before_the_newest(player: RawPlayer) -> None:
    for counter in (1, 3, 4, 9):
        assert player.drop(player.data(MOVED, at_once=False, counter=counter)) is None
    _, answer = player.send(player.data(MOVED, counter=40))
    said = player.opened(answer)
    assert (said.ack, said.ack_bits) == (40, 1 << 30)  # 9; 4 is 36 behind


def test_refused_datagram_is_not_acknowledged_and_a_skipped_one_is(player: RawPlayer) -> None:
    too_early = message(MessageType.HEARTBEAT, b"", reliable=1, channel=1, id=256)
    assert player.drop(player.data(too_early, at_once=False)) is None
    assert player.gateway.stats().messages.refused["order"] == 1
    wrong = struct.pack("<BBH", MessageType.MOVE, 0, 1) + b"\0"
    assert player.drop(player.data(wrong, at_once=False)) is None
    _, answer = player.send(player.data(MOVED))
    said = player.opened(answer)
    assert (said.ack, said.ack_bits) == (3, 1)


def test_answer_at_once_has_waited_for_nothing_and_a_later_one_says_how_long(player: RawPlayer) -> None:
    _, answer = player.send(player.data(MOVED))
    assert player.opened(answer).ack_delay == 0
    assert player.drop(player.data(MOVED, at_once=False)) is None
    ((_, datagram),) = player.gateway.due(player.now + 0.026)
    assert player.opened(datagram).ack_delay == pytest.approx(0.026 * 16_000, abs=1)


@pytest.mark.parametrize("prefix", [{"wants": 2}, {"wants": 0x81}, {"reserved": 1}])
def test_prefix_with_a_bit_that_must_be_0_is_refused(prefix: dict[str, int], player: RawPlayer) -> None:
    assert player.drop(player.data(MOVED, prefix=prefix)) == "session_header"
    assert player.gateway.stats().messages.received["move"] == 0
    assert is_alive(player)


# ---------------------------------------------------------------- probes


@pytest.mark.parametrize("size", [40, 41, 68, 508, 509, 1400])
def test_probe_is_acknowledged_at_once(size: int, player: RawPlayer) -> None:
    drop, answer = player.send(player.sealed(Kind.PROBE, bytes(size - 28)))
    assert drop is None
    assert player.opened(answer).ack == player.sent
    assert player.gateway.stats().handled["session_probe"] == 1


def test_probe_that_is_not_zeros_or_longer_than_any_datagram_is_dropped(player: RawPlayer) -> None:
    assert player.drop(player.sealed(Kind.PROBE, bytes(100) + b"\1")) == "session_header"
    assert player.drop(player.sealed(Kind.PROBE, bytes(1401 - 28))) == "session_header"
    assert is_alive(player)
