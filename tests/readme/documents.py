# SPDX-License-Identifier: BSD-3-Clause
"""What documents have their readers type: the `sh` blocks of Markdown, and commands in comments of examples.

A block below the comment `<!-- keeps running -->` is a terminal of its own: it gets ready, other blocks
follow, and Ctrl-C ends it, before a block below `<!-- after Ctrl-C -->` or at the end. A block below
`<!-- not run: REASON -->` cannot be run by a test; one below `<!-- needs the network -->` has the host's.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOT_OURS = {"build", "var", "node_modules"}

_HEADING = re.compile(r"^## (?P<title>.+)$", re.MULTILINE)
_BLOCK = re.compile(
    r"^(?:<!-- (?P<note>[^\n]+?) -->\n)?```(?P<language>\w*)\n(?P<script>.*?)^```$", re.MULTILINE | re.DOTALL
)
_COMMENT = re.compile(r"^#   (?P<command>\S.*?)(?:  +\S.*)?$", re.MULTILINE)
_GATE = re.compile(r"(?:pollgate run|scripts/run)(?!.*--for)")
_NEEDS = {"bare-metal.yaml": "two network cards, which would be taken from the kernel"}
_COMMANDS = (
    "ip",
    "ping",
    "curl",
    "mkdir",
    "dpdk-devbind.py",
    "echo",
    "docker",
    "./scripts/run",
    ".venv/bin/pollgate",
)


@dataclass(frozen=True, slots=True)
class Block:
    """Commands that are typed at once."""

    script: str
    keeps_running: bool = False
    after_ctrl_c: bool = False
    on_the_network: bool = False
    not_run: str = ""  # why


@dataclass(frozen=True, slots=True)
class Lesson:
    """Blocks that a reader types one after the other."""

    name: str
    blocks: tuple[Block, ...]


def markdown() -> list[Path]:
    """Every document, relative to the root."""
    found = []
    for directory, below, names in os.walk(ROOT):
        # Not looked into at all: a build holds whole roots. What begins with a dot is a tool's own.
        below[:] = [name for name in below if name.split("-")[0] not in NOT_OURS and not name.startswith(".")]
        found += [(Path(directory) / name).relative_to(ROOT) for name in names if name.endswith(".md")]
    return sorted(found)


def fences(text: str) -> list[tuple[str, str, str]]:
    """Language, note and content of every fenced block."""
    return [(match["language"], match["note"] or "", match["script"]) for match in _BLOCK.finditer(text)]


def _blocks(text: str) -> tuple[Block, ...]:
    found = []
    for language, note, script in fences(text):
        if language != "sh":
            continue
        marks = {mark.strip() for mark in note.split(",")}
        why = note.removeprefix("not run: ") if note.startswith("not run: ") else ""
        found.append(
            Block(
                script, "keeps running" in marks, "after Ctrl-C" in marks, "needs the network" in marks, why
            )
        )
    return tuple(found)


def _of_markdown(path: Path) -> list[Lesson]:
    """The sections of README.md stand for themselves; the blocks of every other document belong together."""
    text = (ROOT / path).read_text()
    if path.name != "README.md" or path.parent != Path():
        return [Lesson(str(path), _blocks(text))]
    parts = _HEADING.split(text)[1:]
    return [
        Lesson(f"{path}: {title}", _blocks(section))
        for title, section in zip(parts[::2], parts[1::2], strict=True)
    ]


def _of_example(path: Path) -> Lesson:
    """The commands that stand in the comment at the top of an example."""
    head = path.read_text().split("\n\n", 1)[0]
    commands = [match["command"] for match in _COMMENT.finditer(head)]
    blocks = [
        Block(f"{command}\n", keeps_running=bool(_GATE.search(command)), not_run=_NEEDS.get(path.name, ""))
        for command in commands
        if command.split()[0] in _COMMANDS
    ]
    return Lesson(str(path.relative_to(ROOT)), tuple(blocks))


def lessons() -> dict[str, Lesson]:
    """All that there is to type, by name."""
    found = [lesson for path in markdown() for lesson in _of_markdown(path)]
    found += [_of_example(path) for path in sorted((ROOT / "configs").glob("*.yaml"))]
    return {lesson.name: lesson for lesson in found if lesson.blocks}
