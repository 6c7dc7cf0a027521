# SPDX-License-Identifier: BSD-3-Clause
"""Datagrams as bytes, right and wrong: every field can be given, so a scenario breaks each rule alone."""

from __future__ import annotations

import hmac
import struct
from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pyshim.protocol.session_crypto import BadTagError, DirectionKey
from pyshim.protocol.session_wire import (
    DATAGRAM_SIZES,
    DENIED_BYTES,
    HEADER_BYTES,
    HELLO_BYTES,
    MESSAGES_MAX,
    SEALED,
    TAG_BYTES,
    VERSION,
    Kind,
)

__all__ = [
    "DATAGRAM_SIZES",
    "HEADER_BYTES",
    "HELLO_BYTES",
    "SEALED",
    "TAG_BYTES",
    "VERSION",
    "Kind",
]

CHALLENGE_BYTES = 68
RESET_BYTES = 28
WELCOME_CLEAR_BYTES = 60
PIECE_BYTES = 458
LIMITS_MAX = 48
FROM_CLIENT = frozenset({Kind.HELLO, Kind.CONFIRM, Kind.DATA, Kind.CLOSE, Kind.PATH_RESPONSE, Kind.PROBE})
_HEADER = struct.Struct("<BBHII")


@dataclass(frozen=True, slots=True)
class Header:
    """The first 12 bytes."""

    kind: int
    length: int
    session: int
    counter: int = 0
    flags: int = 0

    def pack(self) -> bytes:
        """Its bytes."""
        return _HEADER.pack(self.kind, self.flags, self.length, self.session, self.counter)


def read_header(datagram: bytes) -> Header:
    """The fields, whatever is in them; of at least 12 bytes."""
    kind, flags, length, session, counter = _HEADER.unpack_from(datagram)
    return Header(kind, length, session, counter, flags)


# ---------------------------------------------------------------- handshake


def _mac(key: bytes, context: bytes, before: bytes) -> bytes:
    return hmac.digest(key, context + before, "sha256")[:16]


def pack_hello(
    session: int, nonce: bytes, *, version: int = VERSION, reserved: int = 0, padding: bytes = bytes(40)
) -> bytes:
    """A HELLO."""
    body = struct.pack("<HH16s", version, reserved, nonce) + padding
    return Header(Kind.HELLO, HEADER_BYTES + len(body), session).pack() + body


def pack_challenge(session: int, nonce: bytes, cookie: bytes, key: bytes) -> bytes:
    """A CHALLENGE, proved with `key`."""
    before = Header(Kind.CHALLENGE, CHALLENGE_BYTES, session).pack() + nonce + cookie
    return before + _mac(key, b"pollgate challenge", before)


def challenge_is_proved(datagram: bytes, key: bytes) -> bool:
    """Whether who sent a CHALLENGE has `key`."""
    return hmac.compare_digest(datagram[52:68], _mac(key, b"pollgate challenge", datagram[:52]))


def pack_confirm(  # noqa: PLR0913 - what can be wrong
    session: int,
    nonce: bytes,
    cookie: bytes,
    share: bytes,
    key: bytes,
    *,
    size: int = 1200,
    version: int = VERSION,
    said: int | None = None,
    padding: bytes = b"",
) -> bytes:
    """A CONFIRM of `size` bytes that says max_datagram `said`, proved with `key`."""
    before = Header(Kind.CONFIRM, size, session).pack()
    before += struct.pack("<HH16s24s32s", version, size if said is None else said, nonce, cookie, share)
    before = (before + padding).ljust(size - 16, b"\0")
    return before + _mac(key, b"pollgate confirm", before)


def confirm_is_proved(datagram: bytes, key: bytes) -> bool:
    """Whether who sent a CONFIRM has `key`."""
    return hmac.compare_digest(datagram[-16:], _mac(key, b"pollgate confirm", datagram[:-16]))


def pack_denied(
    session: int, nonce: bytes, reason: int, key: bytes | None, versions: bytes = b"\2\0\0"
) -> bytes:
    """A DENIED, proved with `key`, or with zeros."""
    before = Header(Kind.DENIED, DENIED_BYTES, session).pack() + nonce + bytes([reason]) + versions
    return before + (bytes(16) if key is None else _mac(key, b"pollgate denied", before))


def denied_is_proved(datagram: bytes, key: bytes) -> bool:
    """Whether who sent a DENIED has `key`."""
    return hmac.compare_digest(datagram[32:48], _mac(key, b"pollgate denied", datagram[:32]))


