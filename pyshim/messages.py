# SPDX-License-Identifier: BSD-3-Clause
"""The message types of the `session` profile: `wire/messages.def`, installed beside this."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pyshim.definitions import definitions

EVENT = 200  # a message of number n arrives as an event of number n + EVENT
UNRELIABLE = "UNRELIABLE"
_SAID_BY_BOTH = ("PING",)  # OWN that a gateway says, too
PRIORITIES: Final = ("urgent", "normal", "bulk")  # by number: the least goes first
_OPERATORS = ("chat", "bulk")  # RELAYED that an operator can say, too, as from the player himself

_STRING = r'"[^"]*"'
_LINE = re.compile(rf"^([A-Z]+)\(((?:[^()\"]|{_STRING})*)\)", re.MULTILINE)
_ARGUMENT = re.compile(rf"(?:[^,\"]|{_STRING})+")
_FIELD = re.compile(r"(u8|u16|u32|f32|text|bytes) (\w+)(?:\[(\d+)\])?")


@dataclass(frozen=True, slots=True)
class Field:
    """A part of a body."""

    kind: str  # u8, u16, u32, f32, text, bytes
    name: str  # "0": it is 0
    count: int | None = None  # None: there is one


@dataclass(frozen=True, slots=True)
class Body:
    """What lies behind a message's header; of an event, behind the sender's number."""

    name: str
    least_bytes: int
    most_bytes: int
    is_checked: bool  # the data plane looks at more than its length
    fields: tuple[Field, ...]
    said_more: tuple[Field, ...] = ()  # that may follow where a client says it, all of them or none
    told_more: tuple[Field, ...] = ()  # likewise, of an event


@dataclass(frozen=True, slots=True)
class Message:
    """A type, as a player or the game says it."""

    kind: str  # OWN, RELAYED, GIVEN, GAME, CONTROL, UNSENT
    upper: str  # of enumerators
    name: str  # of labels and keys
    title: str  # in documents
    number: int
    body: Body | None = None  # None: it is not sent yet
    compressed: str = "NEVER"
    effect: str = ""
    target: int | None = None  # where in the body it says whom it is for
    priority: str = ""
    channel: int | None = None  # None: unreliable
    pps: int = 0
    burst: int = 0
    meaning: str = ""
    said_by: str = ""  # of CONTROL: GATEWAY, EITHER
    said: str = ""  # of CONTROL: what documents say of its body
    last: int = 0  # of GAME: it stands for the numbers from `number` to this one

    @property
    def is_request(self) -> bool:
        """Whether players send it."""
        return self.kind in ("OWN", "RELAYED", "GAME")

    @property
    def event(self) -> int | None:
        """The number under which a player gets it; of GAME the first."""
        return {"RELAYED": self.number + EVENT, "GIVEN": self.number, "GAME": self.number}.get(self.kind)

    @property
    def numbers(self) -> range:
        """Those on the wire, as it is sent; one but for GAME."""
        return range(self.number, max(self.number, self.last) + 1)


@dataclass(frozen=True, slots=True)
class Compressed:
    """Types that are compressed by one rule."""

    upper: str
    name: str
    from_bytes: int
    meaning: str


def entries(text: str) -> Iterator[tuple[str, list[str]]]:
    """The kind and the arguments of each line of a list; strings are joined and without quotes."""
    for found in _LINE.finditer(text):
        yield found[1], [_argument(one) for one in _ARGUMENT.findall(found[2])]


def _argument(text: str) -> str:
    strings = re.findall(_STRING, text)
    return "".join(one[1:-1] for one in strings) if strings else text.strip()


def fields(text: str) -> tuple[Field, ...]:
    """What a BODY's last argument says."""
    found = [_FIELD.fullmatch(part) for part in text.split(", ") if part]
    if None in found:
        raise ValueError(f"messages.def: fields {text!r}; a field is a kind, a name and maybe [n]")
    return tuple(Field(one[1], one[2], int(one[3]) if one[3] else None) for one in found if one is not None)


def _messages(text: str) -> Iterator[Message]:
    lines = list(entries(text))
    more = {(said[0], said[1]): fields(said[2]) for kind, said in lines if kind == "MORE"}
    bodies = {
        name: Body(
            name,
            int(least),
            int(most),
            kind == "CHECKED",
            fields(said),
            more.get((name, "CLIENT"), ()),
            more.get((name, "GATEWAY"), ()),
        )
        for kind, (name, least, most, said) in (one for one in lines if one[0] in ("BODY", "CHECKED"))
    }
    for kind, said in lines:
        match kind, said:
            case (("OWN" | "RELAYED"), [upper, name, title, number, body, rule, at, *fast]):
                where, how = (at, None) if kind == "OWN" else ("", int(at))
                priority, channel, pps, burst, meaning = fast
                yield Message(
                    kind,
                    upper,
                    name,
                    title,
                    int(number),
                    bodies[body],
                    rule,
                    where,
                    how,
                    priority,
                    None if channel == UNRELIABLE else int(channel),
                    int(pps),
                    int(burst),
                    meaning,
                )
            case "GIVEN", [upper, name, title, number, body, rule]:
                yield Message(kind, upper, name, title, int(number), bodies[body], rule)
            case "GAME", [
                upper,
                name,
                title,
                first,
                last,
                body,
                rule,
                priority,
                channel,
                pps,
                burst,
                meaning,
            ]:
                yield Message(
                    kind,
                    upper,
                    name,
                    title,
                    int(first),
                    bodies[body],
                    rule,
                    priority=priority,
                    channel=int(channel),
                    pps=int(pps),
                    burst=int(burst),
                    meaning=meaning,
                    last=int(last),
                )
            case "CONTROL", [upper, name, title, number, body, said_by, text]:
                yield Message(kind, upper, name, title, int(number), bodies[body], said_by=said_by, said=text)
            case "UNSENT", [upper, title, number]:
                yield Message(kind, upper, upper.lower(), title, int(number))


_TEXT = definitions("wire/messages.def")

MESSAGES: Final = tuple(_messages(_TEXT))
REQUESTS: Final = tuple(one for one in MESSAGES if one.is_request)
FROM_EITHER: Final = (
    *_SAID_BY_BOTH,
    *(one.upper for one in MESSAGES if one.said_by == "EITHER" or one.kind == "GAME"),
)
GIVEN: Final = tuple(one for one in MESSAGES if one.kind in ("GIVEN", "GAME"))  # nobody's number precedes
COMPRESSED: Final = tuple(
    Compressed(said[0], said[1], int(said[2]), said[3])
    for kind, said in entries(_TEXT)
    if kind == "COMPRESSED"
)

# What an operator can send a player: the number under which the player gets it, by name.
SENDABLE: Final = {
    one.name: one.event
    for one in MESSAGES
    if one.event is not None and (one.kind in ("GIVEN", "GAME") or one.name in _OPERATORS)
}
GAME: Final = next(one for one in MESSAGES if one.kind == "GAME")


def numbers() -> dict[int, str]:
    """Every number on the wire, with the name of its enumerator; events have theirs."""
    said = {one.number: one.upper for one in MESSAGES}
    return said | {one.number + EVENT: f"{one.upper}_EVENT" for one in MESSAGES if one.kind == "RELAYED"}


def of(number: int) -> Message | None:
    """The type of a number on the wire, or of an event's."""
    return next((one for one in MESSAGES if number in one.numbers or number == one.event), None)


def listed(number: int) -> int:
    """The number that the list has for it: of the game's own types, the first."""
    return GAME.number if number in GAME.numbers else number
