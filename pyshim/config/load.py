# SPDX-License-Identifier: BSD-3-Clause
"""A configuration file → a `Config`, or every error at once with its line."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from pyshim.config import yaml_source
from pyshim.config.clashes import find_clashes
from pyshim.config.engines import find_incompatibilities
from pyshim.config.models import Config, export_schema
from pyshim.config.profiles import find_contradictions
from pyshim.config.section import OWN_ERROR
from pyshim.config.values import quoted
from pyshim.config.yaml_source import Mapping, Node, Problem, Scalar
from pyshim.config.yaml_source import Path as KeyPath
from pyshim.errors import ConfigError
from pyshim.system.regular_file import read_regular

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]{1,40}")
_NUMBER = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,9})?")
_BOOL_WORDS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}


def load_config(path: Path) -> Config:
    """Read and validate a configuration file.

    Raises:
        ConfigError: with every problem of the file, sorted by line, each `file:line: key: found, allowed`.
    """
    document = yaml_source.parse(_read(path))
    problems: list[Problem] = list(document.problems)
    config: Config | None = None
    if document.root is not None:
        config, found = _validate(document.root, problems)
        problems += found
    elif not problems:
        problems.append(Problem(1, (), "the file is empty; it must at least have the key ports"))
    if problems or config is None:
        problems.sort(key=lambda problem: problem.line)
        raise ConfigError([_line(path, problem) for problem in problems])
    return config


def key_path(path: KeyPath) -> str:
    """A path as a user reads it: `ports[0].name`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            shown = part if _PLAIN_KEY.fullmatch(part) else quoted(part, 40)
            text += f".{shown}" if text else shown
    return text


def _line(path: Path, problem: Problem) -> str:
    key = f"{key_path(problem.path)}: " if problem.path else ""
    return f"{path}:{problem.line}: {key}{problem.text}"


def _read(path: Path) -> str:
    """The file's text. Raises ConfigError."""
    try:
        data = read_regular(path, yaml_source.FILE_BYTES_MAX + 1)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError([f"{path}: cannot be read: {reason}; name a readable YAML file"]) from None
    except ValueError:  # a NUL in the name
        raise ConfigError([f"{quoted(str(path))}: cannot be read: not a file name"]) from None
    if len(data) > yaml_source.FILE_BYTES_MAX:
        limit = f"{yaml_source.FILE_BYTES_MAX} bytes"
        raise ConfigError([f"{path}:1: the file is larger than {limit}; is it a configuration?"])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # The codec counts from after a byte-order mark, which holds no line break: the line is right.
        line = error.object.count(b"\n", 0, error.start) + 1
        found = f"byte 0x{error.object[error.start]:02x} is not UTF-8"
        raise ConfigError([f"{path}:{line}: {found}; save the file as UTF-8"]) from None


def _validate(root: Node, known: Sequence[Problem]) -> tuple[Config | None, list[Problem]]:
    """The configuration if the models take it, and what is wrong beyond the problems known already."""
    data = yaml_source.plain(root)
    hidden = {problem.path for problem in known if problem.hides}
    problems = list(_clash_problems(root, data))
    misspelt: set[KeyPath] = set()
    config: Config | None = None
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        explainer = _Explainer(root)
        problems += explainer.problems(details)
        misspelt = explainer.misspelt(details)
    incompatibilities = _incompatibility_problems(root, data, misspelt)
    # A key that must be removed gets no advice about its value.
    to_go = {problem.path for problem in incompatibilities}
    problems = [*incompatibilities, *(p for p in problems if to_go.isdisjoint({p.path, *_parents(p.path)}))]
    return config, [p for p in problems if hidden.isdisjoint({p.path, *_parents(p.path)})]


def _clash_problems(root: Node, data: object) -> Iterator[Problem]:
    for clash in find_clashes(data):
        line = yaml_source.line_of(root, clash.path)
        first = f"by {key_path(clash.first)} on line {yaml_source.line_of(root, clash.first)}"
        yield Problem(line, clash.path, f"{clash.text} {first}; {clash.advice}")


