# SPDX-License-Identifier: BSD-3-Clause
"""The `session` profile as bytes, without scapy: what a client packs and takes apart for every datagram.

Written from dpdk_app/wire/PROTOCOL.md alone. `pyshim.protocol.session` says the same in scapy layers, which
tests hold against this. All of it is values in, values out; whatever cannot be is a WireError.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from pyshim import messages

VERSION = 2
DEFAULT_PORT = 8081

HEADER_BYTES = 12
TAG_BYTES = 16
AROUND_BYTES = HEADER_BYTES + TAG_BYTES  # of a sealed datagram: what is not sealed
PREFIX_BYTES = 12
DATA_MIN_BYTES = AROUND_BYTES + PREFIX_BYTES
NONCE_BYTES = 16
PATH_TOKEN_BYTES = 8
HELLO_BYTES = 72
CHALLENGE_BYTES = 68
DENIED_BYTES = 48
WELCOME_CLEAR_BYTES = 60
RESET_BYTES = 28
SHARE_BYTES = 32
DATAGRAM_MAX_BYTES = 1400
DATAGRAM_SIZES = (1400, 1232, 1000, 508)  # what a client tries, largest first

MESSAGES_MAX = 50
MESSAGE_HEAD_BYTES = 4
RELIABLE_HEAD_BYTES = 6
FRAGMENT_HEAD_BYTES = 4
FRAGMENTS_MAX = 144
PIECE_BYTES = 458  # of a body in a fragment: any datagram carries it
COST_BYTES = 1400  # a message costs one of its limit for each, or part of them
LIMITS_MAX = 48
BODY_MAX_BYTES = 65536
BULK_MAX_BYTES = BODY_MAX_BYTES - 8  # of the game's own, so that its event is a body, too
CHAT_TEXT_MAX_BYTES = 512
CHANNELS = 4
UNORDERED = 3
CHANNEL_WINDOW = 256  # ids on their way
EVENT = messages.EVENT  # a message of type t arrives as an event of type t + EVENT

LIMIT_BYTES = 8  # an entry of a WELCOME

COUNTER_MAX = (1 << 32) - 1
COUNTERS = COUNTER_MAX - (1 << 24)  # who has sent so many ends the connection
KEY_PHASE = 1  # flag of a sealed datagram: the lowest bit of its key phase
PHASE_DATAGRAMS = 1 << 22  # a sender goes to the next phase before so many of one
PHASE_S = 3600.0  # and before so long
PHASE_MOST = 1 << 23  # who is acknowledged nothing of so many ends the connection
WANTS_ANSWER = 1
ACK_DELAY_HZ = 16_000
ACK_DELAY_UNKNOWN = 0xFFFF  # or longer than all others

_HEADER = struct.Struct("<BBHII")
_PREFIX = struct.Struct("<IIHBB")
_HELLO = struct.Struct("<HH16s40x")
_CONFIRM = struct.Struct("<HH16s24s32s")
_WELCOME = struct.Struct("<IIIHH16sIII")


class WireError(ValueError):
    """Bytes that the document does not allow; says which rule they break."""


class Kind(IntEnum):
    """What a datagram is."""

    HELLO = 1
    CHALLENGE = 2
    CONFIRM = 3
    WELCOME = 4
    DATA = 5
    CLOSE = 6
    PATH_CHALLENGE = 7
    PATH_RESPONSE = 8
    DENIED = 9
    RESET = 10
    PROBE = 11


SEALED = frozenset({Kind.WELCOME, Kind.DATA, Kind.CLOSE, Kind.PATH_CHALLENGE, Kind.PATH_RESPONSE, Kind.PROBE})


class Denial(IntEnum):
    """Why a HELLO or CONFIRM was refused."""

    VERSION = 2
    EXPIRED = 3
    REVOKED = 4
    CONSUMED = 5
    FULL = 6


class CloseReason(IntEnum):
    """Why a connection ended."""

    LEFT = 1
    IDLE = 2
    EXPIRED = 3
    REVOKED = 4
    REPLACED = 5
    PROTOCOL = 7
    RESTARTED = 8
    SHUTDOWN = 9
    KICKED = 10


KICK_REASONS = range(128)  # of the game's own
CLOSED_GAME = 128  # a CLOSE's reason is so much more than the game's own


class BusyReason(IntEnum):
    """Why a message was not taken."""

    RATE = 1
    SESSION_MEMORY = 2
    MEMORY = 3
    ORDER = 4
    RECEIVER = 5
    FORGOTTEN = 6


class MessageType(IntEnum):
    """What a message inside DATA is."""

    # types from messages.def: begin
    MOVE = 1
    ATTACK = 2
    CHAT = 3
    HEARTBEAT = 4
    SKILL = 5
    BULK = 7
    LIMITS = 8
    BUSY = 9
    RESTARTED = 10
    NUMBER = 11
    PING = 12
    PONG = 13
    WORLD = 15
    GAME = 64
    WORLD_STATE = 201
    ATTACK_EVENT = 202
    CHAT_EVENT = 203
    SKILL_EVENT = 205
    INVENTORY = 206
    BULK_EVENT = 207
    CORRECTION = 208
    # types from messages.def: end


GAME = messages.GAME.numbers  # types of the game's own: all are as MessageType.GAME
COMPRESSIBLE = frozenset(
    kind for kind in MessageType if (one := messages.of(kind)) is not None and one.compressed != "NEVER"
)
_EITHER = {int(kind) for kind in MessageType if kind.name in messages.FROM_EITHER}
REQUESTS = frozenset(number for one in messages.REQUESTS for number in one.numbers) | _EITHER
EVENTS = (
    frozenset(one.event for one in messages.MESSAGES if one.event is not None)
    | {one.number for one in messages.MESSAGES if one.kind == "CONTROL"}
    | frozenset(GAME)
    | _EITHER
)


# ---------------------------------------------------------------- header


@dataclass(frozen=True, slots=True)
class Header:
    """The beginning of every datagram."""

    kind: Kind
    length: int
    session: int
    counter: int = 0
    flags: int = 0

    def pack(self) -> bytes:
        """Its 12 bytes."""
        return _HEADER.pack(self.kind, self.flags, self.length, self.session, self.counter)


def read_header(datagram: bytes) -> Header:
    """The header of a whole datagram.

    Raises:
        WireError: no datagram of the profile begins or ends like this.
    """
    if not HEADER_BYTES <= len(datagram) <= DATAGRAM_MAX_BYTES:
        raise WireError(f"{len(datagram)} bytes; a datagram has 12 to 1400")
    number, flags, length, session, counter = _HEADER.unpack_from(datagram)
    try:
        kind = Kind(number)
    except ValueError as error:
        raise WireError(f"kind {number}; there are 1 to 11") from error
    if length != len(datagram):
        raise WireError(f"length {length} in a datagram of {len(datagram)} bytes")
    if flags & ~(KEY_PHASE if kind in SEALED else 0):
        raise WireError(f"flags {flags:#04x} of a {kind.name}")
    if kind in SEALED:
        if len(datagram) < AROUND_BYTES:
            raise WireError(f"{len(datagram)} bytes; a sealed datagram has more than {AROUND_BYTES}")
    elif counter:
        raise WireError(f"counter in a {kind.name}")
    return Header(kind, length, session, counter, flags)


# ---------------------------------------------------------------- handshake


def pack_hello(session: int, client_nonce: bytes, version: int = VERSION) -> bytes:
    """A HELLO."""
    return Header(Kind.HELLO, HELLO_BYTES, session).pack() + _HELLO.pack(version, 0, client_nonce)


def confirm_without_proof(
    session: int, max_datagram: int, client_nonce: bytes, cookie: bytes, share: bytes
) -> bytes:
    """A CONFIRM up to its proof, which is made over this."""
    head = Header(Kind.CONFIRM, max_datagram, session).pack()
    body = _CONFIRM.pack(VERSION, max_datagram, client_nonce, cookie, share)
    return (head + body).ljust(max_datagram - TAG_BYTES, b"\0")


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a gateway answers to a HELLO."""

    client_nonce: bytes
    cookie: bytes
    proof: bytes
    before_proof: bytes


