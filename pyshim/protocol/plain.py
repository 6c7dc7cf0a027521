# SPDX-License-Identifier: BSD-3-Clause
"""The `plain` profile as scapy layers: one header, its messages, and their acknowledgements.

A datagram is `Plain() / PlayerMove(player_id=7)`. The header's `packet_type` follows from the layer above it
and `packet_size` from the bytes, unless they are given: that is how a test builds a wrong one.

Importing this module touches no other layer. `bind()` tells scapy that a UDP port speaks it.
"""

from __future__ import annotations

import struct
from enum import IntEnum

from scapy.fields import (
    ByteField,
    Field,
    FieldLenField,
    LEIntEnumField,
    LEIntField,
    LELongField,
    StrField,
    StrFixedLenField,
    StrLenField,
)
from scapy.layers.inet import UDP
from scapy.packet import Packet, bind_bottom_up, bind_layers, bind_top_down, split_bottom_up, split_top_down

DEFAULT_PORT = 8080
HEADER_BYTES = 16
CHAT_TEXT_MAX_BYTES = 512
ACK_OFFSET = 100  # packet_type of an acknowledgement is the message's plus this


class MessageType(IntEnum):
    """`packet_type` of a message."""

    PLAYER_MOVE = 1
    PLAYER_ATTACK = 2
    CHAT_MESSAGE = 3
    HEARTBEAT = 4
    SKILL = 5


LOOK = 6  # of who is in a world; its acknowledgement has another body
_NAMES = {kind + ack: kind.name + "_ACK" * bool(ack) for kind in MessageType for ack in (0, ACK_OFFSET)}
_NAMES |= {LOOK: "LOOK", LOOK + ACK_OFFSET: "LOOK_ACK"}


class LEFloatField(Field[float, bytes]):
    """IEEE-754 binary32, little-endian."""

    def __init__(self, name: str, default: float) -> None:  # noqa: D107
        Field.__init__(self, name, default, "<f")


class Plain(Packet):
    """The 16-byte header of every message."""

    name = "pollgate plain"
    fields_desc = [  # noqa: RUF012 - scapy's metaclass consumes it
        LEIntEnumField(
            "packet_type",
            MessageType.HEARTBEAT,
            _NAMES,
        ),
        LEIntField("packet_size", None),  # bytes of the whole message; None: computed
        LELongField("timestamp", 0),  # the sender's clock, returned unchanged
    ]

    def post_build(self, pkt: bytes, pay: bytes) -> bytes:
        """Fill in `packet_size` where it was left open."""
        if self.packet_size is None:
            pkt = pkt[:4] + struct.pack("<I", len(pkt) + len(pay)) + pkt[8:]
        return pkt + pay


class _Body(Packet):
    """A message after its header; what follows a body is no part of the message."""

    def extract_padding(self, s: bytes) -> tuple[bytes, bytes]:
        return b"", s


class PlayerMove(_Body):
    """Where a player is (world units) and how it moves (world units per second)."""

    name = "PLAYER_MOVE"
    fields_desc = [  # noqa: RUF012
        LEIntField("player_id", 0),
        LEFloatField("position_x", 0.0),
        LEFloatField("position_y", 0.0),
        LEFloatField("position_z", 0.0),
        LEFloatField("velocity_x", 0.0),
        LEFloatField("velocity_y", 0.0),
        LEFloatField("velocity_z", 0.0),
    ]


class PlayerAttack(_Body):
    """One player attacks another in a direction."""

    name = "PLAYER_ATTACK"
    fields_desc = [  # noqa: RUF012
        LEIntField("player_id", 0),
        LEIntField("target_id", 0),
        LEIntField("attack_id", 0),
        LEFloatField("direction_x", 0.0),
        LEFloatField("direction_y", 0.0),
        LEFloatField("direction_z", 0.0),
    ]


class ChatMessage(_Body):
    """1 to 512 bytes of UTF-8 for one player, or for everyone near: acknowledged, and delivered to nobody."""

    name = "CHAT_MESSAGE"
    fields_desc = [  # noqa: RUF012
        LEIntField("player_id", 0),
        LEIntField("target_id", 0),
        ByteField("channel", 0),
        ByteField("reserved", 0),
        FieldLenField("text_bytes", None, fmt="<H", length_of="text"),
        StrLenField("text", b"", length_from=lambda packet: packet.text_bytes),
    ]


