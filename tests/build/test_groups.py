# SPDX-License-Identifier: BSD-3-Clause
"""Tests of a module run in one process, whatever versions are installed: they share what takes long."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_module_of_tests_runs_in_one_process() -> None:
    module = "tests/plan/test_decisions.py"
    several = ("--numprocesses", "3", "--dist", "loadgroup", "--verbose")
    done = subprocess.run(
        (sys.executable, "-m", "pytest", module, *several, "-p", "no:cacheprovider"),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    processes = re.findall(rf"^\[(gw\d)\] .* {module}::", done.stdout, re.MULTILINE)
    assert len(processes) > 10
    assert len(set(processes)) == 1, done.stdout
