# SPDX-License-Identifier: BSD-3-Clause
"""What the .def files of the data plane say, read here without a C compiler."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DATA_PLANE = Path(__file__).resolve().parents[1] / "dpdk_app"
EVENT = 200
_STRING = r'"[^"]*"'


def entries(file: str, kind: str) -> Iterator[tuple[str, ...]]:
    """The arguments of every `KIND(…)` of a file, in its order; not of the macro itself."""
    pattern = rf"^{kind}\(((?:[^()\"]|{_STRING})*)\)"
    for found in re.finditer(pattern, (DATA_PLANE / file).read_text(), re.MULTILINE):
        yield tuple(map(_argument, re.findall(rf"(?:[^,\"]|{_STRING})+", found[1])))


def _argument(text: str) -> str:
    """An argument as it is; of strings, which C joins, what they say."""
    strings = re.findall(_STRING, text)
    return "".join(string[1:-1] for string in strings) if strings else text.strip()


def names(file: str, kind: str) -> list[str]:
    """The labels of a kind whose entries are `KIND(NAME, name, …)`."""
    return [name for _, name, *_ in entries(file, kind)]


def numbers(kind: str) -> dict[str, int]:
    """`CLOSED` or `DENIED` of wire/closed.def: the number on the wire by NAME."""
    return {name: int(number) for name, _, number in entries("wire/closed.def", kind)}


@dataclass(frozen=True, slots=True)
class Type:
    """A number that a message can have on the wire."""

    name: str  # of enumerators
    title: str  # in documents
    number: int
    compressed: bool = False
    has_sender: bool = False
    target: int | None = None  # where its body names whom it is for


def types() -> list[Type]:
    """Every type of wire/messages.def, and the events that follow from it, by number."""
    found = []
    for name, _, title, number, _, compress, *_ in (*_given("OWN"), *_given("GIVEN")):
        found.append(Type(name, title, int(number), compress != "NEVER"))
    for name, _, title, first, _, _, compress, *_ in _given("GAME"):  # the first stands for all
        found.append(Type(name, title, int(first), compress != "NEVER"))
    for name, _, title, number, *_ in _given("CONTROL"):
        found.append(Type(name, title, int(number)))
    for name, title, number in entries("wire/messages.def", "UNSENT"):
        found.append(Type(name, title, int(number)))
    for name, _, title, number, _, compress, target, *_ in _given("RELAYED"):
        compressed = compress != "NEVER"
        found.append(Type(name, title, int(number), compressed, target=int(target)))
        event = f"{name}_EVENT"
        found.append(Type(event, event, int(number) + EVENT, compressed, has_sender=True))
    return sorted(found, key=lambda one: one.number)


def _given(kind: str) -> Iterator[tuple[str, ...]]:
    return entries("wire/messages.def", kind)
