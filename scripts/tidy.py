#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs clang-tidy over a compile database, on all CPUs; what was clean and is unchanged is left out.

    scripts/tidy.py CLANG CLANG_TIDY DATABASE CACHE

A file is unchanged when all that it is read with is: itself and what it includes, the command that compiles
it, the checks (.clang-tidy), the program and its options. A file that is clean leaves an empty one in CACHE,
named after all that; findings are never kept. Exit codes: 0 clean, 1 findings.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

_OPTIONS = ("--quiet", "--warnings-as-errors=*")
_OTHERS = re.compile(r"^\d+ warnings? generated\.\n", re.MULTILINE)  # in other people's headers
_LEFT_OUT = {"-o": 1, "-MF": 1, "-MQ": 1, "-MT": 1, "-c": 0, "-MD": 0, "-MMD": 0}  # and how many words follow


def _arguments(command: str) -> list[str]:
    """Those that say how a file is read; not where what comes of it goes."""
    kept, words = [], iter(shlex.split(command)[1:])
    for word in words:
        if word in _LEFT_OUT:
            for _ in range(_LEFT_OUT[word]):
                next(words)
        else:
            kept.append(word)
    return kept


@cache
def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Tidy:
    """What is the same for all files."""

    def __init__(self, clang: str, clang_tidy: str, database: Path, kept: Path) -> None:
        """Ask the program what it is."""
        self._clang, self._clang_tidy, self._database, self._kept = clang, clang_tidy, database, kept
        version = subprocess.run([clang_tidy, "--version"], capture_output=True, text=True, check=True).stdout
        self._common = "\n".join((version, *_OPTIONS, _digest(Path(".clang-tidy")), _digest(Path(__file__))))
        kept.mkdir(parents=True, exist_ok=True)

    def findings(self, entry: dict[str, str]) -> str:
        """What is wrong in a file; nothing when it is clean, or was."""
        key = self._kept / self._key(entry)
        if key.exists():
            return ""
        done = subprocess.run(
            [self._clang_tidy, *_OPTIONS, "-p", str(self._database), entry["file"]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode == 0:
            key.touch()
            return ""
        said = _OTHERS.sub("", done.stdout)
        return said or f"{entry['file']}: clang-tidy ended with {done.returncode} and said nothing\n"

    def _key(self, entry: dict[str, str]) -> str:
        """A digest of all that its findings depend on; where that is unknown, another one each time."""
        arguments = _arguments(entry["command"])
        asked = subprocess.run(
            [self._clang, *arguments, "-M"],
            cwd=entry["directory"],
            capture_output=True,
            text=True,
            check=False,
        )
        if asked.returncode != 0:
            return os.urandom(32).hex()
        directory = Path(entry["directory"])
        read = sorted({(directory / name).resolve() for name in _prerequisites(asked.stdout)})
        lines = [self._common, *arguments, *(f"{path} {_digest(path)}" for path in read)]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _prerequisites(rule: str) -> list[str]:
    """Of a rule for make: `a.o: a.c \\` and so on."""
    return shlex.split(rule.partition(":")[2].replace("\\\n", " "))


def main(clang: str, clang_tidy: str, database: str, kept: str) -> int:
    """Print what is found."""
    tidy = Tidy(clang, clang_tidy, Path(database), Path(kept))
    entries = json.loads((Path(database) / "compile_commands.json").read_text())
    # Much to read first: what takes longest must not begin last.
    entries.sort(key=lambda entry: -Path(entry["file"]).stat().st_size)
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        found = [text for text in pool.map(tidy.findings, entries) if text]
    print(*found, sep="", end="")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
