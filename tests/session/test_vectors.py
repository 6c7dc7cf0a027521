# SPDX-License-Identifier: BSD-3-Clause
"""The test vectors of PROTOCOL.md: what is written, and what the Python codecs make of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pyshim.protocol.client.intake import Intake
from pyshim.protocol.session_control import Number
from pyshim.protocol.session_crypto import (
    DirectionKey,
    Exchange,
    ReplayWindow,
    Transcript,
    challenge_proof,
    confirm_proof,
    connection_secret,
    denied_proof,
    key_material,
    next_secret,
    traffic_keys,
)
from pyshim.protocol.session_wire import (
    CLOSED_GAME,
    HEADER_BYTES,
    REQUESTS,
    SEALED,
    CloseReason,
    Denial,
    Kind,
    WireError,
    check_probe,
    pack_messages,
    read_challenge,
    read_close,
    read_data,
    read_denied,
    read_header,
    read_messages,
    read_welcome,
)
from tests.session.make_vectors import OUT, render

VECTORS: dict[str, Any] = json.loads(OUT.read_text())


def named(section: str) -> Any:
    return pytest.mark.parametrize("vector", VECTORS[section], ids=lambda vector: vector["name"])


def test_vectors_are_what_the_generator_writes() -> None:
    assert OUT.read_text() == render(), "run python -m tests.session.make_vectors"


@pytest.mark.parametrize("vector", VECTORS["exchange"])
def test_both_ends_agree_as_in_the_vectors(vector: dict[str, str]) -> None:
    client, server = (Exchange(bytes.fromhex(vector[end])) for end in ("client_secret", "server_secret"))
    assert client.share.hex() == vector["client_share"]
    assert server.share.hex() == vector["server_share"]
    for ours, theirs in ((client, server), (server, client)):
        agreed = ours.agree(theirs.share)
        assert agreed is not None
        assert agreed.hex() == vector["agreed"]


@pytest.mark.parametrize("vector", VECTORS["derive"])
def test_traffic_keys_are_derived_as_in_the_vectors(vector: dict[str, Any]) -> None:
    names = ("client_nonce", "server_nonce", "client_share", "server_share")
    transcript = Transcript(vector["session"], *(bytes.fromhex(vector[name]) for name in names))
    assert transcript.digest().hex() == vector["transcript"]
    secret = connection_secret(bytes.fromhex(vector["key"]), bytes.fromhex(vector["agreed"]), transcript)
    assert secret.hex() == vector["secret"]
    assert key_material(secret).hex() == vector["okm"]
    assert next_secret(secret).hex() == vector["next_secret"]
    keys = traffic_keys(secret)
    assert keys.client_to_gateway == DirectionKey(
        bytes.fromhex(vector["client_key"]), bytes.fromhex(vector["client_salt"])
    )
    assert keys.gateway_to_client == DirectionKey(
        bytes.fromhex(vector["gateway_key"]), bytes.fromhex(vector["gateway_salt"])
    )


@named("replay")
def test_replay_window_moves_as_in_the_vectors(vector: dict[str, Any]) -> None:
    window = ReplayWindow()
    for step in vector["steps"]:
        assert window.is_fresh(step["counter"]) == step["fresh"], step
        if step["fresh"]:
            window.mark(step["counter"])


@named("datagrams")
def test_datagrams_are_sealed_and_proved_as_in_the_vectors(vector: dict[str, Any]) -> None:
    datagram, secret = bytes.fromhex(vector["datagram"]), bytes.fromhex(vector["secret"])
    header = read_header(datagram)
    assert header.kind.name == vector["kind"]
    assert header.session == vector["session"]
    if header.kind in SEALED:
        key = DirectionKey(bytes.fromhex(vector["key"]), bytes.fromhex(vector["salt"]))
        assert header.counter == vector["counter"]
        clear = vector["clear_bytes"]
        assert key.open(vector["counter"], datagram, clear) == secret
        assert key.seal(vector["counter"], datagram[:clear], secret) == datagram
    proof_key = bytes.fromhex(vector["proof_key"])
    if proof_key:
        proofs = {
            Kind.CHALLENGE: challenge_proof,
            Kind.CONFIRM: confirm_proof,
            Kind.DENIED: denied_proof,
        }
        assert proofs[header.kind](proof_key, datagram[:-16]) == datagram[-16:]


@named("numbers")
def test_counters_of_headers_have_the_offset_of_their_number(vector: dict[str, Any]) -> None:
    datagram, to_gateway = bytes.fromhex(vector["datagram"]), vector["from_client"]
    offset = (vector["offset"], 0) if to_gateway else (0, vector["offset"])
    number, header = Number(vector["spare"], offset), read_header(datagram)
    assert header.session == number.session
    assert header.counter == number.shown(vector["counter"], to_gateway=to_gateway)
    assert number.counter(header.counter, to_gateway=to_gateway) == vector["counter"]
    key = DirectionKey(bytes.fromhex(vector["key"]), bytes.fromhex(vector["salt"]))
    assert key.open(vector["counter"], datagram, HEADER_BYTES).hex() == vector["secret"]


@named("datagrams")
def test_datagrams_are_read_without_scapy(vector: dict[str, Any]) -> None:
    datagram, secret = bytes.fromhex(vector["datagram"]), bytes.fromhex(vector["secret"])
    match read_header(datagram).kind:
        case Kind.CHALLENGE:
            assert len(read_challenge(datagram).cookie) == 24
        case Kind.DENIED:
            assert (read_denied(datagram).reason is Denial.VERSION) == (not vector["proof_key"])
        case Kind.WELCOME:
            assert read_welcome(secret, len(datagram)).player_id == 4711
        case Kind.CLOSE:
            reason = read_close(secret)
            known = CloseReason(reason) if reason < CLOSED_GAME else CloseReason.KICKED
            assert known.name.lower() in vector["name"]
        case Kind.DATA:
            prefix, body = read_data(secret)
            assert prefix.pack() + pack_messages(read_messages(body)) == secret
        case Kind.PROBE:
            check_probe(secret)


@named("data")
def test_opened_data_meets_the_fate_that_the_vectors_say(vector: dict[str, Any]) -> None:
    assert fate(bytes.fromhex(vector["secret"])) == vector["fate"]


def fate(secret: bytes) -> str:
    try:
        taken = Intake(REQUESTS, 1 << 20).take(read_messages(secret))
    except WireError:
        return "closes"
    if taken.refused is not None:
        return "refused"
    return "skipped" if taken.skipped else "taken"
