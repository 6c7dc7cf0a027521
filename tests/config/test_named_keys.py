# SPDX-License-Identifier: BSD-3-Clause
"""A sentence that tells somebody to change a key names one that there is."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "configs/pollgate.schema.json").read_text())

_C_STRING = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
_INCLUDE = re.compile(r"^\s*#\s*include.*$", re.MULTILINE)


def keys(node: dict[str, Any], prefix: str = "") -> Iterator[str]:
    if "$ref" in node:
        yield from keys(SCHEMA["$defs"][node["$ref"].rsplit("/", 1)[-1]], prefix)
    for several in ("anyOf", "oneOf", "allOf"):
        for one in node.get(several, ()):
            yield from keys(one, prefix)
    yield from keys(node["items"], prefix) if "items" in node else ()
    for name, inner in node.get("properties", {}).items():
        yield prefix + name
        yield from keys(inner, f"{prefix}{name}.")


def c_strings() -> Iterator[tuple[str, str]]:
    """Neighbouring literals are one, as for the compiler."""
    for path in sorted((ROOT / "dpdk_app").rglob("*.[ch]")):
        if "tests" not in path.parts:
            text = re.sub(r'"\s*\n\s*"', "", _INCLUDE.sub("", path.read_text()))
            yield from ((str(path.relative_to(ROOT)), found) for found in _C_STRING.findall(text))


def python_strings() -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / "pyshim").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield str(path.relative_to(ROOT)), node.value


_NO_KEYS = frozenset(["c", "h", "py", "md", "yaml", "json", "def", "org", "example"])


def named(text: str, sections: frozenset[str]) -> Iterator[str]:
    """What looks like a key of one of these sections, and like no file, module or host."""
    for found in re.findall(r"(?<![\w./])[a-z_]+(?:\.[a-z_]+)+(?![\w(/])", text):
        section, *_, last = found.split(".")
        if section in sections and last not in _NO_KEYS:
            yield found


def test_every_key_that_a_sentence_names_is_one() -> None:
    known = frozenset(keys(SCHEMA))
    sections = frozenset(key for key in known if "." not in key)
    found = [(path, key) for path, text in (*c_strings(), *python_strings()) for key in named(text, sections)]
    assert {path.split("/")[0] for path, _ in found} == {"dpdk_app", "pyshim"}  # it sees both halves
    assert [(path, key) for path, key in found if key not in known] == []
