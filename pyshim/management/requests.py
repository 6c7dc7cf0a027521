# SPDX-License-Identifier: BSD-3-Clause
"""The bodies of requests: every field with its type and range, and what is wrong with one in a sentence."""

from __future__ import annotations

import base64
import binascii
import json
import math
import struct
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pyshim import messages
from pyshim.config.load import key_path
from pyshim.operator_messages import OperatorMessage

TTL_MAX_S = 366 * 86_400
CHAT_BYTES_MAX = 512
WHOLE_BODY_BYTES_MAX = 65_536  # of a message on the wire, the sender's number included
SENDER_BYTES = 4
PIECE_BYTES = 458  # of a body that fits whatever the path carries
UNORDERED = 3  # the channel without order, on which nothing travels in pieces

Model = TypeVar("Model", bound=BaseModel)

_GIVEN = frozenset(one.name for one in messages.GIVEN)
_MOTION = struct.Struct("<6f")
_GAME = messages.GAME.numbers
_AROUND_UNRELIABLE_BYTES = 12 + 12 + 16 + 4  # header, prefix of a DATA, tag, header of a message
_DATAGRAM_OVERHEAD_BYTES = 20 + 16 + 6  # header, tag, a message's own


if TYPE_CHECKING:
    _Type: TypeAlias = str
    _Priority: TypeAlias = str
else:
    _Type = Literal[tuple(messages.SENDABLE)]
    _Priority = Literal[messages.PRIORITIES]


class BadRequestError(Exception):
    """What a client sent cannot be; one sentence."""


class TooLongError(BadRequestError):
    """A message longer than its kind may be."""


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class IssueRequest(_Body):
    """A session for a player."""

    player_id: Annotated[int, Field(ge=1, le=2**32 - 1)]
    ttl: Annotated[int, Field(ge=1, le=TTL_MAX_S, description="seconds")]
    once: Annotated[bool, Field(description="may be connected once only")] = False
    world: Annotated[
        str | None, Field(description="name of the world that the player is in; null: as its listener says")
    ] = None


class ConnectTokenRequest(_Body):
    """A connect token for a client of profile netcode."""

    client_id: Annotated[int, Field(ge=0, le=2**64 - 1)]
    ttl: Annotated[int, Field(ge=1, le=TTL_MAX_S, description="seconds in which it lets in")] = 30
    timeout: Annotated[
        int,
        Field(
            ge=-1,
            le=86_400,
            description="seconds of silence after which both sides give up; -1 is never, for debugging",
        ),
    ] = 10
    user_data: Annotated[str, Field(description="up to 256 bytes in base64")] = ""
    addresses: Annotated[
        tuple[str, ...],
        Field(max_length=32, strict=False, description="address:port of gateways, in the order to try"),
    ] = ()

    @model_validator(mode="after")
    def _gives_up_at_some_time(self) -> ConnectTokenRequest:
        if self.timeout == 0:
            raise ValueError("timeout: allowed is a whole number from 1 to 86400, or -1: never")
        return self


class MessageRequest(_Body):
    """A message to a player."""

    type: _Type
    text: Annotated[str | None, Field(description=f"of chat: 1 to {CHAT_BYTES_MAX} bytes of UTF-8")] = None
    body: Annotated[str | None, Field(description="of all but chat: bytes in base64")] = None
    number: Annotated[
        int | None,
        Field(ge=_GAME.start, le=_GAME.stop - 1, description="of game: which of the game's own types it is"),
    ] = None
    reliable: bool = True
    channel: Annotated[int, Field(ge=0, le=3)] = 0
    priority: _Priority = "normal"

    @model_validator(mode="after")
    def _fits(self) -> MessageRequest:
        wanted, other = ("text", "body") if self.type == "chat" else ("body", "text")
        if getattr(self, wanted) is None or getattr(self, other) is not None:
            raise ValueError(f"a message of type {self.type} has {wanted}, and no {other}")
        if (self.number is not None) != (self.type == messages.GAME.name):
            raise ValueError(f"a message of type {messages.GAME.name}, and no other, has a number")
        if not self.reliable and self.channel != 0:
            raise ValueError("what is not reliable has channel 0")
        return self

    def operator_message(self, session: int, player_id: int, max_datagram: int) -> OperatorMessage:
        """The message as the data plane sends it to this player.

        Raises:
            BadRequestError: the text or the base64 is not what it says.
            TooLongError: it is longer than the wire can carry.
        """
        content = self._content(player_id)
        sender = 0 if self.type in _GIVEN else SENDER_BYTES
        limit, of = WHOLE_BODY_BYTES_MAX - sender, "a message"
        if not self.reliable or self.channel == UNORDERED:
            limit = min(limit, max_datagram - _DATAGRAM_OVERHEAD_BYTES - sender)
            of = "one that is not reliable, or on channel 3, to this player"
            if self.number is not None:  # it is not compressed, so it must fit as it is
                whole = max_datagram - _AROUND_UNRELIABLE_BYTES
                limit = min(limit, PIECE_BYTES if self.reliable else whole)
        if len(content) > limit:
            raise TooLongError(f"{len(content)} bytes of message; the limit of {of} is {limit}")
        number = messages.SENDABLE[self.type] if self.number is None else self.number
        priority = messages.PRIORITIES.index(self.priority)
        return OperatorMessage(session, number, content, self.channel, self.reliable, priority)

    def _content(self, player_id: int) -> bytes:
        """Body of the event behind the sender's number: as a player's message to this one would have it."""
        if self.type == "chat":
            return _chat(player_id, self.text or "")
        try:
            data = base64.b64decode(self.body or "", validate=True)
        except (binascii.Error, ValueError) as problem:
            raise BadRequestError(f"body: not base64 ({problem})") from problem
        if self.type == "correction":
            _check_motion(data)
        return data if self.type in _GIVEN else struct.pack("<I", player_id) + data


