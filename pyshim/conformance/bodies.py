# SPDX-License-Identifier: BSD-3-Clause
"""Bodies of messages: those that the kit says, and whether those of the other are what their types say."""

from __future__ import annotations

import math
import struct
import zlib

from pyshim.protocol.session_bodies import attack_body, bulk_body, chat_body, move_body

bulk = bulk_body

MOVE, ATTACK, CHAT, HEARTBEAT, SKILL, BULK = 1, 2, 3, 4, 5, 7
LIMITS, BUSY, RESTARTED, NUMBER, PING, PONG = 8, 9, 10, 11, 12, 13
EVENT = 200  # a message of type t arrives as one of type t + EVENT
INVENTORY = 206
CORRECTION = 208
GAME = range(64, 200)  # the game's own, both ways
UNKNOWN = 63  # nobody's
COMPRESSIBLE = frozenset({CHAT, BULK, CHAT + EVENT, INVENTORY, BULK + EVENT})
FROM_CLIENT = frozenset({MOVE, ATTACK, CHAT, HEARTBEAT, SKILL, BULK, BUSY, PING, PONG, *GAME})
FROM_GATEWAY = frozenset(
    {
        LIMITS,
        BUSY,
        RESTARTED,
        NUMBER,
        PING,
        PONG,
        201,
        INVENTORY,
        CORRECTION,
        *GAME,
        *(EVENT + t for t in (ATTACK, CHAT, SKILL, BULK)),
    }
)
BODY_MAX_BYTES = 65536


def listed(kind: int) -> int:
    """As the document lists it, also where it says limits: of the game's own, the first."""
    return GAME.start if kind in GAME else kind


def move(x: float = 0.0) -> bytes:
    """A MOVE."""
    return move_body((x, 0.0, 0.0), (1.0, 0.0, 0.0))


def attack(target: int, number: int = 1) -> bytes:
    """An ATTACK."""
    return attack_body(target, number, (0.0, 0.0, 1.0))


def chat(target: int, text: str) -> bytes:
    """A CHAT_MESSAGE."""
    return chat_body(target, 0, text)


def busy(counter: int, reason: int, kind: int, retry_ms: int) -> bytes:
    """A BUSY."""
    return struct.pack("<IBBH", counter, reason, kind, retry_ms)


def event(sender: int, body: bytes) -> bytes:
    """An event of a body."""
    return struct.pack("<I", sender) + body


def compress(body: bytes, original: int | None = None) -> bytes:
    """A compressed body, which may say another length."""
    return struct.pack("<I", len(body) if original is None else original) + zlib.compress(body)


def expand(body: bytes) -> bytes | None:
    """What a compressed body expands to; None where it does not."""
    if len(body) < 4:
        return None
    (length,) = struct.unpack_from("<I", body)
    stream = zlib.decompressobj()
    try:
        found = stream.decompress(body[4:], BODY_MAX_BYTES + 1)
    except zlib.error:
        return None
    whole = stream.eof and not stream.unused_data and not stream.unconsumed_tail
    return found if whole and len(found) == length and 1 <= length <= BODY_MAX_BYTES else None


def what_is_wrong(kind: int, body: bytes) -> str:
    """Why a whole, expanded body of a type cannot be; empty where it can, or where the type is not known."""
    if len(body) > BODY_MAX_BYTES:
        return f"{len(body)} bytes; at most {BODY_MAX_BYTES} are allowed"
    if kind in (EVENT + ATTACK, EVENT + CHAT, EVENT + SKILL, EVENT + BULK):
        if len(body) < 4:
            return f"{len(body)} bytes, which hold no sender"
        return (
            _of_attack(body[4:], _JUDGEMENT_BYTES)
            if kind == EVENT + ATTACK
            else _of_said(kind - EVENT, body[4:])
        )
    return _of_said(kind, body)


def _of_said(kind: int, body: bytes) -> str:
    if kind == ATTACK:
        return _of_attack(body, _VIEW_BYTES)
    if kind == CHAT:
        return _of_chat(body)
    if kind == CORRECTION and len(body) == _MOVE_BYTES + _REFUSED_BYTES:
        return _of_floats(body[: 2 * _MOVE_BYTES])
    least, most = _LENGTHS.get(kind, (0, BODY_MAX_BYTES))
    if not least <= len(body) <= most:
        return f"{len(body)} bytes; {least if least == most else f'{least} to {most}'} are allowed"
    return _of_floats(body if kind in (MOVE, CORRECTION) else b"")


def _of_floats(floats: bytes) -> str:
    if not all(map(math.isfinite, struct.unpack(f"<{len(floats) // 4}f", floats))):
        return "a number that is not finite"
    return ""


_MOVE_BYTES, _REFUSED_BYTES = 24, 28
_ATTACK_BYTES, _VIEW_BYTES, _JUDGEMENT_BYTES = 20, 4, 20


def _of_attack(body: bytes, more: int) -> str:
    """With what may follow, so many bytes, or without."""
    if len(body) not in (_ATTACK_BYTES, _ATTACK_BYTES + more):
        return f"{len(body)} bytes; {_ATTACK_BYTES} or {_ATTACK_BYTES + more} are allowed"
    if more == _VIEW_BYTES and len(body) > _ATTACK_BYTES and body[-1]:
        return f"its reserved byte is {body[-1]}"
    return _of_floats(body[8:_ATTACK_BYTES])


_LENGTHS = {
    MOVE: (24, 24),
    CORRECTION: (24, 24),
    HEARTBEAT: (0, 0),
    SKILL: (8, 8),
    BULK: (4, 4 + 65528),
    LIMITS: (4, 4 + 8 * 48),
    BUSY: (8, 8),
    RESTARTED: (50, 50),
    NUMBER: (12, 12),
    PING: (4, 4),
    PONG: (4, 4),
}


def _of_chat(body: bytes) -> str:
    if len(body) < 9:
        return f"{len(body)} bytes; at least 9 are needed"
    _, _, zero, length = struct.unpack_from("<IBBH", body)
    if zero:
        return f"its reserved byte is {zero}"
    if length != len(body) - 8 or length > 512:
        return f"a text length of {length} before {len(body) - 8} bytes"
    try:
        body[8:].decode()
    except UnicodeDecodeError:
        return "text that is not UTF-8"
    return ""
