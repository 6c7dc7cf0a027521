# SPDX-License-Identifier: BSD-3-Clause
"""`pollgate bench forward` works: its object and its failures; its figures are nobody's to assert."""

from __future__ import annotations

from pathlib import Path

from tests.bench.commands import bench, report_of


def test_forward_prints_a_row_for_each_thing_that_it_was_measured_against(tmp_path: Path) -> None:
    report = report_of("forward", cwd=tmp_path)

    assert [(row["name"], row["flows"], row["against"]) for row in report["rows"]] == [
        ("plain-512", 512, "testpmd-5tswap"),
        ("plain-10000", 10_000, "testpmd-5tswap"),
        ("plain-512-rxonly", 512, "testpmd-rxonly"),
        ("session-10000", 10_000, "crypto-only"),
        ("session-10000-answers", 10_000, "crypto-answers"),
        ("session-10000-5tswap", 10_000, "testpmd-5tswap"),
    ]
    assert [row["frame_bytes"] for row in report["rows"]] == [86, 86, 86, 106, 106, 106]
    assert {row["limited_by"] for row in report["rows"]} == {"gateway"}
    assert "upper bound" in report["rows"][2]["note"]


def test_a_missing_testpmd_is_named_with_its_package(tmp_path: Path) -> None:
    ended = bench("forward", cwd=tmp_path, env={"PATH": str(tmp_path)})

    assert ended.returncode == 69
    assert ended.stderr.strip() == "dpdk-testpmd is not installed; on Debian: apt-get install dpdk-dev"
    assert ended.stdout == ""