def read_challenge(datagram: bytes) -> Challenge:
    """A CHALLENGE whose header was read.

    Raises:
        WireError: it has another length.
    """
    expect(len(datagram) == CHALLENGE_BYTES, f"a CHALLENGE of {len(datagram)} bytes; it has 68")
    return Challenge(datagram[12:28], datagram[28:52], datagram[52:68], datagram[:52])


@dataclass(frozen=True, slots=True)
class Refusal:
    """A DENIED."""

    client_nonce: bytes
    reason: Denial
    versions: tuple[int, ...]  # that the gateway speaks, the highest first
    proof: bytes  # of reasons but VERSION, which anybody can have said
    before_proof: bytes


def read_denied(datagram: bytes) -> Refusal:
    """A DENIED whose header was read.

    Raises:
        WireError: another length or reason.
    """
    expect(len(datagram) == DENIED_BYTES, f"a DENIED of {len(datagram)} bytes; it has 48")
    try:
        reason = Denial(datagram[28])
    except ValueError as error:
        raise WireError(f"DENIED for reason {datagram[28]}") from error
    versions = tuple(version for version in datagram[29:32] if version)
    return Refusal(datagram[12:28], reason, versions, datagram[32:48], datagram[:32])


def read_reset(datagram: bytes) -> bytes:
    """The token of a RESET whose header was read.

    Raises:
        WireError: it has another length.
    """
    expect(len(datagram) == RESET_BYTES, f"a RESET of {len(datagram)} bytes; it has 28")
    return datagram[HEADER_BYTES:]


