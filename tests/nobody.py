# SPDX-License-Identifier: BSD-3-Clause
"""Runs as a user without privileges, or with just those that are named."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


def nobody_with(*capabilities: str) -> tuple[str, ...]:
    """A command's beginning: as a user who has these capabilities ("net_raw") and gets no other."""
    only = ",".join(("-all", *(f"+{capability}" for capability in capabilities)))
    return (*NOBODY, f"--inh-caps={only}", f"--ambient-caps={only}", f"--bounding-set={only}")


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that everybody may enter and write to, which pytest's are not; for runs as nobody."""
    probe = [*NOBODY, sys.executable, "-P", "-c", "import pyshim.cli"]
    if subprocess.run(probe, capture_output=True, timeout=60, check=False).returncode != 0:
        pytest.skip(f"nobody may not run {sys.executable}: this checkout is closed to others")
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        path.chmod(0o777)
        yield path
