# SPDX-License-Identifier: BSD-3-Clause
"""What the product's extension carries: what its Python calls, and nothing that only tests need."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from pyshim._native import _pollgate
from tests.native import lib

SOURCES = Path(__file__).resolve().parents[2] / "pyshim"
# Asked for by what an array's elements are called, or by a histogram's.
LABELS = re.compile(r"pg_\w+_(name|bound|bound_ns)")


def declared() -> list[str]:
    build = runpy.run_path(str(SOURCES / "_native" / "build.py"))
    text = "\n".join(build["declarations"](topic) for topic in build["TOPICS"])
    return sorted(set(re.findall(r"\b(pg_\w+)\(", text)))


def test_the_core_without_devices_is_the_tests_own() -> None:
    assert lib.pg_core_open
    assert not hasattr(_pollgate.lib, "pg_core_open")
    assert b"pg_core_" not in Path(_pollgate.__file__).read_bytes()


@pytest.mark.parametrize("name", [name for name in declared() if not LABELS.fullmatch(name)])
def test_what_the_extension_declares_is_called(name: str) -> None:
    used = re.compile(rf"\blib\.{name}\b")
    assert any(used.search(file.read_text()) for file in SOURCES.rglob("*.py"))
