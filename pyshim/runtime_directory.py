# SPDX-License-Identifier: BSD-3-Clause
"""The directory that EAL makes for processes that share a file prefix, and never removes."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def runtime_directory(file_prefix: str) -> Path:
    """Where EAL of this user keeps what belongs to `file_prefix` (lib/eal/unix: eal_create_runtime_dir)."""
    of_user = os.environ.get("XDG_RUNTIME_DIR") or "/tmp"
    return Path("/var/run" if os.geteuid() == 0 else of_user) / "dpdk" / file_prefix


def remove_runtime_directory(file_prefix: str) -> None:
    """Remove what a primary process left; only for who had the prefix, after that process has ended."""
    shutil.rmtree(runtime_directory(file_prefix), ignore_errors=True)
