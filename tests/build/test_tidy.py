# SPDX-License-Identifier: BSD-3-Clause
"""`scripts/tidy.py` reads a file again exactly when something has changed that its findings depend on."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

TIDY = Path(__file__).parents[2] / "scripts/tidy.py"
CLANG = next(filter(None, map(shutil.which, ("clang-14", "clang-19", "clang"))), None)
pytestmark = pytest.mark.skipif(CLANG is None, reason="no clang: run scripts/setup --test")


class Project:
    """A program of one file with a header, and a clang-tidy that notes what it is asked."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.write("a.c", '#include "a.h"\nint main(void) { return A; }\n')
        self.write("a.h", "#define A 0\n")
        self.write(".clang-tidy", "Checks: misc-*\n")
        self.command("clang -I. -Werror -o a.o -c a.c")
        self.program()

    def write(self, name: str, text: str) -> None:
        (self.directory / name).write_text(text)

    def command(self, command: str) -> None:
        entry = {"directory": str(self.directory), "command": command, "file": str(self.directory / "a.c")}
        self.write("compile_commands.json", json.dumps([entry]))

    def program(self, version: str = "14", finds: str = "") -> None:
        tool = self.directory / "clang-tidy"
        tool.write_text(
            f'#!/bin/sh\n[ "$1" = --version ] && echo {version} && exit\necho read >>reads\n'
            f"echo '3 warnings generated.'\n{f'echo {finds}; exit 1' if finds else ':'}\n"
        )
        tool.chmod(0o755)

    def tidy(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, TIDY, CLANG or "", self.directory / "clang-tidy", self.directory, "kept"],
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def reads(self) -> int:
        """How often the file was read by now."""
        reads = self.directory / "reads"
        return len(reads.read_text().splitlines()) if reads.exists() else 0


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_what_was_clean_and_is_unchanged_is_not_read_again(project: Project) -> None:
    for _ in range(2):
        done = project.tidy()
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    project.command("clang -I. -Werror -o elsewhere.o -MD -MF elsewhere.d -c a.c")
    assert project.tidy().returncode == 0
    assert project.reads() == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda project: project.write("a.c", '#include "a.h"\nint main(void) { return A + 0; }\n'),
        lambda project: project.write("a.h", "#define A (0)\n"),
        lambda project: project.write(".clang-tidy", "Checks: cert-*\n"),
        lambda project: project.command("clang -I. -Werror -DB -o a.o -c a.c"),
        lambda project: project.program(version="15"),
    ],
    ids=["source", "header", "checks", "flags", "version"],
)
def test_a_change_of_anything_that_counts_has_it_read_again(
    project: Project, change: Callable[[Project], None]
) -> None:
    project.tidy()
    change(project)
    assert project.tidy().returncode == 0
    assert project.reads() == 2


def test_findings_are_told_every_time(project: Project) -> None:
    project.program(finds="a.c:2: wrong")
    for _ in range(2):
        done = project.tidy()
        assert (done.returncode, done.stdout) == (1, "a.c:2: wrong\n")


def test_a_file_whose_includes_cannot_be_found_out_is_read_every_time(project: Project) -> None:
    (project.directory / "a.h").unlink()
    for _ in range(2):
        project.tidy()
    assert project.reads() == 2
