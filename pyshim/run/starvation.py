# SPDX-License-Identifier: BSD-3-Clause
"""Whether a poll loop that stands still could run at all: without CPU time it is well, and is not killed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

RAN_AT_MOST = 0.1  # of the time in which the loop stood still


@dataclass(frozen=True, slots=True)
class CpuTime:
    """What a thread had of the CPUs, and whether it wants more."""

    ran_s: float  # since it was made
    runnable: bool  # it runs, or waits for nothing but a CPU


def read_cpu_time(thread: int) -> CpuTime | None:
    """The CPU time of a thread of this PID namespace; None if it is gone or the kernel keeps no account.

    How long it waited is not read: the kernel adds that only when the wait is over.
    """
    try:
        ran_ns = Path(f"/proc/{thread}/schedstat").read_text().split()[0]
        state = Path(f"/proc/{thread}/stat").read_text().rpartition(")")[2].split()[0]
        return CpuTime(int(ran_ns) / 1e9, state == "R")
    except (OSError, ValueError, IndexError):
        return None


class Starvation:
    """Remembers what each thread had had when its loop was last seen to move."""

    def __init__(self, read: Callable[[int], CpuTime | None] = read_cpu_time) -> None:
        """Nothing is known yet."""
        self._read = read
        self._since: dict[int, tuple[CpuTime, float]] = {}  # by index of the worker

    def look(self, threads: Sequence[int], still: Sequence[int], now_s: float) -> None:
        """Take in which of the workers' heartbeats have not moved since the last look."""
        self._since = {index: seen for index, seen in self._since.items() if index in still}
        for index in still:
            if index not in self._since and (account := self._read(threads[index])) is not None:
                self._since[index] = (account, now_s)

    def starved(self, threads: Sequence[int], index: int, now_s: float) -> bool:
        """Whether this worker stands still for want of a CPU."""
        if index not in self._since or (after := self._read(threads[index])) is None:
            return False
        before, since_s = self._since[index]
        return after.runnable and after.ran_s - before.ran_s <= RAN_AT_MOST * (now_s - since_s)
