# SPDX-License-Identifier: BSD-3-Clause
"""What the supervisor and a game process say to each other: bus/attach.h of the data plane.

What a process sends is hostile until it is read here: a packet is taken as a whole, or refused.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from enum import IntEnum

MAGIC = 0x31425047
VERSION = 3
NAME_BYTES = 32
TOKEN_BYTES = 128
TEXT_BYTES = 400
PACKET_BYTES_MAX = 208  # of what a process sends

_HEAD = struct.Struct("<IHH")
_HELLO = struct.Struct(f"<8xII{NAME_BYTES}s{TOKEN_BYTES}s32s")
_WELCOME = struct.Struct("<8sII32s")
_TEXT = struct.Struct(f"<8sHH{TEXT_BYTES}s")
_RINGS = struct.Struct("<8sII")
_PAIR = struct.Struct(f"<8sII{NAME_BYTES}s")
_TOPIC = struct.Struct(f"<8sII{NAME_BYTES}s")

_WANTS_MOVES = 1
_NAME = re.compile(rb"[A-Za-z0-9._-]{1,31}")


class Kind(IntEnum):
    """As enum attach_kind."""

    HELLO = 1
    WELCOME = 2
    REFUSED = 3
    RINGS = 4
    OPEN = 5
    PAIR = 6
    NOBODY = 7
    TOPIC = 8
    READERS = 9
    DETACHED = 10
    MAPPED = 11


class Reason(IntEnum):
    """As enum attach_refusal; by name in metrics."""

    VERSION = 1
    NAME = 2
    TAKEN = 3
    TOKEN = 4
    FULL = 5
    MEMORY = 6
    MALFORMED = 7
    USER = 8


class Role(IntEnum):
    """As enum attach_role."""

    WRITES = 1
    READS = 2
    ENDS = 3
    RENEWS = 4


@dataclass(frozen=True, slots=True)
class Hello:
    """A process wants to attach."""

    name: str
    wants_moves: bool
    token: bytes
    version: str  # of its library, for people


@dataclass(frozen=True, slots=True)
class Open:
    """A process wants to write to another."""

    name: str


@dataclass(frozen=True, slots=True)
class Topic:
    """A process subscribes to a topic, or ends that."""

    topic: int
    on: bool


@dataclass(frozen=True, slots=True)
class Mapped:
    """A process has mapped all that it writes."""


class RefusedError(Exception):
    """What a process says, or that it says it, is not allowed; the message is a sentence for who wrote it."""

    def __init__(self, reason: Reason, text: str) -> None:
        """Keep the reason, too."""
        super().__init__(text)
        self.reason = reason


# ---------------------------------------------------------------- from a process


def read_hello(packet: bytes, gateway_version: str) -> Hello:
    """The first packet of a process.

    Raises:
        RefusedError: it is no HELLO, of another version, or has a name that there cannot be.
    """
    _check_head(packet, Kind.HELLO, gateway_version)
    if len(packet) != _HELLO.size:
        raise _malformed(f"a HELLO of {len(packet)} bytes; it has {_HELLO.size}")
    wants, zero, name, token, version = _HELLO.unpack(packet)
    if wants & ~_WANTS_MOVES or zero:
        raise _malformed("a HELLO with bits that nobody has a meaning for")
    return Hello(read_name(name), bool(wants & _WANTS_MOVES), token.partition(b"\0")[0], _shown(version))


def read_request(packet: bytes, gateway_version: str) -> Open | Topic | Mapped:
    """What an attached process says.

    Raises:
        RefusedError: it is nothing that it may say.
    """
    kind = _check_head(packet, None, gateway_version)
    match kind:
        case Kind.OPEN if len(packet) == _PAIR.size:
            return Open(read_name(_PAIR.unpack(packet)[3]))
        case Kind.TOPIC if len(packet) == _TOPIC.size:
            _, topic, on, _ = _TOPIC.unpack(packet)
            return Topic(topic, bool(on))
        case Kind.MAPPED if len(packet) == _HEAD.size:
            return Mapped()
    raise _malformed(f"a message of kind {kind} and {len(packet)} bytes, which none may send")


def read_name(field: bytes) -> str:
    """A name as it travels: ended and filled up with zeros.

    Raises:
        RefusedError: it has another form.
    """
    name, _, rest = field.partition(b"\0")
    if len(name) == len(field) or rest.strip(b"\0") or not _NAME.fullmatch(name):
        raise RefusedError(
            Reason.NAME,
            f'the name "{_shown(field)}" is none that a game process can have: 1 to 31 letters, digits, '
            "'-', '_' and '.' are allowed",
        )
    return name.decode()


def _check_head(packet: bytes, wanted: Kind | None, gateway_version: str) -> int:
    if len(packet) < _HEAD.size:
        raise _malformed(f"a packet of {len(packet)} bytes; the shortest has {_HEAD.size}")
    magic, version, kind = _HEAD.unpack_from(packet)
    if magic != MAGIC:
        raise _malformed("a packet that does not begin as those of a game process do")
    if version != VERSION:
        theirs = _shown(packet[-32:]) if len(packet) > 32 else ""
        raise RefusedError(
            Reason.VERSION,
            f"the game library {theirs or '(it does not say which)'} speaks version {version} of the game "
            f"bus, and the gateway, pollgate {gateway_version}, version {VERSION}: use the library of "
            "this pollgate",
        )
    if wanted is not None and kind != wanted:
        raise _malformed(f"a message of kind {kind} before the HELLO")
    return int(kind)


def _malformed(what: str) -> RefusedError:
    return RefusedError(Reason.MALFORMED, f"{what}: is it the game library that speaks here?")


def _shown(field: bytes) -> str:
    """Bytes of a stranger's, for a log."""
    text = field.partition(b"\0")[0].decode("ascii", "replace")
    return "".join(one if one.isascii() and one.isprintable() and one not in '"\\' else "?" for one in text)