def pack_reset(session: int, token: bytes) -> bytes:
    """A RESET."""
    return Header(Kind.RESET, RESET_BYTES, session).pack() + token


_WELCOME = struct.Struct("<IIIHH16sIII")


@dataclass(frozen=True, slots=True)
class Limit:
    """One of a gateway's limits; type 0: datagrams."""

    type: int
    burst: int
    per_minute: int
    reserved: int = 0

    def pack(self) -> bytes:
        """Its 8 bytes."""
        return struct.pack("<BBHI", self.type, self.reserved, self.burst, self.per_minute)


def read_limits(body: bytes, count: int) -> tuple[Limit, ...]:
    """So many, as far as there are bytes."""
    found = []
    for at in range(0, min(8 * count, len(body) - 7), 8):
        kind, reserved, burst, per_minute = struct.unpack_from("<BBHI", body, at)
        found.append(Limit(kind, burst, per_minute, reserved))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Welcome:
    """What is sealed in a WELCOME."""

    player_id: int
    expires_in_s: int
    idle_timeout_ms: int
    max_datagram: int
    reset_token: bytes
    spare: int = 0
    spare_offset: tuple[int, int] = (0, 0)
    limits: tuple[Limit, ...] = ()

    def pack(self, size: int, said: int | None = None, padding: bytes = b"") -> bytes:
        """What is sealed in one of `size` bytes."""
        head = _WELCOME.pack(
            self.player_id,
            self.expires_in_s,
            self.idle_timeout_ms,
            self.max_datagram if said is None else said,
            len(self.limits),
            self.reset_token,
            self.spare,
            *self.spare_offset,
        )
        body = head + b"".join(limit.pack() for limit in self.limits)
        return (body + padding).ljust(size - WELCOME_CLEAR_BYTES - TAG_BYTES, b"\0")


def read_welcome(secret: bytes) -> tuple[Welcome, int, bytes]:
    """What was opened, how many limits it claims, and its padding."""
    player, expires, idle, size, count, token, spare, first, second = _WELCOME.unpack_from(secret)
    limits = read_limits(secret[_WELCOME.size :], count)
    padding = secret[_WELCOME.size + 8 * count :]
    return Welcome(player, expires, idle, size, token, spare, (first, second), limits), count, padding


# ---------------------------------------------------------------- keys

# Section 4 is written out once more, though pyshim.protocol.session_crypto has it: the Python client uses
# that, and a fault that both ends of a check share is never found. What a library does (AES-GCM) is shared.


class Secret:
    """An X25519 secret and its public value."""

    def __init__(self) -> None:
        """Draw it."""
        self._private = X25519PrivateKey.generate()
        self.share = self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def agree(self, share: bytes) -> bytes:
        """Z; 32 zeros where `share` has a small order."""
        try:
            return self._private.exchange(X25519PublicKey.from_public_bytes(share))
        except ValueError:
            return bytes(32)


