# SPDX-License-Identifier: BSD-3-Clause
"""The cryptography of the `session` profile: proofs, traffic keys, sealing and the replay window.

Written from dpdk_app/wire/PROTOCOL.md alone, over hashlib, hmac and the `cryptography` package, so that it
can be held against the C code. Nothing here knows what is inside a datagram.
"""

from __future__ import annotations

import hmac
import struct
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

ISSUED_KEY_BYTES = 32
NONCE_BYTES = 16  # client_nonce and server_nonce
PROOF_BYTES = 16
TAG_BYTES = 16
REPLAY_WINDOW = 256  # counters

CHALLENGE_CONTEXT = b"pollgate challenge"
CONFIRM_CONTEXT = b"pollgate confirm"
DENIED_CONTEXT = b"pollgate denied"
TRANSCRIPT_CONTEXT = b"pollgate 2"
TRAFFIC_CONTEXT = b"pollgate keys"
UPDATE_CONTEXT = b"pollgate update"

SHARE_BYTES = 32  # X25519, public and secret
_OKM_BYTES = 40
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

    @property
    def material(self) -> bytes:
        """The 40 bytes from which they were cut."""
        both = self.client_to_gateway, self.gateway_to_client
        return b"".join([one.key for one in both] + [one.salt for one in both])


# ---------------------------------------------------------------- HKDF-SHA-256 (RFC 5869)


def _mac(key: bytes, *parts: bytes) -> bytes:
    return hmac.digest(key, b"".join(parts), sha256)


def expand(secret: bytes, context: bytes, length: int) -> bytes:
    """RFC 5869 2.3."""
    okm = block = b""
    while len(okm) < length:
        block = _mac(secret, block, context, bytes([len(okm) // sha256().digest_size + 1]))
        okm += block
    return okm[:length]


# ---------------------------------------------------------------- a connection's secrets


class Exchange:
    """One end's X25519 secret (RFC 7748), of one nonce of a client."""

    def __init__(self, secret: bytes) -> None:
        """From 32 bytes that nobody else has."""
        self._secret = X25519PrivateKey.from_private_bytes(secret)
        self.share = self._secret.public_key().public_bytes_raw()

    def agree(self, share: bytes) -> bytes | None:
        """What both ends know; None where nothing can be agreed with this share (RFC 7748 6.1)."""
        try:
            return self._secret.exchange(X25519PublicKey.from_public_bytes(share))
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Transcript:
    """What a connection is made from and everybody may know."""

    session: int  # as issued
    client_nonce: bytes
    server_nonce: bytes
    client_share: bytes
    server_share: bytes

    def digest(self) -> bytes:
        """Its hash."""
        return sha256(
            TRANSCRIPT_CONTEXT
            + struct.pack("<I", self.session)
            + self.client_nonce
            + self.server_nonce
            + self.client_share
            + self.server_share
        ).digest()


def connection_secret(key: bytes, agreed: bytes, transcript: Transcript) -> bytes:
    """`secret_0`, from the issued key and what was agreed: neither alone is enough."""
    return _mac(transcript.digest(), key, agreed)


def key_material(secret: bytes) -> bytes:
    """The 40 bytes from which the traffic keys of a phase are cut."""
    return expand(secret, TRAFFIC_CONTEXT, _OKM_BYTES)


def traffic_keys(secret: bytes) -> TrafficKeys:
    """The keys of a phase, from its secret."""
    okm = key_material(secret)
    return TrafficKeys(DirectionKey(okm[0:16], okm[32:36]), DirectionKey(okm[16:32], okm[36:40]))


def next_secret(secret: bytes) -> bytes:
    """The secret of the phase that follows."""
    return expand(secret, UPDATE_CONTEXT, sha256().digest_size)


# ---------------------------------------------------------------- proofs


def challenge_proof(key: bytes, before: bytes) -> bytes:
    """The end of a CHALLENGE: its sender has the issued key."""
    return _mac(key, CHALLENGE_CONTEXT, before)[:PROOF_BYTES]


def confirm_proof(key: bytes, before: bytes) -> bytes:
    """The end of a CONFIRM: likewise."""
    return _mac(key, CONFIRM_CONTEXT, before)[:PROOF_BYTES]


def denied_proof(key: bytes, before: bytes) -> bytes:
    """The end of a DENIED: likewise."""
    return _mac(key, DENIED_CONTEXT, before)[:PROOF_BYTES]


# ---------------------------------------------------------------- counters


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
