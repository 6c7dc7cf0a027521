# SPDX-License-Identifier: BSD-3-Clause
"""What a game gets from its client: connections that come and go, and what others did and said."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from pyshim import messages
from pyshim.protocol.session_wire import CLOSED_GAME, GAME, CloseReason, MessageType
from pyshim.protocol.world.view import ViewEvent

Vector = tuple[float, float, float]


class Ending(StrEnum):
    """Why a connection ended."""

    LEFT = "left"  # the game closed it
    IDLE = "idle"
    EXPIRED = "expired"
    REVOKED = "revoked"
    REPLACED = "replaced"  # the same session was confirmed elsewhere
    PROTOCOL = "protocol"  # one side broke a rule: a bug
    RESTARTED = "restarted"  # the gateway lost messages of this session
    SHUTDOWN = "shutdown"
    SILENT = "silent"  # the gateway does not answer
    KICKED = "kicked"  # by the game
    RESET = "reset"  # the gateway says, and proves, that it has lost the connection
    OTHER = "other"  # for a reason that this client does not know

    @classmethod
    def of(cls, reason: int) -> Ending:
        """A reason of the wire."""
        if reason >= CLOSED_GAME:
            return cls.KICKED
        try:
            return cls(CloseReason(reason).name.lower())
        except ValueError:
            return cls.OTHER


def kick_reason(reason: int) -> int | None:
    """What a reason of the wire says of the game's own."""
    return reason - CLOSED_GAME if reason >= CLOSED_GAME else None


@dataclass(frozen=True, slots=True)
class Connected:
    """A connection was made, the first or another one."""

    player_id: int
    expires_in_s: int
    max_datagram: int


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection is over. The client makes another one, unless this is `final`."""

    reason: Ending
    final: bool = False
    kick_reason: int | None = None  # of KICKED: the game's own, 0 to 127, if it said one


class Judged(StrEnum):
    """What became of an attack."""

    HIT = "hit"
    MISS = "miss"  # past the target; or nobody was in the way
    TOO_FAR = "too_far"  # it would have hit, but that was out of reach
    NO_TARGET = "no_target"  # the target was not there then, or has left since
    NO_ATTACKER = "no_attacker"  # the attacker is nowhere in the world
    NO_DIRECTION = "no_direction"
    OTHER = "other"  # something that this client does not know


@dataclass(frozen=True, slots=True)
class Judgement:
    """How an attack was judged, and by which moment of the world."""

    judged: Judged
    tick: int
    parts: int  # of a tick after it: 256 are one
    is_clamped: bool  # it is not the moment that the attacker said it saw, which was too old or too new
    who: int | None  # who was judged, by identity; None: nobody
    is_player: bool  # and that is a player's id
    distance_quanta: int  # to where a body that is hit begins
    error_quanta: int  # of the ray from the middle of the body


@dataclass(frozen=True, slots=True)
class Attack:
    """Another player attacks this one, or somebody near; or this player's own attack was judged."""

    sender: int
    target_id: int
    attack_id: int
    direction: Vector
    judgement: Judgement | None = None  # None: in the player's world attacks are not judged


@dataclass(frozen=True, slots=True)
class Chat:
    """Another player, or the operator (0), writes."""

    sender: int
    target_id: int
    channel: int  # the game's own: not the channel of reliability
    text: str


@dataclass(frozen=True, slots=True)
class Skill:
    """Another player uses a skill on this one."""

    sender: int
    skill_id: int
    target_id: int


@dataclass(frozen=True, slots=True)
class Bulk:
    """Another player's bytes."""

    sender: int
    target_id: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Inventory:
    """The game server's bytes."""

    data: bytes


class WhyRefused(StrEnum):
    """Why a movement was not taken."""

    BOUNDS = "bounds"  # outside of the world
    SPEED = "speed"  # faster than is allowed, by its velocity or by its way
    ACCELERATION = "acceleration"  # its velocity changed faster than is allowed
    OTHER = "other"  # for a reason that this client does not know


