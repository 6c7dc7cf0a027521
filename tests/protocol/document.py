# SPDX-License-Identifier: BSD-3-Clause
"""What else says what messages.def says: `python -m tests.protocol.document` writes it anew.

They are the tables of PROTOCOL.md and of the dissector, the enumerators of both clients and of game
processes, and the schema of the configuration.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from pyshim import messages
from pyshim.config import schema
from pyshim.messages import EVENT, MESSAGES, Body, Field, Message

ROOT = Path(__file__).resolve().parents[2]
WIRE = "dpdk_app/wire/PROTOCOL.md"
PYTHON = "pyshim/protocol/session_wire.py"
DISSECTOR = "wireshark/pollgate.lua"
CLIENT = "client/pollgate_client.h"
GAME = "game/pollgate_game.h"

_NUMBER_BYTES = {"u8": 1, "u16": 2, "u32": 4, "f32": 4}
_BLOCK = (
    r"(?P<begin>^[^\n]*{0} from messages\.def: begin[^\n]*\n).*?(?P<end>^[^\n]*{0} from messages\.def: end)"
)


def with_block(text: str, name: str, lines: list[str]) -> str:
    """A file with these lines between the two that say `NAME from messages.def: begin` and `: end`."""
    block = re.compile(_BLOCK.format(re.escape(name)), re.MULTILINE | re.DOTALL)
    assert len(block.findall(text)) == 1, f"there is not one block: {name} from messages.def"
    return block.sub(lambda found: found["begin"] + "".join(f"{one}\n" for one in lines) + found["end"], text)


# ---------------------------------------------------------------- PROTOCOL.md


def rows() -> list[str]:
    """A row for each type, and one for all events."""
    requests = [one for one in MESSAGES if one.number < EVENT]
    relayed = [one for one in MESSAGES if one.kind == "RELAYED"]
    others = [one for one in MESSAGES if one.number >= EVENT]
    events = (
        f"| {', '.join(str(one.event) for one in sorted(relayed, key=_number))} "
        f"| {', '.join(f'{one.upper}_EVENT' for one in sorted(relayed, key=_number))} "
        "| u32 player_id of the sender (0: the operator), then the body of message type − 200, without what "
        "may follow there; an ATTACK_EVENT may have a judgement behind it: section 18 |"
    )
    said = [*(_row(one) for one in sorted(requests, key=_number)), events]
    return said + [_row(one) for one in sorted(others, key=_number)]


def with_rows(document: str) -> str:
    """PROTOCOL.md with these rows in the table of types."""
    head, table = "| type | name | body |\n|---|---|---|\n", re.compile(r"(?:\|[^\n]*\n)*")
    before, found, after = document.partition(head)
    assert found, "PROTOCOL.md has no table of types"
    return before + head + "".join(f"{row}\n" for row in rows()) + table.sub("", after, count=1)


def _number(one: Message) -> int:
    return one.number


def _row(one: Message) -> str:
    if one.body is None:
        return f"| {one.number} | {one.title} | gateway to client; not sent yet |"
    said = one.said if one.kind == "CONTROL" else _body(one, one.body)
    numbers = f"{one.number} to {one.last}" if one.last else str(one.number)
    return f"| {numbers} | {one.title} | {said} |"


def _body(one: Message, body: Body) -> str:
    said = [
        part_of_body(part, body.most_bytes - at) + (" (0: everyone near)" if at == one.target else "")
        for part, at in placed(body)
    ]
    may_follow = body.told_more if one.kind == "GIVEN" else body.said_more
    more = f"; maybe {', '.join(part_of_body(part, 0) for part in may_follow)}" if may_follow else ""
    return (", ".join(said) or "nothing") + more


def placed(body: Body) -> Iterator[tuple[Field, int]]:
    """Each field, and how many bytes lie before it."""
    at = 0
    for part in body.fields:
        yield part, at
        at += _NUMBER_BYTES.get(part.kind, 0) * (part.count or 1)


def part_of_body(part: Field, room: int) -> str:
    """A field, as a document says it; `room`: bytes from it to the end of the longest body."""
    if part.kind == "text":
        return f"u16 n, n bytes of UTF-8, 1 ≤ n ≤ {room - 2:,}"
    if part.kind == "bytes":
        return f"at most {room:,} bytes of the game's own"
    return f"{part.kind} {part.name}" + (f"[{part.count}]" if part.count else "")


# ---------------------------------------------------------------- clients


def members() -> list[str]:
    """Of Python's MessageType."""
    return [f"    {name} = {number}" for number, name in sorted(messages.numbers().items())]


