# SPDX-License-Identifier: BSD-3-Clause
"""YAML text → a tree that knows the line of every key, list item and value.

Scalars follow the YAML 1.2 core schema, not PyYAML's YAML 1.1: there, an unquoted PCI address, MAC address,
`on` or `010` silently becomes another value. The tree is built straight from parser events, so that
no constructor exists that a tag could reach, and size, depth and alias expansion are bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import yaml

FILE_BYTES_MAX = 1 << 20
DEPTH_MAX = 32
NODES_MAX = 10_000  # after expansion of aliases; a large configuration has some hundreds
NUMBER_CHARS_MAX = 40

Path: TypeAlias = tuple[str | int, ...]  # keys and list indexes from the root

_NULL = re.compile(r"~|null|Null|NULL|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"([-+]?)\.(inf|Inf|INF)")
_NAN = re.compile(r"\.(nan|NaN|NAN)")


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value; `text` is what the file says."""

    line: int
    value: str | int | float | bool | None
    text: str
    size: int = 1
    height: int = 0


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    line: int
    items: tuple[Node, ...]
    size: int
    height: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A key's line and its value."""

    line: int
    node: Node


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys and values in the order of the file."""

    line: int
    entries: dict[str, Entry]
    size: int
    height: int


Node: TypeAlias = Scalar | Sequence | Mapping


@dataclass(frozen=True, slots=True)
class Problem:
    """An error at a line. `hides`: later errors about the value at `path` would mislead and are left out."""

    line: int
    path: Path
    text: str
    hides: bool = True


@dataclass(frozen=True, slots=True)
class Document:
    """What was read. `root` is None when the file is empty or not YAML."""

    root: Node | None
    problems: tuple[Problem, ...]


def parse(text: str) -> Document:
    """Read one YAML document. Never raises: all that is wrong is in the document's problems."""
    try:
        loader = yaml.SafeLoader(text)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        return Document(None, (Problem(line, (), f"character {_code_point(error)} is not allowed in YAML"),))
    builder = _Builder(loader)
    try:
        root = builder.document()
    except _StopError as stop:
        return Document(None, (*builder.problems, stop.problem))
    except yaml.MarkedYAMLError as error:
        return Document(None, (*builder.problems, _syntax_problem(error)))
    except (yaml.YAMLError, ValueError, OverflowError, IndexError):
        # PyYAML lets chr() and int() raise on absurd escapes and directives.
        line = loader.get_mark().line + 1
        return Document(None, (*builder.problems, Problem(line, (), "not valid YAML: unreadable escape")))
    finally:
        loader.dispose()
    return Document(root, tuple(builder.problems))


def plain(node: Node) -> object:
    """The values alone, as dicts, lists and scalars."""
    match node:
        case Scalar():
            return node.value
        case Sequence():
            return [plain(item) for item in node.items]
        case Mapping():
            return {key: plain(entry.node) for key, entry in node.entries.items()}


def find(root: Node, path: Path) -> Node | None:
    """The node at `path`, or None."""
    node: Node | None = root
    for part in path:
        match node:
            case Mapping() if isinstance(part, str) and part in node.entries:
                node = node.entries[part].node
            case Sequence() if isinstance(part, int) and part < len(node.items):
                node = node.items[part]
            case _:
                return None
    return node


def line_of(root: Node, path: Path) -> int:
    """The line of the key or list item at `path`; of its nearest parent when it is not there."""
    node, line = root, root.line
    for part in path:
        match node:
            case Mapping() if isinstance(part, str) and part in node.entries:
                entry = node.entries[part]
                node, line = entry.node, entry.line
            case Sequence() if isinstance(part, int) and part < len(node.items):
                node = node.items[part]
                line = node.line
            case Mapping():
                return node.line
            case _:
                return line
    return line


class _StopError(Exception):
    """Reading cannot go on."""

    def __init__(self, line: int, text: str) -> None:
        self.problem = Problem(line, (), text)
        super().__init__(text)


