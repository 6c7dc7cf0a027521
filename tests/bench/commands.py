# SPDX-License-Identifier: BSD-3-Clause
"""Runs `pollgate bench` as a shell does, for seconds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

COMMAND = [sys.executable, "-P", "-m", "pyshim", "bench"]
LIMIT_S = 500  # of a benchmark that measures for a second, on a machine that others use
BRIEFLY = ("--pairs", "1", "--seconds", "0.2")


def bench(*args: str, cwd: Path, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """The command, ended."""
    return subprocess.run(
        [*COMMAND, *args],
        cwd=cwd,
        env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1", **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def report_of(*args: str, cwd: Path) -> dict[str, Any]:
    """The object that a brief run with --json prints; its shape is checked here, for every benchmark."""
    ended = bench(*args, "--json", *BRIEFLY, cwd=cwd)
    assert ended.returncode == 0, ended.stderr
    report: dict[str, Any] = json.loads(ended.stdout)
    assert report.keys() == {"bench", "version", "host", "complete", "notes", "rows"}
    assert report["bench"] == args[0]
    assert report["complete"] is True
    assert report["host"].keys() >= {
        "cpu",
        "cpus",
        "cpus_allowed",
        "governor",
        "hypervisor",
        "huge_pages",
        "kernel",
        "python",
        "dpdk",
        "pollgate",
    }
    for row in report["rows"]:
        assert row["unit"] == "packets/s"
        assert row["value"] == row["samples"][0] > 0
        assert len(row["samples"]) == len(row["against_samples"]) == row["pairs"] == 1
        assert row["ratio"]["min"] == row["ratio"]["median"] == row["ratio"]["max"] > 0
        assert row["seconds"] == 0.2
        assert row["frame_bytes"] in (86, 110)  # of a MOVE, plain and sealed
        assert row["device"] == "net_pcap infinite_rx"
        assert row["worker_cpus"]
        assert row["cycles_per_packet"] > 0
    return report
