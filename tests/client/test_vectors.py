# SPDX-License-Identifier: BSD-3-Clause
"""The client library's own cryptography computes what the protocol's test vectors say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cffi import FFI

from tests.client.installed import LIBRARIES, Installed, check

ROOT = Path(__file__).parents[2]
VECTORS: dict[str, Any] = json.loads((ROOT / "dpdk_app" / "wire" / "session_vectors.json").read_text())
SEALED = [found for found in VECTORS["datagrams"] if found["counter"]]
CONFIRMS = [found for found in VECTORS["datagrams"] if found["kind"] == "CONFIRM"]
DENIALS = [found for found in VECTORS["datagrams"] if found["kind"] == "DENIED"]
TAG = 16

DECLARATIONS = """
    struct traffic_keys { uint8_t to_gateway[16], to_client[16], to_gateway_salt[4], to_client_salt[4]; };
    void traffic_keys_derive(struct traffic_keys *, const uint8_t *, uint32_t, const uint8_t *,
                             const uint8_t *);
    void confirm_seal(const uint8_t *, uint8_t *, size_t);
    bool denied_is_proved(const uint8_t *, const void *);
    struct aead *aead_new(void);
    void aead_free(struct aead *);
    bool aead_set_key(struct aead *, const uint8_t *, const uint8_t *, bool);
    bool aead_open(struct aead *, uint64_t, const uint8_t *, size_t, size_t, uint8_t *);
    bool aead_seal(struct aead *, uint64_t, uint8_t *, size_t, size_t);
"""


class Cryptography:
    """client/aead.c and client/keys.c, loaded."""

    def __init__(self, path: Path) -> None:
        self.ffi = FFI()
        self.ffi.cdef(DECLARATIONS)
        self.lib: Any = self.ffi.dlopen(str(path))

    def key(self, secret: bytes, salt: bytes, *, seal: bool) -> Any:
        aead = self.ffi.gc(self.lib.aead_new(), self.lib.aead_free)
        assert self.lib.aead_set_key(aead, secret, salt, seal)
        return aead


@pytest.fixture(scope="module")
def cryptography(installed: Installed) -> Cryptography:
    made = installed.directory / "cryptography.so"
    rooms = ["-I", ROOT / "client", "-I", ROOT / "dpdk_app", "-I", ROOT / "dpdk_app" / "include"]
    files = [ROOT / "client" / name for name in ("aead.c", "keys.c")]
    libraries = installed.pkg_config("--cflags", "--libs", *LIBRARIES)
    check(["gcc", "-std=gnu17", "-shared", "-fPIC", "-Wall", *rooms, *files, *libraries, "-o", made])
    return Cryptography(made)


def named(found: dict[str, Any]) -> str:
    return str(found.get("name", found["session"]))


@pytest.mark.parametrize("vector", VECTORS["derive"], ids=named)
def test_traffic_keys_are_derived_as_in_the_vectors(
    cryptography: Cryptography, vector: dict[str, Any]
) -> None:
    keys = cryptography.ffi.new("struct traffic_keys *")
    key, client_nonce, server_nonce = (
        bytes.fromhex(vector[name]) for name in ("key", "client_nonce", "server_nonce")
    )
    cryptography.lib.traffic_keys_derive(keys, key, vector["session"], client_nonce, server_nonce)
    assert bytes(keys.to_gateway).hex() == vector["client_key"]
    assert bytes(keys.to_client).hex() == vector["gateway_key"]
    assert bytes(keys.to_gateway_salt).hex() == vector["client_salt"]
    assert bytes(keys.to_client_salt).hex() == vector["gateway_salt"]


@pytest.mark.parametrize("vector", SEALED, ids=named)
def test_datagrams_are_opened_and_sealed_as_in_the_vectors(
    cryptography: Cryptography, vector: dict[str, Any]
) -> None:
    ffi, lib = cryptography.ffi, cryptography.lib
    datagram, clear, counter = bytes.fromhex(vector["datagram"]), vector["clear_bytes"], vector["counter"]
    key, salt, secret = (bytes.fromhex(vector[name]) for name in ("key", "salt", "secret"))
    opening = cryptography.key(key, salt, seal=False)
    out = ffi.new("uint8_t[]", len(datagram))
    assert lib.aead_open(opening, counter, datagram, clear, len(datagram), out)
    assert bytes(out)[: len(datagram) - TAG] == datagram[:clear] + secret
    assert not lib.aead_open(opening, counter + 1, datagram, clear, len(datagram), out)
    for at in {0, clear, len(datagram) - 1}:
        broken = bytearray(datagram)
        broken[at] ^= 0x80
        assert not lib.aead_open(opening, counter, bytes(broken), clear, len(datagram), out)
    packet = ffi.new("uint8_t[]", list(datagram[:clear] + secret + bytes(TAG)))
    assert lib.aead_seal(cryptography.key(key, salt, seal=True), counter, packet, clear, len(datagram))
    assert bytes(packet) == datagram


@pytest.mark.parametrize("vector", CONFIRMS, ids=named)
def test_confirms_are_proved_as_in_the_vectors(cryptography: Cryptography, vector: dict[str, Any]) -> None:
    datagram = bytes.fromhex(vector["datagram"])
    packet = cryptography.ffi.new("uint8_t[]", list(datagram[:-TAG] + bytes(TAG)))
    cryptography.lib.confirm_seal(bytes.fromhex(vector["proof_key"]), packet, len(datagram))
    assert bytes(packet) == datagram


@pytest.mark.parametrize("vector", DENIALS, ids=named)
def test_denials_are_believed_as_in_the_vectors(cryptography: Cryptography, vector: dict[str, Any]) -> None:
    datagram, key = bytes.fromhex(vector["datagram"]), bytes.fromhex(VECTORS["derive"][0]["key"])
    believed = bool(vector["proof_key"])
    assert cryptography.lib.denied_is_proved(key, datagram) == believed
    assert not cryptography.lib.denied_is_proved(bytes(32), datagram)
    assert not cryptography.lib.denied_is_proved(key, datagram[:-1] + bytes([datagram[-1] ^ 1]))
