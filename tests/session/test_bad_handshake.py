# SPDX-License-Identifier: BSD-3-Clause
"""HELLO and CONFIRM that the document does not allow, to the C core: no connection, no new keys."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from pyshim.protocol import session as layers
from pyshim.protocol.session import Session
from pyshim.protocol.session_crypto import challenge_proof, confirm_proof
from pyshim.protocol.session_wire import CHALLENGE_BYTES, Denial, Kind
from tests.session.core_gateway import CoreGateway
from tests.session.raw_player import MOVED, RawPlayer, is_alive


def test_no_answer_to_a_stranger_is_longer_than_what_came(gateway: CoreGateway, stranger: RawPlayer) -> None:
    unknown = RawPlayer(gateway, stranger.ticket)
    for datagram in (
        stranger.hello(),
        stranger.hello(version=3),
        unknown.hello({"session": 0x00FFFFFF}),
        unknown.hello({"session": 0}),
        unknown.hello({"session": 0x00F0FFFF}),
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


@pytest.mark.parametrize("reserved", [{"reserved": 1}, {"padding": b"\0" * 39 + b"\x01"}])
def test_hello_with_something_in_its_padding_is_refused(
    reserved: dict[str, Any], stranger: RawPlayer
) -> None:
    assert stranger.drop(stranger.hello(**reserved)) == "session_header"


@pytest.mark.parametrize("version", [0, 1, 65535])
def test_other_version_is_denied_without_proof(version: int, stranger: RawPlayer) -> None:
    # With one, whoever read a nonce could end that player's attempt with an answer of the gateway's own.
    _, answer = stranger.send(stranger.hello(version=version))
    denied = Session(answer)[layers.Denied]
    assert denied.reason == Denial.VERSION
    assert denied.client_nonce == stranger.nonce
    assert denied.proof == b"\0" * 16
    assert stranger.gateway.stats().denied["version"] == 1


def test_a_session_that_was_never_issued_is_challenged_like_any_other(stranger: RawPlayer) -> None:
    _, real = stranger.send(stranger.hello())
    _, none = stranger.send(stranger.hello({"session": stranger.ticket.session ^ 0x00000100}))
    assert none[0] == real[0] == Kind.CHALLENGE
    assert len(none) == len(real) == CHALLENGE_BYTES
    assert none[12:28] == real[12:28]
    assert challenge_proof(stranger.ticket.key, real[:-16]) == real[-16:]
    assert challenge_proof(stranger.ticket.key, none[:-16]) != none[-16:] != bytes(16)


def test_session_of_another_gateway_is_not_answered(stranger: RawPlayer) -> None:
    for foreign in (stranger.ticket.session ^ 1 << 24, stranger.ticket.session ^ 1 << 31, 0xFFFFFFFF):
        assert stranger.drop(stranger.hello({"session": foreign})) == "session_foreign"
    stranger.challenge()
    elsewhere = {"session": stranger.ticket.session ^ 1 << 31}
    assert stranger.drop(stranger.confirm(elsewhere)) == "session_foreign"


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
    confirm[14:16] = struct.pack("<H", size)
    assert stranger.drop(bytes(confirm)) == "session_header"


def test_proved_confirm_with_something_in_its_padding_is_refused(stranger: RawPlayer) -> None:
    stranger.challenge()
    body = layers.Confirm(
        max_datagram=508,
        client_nonce=stranger.nonce,
        cookie=stranger.cookie,
        client_share=stranger.exchange.share,
    )
    body.padding = bytes(100) + b"\1" + bytes(508 - 104 - 101)
    before = bytes(stranger.head(Kind.CONFIRM) / body)[:-16]
    assert stranger.drop(before + confirm_proof(stranger.ticket.key, before)) == "session_header"


def test_repeated_confirm_brings_the_same_nonce_and_changes_nothing(player: RawPlayer) -> None:
    assert is_alive(player)
    _, first = player.send(player.log[1])
    _, second = player.send(player.log[1])
    assert first[12:60] == second[12:60]  # nonce and share
    assert Session(first).counter < Session(second).counter
    player.welcome(second)
    assert is_alive(player)
    assert player.gateway.stats().connections == 1


def test_session_that_may_be_confirmed_once_is_consumed(gateway: CoreGateway) -> None:
    player = RawPlayer(gateway, gateway.issue(7, once=True))
    player.connect()
    assert is_alive(player)
    thief = RawPlayer(gateway, player.ticket, address=2, nonce=bytes(16), now=101.0)
    thief.challenge()
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
