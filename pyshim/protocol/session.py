# SPDX-License-Identifier: BSD-3-Clause
"""The `session` profile as scapy layers: eleven kinds of datagram, and the messages inside opened DATA.

A datagram is `Session(session=5) / Hello(client_nonce=...)`, a sealed one comes from `seal()`, and `opened()`
takes it apart. Lengths follow from the bytes unless they are given: that is how a test builds a wrong one.
Layouts and names are those of dpdk_app/wire/PROTOCOL.md, and were written from it alone.

Importing this module touches no other layer. `bind()` tells scapy that a UDP port speaks it.
"""

from __future__ import annotations

import struct
from typing import Any

from scapy.fields import (
    BitField,
    ByteEnumField,
    ByteField,
    ConditionalField,
    FieldLenField,
    FlagsField,
    LEIntField,
    LEShortField,
    PacketListField,
    StrField,
    StrFixedLenField,
    StrLenField,
    XLEIntField,
)
from scapy.layers.inet import UDP
from scapy.packet import (
    Packet,
    Raw,
    bind_bottom_up,
    bind_layers,
    bind_top_down,
    split_bottom_up,
    split_top_down,
)

from pyshim import messages
from pyshim.protocol import plain
from pyshim.protocol.session_crypto import DirectionKey, challenge_proof, confirm_proof, denied_proof
from pyshim.protocol.session_wire import (
    DEFAULT_PORT,
    HEADER_BYTES,
    LIMIT_BYTES,
    TAG_BYTES,
    VERSION,
    WELCOME_CLEAR_BYTES,
    CloseReason,
    Denial,
    Kind,
    MessageType,
)


class Session(Packet):
    """The 12-byte header of every datagram."""

    name = "pollgate session"
    fields_desc = [  # noqa: RUF012 - scapy's metaclass consumes it
        ByteEnumField("kind", Kind.HELLO, {int(kind): kind.name for kind in Kind}),
        FlagsField("flags", 0, 8, ["key_phase"]),
        LEShortField("length", None),  # of the whole UDP payload; None: computed
        XLEIntField("session", 0),
        LEIntField("counter", 0),
    ]

    def post_build(self, pkt: bytes, pay: bytes) -> bytes:
        """Fill in `length` where it was left open."""
        if self.length is None:
            pkt = pkt[:2] + struct.pack("<H", len(pkt) + len(pay)) + pkt[4:]
        return pkt + pay


class _Layer(Packet):
    """A fixed layout; what follows it is no part of it."""

    def extract_padding(self, s: bytes) -> tuple[bytes, bytes]:
        return b"", s


# ---------------------------------------------------------------- not sealed


class Hello(_Layer):
    """A client asks for a cookie."""

    name = "HELLO"
    fields_desc = [  # noqa: RUF012
        LEShortField("version", 2),
        LEShortField("reserved", 0),
        StrFixedLenField("client_nonce", bytes(16), 16),
        StrFixedLenField("padding", bytes(40), 40),
    ]


class Challenge(_Layer):
    """The gateway's cookie: whoever has it gets packets at this address."""

    name = "CHALLENGE"
    fields_desc = [  # noqa: RUF012
        StrFixedLenField("client_nonce", bytes(16), 16),
        StrFixedLenField("cookie", bytes(24), 24),
        StrFixedLenField("proof", bytes(16), 16),
    ]


class Confirm(_Layer):
    """A client proves the issued key; `prove()` fills in padding and proof."""

    name = "CONFIRM"
    fields_desc = [  # noqa: RUF012
        LEShortField("version", 2),
        LEShortField("max_datagram", 1400),
        StrFixedLenField("client_nonce", bytes(16), 16),
        StrFixedLenField("cookie", bytes(24), 24),
        StrFixedLenField("client_share", bytes(32), 32),
        StrLenField("padding", b"", length_from=lambda packet: max(0, packet.max_datagram - 104)),
        StrFixedLenField("proof", bytes(16), 16),
    ]