@dataclass(frozen=True, slots=True)
class Welcome:
    """What is sealed in a WELCOME."""

    player_id: int
    expires_in_s: int
    idle_timeout_ms: int
    max_datagram: int
    reset_token: bytes = bytes(16)
    limits: bytes = b""  # 8 bytes each
    spare: int = 0
    spare_offset: tuple[int, int] = (0, 0)

    def pack(self, sealed_bytes: int) -> bytes:
        """Padded to `sealed_bytes`."""
        body = _WELCOME.pack(
            self.player_id,
            self.expires_in_s,
            self.idle_timeout_ms,
            self.max_datagram,
            len(self.limits) // LIMIT_BYTES,
            self.reset_token,
            self.spare,
            *self.spare_offset,
        )
        return (body + self.limits).ljust(sealed_bytes, b"\0")


def read_welcome(secret: bytes, length: int) -> Welcome:
    """What was opened of a WELCOME of `length` bytes.

    Raises:
        WireError: it is short, its limit is not its length, or its padding is not 0.
    """
    least = _WELCOME.size
    expect(len(secret) >= least, f"{len(secret)} sealed bytes of a WELCOME; there are at least {least}")
    fields = _WELCOME.unpack_from(secret)
    player_id, expires_in_s, idle_timeout_ms, max_datagram, count, token, spare, *offset = fields
    expect(max_datagram == length, f"a WELCOME of {length} bytes says max_datagram {max_datagram}")
    end = least + count * LIMIT_BYTES
    expect(count <= LIMITS_MAX and end <= len(secret), f"a WELCOME with {count} limits")
    expect(not any(secret[end:]), "padding of a WELCOME")
    limits = secret[least:end]
    return Welcome(
        player_id, expires_in_s, idle_timeout_ms, max_datagram, token, limits, spare, (offset[0], offset[1])
    )


def pack_close(reason: CloseReason) -> bytes:
    """What is sealed in a CLOSE."""
    return struct.pack("<B7x", reason)


def read_close(secret: bytes) -> int:
    """Why the peer ended the connection; newer ones know more reasons.

    Raises:
        WireError: another length, no reason, or reserved bytes.
    """
    expect(len(secret) == 8 and secret[0] != 0 and not any(secret[1:]), "body of a CLOSE")
    return secret[0]


# ---------------------------------------------------------------- acknowledgement


@dataclass(frozen=True, slots=True)
class Prefix:
    """What every DATA seals in front of its messages."""

    ack: int = 0  # newest counter that was taken; 0: none
    ack_bits: int = 0  # bit n: ack - 1 - n was taken
    ack_delay: int = 0  # since the datagram `ack` came
    wants: int = 0

    @property
    def wants_answer(self) -> bool:
        """Whether its sender wants to hear at once."""
        return bool(self.wants & WANTS_ANSWER)

    @property
    def delay_s(self) -> float | None:
        """How long the datagram `ack` has waited; None: longer than can be said, or unknown."""
        return None if self.ack_delay == ACK_DELAY_UNKNOWN else self.ack_delay / ACK_DELAY_HZ

    def pack(self) -> bytes:
        """Its 12 bytes."""
        return _PREFIX.pack(self.ack, self.ack_bits, self.ack_delay, self.wants, 0)


def ack_delay(waited_s: float) -> int:
    """A time as it is said in a Prefix."""
    return min(int(waited_s * ACK_DELAY_HZ), ACK_DELAY_UNKNOWN)


