# SPDX-License-Identifier: BSD-3-Clause
"""Ctrl-C, and a failure half-way, give the results so far; nothing that was started is left."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pyshim.bench.commands import measure
from pyshim.bench.description import Bench, Request
from pyshim.bench.pairs import Comparison
from pyshim.bench.reports.report import Note, Row
from pyshim.errors import UnavailableError
from tests.bench.commands import COMMAND, LIMIT_S


def interrupt_after(line: str, number: signal.Signals, cwd: Path) -> tuple[int, dict[str, Any]]:
    """Run `bench sessions` until it says `line`, then signal it: exit code and object."""
    process = subprocess.Popen(
        [*COMMAND, "sessions", "--sessions", "1000,2000", "--pairs", "50", "--seconds", "0.2", "--json"],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    watchdog = threading.Timer(LIMIT_S, process.kill)
    watchdog.start()
    try:
        assert process.stderr is not None
        said = next((said for said in process.stderr if said.startswith(line)), None)
        assert said is not None, "it ended before it said so"
        process.send_signal(number)
        out, _ = process.communicate(timeout=LIMIT_S)
    finally:
        watchdog.cancel()
        process.kill()
        process.wait()
    return as_a_shell_sees_it(process.returncode), json.loads(out)


def as_a_shell_sees_it(code: int) -> int:
    """An exit code, of a process that a signal ended, too.

    CPython sends itself SIGINT at the end of `python -m` when an interrupt came up through exec() of a text,
    as in an import that makes a dataclass, whoever caught it.
    """
    return 128 - code if code < 0 else code


def children_of_nobody(directory: str) -> list[str]:
    """Command lines of living processes that name a file in the directory."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if directory in line:
            found.append(line)
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_prints_the_pairs_so_far_marked_incomplete(
    tmp_path: Path, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    code, report = interrupt_after("sessions-1000: 2 of 50 pairs", number, tmp_path)

    assert code == 130
    assert report["complete"] is False
    (row,) = report["rows"]
    assert row["name"] == "sessions-1000"
    assert row["complete"] is False
    assert 2 <= len(row["samples"]) == len(row["against_samples"]) == row["pairs"] < 50
    assert children_of_nobody(str(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_before_the_first_pair_prints_no_row(tmp_path: Path) -> None:
    code, report = interrupt_after("sessions-1000: writing", signal.SIGINT, tmp_path)

    assert (code, report["complete"], report["rows"]) == (130, False, [])


def test_a_failure_half_way_keeps_the_rows_before_it() -> None:
    def rows(request: Request) -> Iterator[Row | Note]:
        yield Note("a remark")
        yield Row.of("first", Comparison((1.0,), (2.0,)), "something")
        raise UnavailableError("the second does not run here")

    report, ended = measure(Bench("made-up", "Nothing.", rows), Request(pairs=1, seconds=0.2))

    assert str(ended) == "the second does not run here"
    assert ([row.name for row in report.rows], report.notes) == (["first"], ("a remark",))
    assert not report.complete