def _incompatibility_problems(root: Node, data: object, misspelt: set[KeyPath]) -> list[Problem]:
    """Keys that do not suit engine and profiles; none by the engine when the key `engine` is misspelt."""
    incompatibilities = [] if ("engine",) in misspelt else find_incompatibilities(data)
    incompatibilities += find_contradictions(data)
    return [
        Problem(yaml_source.line_of(root, incompatibility.path), incompatibility.path, incompatibility.text)
        for incompatibility in incompatibilities
        if not (incompatibility.missing and incompatibility.path in misspelt)
    ]


class _Explainer:
    """Turns pydantic's errors into sentences: the tree has what was found, the schema what is allowed."""

    def __init__(self, root: Node) -> None:
        self.root = root
        self.schema = export_schema()

    def problems(self, details: Sequence[ErrorDetails]) -> list[Problem]:
        """One problem per path, in the order of `details`."""
        by_path: dict[KeyPath, Problem] = {}
        meant = self.misspelt(details)
        for detail in details:
            path = self._path(detail)
            if detail["type"] == "missing" and path in meant:
                continue  # the key is there, misspelt, and reported as misspelt
            if path == () and detail["type"] == "value_error":
                continue  # a clash: the caller reports it, with its line
            by_path.setdefault(path, self._problem(path, detail))
        # Only a union reports both a list and its items. The errors of the items say more.
        parents = {parent for path in by_path for parent in _parents(path)}
        return [problem for path, problem in by_path.items() if path not in parents]

    def misspelt(self, details: Sequence[ErrorDetails]) -> set[KeyPath]:
        """The paths of the keys that unknown ones are misspellings of."""
        return {self._meant(self._path(d)) for d in details if d["type"] == "extra_forbidden"}

    def _path(self, detail: ErrorDetails) -> KeyPath:
        """Where an error is, without the names of union branches that pydantic puts in between."""
        path: KeyPath = ()
        for part in detail["loc"]:
            if isinstance(part, int) or part in self._keys(path) or detail["type"] == "extra_forbidden":
                path = (*path, part)
        return path

    def _problem(self, path: KeyPath, detail: ErrorDetails) -> Problem:
        line = yaml_source.line_of(self.root, path)
        if detail["type"] == OWN_ERROR:
            return Problem(line, path, detail["msg"])
        if detail["type"] == "extra_forbidden":
            return Problem(line, path, _unknown_key(str(path[-1]), self._keys(path[:-1])))
        schema = self._node_schema(path)
        if detail["type"] == "missing":
            return Problem(line, path, f"missing; write {self.allowed(schema)}")
        node = yaml_source.find(self.root, path)
        text = f"found {_found(node)}, allowed: {self.allowed(schema)}"
        if isinstance(node, Scalar):
            text += self._hint(node, schema)
        return Problem(line, path, text)

    def _meant(self, unknown: KeyPath) -> KeyPath:
        """The path of the known key that `unknown` is a misspelling of; without one, `unknown` itself."""
        near = _nearest(str(unknown[-1]), self._keys(unknown[:-1]))
        return unknown if near is None else (*unknown[:-1], near)

    def _keys(self, path: KeyPath) -> list[str]:
        """The keys that the value at `path` may have; none when it is no mapping."""
        return [
            key for branch in self._branches(self._node_schema(path)) for key in branch.get("properties", ())
        ]

    def _node_schema(self, path: KeyPath) -> dict[str, Any]:
        """The schema at a path whose keys are all known."""
        schema = self.schema
        for part in path:
            branches = self._branches(schema)
            if isinstance(part, int):
                schema = next(branch["items"] for branch in branches if "items" in branch)
            else:
                schema = next(branch["properties"][part] for branch in branches if "properties" in branch)
            schema = self._resolved(schema)
        return schema

    def _resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        if "$ref" in schema:
            target: dict[str, Any] = self.schema["$defs"][schema["$ref"].rpartition("/")[2]]
            return target
        return schema

    def _branches(self, schema: dict[str, Any]) -> list[dict[str, Any]]:
        return [self._resolved(branch) for branch in schema.get("anyOf", [schema])]

    def allowed(self, schema: dict[str, Any]) -> str:
        """A schema in words."""
        branches = self._branches(schema)
        words = _words(schema)
        parts = [phrase for branch in branches if (phrase := _phrase(branch))]
        parts += words
        parts += ["null"] if any(branch.get("type") == "null" for branch in branches) else []
        return " or ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))

    def _hint(self, node: Scalar, schema: dict[str, Any]) -> str:
        words = _words(schema)
        if isinstance(node.value, str):
            if any(branch.get("type") == "boolean" for branch in self._branches(schema)):
                word = _BOOL_WORDS.get(node.value.lower())
                words = [*words, "true", "false"] if word is None else [word]
                if word is not None:
                    return f'; write {word}, YAML 1.2 has no "{node.text}"'
            numbers = any(branch.get("type") in {"integer", "number"} for branch in self._branches(schema))
            if numbers and _NUMBER.fullmatch(node.value):
                return "; write it without quotes"
            return _suggestion(node.value, words)
        integral = isinstance(node.value, float) and abs(node.value) < 1e15 and node.value.is_integer()
        if integral and any(branch.get("type") == "integer" for branch in self._branches(schema)):
            return f"; write {node.value:.0f}"
        return ""