def read_data(secret: bytes) -> tuple[Prefix, bytes]:
    """What was opened of a DATA: its acknowledgement, and the bytes of its messages.

    Raises:
        WireError: it is short, or something is not 0.
    """
    expect(len(secret) >= PREFIX_BYTES, f"{len(secret)} sealed bytes of a DATA; there are at least 12")
    ack, ack_bits, delay, wants, reserved = _PREFIX.unpack_from(secret)
    expect(not wants & ~WANTS_ANSWER and not reserved, f"a DATA that wants {wants:#04x}, {reserved:#04x}")
    return Prefix(ack, ack_bits, delay, wants), secret[PREFIX_BYTES:]


def check_probe(secret: bytes) -> None:
    """Whether a PROBE is zeros.

    Raises:
        WireError: it is not.
    """
    expect(len(secret) >= PREFIX_BYTES and not any(secret), "body of a PROBE")


# ---------------------------------------------------------------- messages


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it lies in DATA. Of a fragment, `body` is the piece without index and count."""

    type: int
    body: bytes
    channel: int = 0
    message_id: int | None = None  # None: not reliable
    compressed: bool = False
    piece: tuple[int, int] | None = None  # index, count of a fragment
    priority: int = 0  # 0 urgent, 1 normal, 2 bulk; 3 is as 2

    def pack(self) -> bytes:
        """Its bytes."""
        body = self.body if self.piece is None else struct.pack("<HH", *self.piece) + self.body
        flags = self.compressed | (self.message_id is not None) << 1 | (self.piece is not None) << 2
        head = struct.pack("<BBH", self.type, flags | self.channel << 4 | self.priority << 6, len(body))
        if self.message_id is not None:
            head += struct.pack("<H", self.message_id)
        return head + body

    @property
    def size(self) -> int:
        """Bytes that it takes in a datagram."""
        head = MESSAGE_HEAD_BYTES if self.message_id is None else RELIABLE_HEAD_BYTES
        return head + len(self.body) + (0 if self.piece is None else FRAGMENT_HEAD_BYTES)


def pack_messages(messages: Iterable[Message]) -> bytes:
    """The messages of a DATA."""
    return b"".join(message.pack() for message in messages)


def read_messages(secret: bytes) -> list[Message]:
    """The messages of a DATA: flags and lengths are right, types and bodies were not looked at.

    Raises:
        WireError: one of them cannot be: the connection is to be closed.
    """
    messages = []
    at = 0
    while at < len(secret):
        message, at = _read_message(secret, at)
        messages.append(message)
    expect(len(messages) <= MESSAGES_MAX, f"{len(messages)} messages; a datagram has at most 50")
    return messages


def _read_message(secret: bytes, at: int) -> tuple[Message, int]:
    expect(at + MESSAGE_HEAD_BYTES <= len(secret), f"message at {at}: its header is cut off")
    number, flags, length = struct.unpack_from("<BBH", secret, at)
    channel = flags >> 4 & 3
    at += MESSAGE_HEAD_BYTES
    expect(not flags & 8, f"message of type {number}: flags {flags:#04x}")
    message_id = None
    if flags & 2:
        expect(at + 2 <= len(secret), f"message of type {number}: its id is cut off")
        (message_id,) = struct.unpack_from("<H", secret, at)
        at += 2
    else:
        expect(channel == 0, f"message of type {number}: channel {channel} without being reliable")
    expect(at + length <= len(secret), f"message of type {number}: {length} bytes of body are cut off")
    body = secret[at : at + length]
    at += length
    piece = None
    if flags & 4:
        expect(message_id is not None and channel != UNORDERED, f"message of type {number}: a loose fragment")
        piece, body = _read_piece(body)
    return Message(number, body, channel, message_id, bool(flags & 1), piece, flags >> 6), at


def _read_piece(body: bytes) -> tuple[tuple[int, int], bytes]:
    expect(len(body) >= FRAGMENT_HEAD_BYTES, "a fragment without index and count")
    index, count = struct.unpack_from("<HH", body)
    expect(2 <= count <= FRAGMENTS_MAX and index < count, f"fragment {index} of {count}")
    piece = body[FRAGMENT_HEAD_BYTES:]
    is_last = index + 1 == count
    expect(
        (1 <= len(piece) <= PIECE_BYTES if is_last else len(piece) == PIECE_BYTES)
        and index * PIECE_BYTES + len(piece) <= BODY_MAX_BYTES,
        f"fragment {index} of {count} with {len(piece)} bytes",
    )
    return (index, count), piece


def expect(condition: bool, text: str) -> None:
    """Raise WireError with `text` unless the bytes are as the document says."""
    if not condition:
        raise WireError(text)