def client_messages() -> list[str]:
    """Of enum pgc_message."""
    said = sorted(messages.REQUESTS, key=_number)
    numbered = [(one.upper, one.number) for one in said] + [
        (f"{one.upper}_LAST", one.last) for one in said if one.last
    ]
    return [f"\tPGC_MESSAGE_{name} = {number}," for name, number in sorted(numbered, key=lambda one: one[1])]


def client_events(header: str) -> list[str]:
    """Of enum pgc_event_type: those that it does not have already, by their numbers on the wire."""
    own = re.sub(_BLOCK.format("events"), "", header, flags=re.MULTILINE | re.DOTALL)
    return [
        f"\tPGC_EVENT_{one.upper} = {one.event},"
        for one in sorted(MESSAGES, key=_number)
        if one.event is not None and not re.search(rf"\bPGC_EVENT_{one.upper}\b", own)
    ]


def game_types() -> list[str]:
    """Of enum pgg_type: what a game sends to players, but for where they are: pgg_place() says that."""
    said = [one for one in MESSAGES if one.kind in ("RELAYED", "GIVEN") and one.name != "correction"]
    return [f"\tPGG_TYPE_{one.upper} = {one.number}," for one in sorted(said, key=_number)]


# ---------------------------------------------------------------- dissector


def lua() -> Iterator[str]:
    """Its tables: names, what is compressed, whose sender is said, what is in a body."""
    titles = {one.number: one.title for one in MESSAGES}
    names = {number: titles.get(number, upper) for number, upper in sorted(messages.numbers().items())}
    yield "local MESSAGES = {"
    yield from (f'\t[{number}] = "{name}",' for number, name in names.items())
    yield "}"
    yield f"local GAME_FIRST, GAME_LAST = {messages.GAME.number}, {messages.GAME.last}"
    compressed = [one for one in MESSAGES if one.compressed != "NEVER"]
    yield _lua_set("COMPRESSIBLE", {n for one in compressed for n in (one.number, one.event) if n})
    from_gateway = {one.number for one in MESSAGES if one.said_by == "GATEWAY"}
    yield _lua_set("FROM_GATEWAY", from_gateway)
    yield _lua_set(
        "FROM_EITHER", {n for n, upper in messages.numbers().items() if upper in messages.FROM_EITHER}
    )
    yield _lua_set("HAS_SENDER", {one.number + EVENT for one in MESSAGES if one.kind == "RELAYED"})
    yield "local LAYOUTS = {"
    for one in sorted(MESSAGES, key=_number):
        if one.body is not None:
            most = one.body.most_bytes
            parts = ", ".join(_lua_field(part, most - at) for part, at in placed(one.body))
            yield f"\t[{one.number}] = {{ {parts} }}," if parts else f"\t[{one.number}] = {{}},"
    yield "}"
    yield from _lua_more("SAID_MORE", {one.number: one.body.said_more for one in MESSAGES if one.body})
    yield from _lua_more("TOLD_MORE", {one.number: one.body.told_more for one in MESSAGES if one.body})


def _lua_more(name: str, more: dict[int, tuple[Field, ...]]) -> Iterator[str]:
    """What may follow in a body, by the number of the type as a player says it."""
    yield f"local {name} = {{"
    for number, parts in sorted(more.items()):
        if parts:
            yield f"\t[{number}] = {{ {', '.join(_lua_field(part, 0) for part in parts)} }},"
    yield "}"


def _lua_set(name: str, numbers: set[int]) -> str:
    return f"local {name} = {{ {', '.join(f'[{number}] = true' for number in sorted(numbers))} }}"


def _lua_field(part: Field, room: int) -> str:
    more = "" if part.count is None else f", count = {part.count}"
    if part.kind == "text":
        more = f", most = {room - 2}"
    return f'{{ kind = "{part.kind}", name = "{part.name}"{more} }}'


# ---------------------------------------------------------------- all of it

FILES: dict[str, Callable[[str], str]] = {
    PYTHON: lambda text: with_block(text, "types", members()),
    CLIENT: lambda text: with_block(
        with_block(text, "messages", client_messages()), "events", client_events(text)
    ),
    GAME: lambda text: with_block(text, "types", game_types()),
    DISSECTOR: lambda text: with_block(text, "tables", list(lua())),
    WIRE: with_rows,
}


def main(root: Path = ROOT) -> None:
    """Write each file."""
    for name, written in FILES.items():
        file = root / name
        file.write_text(written(file.read_text()))
    (root / schema.SCHEMA_FILE).write_text(schema.schema_text())


if __name__ == "__main__":
    main()