def _parents(path: KeyPath) -> Iterator[KeyPath]:
    return (path[:depth] for depth in range(len(path)))


def _words(schema: dict[str, Any]) -> list[str]:
    """The fixed words and numbers that a schema allows."""
    branches = schema.get("anyOf", [schema])
    words = (word for branch in branches for word in branch.get("enum", [branch.get("const")]))
    return [str(word) for word in words if word is not None]


def _phrase(schema: dict[str, Any]) -> str:
    """One branch of a schema in words; empty for fixed words and numbers, which `_words` gives."""
    if "enum" in schema:
        return ""
    low, high = schema.get("minimum"), schema.get("maximum")
    phrase = ""
    match schema["type"]:
        case "boolean":
            phrase = "true or false"
        case "integer":
            phrase = f"a whole number from {low} to {high}"
        case "number":
            phrase = f"a number from {low:g} to {high:.15g}"
        case "array" if "title" in schema:
            phrase = schema["title"]
        case "array":
            phrase = f"a list of {schema['minItems']} to {schema['maxItems']} entries"
        case "object":
            phrase = f"a mapping with the keys {', '.join(schema['properties'])}"
        case "string" if "title" in schema:
            phrase = schema["title"]
    return phrase


def _found(node: Node | None) -> str:
    match node:
        case Scalar(value=None) | None:
            return "nothing"
        case Scalar(value=str(text)):
            return quoted(text)
        case Scalar(text=text):
            return text
        case Mapping():
            return "a mapping"
        case _:
            count = len(node.items)
            return f"a list of {count} {'entry' if count == 1 else 'entries'}" if count else "an empty list"


def _unknown_key(key: str, allowed: Sequence[str]) -> str:
    if "=" in key:  # {device: net_pcap0,rx_pcap=in.pcap}: the comma ended the value
        return "unknown key; quote a value that contains commas"
    return f"unknown key{_suggestion(key, allowed) or '; allowed: ' + ', '.join(allowed)}"


def _suggestion(word: str, known: Sequence[str]) -> str:
    """The nearest known word as a question; empty when none is near."""
    near = _nearest(word, known)
    return f'; did you mean "{near}"?' if near is not None else ""


def _nearest(word: str, known: Sequence[str]) -> str | None:
    """The known word that `word` is probably a misspelling of. Long words are not compared: it costs."""
    near = difflib.get_close_matches(word.lower(), known, n=1) if len(word) <= 64 else []
    return near[0] if near else None