def _check_motion(body: bytes) -> None:
    if len(body) != _MOTION.size or not all(map(math.isfinite, _MOTION.unpack(body))):
        raise BadRequestError(
            "body: a correction is 24 bytes: position and velocity, six finite numbers of 32 bits"
        )


def _chat(player_id: int, text: str) -> bytes:
    try:
        words = text.encode()
    except UnicodeEncodeError as problem:
        raise BadRequestError("text: half of a surrogate pair is not a character") from problem
    if len(words) > CHAT_BYTES_MAX:
        raise TooLongError(f"text: {len(words)} bytes of UTF-8; the limit is {CHAT_BYTES_MAX}")
    if not words:
        raise BadRequestError(f"text: is empty; 1 to {CHAT_BYTES_MAX} bytes of UTF-8 are allowed")
    return struct.pack("<IBBH", player_id, 0, 0, len(words)) + words


def parse_body(kind: type[Model], data: bytes) -> Model:
    """A request's body.

    Raises:
        BadRequestError: it is not JSON, not of this kind, or names a field twice.
    """
    try:
        body = kind.model_validate_json(data)
    except ValidationError as problem:
        raise BadRequestError("; ".join(_sentence(kind, error) for error in problem.errors())) from None
    json.loads(data, object_pairs_hook=_refuse_repetition)
    return body


def _refuse_repetition(fields: list[tuple[str, Any]]) -> None:
    """A name that comes twice means something else to every reader (RFC 8259 4)."""
    names = [name for name, _ in fields]
    for name in names:
        if names.count(name) > 1:
            raise BadRequestError(f"{key_path((name,))}: is there {names.count(name)} times; once is allowed")


def _sentence(kind: type[BaseModel], error: Any) -> str:
    """One finding, without what was found: it may be long, or a secret in the wrong field."""
    if not error["loc"]:
        return _about_the_whole(error)
    where, name = key_path(error["loc"]), error["loc"][0]
    if error["type"] == "extra_forbidden":
        return f"{where}: no such field; allowed: {', '.join(kind.model_fields)}"
    start = "missing; it is" if error["type"] == "missing" else "allowed is"
    return f"{where}: {start} {_in_words(kind.model_json_schema()['properties'][name])}"


def _about_the_whole(error: Any) -> str:
    match error["type"]:
        case "json_invalid":
            return f"the body is not JSON: {error['ctx']['error']}"
        case "model_type":
            return "the body is JSON, but not an object"
        case _:
            return str(error["msg"]).removeprefix("Value error, ")


def _in_words(schema: dict[str, Any]) -> str:
    """What a field allows."""
    branch = schema.get("anyOf", [schema])[0]  # the other one is null
    unit = f", {schema['description']}" if "description" in schema else ""
    match branch:
        case {"enum": words}:
            return ", ".join(words[:-1]) + f" or {words[-1]}"
        case {"type": "boolean"}:
            return "true or false" + unit
        case {"type": "integer", "minimum": low, "maximum": high}:
            return f"a whole number from {low} to {high}" + unit
        case _:
            return "a string" + unit
