# SPDX-License-Identifier: BSD-3-Clause
"""`pollgate bench scaling`: as many workers as there are CPUs, and who has to share one."""

from __future__ import annotations

import os
from pathlib import Path

from pyshim.bench.scaling import worker_cpus
from tests.bench.commands import report_of


def test_scaling_has_a_row_per_number_of_workers_and_marks_the_one_that_shares_a_cpu(tmp_path: Path) -> None:
    cpus = len(os.sched_getaffinity(0))

    rows = report_of("scaling", cwd=tmp_path)["rows"]

    assert [row["name"] for row in rows] == [f"workers-{number}" for number in range(1, min(cpus, 16) + 1)]
    for number, row in enumerate(rows, start=1):
        assert row["against"] == "workers-1"
        assert row["workers"] == len(row["worker_cpus"]) == number
        assert row["handed_over"] == 0, "every queue has players of its own"
        shares = set(row["worker_cpus"]) & set(row["control_cpus"])
        assert (row["limited_by"] == "cpus") == bool(shares)
        assert ("Too few CPUs" in row["note"]) == bool(shares)
    assert {row["limited_by"] for row in rows[:-1]} <= {"gateway"}


def test_one_cpu_gives_one_row_and_says_why(tmp_path: Path) -> None:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        report = report_of("scaling", cwd=tmp_path)
    finally:
        os.sched_setaffinity(0, before)

    assert [(row["name"], row["limited_by"]) for row in report["rows"]] == [("workers-1", "cpus")]
    assert len(report["notes"]) == 1
    assert "one CPU" in report["notes"][0]


def test_workers_take_the_control_sides_cpu_last() -> None:
    assert worker_cpus([0, 1, 2, 3]) == (1, 2, 3, 0)
    assert worker_cpus([5]) == (5,)
    assert 0 not in worker_cpus(range(32))
