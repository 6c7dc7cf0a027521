# SPDX-License-Identifier: BSD-3-Clause
"""`pollgate bench forward` works: its object and its failures; its figures are nobody's to assert."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

COMMAND = [sys.executable, "-P", "-m", "pyshim", "bench", "forward"]


def test_forward_prints_one_object_with_a_row_per_number_of_sessions(tmp_path: Path) -> None:
    ended = subprocess.run(
        [*COMMAND, "--json", "--pairs", "1", "--seconds", "0.3"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert ended.returncode == 0, ended.stderr
    report = json.loads(ended.stdout)
    assert report.keys() == {"bench", "version", "host", "rows"}
    assert report["bench"] == "forward"
    assert [row["name"] for row in report["rows"]] == ["plain-512", "plain-10000"]
    for row in report["rows"]:
        assert row["unit"] == "packets/s"
        assert row["against"] == "testpmd-5tswap"
        assert row["limited_by"] == "gateway"
        assert len(row["samples"]) == len(row["against_samples"]) == 1
        assert row["ratio"]["min"] <= row["ratio"]["median"] <= row["ratio"]["max"]
        assert row["value"] == row["samples"][0] > 0


def test_a_missing_testpmd_is_named_with_its_package(tmp_path: Path) -> None:
    ended = subprocess.run(
        COMMAND,
        cwd=tmp_path,
        env={**os.environ, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 69
    assert ended.stderr.strip() == "dpdk-testpmd is not installed; on Debian: apt-get install dpdk-dev"