@dataclass(frozen=True, slots=True)
class Refused:
    """A movement of this player that was not taken, as it was said."""

    position: Vector
    velocity: Vector
    why: WhyRefused


@dataclass(frozen=True, slots=True)
class Correction:
    """This player is elsewhere: where the game has put it, or where it was before a movement was refused."""

    position: Vector
    velocity: Vector
    refused: Refused | None = None  # None: the game has put it there


@dataclass(frozen=True, slots=True)
class GameMessage:
    """A message of one of the game's own types."""

    type: int  # 64 to 199
    body: bytes


@dataclass(frozen=True, slots=True)
class Message:
    """A message of a type that has no class of its own."""

    type: MessageType
    sender: int | None  # None: the game, whose messages name no sender
    body: bytes  # behind the sender's number


@dataclass(frozen=True, slots=True)
class Lost:
    """A process of the gateway died with messages to this player: so many, on this channel."""

    channel: int
    messages: int


_ATTACK = struct.Struct("<III3f")
_JUDGEMENT = struct.Struct("<IBBBBIII")
_WHY = dict(enumerate((one for one in WhyRefused if one is not WhyRefused.OTHER), start=1))  # by number
_JUDGED = dict(enumerate((one for one in Judged if one is not Judged.OTHER), start=1))  # by number

Said = Attack | Chat | Skill | Bulk | Inventory | Correction | GameMessage | Message
Event = Connected | Disconnected | Lost | Said | ViewEvent


def _attack(body: bytes) -> Attack:
    sender, target_id, attack_id, x, y, z = _ATTACK.unpack_from(body)
    return Attack(sender, target_id, attack_id, (x, y, z), _judgement(body[_ATTACK.size :]))


def _judgement(told: bytes) -> Judgement | None:
    if len(told) != _JUDGEMENT.size:
        return None
    tick, parts, judged, clamped, sort, who, distance, error = _JUDGEMENT.unpack(told)
    became = _JUDGED.get(judged, Judged.OTHER)
    return Judgement(became, tick, parts, clamped != 0, who or None, sort == 0 and who != 0, distance, error)


def _chat(body: bytes) -> Chat:
    sender, target_id, channel = struct.unpack_from("<IIB", body)
    return Chat(sender, target_id, channel, body[12:].decode())


def _skill(body: bytes) -> Skill:
    return Skill(*struct.unpack("<III", body))


def _bulk(body: bytes) -> Bulk:
    return Bulk(int.from_bytes(body[:4], "little"), int.from_bytes(body[4:8], "little"), body[8:])


def _correction(body: bytes) -> Correction:
    x, y, z, *velocity = struct.unpack_from("<6f", body)
    refused = _refused(body[24:]) if len(body) > 24 else None
    return Correction((x, y, z), (velocity[0], velocity[1], velocity[2]), refused)


def _refused(body: bytes) -> Refused:
    x, y, z, vx, vy, vz, why = struct.unpack("<6fB3x", body)
    return Refused((x, y, z), (vx, vy, vz), _WHY.get(why, WhyRefused.OTHER))


_READERS: dict[MessageType, Callable[[bytes], Said]] = {
    MessageType.ATTACK_EVENT: _attack,
    MessageType.CHAT_EVENT: _chat,
    MessageType.SKILL_EVENT: _skill,
    MessageType.INVENTORY: Inventory,
    MessageType.BULK_EVENT: _bulk,
    MessageType.CORRECTION: _correction,
}


def said(number: int, body: bytes) -> Said:
    """A whole message whose body was checked."""
    if number in GAME:
        return GameMessage(number, body)
    kind = MessageType(number)
    if kind in _READERS:
        return _READERS[kind](body)
    its_type = messages.of(number)
    if its_type is not None and its_type.kind == "GIVEN":
        return Message(kind, None, body)
    return Message(kind, int.from_bytes(body[:4], "little"), body[4:])
