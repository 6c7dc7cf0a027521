# SPDX-License-Identifier: BSD-3-Clause
"""Runs that cannot work: what they say, and what they leave behind."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.gate import Gate

USAGE, UNAVAILABLE, CONFIG = 2, 69, 78
RUNTIME_DIRECTORIES = ("/run/dpdk", "/tmp/dpdk", "/dev/hugepages")


def files_left() -> set[Path]:
    """Files and sockets, but not directories, where DPDK keeps such things."""
    return {
        path
        for directory in RUNTIME_DIRECTORIES
        for path in Path(directory).glob("**/*")
        if path.is_socket() or path.is_file()
    }


def processes_of(session: int) -> list[str]:
    """Command lines of what still runs in the session that a Gate gave its process."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == session and fields[0] != "Z":
                found.append((entry / "cmdline").read_text().replace("\0", " "))
    return found


def refused(
    settings: dict[str, Any] | str, directory: Path, exit_code: int, *, prefix: Sequence[str] = ()
) -> str:
    """Run what cannot work; the one sentence that it said."""
    before = files_left()
    with Gate(settings, directory, wait_ready=False, prefix=prefix) as gate:
        code = gate.wait()
        assert processes_of(gate.process.pid) == []
    assert code == exit_code, gate.stderr
    assert files_left() - before == set()
    assert gate.stdout == ""
    assert not re.search(r"Traceback|\bEAL\b", gate.stderr), gate.stderr
    (sentence,) = [line for line in gate.stderr.splitlines() if not re.fullmatch(r"\d+ errors?", line)]
    assert len(sentence) < 600
    return sentence


def assert_says(sentence: str, *parts: str) -> None:
    for part in parts:
        assert part in sentence