class Denied(_Layer):
    """The gateway refuses a HELLO or CONFIRM."""

    name = "DENIED"
    fields_desc = [  # noqa: RUF012
        StrFixedLenField("client_nonce", bytes(16), 16),
        ByteEnumField("reason", Denial.VERSION, {int(reason): reason.name for reason in Denial}),
        StrFixedLenField("versions", bytes((VERSION, 0, 0)), 3),
        StrFixedLenField("proof", bytes(16), 16),
    ]


class Reset(_Layer):
    """The gateway has no connection of this session; who can make the token knows which one it lost."""

    name = "RESET"
    fields_desc = [StrFixedLenField("token", bytes(16), 16)]  # noqa: RUF012


# ---------------------------------------------------------------- sealed, as they travel


class SealedWelcome(_Layer):
    """A WELCOME: the gateway's nonce and share can be read, the rest is sealed."""

    name = "WELCOME"
    fields_desc = [  # noqa: RUF012
        StrFixedLenField("server_nonce", bytes(16), 16),
        StrFixedLenField("server_share", bytes(32), 32),
        StrField("sealed", b"", remain=16),
        StrFixedLenField("tag", bytes(16), 16),
    ]


class Sealed(_Layer):
    """DATA, CLOSE, PATH_CHALLENGE, PATH_RESPONSE or PROBE."""

    name = "sealed"
    fields_desc = [  # noqa: RUF012
        StrField("sealed", b"", remain=16),
        StrFixedLenField("tag", bytes(16), 16),
    ]


for _kind, _layer in {
    Kind.HELLO: Hello,
    Kind.CHALLENGE: Challenge,
    Kind.CONFIRM: Confirm,
    Kind.WELCOME: SealedWelcome,
    Kind.DATA: Sealed,
    Kind.CLOSE: Sealed,
    Kind.PATH_CHALLENGE: Sealed,
    Kind.PATH_RESPONSE: Sealed,
    Kind.DENIED: Denied,
    Kind.RESET: Reset,
    Kind.PROBE: Sealed,
}.items():
    bind_layers(Session, _layer, kind=int(_kind))


# ---------------------------------------------------------------- sealed, opened


class Welcome(_Layer):
    """What a WELCOME seals."""

    name = "WELCOME, opened"
    fields_desc = [  # noqa: RUF012
        LEIntField("player_id", 0),
        LEIntField("expires_in_s", 0),
        LEIntField("idle_timeout_ms", 0),
        LEShortField("max_datagram", 1400),
        LEShortField("limits", 0),
        StrFixedLenField("reset_token", bytes(16), 16),
        XLEIntField("spare", 0),
        XLEIntField("spare_offset_client", 0),
        XLEIntField("spare_offset_gateway", 0),
        StrLenField("entries", b"", length_from=lambda packet: packet.limits * LIMIT_BYTES),
        StrLenField(
            "padding",
            b"",
            length_from=lambda packet: max(0, packet.max_datagram - 120 - packet.limits * LIMIT_BYTES),
        ),
    ]


class Close(_Layer):
    """What a CLOSE seals."""

    name = "CLOSE, opened"
    fields_desc = [  # noqa: RUF012
        ByteEnumField("reason", CloseReason.LEFT, {int(reason): reason.name for reason in CloseReason}),
        StrFixedLenField("reserved", bytes(7), 7),
    ]


class Path(_Layer):
    """What a PATH_CHALLENGE and its PATH_RESPONSE seal."""

    name = "path, opened"
    fields_desc = [StrFixedLenField("token", bytes(8), 8)]  # noqa: RUF012


class Probe(_Layer):
    """What a PROBE seals: as many zeros as its size asks for."""

    name = "PROBE, opened"
    fields_desc = [StrField("zeros", bytes(12))]  # noqa: RUF012


