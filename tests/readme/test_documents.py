# SPDX-License-Identifier: BSD-3-Clause
"""Documents lead to each other, and what they have typed is tested, or there is a reason why not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.readme.documents import ROOT, fences, lessons, markdown

LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
# A block of such a language is no command; `console` shows a dialogue in which `...` stands for something.
NO_COMMANDS = {"python", "js", "yaml", "c", "text", "json", "cpp", "promql", ""}
INDENTED_COMMAND = re.compile(
    r"^ {4}(?:\$ |(?:\S*/)?(?:pollgate|pip|python3?|cp|cc|meson|apt-get|tshark|mkdir|cd|ip|curl|sudo) )"
)


def linked(path: Path) -> list[Path]:
    """Files of this repository that a document links to; a directory stands for its README."""
    found = []
    for target in LINK.findall((ROOT / path).read_text()):
        there = (ROOT / path.parent / target).resolve()
        found.append(there / "README.md" if there.is_dir() and (there / "README.md").exists() else there)
    return found


@pytest.mark.parametrize("path", markdown(), ids=str)
def test_every_link_leads_somewhere(path: Path) -> None:
    assert [str(there) for there in linked(path) if not there.exists()] == []


def test_every_document_is_reached_from_the_readme() -> None:
    seen: set[Path] = set()
    ahead = [Path("README.md")]
    while ahead:
        path = ahead.pop()
        if path in seen:
            continue
        seen.add(path)
        ahead += [
            there.relative_to(ROOT)
            for there in linked(path)
            if there.suffix == ".md" and there.exists() and there.is_relative_to(ROOT)
        ]
    assert {str(path) for path in markdown()} - {str(path) for path in seen} == set()


@pytest.mark.parametrize("path", markdown(), ids=str)
def test_commands_stand_in_blocks_that_are_run(path: Path) -> None:
    text = (ROOT / path).read_text()
    for language, note, script in fences(text):
        if language == "console":
            commands = [line for line in script.splitlines() if line.startswith("$ ")]
            assert all(line.startswith("$ curl ") for line in commands), script
        else:
            assert language in NO_COMMANDS | {"sh"}, script
        assert not note.startswith("not run") or len(note) > len("not run: because"), "a reason"
    outside = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    assert [line for line in outside.splitlines() if INDENTED_COMMAND.match(line)] == []


def test_what_is_not_run_is_little() -> None:
    skipped = {lesson.name for lesson in lessons().values() if any(block.not_run for block in lesson.blocks)}
    assert skipped <= {
        *("tests/bench/README.md", "tests/bench/RESULTS.md"),  # an hour of measuring
        "configs/bare-metal.yaml",  # cards
        "CONTRIBUTING.md",  # other releases
        "pyshim/conformance/README.md",  # somebody's client that cannot be started here
    }
