# SPDX-License-Identifier: BSD-3-Clause
"""`pollgate bench sessions`: both sides of a pair replay as many frames, and what does not fit is said."""

from __future__ import annotations

from pathlib import Path

from pyshim.bench.sessions import does_not_fit
from tests.bench.commands import bench, report_of


def test_sessions_compares_each_number_with_a_thousand(tmp_path: Path) -> None:
    report = report_of("sessions", "--sessions", "1000,3000", cwd=tmp_path)

    assert report["notes"] == []
    assert [row["name"] for row in report["rows"]] == ["sessions-1000", "sessions-3000"]
    for row, number in zip(report["rows"], (1000, 3000), strict=True):
        assert row["against"] == "sessions-1000"
        assert row["sessions"] == row["frames"] == number
        assert row["session_capacity"] >= number
        assert row["cycles_growth"] == row["cycles_per_packet"] - row["against_cycles_per_packet"]


def test_a_row_that_does_not_fit_into_memory_becomes_a_note_that_says_so() -> None:
    gibibyte = 1 << 30

    note = does_not_fit(1_000_000, 1_000_000, 2 * gibibyte)

    assert note is not None
    assert note.text.startswith("sessions-1000000 was left out: ")
    assert "2,048 MiB available" in note.text
    assert does_not_fit(1_000_000, 1_000_000, 6 * gibibyte) is None
    assert does_not_fit(1_000, 65_536, 2 * gibibyte) is None


def test_a_number_of_sessions_that_cannot_be_is_refused_with_what_is_allowed(tmp_path: Path) -> None:
    for wrong in ("1000,many", "10", "", "1000,,2000"):
        ended = bench("sessions", "--sessions", wrong, cwd=tmp_path)

        assert ended.returncode == 2
        assert "not a list of whole numbers from 1,000 to 4,194,304" in " ".join(ended.stderr.split())
