# SPDX-License-Identifier: BSD-3-Clause
"""The directory that EAL makes for processes that share a file prefix, and never removes."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path


def runtime_directory(file_prefix: str) -> Path:
    """Where EAL of this user keeps what belongs to `file_prefix` (lib/eal/unix: eal_create_runtime_dir)."""
    of_user = os.environ.get("XDG_RUNTIME_DIR") or "/tmp"
    return Path("/var/run" if os.geteuid() == 0 else of_user) / "dpdk" / file_prefix


def remove_runtime_directory(file_prefix: str) -> None:
    """Remove what a primary process left; only for who had the prefix, after that process has ended.

    In /tmp anybody can have made the directory above it, or a link to somebody else's: nothing is removed
    through what is not a directory of this user's, which nobody else may write to.
    """
    directory = runtime_directory(file_prefix)
    try:
        parent = os.open(directory.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return
    try:
        found = os.fstat(parent)
        if found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            shutil.rmtree(directory.name, ignore_errors=True, dir_fd=parent)
    finally:
        os.close(parent)
