# SPDX-License-Identifier: BSD-3-Clause
"""Messages that are wrong in one way each, and what they are counted under."""

from __future__ import annotations

import struct

from tests.network.players import ATTACK, CHAT, MOVE, SKILL, acknowledgement, chat, heartbeat, message

# What is wrong with a message of player 7: the reason that it is counted under, and the message.
NAN, INFINITE = float("nan"), float("inf")
MALFORMED = {
    "nothing": ("truncated", b""),
    "one byte": ("truncated", b"\x01"),
    "half a header": ("truncated", heartbeat(7)[:15]),
    "one byte too few": ("message_size", heartbeat(7)[:-1]),
    "one byte too many": ("message_size", heartbeat(7) + b"\0"),
    "a size that is not its own": ("message_size", struct.pack("<IIQI", 4, 21, 0, 7)),
    "another type's size": ("message_size", message(MOVE, heartbeat(7)[16:])),
    "a skill with a move's size": ("message_size", message(SKILL, bytes(28))),
    "type 0": ("message_type", message(0, heartbeat(7)[16:])),
    "type 6": ("message_type", message(6, heartbeat(7)[16:])),
    "a type beyond a byte": ("message_type", message(0x0104, heartbeat(7)[16:])),
    "an acknowledgement": ("message_type", acknowledgement(heartbeat(7))),
    "a position that is no number": ("not_finite", message(MOVE, struct.pack("<I6f", 7, NAN, *[0] * 5))),
    "an infinite speed": ("not_finite", message(MOVE, struct.pack("<I6f", 7, *[0] * 5, -INFINITE))),
    "a wild direction": ("not_finite", message(ATTACK, struct.pack("<III3f", 7, 1, 1, 0, 0, INFINITE))),
    "empty chat": ("message_size", chat(7, b"")),
    "chat of 513 bytes": ("message_size", chat(7, b"a" * 513)),
    "chat that claims more": ("message_size", message(CHAT, struct.pack("<IIBBH", 7, 0, 0, 0, 5) + b"four")),
    "chat that is not UTF-8": ("bad_utf8", chat(7, b"\xff\xfe")),
    "chat with a surrogate": ("bad_utf8", chat(7, b"\xed\xa0\x80")),
    "chat with a reserved byte": (
        "message_reserved",
        message(CHAT, struct.pack("<IIBBH", 7, 0, 0, 1, 1) + b"a"),
    ),
}
