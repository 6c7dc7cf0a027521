# SPDX-License-Identifier: BSD-3-Clause
"""The diagrams of the data plane name what exists."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLANE = ROOT / "dpdk_app"
DIAGRAMS = (PLANE / "DIAGRAMS.md").read_text()

FUNCTIONS = sorted(set(re.findall(r"\b([a-z]\w*)\(\)", DIAGRAMS)))
ENUMERATORS = sorted(set(re.findall(r"\b([A-Z]+_[A-Z_]+)\b", DIAGRAMS)))
MESSAGES = [name for name in ENUMERATORS if name.startswith(("PLAYER_", "PATH_"))]
FILES = sorted(set(re.findall(r"`((?:\w+/)+\w+\.(?:[ch]|py))`", DIAGRAMS)))


@cache
def code() -> str:
    """All sources of the data plane, without comments, strings and tests."""
    paths = [path for path in sorted(PLANE.rglob("*.[ch]")) if "tests" not in path.parts]
    text = "\n".join(path.read_text() for path in paths)
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', " ", text, flags=re.DOTALL)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_of_a_diagram_is_in_the_sources(function: str) -> None:
    assert re.search(rf"\b{function}\(", code()), f"DIAGRAMS.md names {function}()"


@pytest.mark.parametrize("enumerator", [name for name in ENUMERATORS if name not in MESSAGES])
def test_a_state_of_a_diagram_is_in_the_sources(enumerator: str) -> None:
    assert re.search(rf"\b{enumerator}\b", code()), f"DIAGRAMS.md names {enumerator}"


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_of_a_diagram_is_in_the_protocol(message: str) -> None:
    protocol = (PLANE / "wire/PROTOCOL.md").read_text()
    assert re.search(rf"\b{message}\b", protocol), f"DIAGRAMS.md names {message}"


@pytest.mark.parametrize("file", FILES)
def test_a_file_of_a_diagram_exists(file: str) -> None:
    assert (PLANE / file).is_file() or (ROOT / file).is_file(), f"DIAGRAMS.md names {file}"


def test_the_diagrams_name_many_things() -> None:
    assert len(FUNCTIONS) > 20
    assert len(ENUMERATORS) > 5
    assert len(FILES) > 3
