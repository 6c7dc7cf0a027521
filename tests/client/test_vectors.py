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
PROVED = [found for found in VECTORS["datagrams"] if found["kind"] in ("CHALLENGE", "CONFIRM", "DENIED")]
TAG = 16

DECLARATIONS = """
    struct traffic_keys { uint8_t to_gateway[16], to_client[16], to_gateway_salt[4], to_client_salt[4]; };
    struct transcript {
        uint32_t session;
        uint8_t client_nonce[16], server_nonce[16], client_share[32], server_share[32];
    };
    struct exchange_key { uint8_t secret[32], share[32]; };
    enum proof { PROOF_OF_CHALLENGE, PROOF_OF_CONFIRM, PROOF_OF_DENIED };
    void exchange_begin(struct exchange_key *, const uint8_t *);
    bool exchange_agree(uint8_t *, const struct exchange_key *, const uint8_t *);
    void connection_secret(uint8_t *, const uint8_t *, const uint8_t *, const struct transcript *);
    void traffic_keys_derive(struct traffic_keys *, const uint8_t *);
    void next_secret(uint8_t *, const uint8_t *);
    void proof_write(enum proof, const uint8_t *, uint8_t *, size_t);
    bool proof_is_right(enum proof, const uint8_t *, const uint8_t *, size_t);
    struct aead *aead_new(void);
    void aead_free(struct aead *);
    bool aead_set_key(struct aead *, const uint8_t *, const uint8_t *, bool);
    bool aead_open(struct aead *, uint64_t, const uint8_t *, size_t, size_t, uint8_t *);
    bool aead_seal(struct aead *, uint64_t, uint8_t *, size_t, size_t);
"""


class Cryptography:
    """client/aead.c and what the client shares with the gateway, loaded."""

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
    shared = [ROOT / "dpdk_app" / "crypto" / name for name in ("exchange.c", "hkdf.c", "keys.c")]
    files = [ROOT / "client" / "aead.c", *shared]
    libraries = installed.pkg_config("--cflags", "--libs", *LIBRARIES)
    check(["gcc", "-std=gnu17", "-shared", "-fPIC", "-Wall", *rooms, *files, *libraries, "-o", made])
    return Cryptography(made)


def named(found: dict[str, Any]) -> str:
    return str(found.get("name", found["session"]))


@pytest.mark.parametrize("vector", VECTORS["exchange"], ids=lambda vector: vector["agreed"][:8])
def test_both_ends_agree_as_in_the_vectors(cryptography: Cryptography, vector: dict[str, str]) -> None:
    ffi, lib = cryptography.ffi, cryptography.lib
    client, agreed = ffi.new("struct exchange_key *"), ffi.new("uint8_t[32]")
    lib.exchange_begin(client, bytes.fromhex(vector["client_secret"]))
    assert bytes(client.share).hex() == vector["client_share"]
    assert lib.exchange_agree(agreed, client, bytes.fromhex(vector["server_share"]))
    assert bytes(agreed).hex() == vector["agreed"]
    assert not lib.exchange_agree(agreed, client, bytes(32))


@pytest.mark.parametrize("vector", VECTORS["derive"], ids=named)
def test_traffic_keys_are_derived_as_in_the_vectors(
    cryptography: Cryptography, vector: dict[str, Any]
) -> None:
    ffi, lib = cryptography.ffi, cryptography.lib
    transcript = ffi.new("struct transcript *", {"session": vector["session"]})
    for name in ("client_nonce", "server_nonce", "client_share", "server_share"):
        setattr(transcript, name, list(bytes.fromhex(vector[name])))
    secret, keys = ffi.new("uint8_t[32]"), ffi.new("struct traffic_keys *")
    key, agreed = bytes.fromhex(vector["key"]), bytes.fromhex(vector["agreed"])
    lib.connection_secret(secret, key, agreed, transcript)
    assert bytes(secret).hex() == vector["secret"]
    lib.traffic_keys_derive(keys, secret)
    lib.next_secret(secret, secret)
    assert bytes(secret).hex() == vector["next_secret"]
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


@pytest.mark.parametrize("vector", PROVED, ids=named)
def test_proofs_are_made_and_believed_as_in_the_vectors(
    cryptography: Cryptography, vector: dict[str, Any]
) -> None:
    lib, datagram = cryptography.lib, bytes.fromhex(vector["datagram"])
    what = getattr(lib, f"PROOF_OF_{vector['kind']}")
    key = bytes.fromhex(VECTORS["derive"][0]["key"])
    size = len(datagram)
    assert lib.proof_is_right(what, key, datagram, size) == bool(vector["proof_key"])
    assert not lib.proof_is_right(what, bytes(32), datagram, size)
    assert not lib.proof_is_right(what, key, datagram[:-1] + bytes([datagram[-1] ^ 1]), size)
    if vector["proof_key"]:
        packet = cryptography.ffi.new("uint8_t[]", list(datagram[:-TAG] + bytes(TAG)))
        lib.proof_write(what, key, packet, size)
        assert bytes(packet) == datagram
