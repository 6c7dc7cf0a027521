# SPDX-License-Identifier: BSD-3-Clause
"""The cryptography of the `session` profile: proofs, traffic keys, sealing and the replay window.

Written from dpdk_app/wire/PROTOCOL.md alone, over hashlib and the `cryptography` package, so that it can be
held against the C code. Nothing here knows what is inside a datagram.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

ISSUED_KEY_BYTES = 32
NONCE_BYTES = 16  # client_nonce and server_nonce
PROOF_BYTES = 16
TAG_BYTES = 16
REPLAY_WINDOW = 256  # counters

CONFIRM_CONTEXT = b"pollgate confirm"
DENIED_CONTEXT = b"pollgate denied "
TRAFFIC_CONTEXT = b"pollgate traffic"

_OKM_BYTES = 64
_NEWER = (1 << REPLAY_WINDOW) - 1


class BadTagError(Exception):
    """Sealed with another key or counter, or changed on its way."""


@dataclass(frozen=True)
class DirectionKey:
    """What one direction is sealed with."""

    key: bytes  # 16: AES-128
    salt: bytes  # 4: the beginning of every nonce

    @cached_property
    def _cipher(self) -> AESGCM:
        return AESGCM(self.key)

    def nonce(self, counter: int) -> bytes:
        """The 12 bytes that may be used once with this key."""
        return self.salt + struct.pack("<Q", counter)

    def seal(self, counter: int, clear: bytes, secret: bytes) -> bytes:
        """A datagram: `clear` as it is, `secret` encrypted, the tag over both."""
        return clear + self._cipher.encrypt(self.nonce(counter), secret, clear)

    def open(self, counter: int, datagram: bytes, clear_bytes: int) -> bytes:
        """What was encrypted in a sealed datagram.

        Raises:
            BadTagError: it is not what was sealed under this key and counter.
        """
        clear, sealed = datagram[:clear_bytes], datagram[clear_bytes:]
        try:
            return self._cipher.decrypt(self.nonce(counter), sealed, clear)
        except InvalidTag as error:
            raise BadTagError from error


@dataclass(frozen=True, slots=True)
class TrafficKeys:
    """Both directions of one connection."""

    client_to_gateway: DirectionKey
    gateway_to_client: DirectionKey


def key_material(key: bytes, session: int, client_nonce: bytes, server_nonce: bytes) -> bytes:
    """The 64 bytes from which traffic keys are cut."""
    message = TRAFFIC_CONTEXT + struct.pack("<I", session) + client_nonce + server_nonce
    return blake2b(message, digest_size=_OKM_BYTES, key=key).digest()


def derive(key: bytes, session: int, client_nonce: bytes, server_nonce: bytes) -> TrafficKeys:
    """The keys of a connection, from the issued key and what both sides drew for it."""
    okm = key_material(key, session, client_nonce, server_nonce)
    return TrafficKeys(DirectionKey(okm[0:16], okm[32:36]), DirectionKey(okm[16:32], okm[36:40]))


def confirm_proof(key: bytes, before: bytes) -> bytes:
    """The end of a CONFIRM: its sender has the issued key."""
    return blake2b(CONFIRM_CONTEXT + before, digest_size=PROOF_BYTES, key=key).digest()


def denied_proof(key: bytes, before: bytes) -> bytes:
    """The end of a DENIED: its sender has the issued key."""
    return blake2b(DENIED_CONTEXT + before, digest_size=PROOF_BYTES, key=key).digest()


class ReplayWindow:
    """Which packet counters were seen: the newest and the 255 before it."""

    __slots__ = ("_seen", "newest")

    def __init__(self) -> None:
        """Nothing was seen."""
        self.newest = 0
        self._seen = 0  # bit n: newest - n

    def is_fresh(self, counter: int) -> bool:
        """Whether a packet of this counter may be opened: neither seen nor too old to tell."""
        if counter < 1:
            return False
        age = self.newest - counter
        return age < 0 or (age < REPLAY_WINDOW and not self._seen >> age & 1)

    def mark(self, counter: int) -> None:
        """A packet of this fresh counter was authentic."""
        age = self.newest - counter
        if age >= 0:
            self._seen |= 1 << age
            return
        self._seen = ((self._seen << min(-age, REPLAY_WINDOW)) & _NEWER) | 1
        self.newest = counter
