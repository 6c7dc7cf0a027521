# SPDX-License-Identifier: BSD-3-Clause
"""Bodies of a game's messages in the `session` profile: what is in each type, and whether bytes are that."""

from __future__ import annotations

import math
import struct

from pyshim import messages
from pyshim.protocol.session_wire import (
    BODY_MAX_BYTES,
    BULK_MAX_BYTES,
    CHAT_TEXT_MAX_BYTES,
    MessageType,
    WireError,
    expect,
)

_MOVE = struct.Struct("<6f")
_ATTACK = struct.Struct("<II3f")
_VIEW = struct.Struct("<HBB")
_JUDGEMENT = struct.Struct("<IBBBBIII")
_REFUSED = struct.Struct("<6fB3x")  # what was refused, and why
_CHAT = struct.Struct("<IBBH")
_SKILL = struct.Struct("<II")
_ID = struct.Struct("<I")
_NUMBERS = {"u8": "B", "u16": "H", "u32": "I", "f32": "f"}


def check_body(number: int, body: bytes, allowed: frozenset[int]) -> None:
    """Whether a whole, expanded body may be of this type.

    Raises:
        WireError: it may not, or the type is not among those `allowed`.
    """
    if number not in allowed:
        raise WireError(f"message type {number} is not one that comes this way")
    expect(len(body) <= BODY_MAX_BYTES, f"a body of {len(body)} bytes; there are at most 65536")
    kind = MessageType(messages.listed(number))
    one = messages.of(number)
    if one is not None and one.kind == "RELAYED" and one.number != number:  # an event
        expect(len(body) >= _ID.size, f"{kind.name} without its sender")
        kind, body = MessageType(one.number), body[_ID.size :]
        if kind is MessageType.ATTACK and len(body) == _ATTACK.size + _JUDGEMENT.size:
            body = body[: _ATTACK.size]  # how it was judged, in numbers of which others may come to be known
        elif kind is MessageType.ATTACK:
            expect(
                len(body) == _ATTACK.size,
                f"an ATTACK_EVENT of {len(body)} bytes behind its sender; it has 20 or 40",
            )
    if kind is MessageType.CORRECTION and len(body) == _MOVE.size + _REFUSED.size:
        *refused, _ = _REFUSED.unpack_from(body, _MOVE.size)
        expect(all(map(math.isfinite, refused)), "a CORRECTION of a movement that is not finite")
        body = body[: _MOVE.size]
    if kind in _CHECKS:
        _CHECKS[kind](body)
    elif one is not None and one.body is not None:
        _check_fields(kind, one.body, body)


def _check_fields(kind: MessageType, layout: messages.Body, body: bytes) -> None:
    """By what messages.def says of a type that has no check of its own."""
    least, most = layout.least_bytes, layout.most_bytes
    expect(least <= len(body) <= most, f"a {kind.name} of {len(body)} bytes; it has {least} to {most}")
    at = 0
    for one in layout.fields:
        if one.kind == "bytes":
            return
        if one.kind == "text":
            _check_text(kind, body[at:])
            return
        part = struct.Struct(f"<{one.count or 1}{_NUMBERS[one.kind]}")
        expect(at + part.size <= len(body), f"a {kind.name} that is cut off")
        found = part.unpack_from(body, at)
        at += part.size
        expect(one.kind != "f32" or all(map(math.isfinite, found)), f"a {kind.name} that is not finite")
        expect(one.name != "0" or not any(found), f"reserved bytes of a {kind.name}")
    expect(at == len(body), f"a {kind.name} of {len(body)} bytes; it has {at}")


def _check_text(kind: MessageType, rest: bytes) -> None:
    expect(len(rest) > 2, f"a {kind.name} without its text")
    (text_bytes,) = struct.unpack_from("<H", rest)
    expect(text_bytes == len(rest) - 2, f"text length {text_bytes} of a {kind.name}")
    try:
        rest[2:].decode()
    except UnicodeDecodeError as error:
        raise WireError(f"a {kind.name} whose text is not UTF-8") from error


def _check_move(body: bytes) -> None:
    expect(len(body) == _MOVE.size, f"a MOVE of {len(body)} bytes; it has 24")
    expect(all(map(math.isfinite, _MOVE.unpack(body))), "a MOVE that is not finite")


def _check_attack(body: bytes) -> None:
    viewed = len(body) == _ATTACK.size + _VIEW.size
    expect(len(body) == _ATTACK.size or viewed, f"an ATTACK of {len(body)} bytes; it has 20 or 24")
    expect(all(map(math.isfinite, _ATTACK.unpack_from(body)[2:])), "an ATTACK that is not finite")
    expect(not viewed or body[-1] == 0, "reserved byte of an ATTACK")


def _check_chat(body: bytes) -> None:
    expect(len(body) > _CHAT.size, f"a CHAT of {len(body)} bytes; it has at least 9")
    _, _, reserved, text_bytes = _CHAT.unpack_from(body)
    text = body[_CHAT.size :]
    expect(reserved == 0, "reserved byte of a CHAT")
    expect(text_bytes == len(text) <= CHAT_TEXT_MAX_BYTES, f"text length {text_bytes} of a CHAT")
    try:
        text.decode()
    except UnicodeDecodeError as error:
        raise WireError("a CHAT whose text is not UTF-8") from error


def _check_heartbeat(body: bytes) -> None:
    expect(not body, f"a HEARTBEAT of {len(body)} bytes; it has none")


def _check_skill(body: bytes) -> None:
    expect(len(body) == _SKILL.size, f"a SKILL of {len(body)} bytes; it has 8")


def _check_bulk(body: bytes) -> None:
    expect(_ID.size <= len(body) <= _ID.size + BULK_MAX_BYTES, f"a BULK of {len(body)} bytes")


_CHECKS = {
    MessageType.MOVE: _check_move,
    MessageType.ATTACK: _check_attack,
    MessageType.CHAT: _check_chat,
    MessageType.HEARTBEAT: _check_heartbeat,
    MessageType.SKILL: _check_skill,
    MessageType.BULK: _check_bulk,
}


def move_body(position: tuple[float, float, float], velocity: tuple[float, float, float]) -> bytes:
    """Body of a MOVE."""
    return _MOVE.pack(*position, *velocity)


def attack_body(
    target_id: int,
    attack_id: int,
    direction: tuple[float, float, float],
    view: tuple[int, int] | None = None,
) -> bytes:
    """Body of an ATTACK; `view`: the moment that is shown, a tick and 256ths of one after it."""
    body = _ATTACK.pack(target_id, attack_id, *direction)
    return body if view is None else body + _VIEW.pack(view[0] % (1 << 16), view[1], 0)


def chat_body(target_id: int, channel: int, text: str) -> bytes:
    """Body of a CHAT."""
    data = text.encode()
    return _CHAT.pack(target_id, channel, 0, len(data)) + data


def skill_body(skill_id: int, target_id: int) -> bytes:
    """Body of a SKILL."""
    return _SKILL.pack(skill_id, target_id)


def bulk_body(target_id: int, data: bytes) -> bytes:
    """Body of a BULK."""
    return _ID.pack(target_id) + data
