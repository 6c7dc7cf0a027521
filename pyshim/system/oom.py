# SPDX-License-Identifier: BSD-3-Clause
"""Short of memory, the kernel kills somebody: who that should be, and whether it has happened."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

SERVING_MORE = 200  # than the supervisor's: a fifth of the memory, far above what the supervisor has
_FIRST = 1000  # before everybody else


def offer_first(pid: int) -> None:
    """Have the kernel kill a worker process that only starts before anybody else: it serves nobody yet."""
    _set(pid, _FIRST)


def offer_before_supervisor(pid: int) -> None:
    """Have the kernel kill a worker process before its supervisor, this one, which has it back soon."""
    with suppress(OSError, ValueError):
        _set(pid, min(_FIRST, int(_adjustment(os.getpid()).read_text()) + SERVING_MORE))


def kills() -> int:
    """Processes that the kernel has killed for want of memory, ever; 0 where it does not tell."""
    with suppress(OSError):
        if found := re.search(r"^oom_kill (\d+)$", Path("/proc/vmstat").read_text(), re.MULTILINE):
            return int(found[1])
    return 0


def _set(pid: int, adjustment: int) -> None:
    with suppress(OSError):  # without /proc there is nobody to tell
        _adjustment(pid).write_text(str(adjustment))


def _adjustment(pid: int) -> Path:
    return Path(f"/proc/{pid}/oom_score_adj")