# ---------------------------------------------------------------- to a process


def welcome(workers: int, ring_bytes: int, gateway_version: str) -> bytes:
    """It is attached; the rings of so many workers follow."""
    return _WELCOME.pack(_head(Kind.WELCOME), workers, ring_bytes, gateway_version.encode()[:31])


def refused(reason: Reason, text: str) -> bytes:
    """It is not, and why."""
    return _sentence(Kind.REFUSED, reason, text)


def detached(text: str) -> bytes:
    """It is no longer attached, and why."""
    return _sentence(Kind.DETACHED, 0, text)


def nobody(text: str) -> bytes:
    """There is no such process to write to, or it cannot be."""
    return _sentence(Kind.NOBODY, 0, text)


def rings(worker: int, incarnation: int) -> bytes:
    """Its rings of a worker; with three descriptors."""
    return _RINGS.pack(_head(Kind.RINGS), worker, incarnation)


def pair(role: Role, name: str) -> bytes:
    """A ring between it and another process, with two descriptors; or that there is none any more."""
    return _PAIR.pack(_head(Kind.PAIR), role, 0, name.encode())


def readers(topic: int, name: str, *, on: bool) -> bytes:
    """Whether another process has a topic."""
    return _TOPIC.pack(_head(Kind.READERS), topic, on, name.encode())


def subject(packet: bytes) -> bytes | None:
    """What a packet says something of, if the next one of that takes its place; None: each is to be heard."""
    _, _, kind = _HEAD.unpack_from(packet)
    if kind == Kind.READERS:
        return packet[:12] + packet[16:]  # without whether
    if kind == Kind.PAIR and _PAIR.unpack(packet)[1] in {Role.ENDS, Role.RENEWS}:
        return packet
    return None


def _sentence(kind: Kind, reason: int, text: str) -> bytes:
    return _TEXT.pack(_head(kind), reason, 0, text.encode()[: TEXT_BYTES - 1])


def _head(kind: Kind) -> bytes:
    return _HEAD.pack(MAGIC, VERSION, kind)