class Message(Packet):
    """A message's header; its body is the payload, which follows from type and flags."""

    name = "message"
    fields_desc = [  # noqa: RUF012
        ByteEnumField("type", MessageType.HEARTBEAT, {int(kind): kind.name for kind in MessageType}),
        BitField("priority", 0, 2),
        BitField("channel", 0, 2),
        BitField("unused", 0, 1),
        BitField("is_fragment", 0, 1),
        BitField("reliable", 0, 1),
        BitField("compressed", 0, 1),
        LEShortField("body_len", None),  # bytes of the body; None: computed
        ConditionalField(LEShortField("id", 0), lambda packet: packet.reliable),
    ]

    def post_build(self, pkt: bytes, pay: bytes) -> bytes:
        """Fill in `body_len` where it was left open."""
        if self.body_len is None:
            pkt = pkt[:2] + struct.pack("<H", len(pay)) + pkt[4:]
        return pkt + pay

    def extract_padding(self, s: bytes) -> tuple[bytes, bytes]:
        """The body, and the next message."""
        return s[: self.body_len], s[self.body_len :]

    def guess_payload_class(self, payload: bytes) -> Any:
        """What a body is: a piece, compressed bytes, or the type's own layer."""
        if self.is_fragment:
            return Fragment
        return Compressed if self.compressed else BODIES.get(self.type, Raw)


class Data(_Layer):
    """What a DATA seals."""

    name = "DATA, opened"
    fields_desc = [  # noqa: RUF012
        LEIntField("ack", 0),
        XLEIntField("ack_bits", 0),
        LEShortField("ack_delay", 0),
        ByteField("wants", 0),
        ByteField("reserved", 0),
        PacketListField("messages", [], Message),
    ]


class Fragment(_Layer):
    """One piece of a message that is longer than a datagram."""

    name = "fragment"
    fields_desc = [LEShortField("index", 0), LEShortField("count", 2), StrField("piece", b"")]  # noqa: RUF012


class Compressed(_Layer):
    """A body that was compressed."""

    name = "compressed"
    fields_desc = [LEIntField("original_len", 1), StrField("zlib", b"")]  # noqa: RUF012


class Move(_Layer):
    """The player's position and velocity."""

    name = "MOVE"
    fields_desc = plain.PlayerMove.fields_desc[1:]


class Attack(_Layer):
    """The player attacks another in a direction."""

    name = "ATTACK"
    fields_desc = plain.PlayerAttack.fields_desc[1:]


class Chat(_Layer):
    """1 to 512 bytes of UTF-8 for one player, or with `target_id` 0 for all near, who get nothing yet."""

    name = "CHAT"
    fields_desc = plain.ChatMessage.fields_desc[1:]


class Skill(_Layer):
    """The player uses a skill on a target."""

    name = "SKILL"
    fields_desc = plain.Skill.fields_desc[1:]


class Bulk(_Layer):
    """The game's own bytes for another player."""

    name = "BULK"
    fields_desc = [LEIntField("target_id", 0), StrField("data", b"")]  # noqa: RUF012


class Inventory(_Layer):
    """The game's own bytes for this player."""

    name = "INVENTORY"
    fields_desc = [StrField("data", b"")]  # noqa: RUF012


_SENDER = LEIntField("sender_id", 0)  # 0: the operator


class AttackEvent(_Layer):
    """Another player attacks this one."""

    name = "ATTACK_EVENT"
    fields_desc = [_SENDER, *Attack.fields_desc]  # noqa: RUF012


class ChatEvent(_Layer):
    """Another player writes."""

    name = "CHAT_EVENT"
    fields_desc = [_SENDER, *Chat.fields_desc]  # noqa: RUF012


class SkillEvent(_Layer):
    """Another player uses a skill on this one."""

    name = "SKILL_EVENT"
    fields_desc = [_SENDER, *Skill.fields_desc]  # noqa: RUF012


class BulkEvent(_Layer):
    """Another player's bytes."""

    name = "BULK_EVENT"
    fields_desc = [_SENDER, *Bulk.fields_desc]  # noqa: RUF012


BODIES: dict[int, type[Packet]] = {
    MessageType.MOVE: Move,
    MessageType.ATTACK: Attack,
    MessageType.CHAT: Chat,
    MessageType.SKILL: Skill,
    MessageType.BULK: Bulk,
    MessageType.ATTACK_EVENT: AttackEvent,
    MessageType.CHAT_EVENT: ChatEvent,
    MessageType.SKILL_EVENT: SkillEvent,
    MessageType.INVENTORY: Inventory,
    MessageType.BULK_EVENT: BulkEvent,
}


