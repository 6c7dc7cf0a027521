# SPDX-License-Identifier: BSD-3-Clause
"""The model against the vectors that the reference implementation of netcode made."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from tests.netcode.model import Kind, Token, hchacha20, make_token, open_private, seal, unseal

VECTORS = json.loads(
    (Path(__file__).parents[2] / "dpdk_app" / "wire" / "netcode_vectors.json").read_text(encoding="utf-8")
)


@pytest.fixture(params=VECTORS["tokens"], ids=lambda one: f"client {one['client_id']}")
def token_vector(request: pytest.FixtureRequest) -> dict[str, Any]:
    return dict(request.param)


@pytest.fixture(params=VECTORS["packets"], ids=lambda one: f"{one['kind']} {one['sequence']}")
def packet_vector(request: pytest.FixtureRequest) -> dict[str, Any]:
    return dict(request.param)


def test_a_token_of_the_reference_is_read(token_vector: dict[str, Any]) -> None:
    token = Token.read(bytes.fromhex(token_vector["token"]))
    assert token.protocol_id == int(token_vector["protocol_id"])
    assert (token.created_s, token.expires_s) == (token_vector["created_s"], token_vector["expires_s"])
    assert token.timeout_s == token_vector["timeout_s"]
    assert list(token.servers) == token_vector["servers"]
    assert token.to_server.hex() == token_vector["to_server"]
    assert token.to_client.hex() == token_vector["to_client"]
    assert token.request().hex() == token_vector["request"]


def test_the_private_part_of_a_token_of_the_reference_opens(token_vector: dict[str, Any]) -> None:
    token = Token.read(bytes.fromhex(token_vector["token"]))
    plain = open_private(bytes.fromhex(token_vector["private_key"]), token)
    assert struct.unpack_from("<QiI", plain) == (
        int(token_vector["client_id"]),
        token_vector["timeout_s"],
        len(token_vector["servers"]),
    )
    keys = bytes.fromhex(token_vector["to_server"] + token_vector["to_client"])
    assert keys + bytes.fromhex(token_vector["user_data"]) in plain


def test_a_token_of_the_model_is_one(token_vector: dict[str, Any]) -> None:
    key, created_s = bytes.fromhex(token_vector["private_key"]), token_vector["created_s"]
    made = make_token(
        key,
        token_vector["servers"],
        protocol_id=int(token_vector["protocol_id"]),
        client_id=int(token_vector["client_id"]),
        ttl_s=token_vector["expires_s"] - created_s,
        timeout_s=token_vector["timeout_s"],
        user_data=bytes.fromhex(token_vector["user_data"]),
        now_s=lambda: created_s,
    )
    theirs = bytes.fromhex(token_vector["token"])
    keys = theirs.index(bytes.fromhex(token_vector["to_server"]), 1085)
    assert made[:37] == theirs[:37]
    assert made[1085:keys] == theirs[1085:keys]
    token = Token.read(made)
    assert token.to_server + token.to_client in open_private(key, token)


def test_packets_of_the_reference_are_sealed_and_unsealed_alike(packet_vector: dict[str, Any]) -> None:
    kind, sequence = Kind[packet_vector["kind"].upper()], int(packet_vector["sequence"])
    protocol_id, key = int(packet_vector["protocol_id"]), bytes.fromhex(packet_vector["key"])
    body, packet = bytes.fromhex(packet_vector["body"]), bytes.fromhex(packet_vector["packet"])
    assert unseal(packet, protocol_id, key) == (kind, sequence, body)
    assert seal(kind, sequence, body, protocol_id, key) == packet


@pytest.mark.parametrize("vector", VECTORS["challenges"], ids=lambda one: one["sequence"])
def test_challenges_of_the_reference_open(vector: dict[str, Any]) -> None:
    nonce = bytes(4) + struct.pack("<Q", int(vector["sequence"]))
    plain = ChaCha20Poly1305(bytes.fromhex(vector["key"])).decrypt(
        nonce, bytes.fromhex(vector["sealed"]), None
    )
    expected = struct.pack("<Q", int(vector["client_id"])) + bytes.fromhex(vector["user_data"]) + bytes(20)
    assert plain == expected


def test_hchacha20_is_that_of_its_draft() -> None:
    """draft-irtf-cfrg-xchacha-03 2.2.1."""
    key = bytes(range(32))
    nonce = bytes.fromhex("000000090000004a0000000031415927")
    expected = "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc"
    assert hchacha20(key, nonce).hex() == expected