@dataclass(slots=True)
class _Builder:
    """One pass over the events of one document."""

    loader: yaml.SafeLoader
    problems: list[Problem] = field(default_factory=list)
    anchors: dict[str, Node | None] = field(default_factory=dict)  # None while the node is still open
    nodes: int = 0

    def document(self) -> Node | None:
        self._next()  # stream start
        if isinstance(self._next(), yaml.StreamEndEvent):
            return None
        event = self._next()
        root = self._node(event, ())
        self._next()  # document end
        extra = self._next()
        if not isinstance(extra, yaml.StreamEndEvent):
            raise _StopError(_line(extra), "a second document starts here; one file holds one document")
        if isinstance(root, Scalar) and root.value is None and isinstance(event, yaml.ScalarEvent):
            return None
        return root

    def _next(self) -> yaml.Event:
        event: yaml.Event = self.loader.get_event()  # type: ignore[no-untyped-call]
        return event

    def _node(self, event: yaml.Event, path: Path) -> Node:
        line = _line(event)
        if isinstance(event, yaml.AliasEvent):
            node = self._alias(event, path)
        else:
            anchor: str | None = getattr(event, "anchor", None)
            if anchor is not None:
                self.anchors[anchor] = None
            self._count(1, len(path), line)
            if isinstance(event, yaml.ScalarEvent):
                node = self._scalar(event, path)
            elif isinstance(event, yaml.SequenceStartEvent):
                node = self._sequence(line, path)
            else:
                node = self._mapping(line, path)
            if anchor is not None:
                self.anchors[anchor] = node
            tag: str | None = getattr(event, "tag", None)
            if tag is not None:
                return self._refuse(line, path, "found a YAML tag (!...); tags are not supported, remove it")
        return node

    def _alias(self, event: yaml.AliasEvent, path: Path) -> Node:
        line, anchor = _line(event), event.anchor or ""
        name = anchor[:40]
        if anchor not in self.anchors:
            return self._refuse(line, path, f"alias *{name} has no anchor &{name} before it")
        node = self.anchors[anchor]
        if node is None:
            return self._refuse(line, path, f"alias *{name} contains itself; write the value out")
        self._count(node.size, len(path) + node.height, line)
        return node

    def _sequence(self, line: int, path: Path) -> Node:
        items = tuple(
            self._node(event, (*path, index))
            for index, event in enumerate(self._until(yaml.SequenceEndEvent))
        )
        return Sequence(line, items, *_extent(items))

    def _mapping(self, line: int, path: Path) -> Node:
        entries: dict[str, Entry] = {}
        for event in self._until(yaml.MappingEndEvent):
            key_line = _line(event)
            key = self._key(event, path)
            known = len(self.problems)
            value = self._node(self._next(), (*path, "?" if key is None else key))
            if key is None:
                del self.problems[known:]
                continue
            if key in entries:
                first = entries[key].line
                text = f"key given twice, first on line {first}; keep one"
                self.problems.append(Problem(key_line, (*path, key), text, hides=False))
            else:
                entries[key] = Entry(key_line, value)
        return Mapping(line, entries, *_extent(entry.node for entry in entries.values()))

    def _key(self, event: yaml.Event, path: Path) -> str | None:
        """The key's text; None when it is refused, and the problem is noted."""
        line = _line(event)
        if not isinstance(event, yaml.ScalarEvent) or event.tag is not None or event.anchor is not None:
            known = len(self.problems)
            self._node(event, (*path, "?"))  # one level deeper, so that the bound on depth holds for keys too
            del self.problems[known:]
            self._refuse(line, path, "a key must be a plain word, without tag, anchor or nesting")
            return None
        self._count(1, len(path), line)
        if event.value == "<<" and event.implicit[0]:
            self._refuse(line, path, "merge keys (<<) are not supported; write the keys out")
            return None
        return event.value

    def _scalar(self, event: yaml.ScalarEvent, path: Path) -> Node:
        line, text = _line(event), event.value
        if not event.implicit[0]:  # quoted or block style: text as it stands
            return Scalar(line, text, text)
        if _LEADING_ZERO.fullmatch(text) and len(text) <= NUMBER_CHARS_MAX:
            number = f"found {text}, a number with a leading zero"
            return self._refuse(line, path, f'{number}; write {int(text)}, or "{text}" if text is meant')
        if len(text) > NUMBER_CHARS_MAX and (_FLOAT.fullmatch(text) or _HEX.fullmatch(text)):
            number = f"found a number of {len(text)} characters"
            return self._refuse(line, path, f"{number}, allowed: {NUMBER_CHARS_MAX}")
        return Scalar(line, _resolve(text), text)

    def _until(self, end: type[yaml.Event]) -> Iterator[yaml.Event]:
        while not isinstance(event := self._next(), end):
            yield event

    def _count(self, nodes: int, depth: int, line: int) -> None:
        if depth > DEPTH_MAX:
            raise _StopError(line, f"nested deeper than {DEPTH_MAX} levels")
        self.nodes += nodes
        if self.nodes > NODES_MAX:
            raise _StopError(line, f"more than {NODES_MAX} values in one file, aliases expanded")

    def _refuse(self, line: int, path: Path, text: str) -> Scalar:
        self.problems.append(Problem(line, path, text))
        return Scalar(line, None, "")


def _resolve(text: str) -> str | int | float | bool | None:
    """The value of an unquoted scalar by the YAML 1.2 core schema."""
    value: str | int | float | bool | None = text
    if _NULL.fullmatch(text):
        value = None
    elif _BOOL.fullmatch(text):
        value = text.lower() == "true"
    elif _DECIMAL.fullmatch(text):
        value = int(text)
    elif _OCTAL.fullmatch(text) or _HEX.fullmatch(text):
        value = int(text, 0)
    elif _FLOAT.fullmatch(text):
        value = float(text)
    elif infinite := _INFINITE.fullmatch(text):
        value = float(infinite[1] + "inf")
    elif _NAN.fullmatch(text):
        value = float("nan")
    return value


def _extent(children: Iterator[Node] | tuple[Node, ...]) -> tuple[int, int]:
    """Size and height of a node with these children."""
    size, height = 1, 0
    for child in children:
        size += child.size
        height = max(height, child.height + 1)
    return size, height


def _line(event: yaml.Event) -> int:
    mark = event.start_mark
    return mark.line + 1 if mark is not None else 1


def _code_point(error: yaml.reader.ReaderError) -> str:
    character: int | str | bytes = error.character
    code = character if isinstance(character, int) else ord(character)
    return f"U+{code:04X}"


def _syntax_problem(error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark is not None else 1
    what = (error.problem or error.context or "unreadable")[:200]
    if "'\\t'" in what:
        return Problem(line, (), "not valid YAML: a tab; indent with spaces")
    text = f"not valid YAML: {what}"
    if error.context and error.context_mark is not None:
        text += f" ({error.context} that starts on line {error.context_mark.line + 1})"
    if any(kind in (error.context or "") for kind in ("flow", "block mapping")):
        text += "; check the indentation, and quote a value that starts with [ or { or contains ': '"
    return Problem(line, (), " ".join(text.split()))
