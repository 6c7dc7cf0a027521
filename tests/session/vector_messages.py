# SPDX-License-Identifier: BSD-3-Clause
"""What is inside the DATA of the vectors: messages as they should be, and what becomes of others."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

from scapy.packet import Packet

from pyshim.messages import REQUESTS
from pyshim.protocol import session as layers
from pyshim.protocol.session import Message
from pyshim.protocol.session_control import Busy, Limit, Number, Restarted, pack_limits
from pyshim.protocol.session_wire import PIECE_BYTES, BusyReason, MessageType

# What becomes of a datagram of one message, or more of a kind.
TAKEN, SKIPPED, REFUSED, CLOSES = "taken", "skipped", "refused", "closes"


# What zlib made of a CHAT of 40 times "na " to player 7 on channel 1: fixed, because libraries differ.
DEFLATED_CHAT = bytes.fromhex("78da636760606064a860c84b54181004001daf25d9")

MOVE = layers.Move(
    position_x=1.0, position_y=-2.5, position_z=0.125, velocity_x=3.0, velocity_y=0.0, velocity_z=-1.0
)
ATTACK = layers.Attack(target_id=9, attack_id=3, direction_x=0.0, direction_y=1.0, direction_z=0.0)
VIEW = struct.pack("<HBB", 65_535, 255, 0)  # a tick and parts of it
NOT_TAKEN = struct.pack("<6fB3x", 900.0, 2.5, -3.0, 800.0, 0.0, 0.125, 2)  # a movement that was too fast
JUDGEMENT = struct.pack("<IBBBBIII", 70_000, 128, 1, 0, 0, 9, 4_200, 17)  # a hit, of player 9
CHAT = layers.Chat(target_id=7, channel=1, text="左から来るぞ".encode())
SKILL = layers.Skill(skill_id=12, target_id=9)
BULK = layers.Bulk(target_id=7, data=b"the game's own")


def drawn(label: str, count: int) -> bytes:
    """Bytes that look random and are the same every time."""
    return blake2b(label.encode(), digest_size=count).digest()


def message(kind: int, body: Packet | bytes = b"", **fields: int | None) -> Message:
    """A message with a body."""
    built = Message(type=int(kind), **fields)
    return built / body if bytes(body) else built


def stored(data: bytes) -> bytes:
    """A zlib stream that stores: the same bytes from every library."""
    block = b"\x01" + struct.pack("<HH", len(data), len(data) ^ 0xFFFF) + data
    return b"\x78\x01" + block + struct.pack(">I", zlib.adler32(data))


def batches() -> Iterator[tuple[str, list[Message]]]:
    """What is in one datagram, and its name."""
    request = MessageType
    yield "client: a move", [message(request.MOVE, MOVE)]
    yield (
        "client: one of each",
        [
            message(request.MOVE, MOVE),
            message(request.ATTACK, ATTACK, reliable=1, channel=0, id=0),
            message(request.CHAT, CHAT, reliable=1, channel=1, id=65535),
            message(request.HEARTBEAT),
            message(request.SKILL, SKILL, reliable=1, channel=3, id=256),
            message(request.BULK, BULK, reliable=1, channel=2, id=1),
            message(request.GAME, b"the game's own"),
        ],
    )
    piece = layers.Fragment(index=1, count=3, piece=drawn("piece", 48).ljust(PIECE_BYTES, b"."))
    yield "client: a fragment", [message(request.BULK, piece, reliable=1, is_fragment=1, channel=2, id=2)]
    small = layers.Compressed(original_len=4 + 60, zlib=stored(struct.pack("<I", 7) + b"abc" * 20))
    yield "client: compressed", [message(request.BULK, small, reliable=1, compressed=1, channel=2, id=3)]
    yield "client: fifty messages", [message(request.HEARTBEAT) for _ in range(50)]
    sender = struct.pack("<I", 4712)
    yield (
        "gateway: one of each",
        [
            message(request.ATTACK_EVENT, sender + bytes(ATTACK)),
            message(request.CHAT_EVENT, sender + bytes(CHAT), reliable=1, channel=1, id=0),
            message(request.SKILL_EVENT, sender + bytes(SKILL), reliable=1, channel=3, id=0),
            message(request.INVENTORY, b"sword", reliable=1, channel=2, id=0),
            message(request.BULK_EVENT, sender + bytes(BULK), reliable=1, channel=2, id=1),
            message(request.CORRECTION, MOVE, reliable=1, channel=0, id=0),
            message(199, b"\0", reliable=1, channel=0, id=1),
        ],
    )
    yield (
        "client: an attack by what is seen",
        [message(request.ATTACK, bytes(ATTACK) + VIEW, reliable=1, channel=0, id=0)],
    )
    yield (
        "gateway: an attack that was judged",
        [message(request.ATTACK_EVENT, sender + bytes(ATTACK) + JUDGEMENT, reliable=1, channel=0, id=2)],
    )
    yield (
        "gateway: a correction that says what was refused",
        [message(request.CORRECTION, bytes(MOVE) + NOT_TAKEN, reliable=1, channel=0, id=3)],
    )
    busy = Busy(0xFFFFFFFF, BusyReason.FORGOTTEN, request.CHAT, 1500).pack()
    yield (
        "client: busy, ping and pong",
        [
            message(request.BUSY, busy),
            message(request.PING, struct.pack("<I", 0x01020304)),
            message(request.PONG, struct.pack("<I", 0xFFFFFFFF)),
        ],
    )
    limits = pack_limits([Limit(0, 256, 60_000), Limit(request.CHAT, 32, 480), Limit(64, 1, 1)])
    yield (
        "gateway: busy, limits, ping and pong",
        [
            message(request.BUSY, Busy(7, BusyReason.RATE, request.MOVE, 0).pack()),
            message(request.LIMITS, struct.pack("<HH", 1, 3) + limits, reliable=1, channel=3, id=1),
            message(request.PING, struct.pack("<I", 0)),
            message(request.PONG, struct.pack("<I", 0x01020304)),
        ],
    )
    restarted = Restarted(65_535, (1, 0, 65_535, 300), 1 << 255 | 6, (2, 0, 300, 65_535))
    yield "gateway: restarted", [message(request.RESTARTED, restarted.pack())]
    number = Number(0x00C0FFEE, (0xFFFFFF00, 0x89ABCDEF)).pack()
    yield "gateway: number", [message(request.NUMBER, number, reliable=1, channel=3, id=2)]


def _whole(kind: int, body: Packet | bytes, *, fate: str = TAKEN, **fields: int) -> tuple[bytes, str]:
    return bytes(message(kind, body, **fields)), fate


def _chat(text: bytes, text_bytes: int | None = None, reserved: int = 0) -> bytes:
    count = len(text) if text_bytes is None else text_bytes
    return struct.pack("<IBBH", 7, 1, reserved, count) + text


def data() -> Iterator[dict[str, Any]]:
    """What a gateway that has just connected takes, skips, or refuses, and for what it closes."""
    request = MessageType
    floats = struct.Struct("<6f")
    cases: dict[str, tuple[bytes, str]] = {
        "nothing": (b"", TAKEN),
        "fifty": (bytes(message(request.HEARTBEAT)) * 50, TAKEN),
        "fifty-one": (bytes(message(request.HEARTBEAT)) * 51, CLOSES),
        "a header cut off": (bytes(message(request.HEARTBEAT))[:3], CLOSES),
        "a move": _whole(request.MOVE, MOVE),
        "a move, one byte short": _whole(request.MOVE, bytes(MOVE)[:-1], fate=SKIPPED),
        "a move, one byte long": _whole(request.MOVE, bytes(MOVE) + b"\0", fate=SKIPPED),
        "a move with a player_id": _whole(request.MOVE, bytes(4) + bytes(MOVE), fate=SKIPPED),
        "a body cut off": (bytes(message(request.MOVE, MOVE))[:-1], CLOSES),
        "a move to infinity": _whole(request.MOVE, floats.pack(float("inf"), *[0.0] * 5), fate=SKIPPED),
        "a move with NaN at the end": _whole(
            request.MOVE, floats.pack(*[0.0] * 5, float("nan")), fate=SKIPPED
        ),
        "a heartbeat with a body": _whole(request.HEARTBEAT, b"\0", fate=SKIPPED),
        "an attack": _whole(request.ATTACK, ATTACK),
        "an attack, one byte short": _whole(request.ATTACK, bytes(ATTACK)[:-1], fate=SKIPPED),
        "an attack by what is seen": _whole(request.ATTACK, bytes(ATTACK) + VIEW),
        "an attack by what is seen, one byte short": _whole(
            request.ATTACK, bytes(ATTACK) + VIEW[:-1], fate=SKIPPED
        ),
        "an attack by what is seen, with a reserved byte": _whole(
            request.ATTACK, bytes(ATTACK) + VIEW[:-1] + b"\1", fate=SKIPPED
        ),
        "an attack that says how it was judged": _whole(
            request.ATTACK, bytes(ATTACK) + JUDGEMENT, fate=SKIPPED
        ),
        "a skill": _whole(request.SKILL, SKILL),
        "a skill, one byte long": _whole(request.SKILL, bytes(SKILL) + b"\0", fate=SKIPPED),
        "chat of 1 byte": _whole(request.CHAT, _chat(b"a")),
        "chat of 512 bytes": _whole(request.CHAT, _chat(b"a" * 512)),
        "chat of 513 bytes": _whole(request.CHAT, _chat(b"a" * 513), fate=SKIPPED),
        "chat of nothing": _whole(request.CHAT, _chat(b""), fate=SKIPPED),
        "chat that is longer than it says": _whole(request.CHAT, _chat(b"abc", 2), fate=SKIPPED),
        "chat that is shorter than it says": _whole(request.CHAT, _chat(b"abc", 4), fate=SKIPPED),
        "chat with a reserved byte": _whole(request.CHAT, _chat(b"abc", reserved=1), fate=SKIPPED),
        "chat with a NUL": _whole(request.CHAT, _chat(b"a\0b")),
        "chat of a NUL": _whole(request.CHAT, _chat(b"\0")),
        "chat with a byte order mark": _whole(request.CHAT, _chat("\ufeffa".encode())),
        "chat with a surrogate": _whole(request.CHAT, _chat(b"\xed\xa0\x80"), fate=SKIPPED),
        "chat that is not UTF-8": _whole(request.CHAT, _chat(b"\xc0\x80"), fate=SKIPPED),
        "bulk of nothing": _whole(request.BULK, bytes(4)),
        "bulk without a target": _whole(request.BULK, bytes(3), fate=SKIPPED),
        "type 0": _whole(0, b"", fate=SKIPPED),
        "type 6": _whole(6, b"", fate=SKIPPED),
        "type 63": _whole(63, b"", fate=SKIPPED),
        "the game's own, type 128": _whole(128, b"\xff" * 3),
        "the game's own, type 199": _whole(199, b""),
        "the game's own, compressed": _whole(
            request.GAME, struct.pack("<I", 99) + stored(bytes(99)), compressed=1, fate=SKIPPED
        ),
        "type 200": _whole(200, b"", fate=SKIPPED),
        "a correction to the gateway": _whole(request.CORRECTION, MOVE, fate=SKIPPED),
        "an event to the gateway": _whole(request.CHAT_EVENT, bytes(4) + _chat(b"a"), fate=SKIPPED),
        "flag bit 3": _whole(request.HEARTBEAT, b"", unused=1, fate=CLOSES),
        "of normal priority": _whole(request.HEARTBEAT, b"", priority=1),
        "of the priority of bulk": _whole(request.HEARTBEAT, b"", priority=2),
        "of priority 3": _whole(request.HEARTBEAT, b"", priority=3),
        "a channel without being reliable": _whole(request.SKILL, SKILL, channel=1, fate=CLOSES),
        "an id cut off": (struct.pack("<BBH", request.HEARTBEAT, 2, 0) + b"\0", CLOSES),
        "id 0": _whole(request.SKILL, SKILL, reliable=1, id=0),
        "id 255 before id 0": _whole(request.SKILL, SKILL, reliable=1, id=255),
        "id 256 before id 0": _whole(request.SKILL, SKILL, reliable=1, id=256, fate=REFUSED),
        "id 255 before id 0, not in order": _whole(request.SKILL, SKILL, reliable=1, channel=3, id=255),
        "id 256 before id 0, not in order": _whole(
            request.SKILL, SKILL, reliable=1, channel=3, id=256, fate=REFUSED
        ),
        "a fragment that is not reliable": _whole(request.BULK, bytes(8), is_fragment=1, fate=CLOSES),
    }
    for name, (index, count, channel, length, fate) in {
        "a fragment": (0, 2, 2, PIECE_BYTES, TAKEN),
        "a fragment of one": (0, 1, 2, 5, CLOSES),
        "the last of 144 first": (143, 144, 2, 42, TAKEN),
        "a fragment of 145": (0, 145, 2, PIECE_BYTES, CLOSES),
        "a fragment behind the last": (2, 2, 2, 5, CLOSES),
        "a fragment without order": (0, 2, 3, PIECE_BYTES, CLOSES),
        "a fragment that is too short": (0, 2, 2, PIECE_BYTES - 1, CLOSES),
        "a fragment that is too long": (0, 2, 2, PIECE_BYTES + 1, CLOSES),
        "a last fragment of nothing": (1, 2, 2, 0, CLOSES),
        "a last fragment behind 65,536 bytes": (143, 144, 2, 43, CLOSES),
    }.items():
        # One that waits for others is looked at when it is its turn: id 255 of the last piece.
        body = struct.pack("<HH", index, count) + bytes(length)
        cases[name] = _whole(
            request.BULK, body, reliable=1, is_fragment=1, channel=channel, id=index, fate=fate
        )
    cases["a fragment cut off"] = _whole(request.BULK, bytes(3), reliable=1, is_fragment=1, id=0, fate=CLOSES)
    text = _chat(b"na " * 40)
    packed = struct.pack("<I", len(text)) + stored(text)
    cases["chat, compressed"] = _whole(request.CHAT, packed, compressed=1)
    for name, body in {
        "compressed to one byte less": struct.pack("<I", len(text) - 1) + stored(text),
        "compressed to one byte more": struct.pack("<I", len(text) + 1) + stored(text),
        "compressed to nothing": struct.pack("<I", 0) + stored(b""),
        "compressed, something behind": packed + b"\0",
        "compressed, cut off": packed[:-1],
        "compressed, no length": packed[:3],
    }.items():
        cases[name] = _whole(request.CHAT, body, compressed=1, fate=SKIPPED)
    moved = struct.pack("<I", 24) + stored(bytes(MOVE))
    deflated = struct.pack("<I", len(text)) + DEFLATED_CHAT
    cases["chat, deflated"] = _whole(request.CHAT, deflated, compressed=1)
    cases["chat, deflated and reliable"] = _whole(
        request.CHAT, deflated, compressed=1, reliable=1, channel=1, id=0
    )
    cases["a compressed move"] = _whole(request.MOVE, moved, compressed=1, fate=SKIPPED)
    cases |= _of_the_list()
    for name, (secret, fate) in cases.items():
        yield {"name": name, "from_client": True, "secret": secret.hex(), "fate": fate}


def _of_the_list() -> dict[str, tuple[bytes, str]]:
    """A shortest body of each type, and what is a byte too short or too long; text has its own cases."""
    cases = {}
    for one in REQUESTS:
        assert one.body is not None
        least, most = one.body.least_bytes, one.body.most_bytes
        if any(part.kind == "text" for part in one.body.fields):
            continue
        kind, name = MessageType(one.number), one.name
        cases[f"{name}: {least} bytes"] = _whole(kind, bytes(least))
        if least > 0:
            cases[f"{name}: {least - 1} bytes"] = _whole(kind, bytes(least - 1), fate=SKIPPED)
        if most < 1000:  # fits a datagram
            cases[f"{name}: {most + 1} bytes"] = _whole(kind, bytes(most + 1), fate=SKIPPED)
    return cases
