# SPDX-License-Identifier: BSD-3-Clause
"""By what a worker process is started, and known among other processes."""

from __future__ import annotations

from typing import Final

MODULE: Final = "pyshim.run.worker"
FORMER: Final = "pyshim.worker"  # what supervisors started that are still running, after an upgrade
_NAMES = frozenset({MODULE.encode(), FORMER.encode()})


def is_worker(cmdline: bytes) -> bool:
    """Whether a process is one, of this version or of the former; `cmdline`: as /proc tells it."""
    return not _NAMES.isdisjoint(cmdline.split(b"\0"))