def _expand(secret: bytes, info: bytes, length: int) -> bytes:
    out = block = b""
    for number in range(1, -(-length // 32) + 1):
        block = hmac.digest(secret, block + info + bytes([number]), "sha256")
        out += block
    return out[:length]


def first_secret(
    key: bytes, z: bytes, session: int, nonces: tuple[bytes, bytes], shares: tuple[bytes, bytes]
) -> bytes:
    """secret_0, from the client's and the gateway's nonce and share."""
    head = b"pollgate 2" + struct.pack("<I", session)
    th = sha256(head + nonces[0] + nonces[1] + shares[0] + shares[1]).digest()
    return hmac.digest(th, key + z, "sha256")


def next_secret(secret: bytes) -> bytes:
    """That of the key phase after."""
    return _expand(secret, b"pollgate update", 32)


def opened(key: DirectionKey, counter: int, datagram: bytes, clear_bytes: int) -> bytes | None:
    """What is sealed in a datagram; None where it was not sealed with this key and counter."""
    try:
        return key.open(counter, datagram, clear_bytes)
    except BadTagError:
        return None


def directions(secret: bytes) -> tuple[DirectionKey, DirectionKey]:
    """From client to gateway, and from gateway to client."""
    okm = _expand(secret, b"pollgate keys", 40)
    return DirectionKey(okm[:16], okm[32:36]), DirectionKey(okm[16:32], okm[36:40])


# ---------------------------------------------------------------- DATA and its messages


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it lies in DATA; `body` as it travels, index and count of a piece included."""

    type: int
    body: bytes = b""
    channel: int = 0
    id: int | None = None  # None: not reliable
    compressed: bool = False
    piece: bool = False
    priority: int = 1
    stray_flags: int = 0  # bits that may not be set

    def pack(self) -> bytes:
        """Its bytes."""
        flags = self.compressed | (self.id is not None) << 1 | self.piece << 2
        flags |= self.channel << 4 | self.priority << 6 | self.stray_flags
        head = struct.pack("<BBH", self.type, flags, len(self.body))
        return head + (b"" if self.id is None else struct.pack("<H", self.id)) + self.body


class BrokenMessageError(ValueError):
    """What lies there is no message of the document; says why."""


def read_messages(secret: bytes) -> tuple[Message, ...]:
    """The messages behind the 12 bytes of a DATA's own header.

    Raises:
        BrokenMessageError: one of them cannot be.
    """
    found = []
    at = 0
    while at < len(secret):
        message, at = _read_message(secret, at)
        found.append(message)
    if len(found) > MESSAGES_MAX:
        raise BrokenMessageError(f"{len(found)} messages in one datagram; at most 50 are allowed")
    return tuple(found)


def _read_message(secret: bytes, at: int) -> tuple[Message, int]:
    if at + 4 > len(secret):
        raise BrokenMessageError(f"{len(secret) - at} bytes behind the last message, which are no header")
    number, flags, length = struct.unpack_from("<BBH", secret, at)
    at += 4
    identity = None
    if flags & 2:
        if at + 2 > len(secret):
            raise BrokenMessageError(f"a reliable message of type {number} without its id")
        (identity,) = struct.unpack_from("<H", secret, at)
        at += 2
    if at + length > len(secret):
        raise BrokenMessageError(
            f"a message of type {number} of {length} bytes; {len(secret) - at} are there"
        )
    message = Message(
        number,
        secret[at : at + length],
        flags >> 4 & 3,
        identity,
        bool(flags & 1),
        bool(flags & 4),
        flags >> 6,
        flags & 8,
    )
    _expect_flags(message)
    return message, at + length


def _expect_flags(message: Message) -> None:
    name = f"a message of type {message.type}"
    if message.stray_flags:
        raise BrokenMessageError(f"{name} with bit 3 of its flags")
    if message.id is None and (message.channel or message.piece):
        raise BrokenMessageError(f"{name} with a channel or a fragment's flag that is not reliable")
    if message.piece:
        if message.channel == 3:
            raise BrokenMessageError(f"{name} in pieces on channel 3")
        index, count = piece_of(message)
        if not (2 <= count <= 144 and index < count):
            raise BrokenMessageError(f"{name}: piece {index} of {count}")


def piece_of(message: Message) -> tuple[int, int]:
    """Index and count of a fragment."""
    if len(message.body) < 4:
        raise BrokenMessageError(f"a fragment of type {message.type} without its index and count")
    index, count = struct.unpack_from("<HH", message.body)
    return index, count


def cut(message: Message) -> list[Message]:
    """A reliable message in pieces, from its id on."""
    parts = [message.body[at : at + PIECE_BYTES] for at in range(0, len(message.body), PIECE_BYTES)]
    first = message.id or 0
    return [
        replace(message, body=struct.pack("<HH", n, len(parts)) + part, id=(first + n) & 0xFFFF, piece=True)
        for n, part in enumerate(parts)
    ]


_DATA = struct.Struct("<IIHBB")


@dataclass(frozen=True, slots=True)
class Data:
    """What is sealed in DATA."""

    ack: int = 0
    ack_bits: int = 0
    ack_delay: int = 65535
    wants: int = 0
    reserved: int = 0
    messages: tuple[Message, ...] = ()

    def pack(self, rest: bytes = b"") -> bytes:
        """Its bytes, `rest` behind its messages."""
        head = _DATA.pack(self.ack, self.ack_bits, self.ack_delay, self.wants, self.reserved)
        return head + b"".join(message.pack() for message in self.messages) + rest


def read_data(secret: bytes) -> Data:
    """What was opened.

    Raises:
        BrokenMessageError: one of its messages cannot be.
    """
    ack, bits, delay, wants, reserved = _DATA.unpack_from(secret)
    return Data(ack, bits, delay, wants, reserved, read_messages(secret[_DATA.size :]))


def named(ack: int, bits: int) -> Iterable[int]:
    """The counters that an acknowledgement names."""
    if ack:
        yield ack
    for n in range(32):
        if bits >> n & 1:
            yield ack - 1 - n
