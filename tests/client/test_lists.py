# SPDX-License-Identifier: BSD-3-Clause
"""The lists of the data plane are in the client's one file as the preprocessor would expand them."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = [ROOT / "dpdk_app", ROOT / "dpdk_app" / "include"]
SHARED = ["include/pollgate.h", "message/session_check.h", "message/session_check.c", "wire/session.h"]
TOKEN = re.compile(r'\w+|"[^"]*"|\S')


@pytest.fixture(scope="module")
def amalgamate() -> ModuleType:
    """The script, which is no part of any package."""
    path = ROOT / "client" / "amalgamate.py"
    spec = importlib.util.spec_from_file_location("amalgamate", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["amalgamate"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def preprocessed(block: str) -> list[str]:
    """Tokens of what a C compiler makes of a block of macros and the list below them."""
    made = subprocess.run(
        ["cc", "-E", "-P", "-I", str(FOLDERS[0]), "-"],
        input=block,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return TOKEN.findall(made.stdout)


@pytest.mark.parametrize("file", [*SHARED, "../client/texts.c"])
def test_every_list_is_expanded_as_a_compiler_expands_it(amalgamate: ModuleType, file: str) -> None:
    blocks = [found.group() for found in amalgamate.LIST_INCLUDE.finditer((FOLDERS[0] / file).read_text())]
    assert blocks
    for block in blocks:
        assert TOKEN.findall(amalgamate.expand_lists(block, FOLDERS, set())) == preprocessed(block)


def test_a_list_that_was_read_is_what_the_file_depends_on(amalgamate: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "one.def").write_text("ENTRY(A, a) // a comment\nENTRY(B, b)\nOTHER(C)\n")
    seen: set[Path] = set()
    text = '#define ENTRY(NAME, name) X_##NAME = #name,\n#include "one.def"\n'
    assert amalgamate.expand_lists(text, [tmp_path], seen) == 'X_A = "a",\nX_B = "b",\n'
    assert seen == {(tmp_path / "one.def").resolve()}
