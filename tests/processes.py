# SPDX-License-Identifier: BSD-3-Clause
"""What tests ask about processes that are not theirs to wait for."""

from __future__ import annotations

from pathlib import Path


def is_alive(pid: int) -> bool:
    """Whether a process still runs: one that has ended stays in /proc until somebody reaps it.

    That is the first process of the machine for orphans, and not every one does. Its first thread may have
    ended before the others, which have its memory and its files until they end, too.
    """
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        others = len(list(Path(f"/proc/{pid}/task").iterdir())) > 1
    except (FileNotFoundError, ProcessLookupError):
        return False
    return others or state not in {"Z", "X"}