def _described(name: str, body: messages.Body, before: tuple[Any, ...] = ()) -> type[Packet]:
    """The layer of a type that has none above, by what messages.def says of its fields."""
    described = [*before, *(made for one in body.fields for made in _fields(one))]
    return type(name.title().replace("_", ""), (_Layer,), {"name": name, "fields_desc": described})


def _fields(one: messages.Field) -> list[Any]:
    name = "reserved" if one.name == "0" else one.name
    if one.kind == "text":
        counted = FieldLenField(f"{name}_bytes", None, fmt="<H", length_of=name)
        return [counted, StrLenField(name, b"", length_from=lambda packet: getattr(packet, f"{name}_bytes"))]
    if one.kind == "bytes":
        return [StrField(name, b"")]
    kind = _NUMBERS[one.kind]
    return [kind(name, 0)] if one.count is None else [kind(f"{name}_{at}", 0) for at in range(one.count)]


_NUMBERS: dict[str, Any] = {
    "u8": ByteField,
    "u16": LEShortField,
    "u32": LEIntField,
    "f32": plain.LEFloatField,
}

for _one in messages.MESSAGES:
    if _one.body is not None and _one.body.fields:
        BODIES.setdefault(_one.number, _described(_one.upper, _one.body))
        if _one.event is not None:
            BODIES.setdefault(_one.event, _described(f"{_one.upper}_EVENT", _one.body, (_SENDER,)))

OPENED: dict[int, type[Packet]] = {
    Kind.WELCOME: Welcome,
    Kind.DATA: Data,
    Kind.CLOSE: Close,
    Kind.PATH_CHALLENGE: Path,
    Kind.PATH_RESPONSE: Path,
    Kind.PROBE: Probe,
}


# ---------------------------------------------------------------- sealing


def prove(header: Session, confirm: Confirm, key: bytes) -> bytes:
    """A CONFIRM, padded and proved with the issued key."""
    confirm.padding = bytes(max(0, confirm.max_datagram - 104))
    before = bytes(header / confirm)[:-16]
    return before + confirm_proof(key, before)


def challenge(header: Session, answer: Challenge, key: bytes) -> bytes:
    """A CHALLENGE, proved with the issued key."""
    before = bytes(header / answer)[:-16]
    return before + challenge_proof(key, before)


def refuse(header: Session, denied: Denied, key: bytes) -> bytes:
    """A DENIED, proved with the issued key."""
    before = bytes(header / denied)[:-16]
    return before + denied_proof(key, before)


def seal(header: Session, body: bytes | Packet, key: DirectionKey, counter: int, clear: bytes = b"") -> bytes:
    """A sealed datagram; `counter` and `length` are filled in where the header leaves them at 0 and None.

    `clear` is what a WELCOME has in front of what it seals: nonce and share.
    """
    header, secret = header.copy(), bytes(body)
    header.counter = header.counter or counter
    if header.length is None:
        header.length = HEADER_BYTES + len(clear) + len(secret) + TAG_BYTES
    return key.seal(counter, bytes(header) + clear, secret)


def clear_bytes(kind: int) -> int:
    """How many bytes at the beginning of a sealed datagram are not encrypted."""
    return WELCOME_CLEAR_BYTES if kind == Kind.WELCOME else HEADER_BYTES


def opened(datagram: bytes, key: DirectionKey, counter: int) -> Packet:
    """What a sealed datagram holds, as `Welcome`, `Data`, `Close`, `Path` or `Probe`.

    Raises:
        BadTagError: it is not what was sealed under this key and counter.
    """
    kind = datagram[0]
    return OPENED[kind](key.open(counter, datagram, clear_bytes(kind)))


def bind(port: int = DEFAULT_PORT) -> None:
    """Make scapy dissect UDP datagrams from and to `port` as this profile, process-wide, until `unbind`."""
    unbind(port)  # scapy keeps a list: binding twice would ask twice
    bind_bottom_up(UDP, Session, dport=port)
    bind_bottom_up(UDP, Session, sport=port)
    bind_top_down(UDP, Session, dport=port)


def unbind(port: int = DEFAULT_PORT) -> None:
    """Undo `bind(port)`; harmless without it."""
    split_bottom_up(UDP, Session, dport=port)
    split_bottom_up(UDP, Session, sport=port)
    split_top_down(UDP, Session, dport=port)