class Heartbeat(_Body):
    """A player that has nothing else to say is still there."""

    name = "HEARTBEAT"
    fields_desc = [LEIntField("player_id", 0)]  # noqa: RUF012


class Skill(_Body):
    """A player uses a skill on a target."""

    name = "SKILL"
    fields_desc = [  # noqa: RUF012
        LEIntField("player_id", 0),
        LEIntField("skill_id", 0),
        LEIntField("target_id", 0),
    ]


class PlayerMoveAck(PlayerMove):
    """The gate's answer to PLAYER_MOVE: the same body."""

    name = "PLAYER_MOVE_ACK"


class PlayerAttackAck(PlayerAttack):
    """The gate's answer to PLAYER_ATTACK: the same body."""

    name = "PLAYER_ATTACK_ACK"


class ChatMessageAck(ChatMessage):
    """The gate's answer to CHAT_MESSAGE: the same body."""

    name = "CHAT_MESSAGE_ACK"


class HeartbeatAck(Heartbeat):
    """The gate's answer to HEARTBEAT: the same body."""

    name = "HEARTBEAT_ACK"


class SkillAck(Skill):
    """The gate's answer to SKILL: the same body."""

    name = "SKILL_ACK"


class Look(_Body):
    """What does its player see of the world? PROTOCOL.md, section 19."""

    name = "LOOK"
    fields_desc = [  # noqa: RUF012
        LEIntField("player_id", 0),
        ByteField("epoch", 0),
        StrFixedLenField("zero", b"\0\0\0", length=3),
        StrField("padding", b""),  # to as many bytes as the answer may have
    ]


class LookAck(_Body):
    """What it sees."""

    name = "LOOK_ACK"
    fields_desc = [  # noqa: RUF012
        LEIntField("player_id", 0),
        ByteField("epoch", 0),
        ByteField("is_there", 0),
        FieldLenField("world_bytes", None, fmt="<H", length_of="world"),
        LEFloatField("position_x", 0.0),
        LEFloatField("position_y", 0.0),
        LEFloatField("position_z", 0.0),
        LEFloatField("velocity_x", 0.0),
        LEFloatField("velocity_y", 0.0),
        LEFloatField("velocity_z", 0.0),
        StrLenField("world", b"", length_from=lambda packet: packet.world_bytes),  # a WORLD
        StrField("state", b""),  # a WORLD_STATE, or nothing
    ]


MESSAGES: dict[MessageType, type[Packet]] = {
    MessageType.PLAYER_MOVE: PlayerMove,
    MessageType.PLAYER_ATTACK: PlayerAttack,
    MessageType.CHAT_MESSAGE: ChatMessage,
    MessageType.HEARTBEAT: Heartbeat,
    MessageType.SKILL: Skill,
}
ACKS: dict[MessageType, type[Packet]] = {
    MessageType.PLAYER_MOVE: PlayerMoveAck,
    MessageType.PLAYER_ATTACK: PlayerAttackAck,
    MessageType.CHAT_MESSAGE: ChatMessageAck,
    MessageType.HEARTBEAT: HeartbeatAck,
    MessageType.SKILL: SkillAck,
}
for _kind in MessageType:
    bind_layers(Plain, MESSAGES[_kind], packet_type=int(_kind))
    bind_layers(Plain, ACKS[_kind], packet_type=_kind + ACK_OFFSET)
bind_layers(Plain, Look, packet_type=LOOK)
bind_layers(Plain, LookAck, packet_type=LOOK + ACK_OFFSET)


def bind(port: int = DEFAULT_PORT) -> None:
    """Make scapy dissect UDP datagrams from and to `port` as this profile, process-wide, until `unbind`."""
    unbind(port)  # scapy keeps a list: binding twice would ask twice
    bind_bottom_up(UDP, Plain, dport=port)
    bind_bottom_up(UDP, Plain, sport=port)
    bind_top_down(UDP, Plain, dport=port)


def unbind(port: int = DEFAULT_PORT) -> None:
    """Undo `bind(port)`; harmless without it."""
    split_bottom_up(UDP, Plain, dport=port)
    split_bottom_up(UDP, Plain, sport=port)
    split_top_down(UDP, Plain, dport=port)
