# SPDX-License-Identifier: BSD-3-Clause
"""Which CPU the server under test has, which one its load comes from, and how busy a CPU was."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pyshim.errors import InternalError
from pyshim.host.cpu import gather_cpus

SHARED_NOTE = (
    "Too few CPUs: the generator and the server share CPU {cpu}, so every figure is of both together; with "
    "two CPUs each would have its own."
)


@dataclass(frozen=True, slots=True)
class Placement:
    """A CPU for each side; the control processes live with the generator."""

    server: int
    generator: int

    @property
    def shared(self) -> bool:
        """Whether this machine has only one CPU for both."""
        return self.server == self.generator

    @property
    def note(self) -> str:
        """What a reader of any figure must know; "" when each side has its own CPU."""
        return SHARED_NOTE.format(cpu=self.server) if self.shared else ""


def choose_placement(allowed: Sequence[int] | None = None) -> Placement:
    """The last CPU that this process may use is the server's, the first one is for everything else."""
    cpus = sorted(allowed if allowed is not None else (cpu.cpu for cpu in gather_cpus()))
    return Placement(server=cpus[-1], generator=cpus[0])


@dataclass(frozen=True, slots=True)
class CpuTime:
    """What a CPU has done since the machine started, in seconds. The kernel counts in steps of 10 ms."""

    working_s: float  # user, system, interrupts and soft interrupts
    interrupts_s: float  # of that: interrupts and soft interrupts

    def since(self, earlier: CpuTime) -> CpuTime:
        """What it did between two readings."""
        return CpuTime(self.working_s - earlier.working_s, self.interrupts_s - earlier.interrupts_s)


def cpu_time(cpu: int, root: Path = Path("/")) -> CpuTime:
    """Read the kernel's account of one CPU.

    Raises:
        InternalError: there is no such CPU.
    """
    for line in (root / "proc/stat").read_text().splitlines():
        name, *fields = line.split()
        if name == f"cpu{cpu}":
            # user nice system idle iowait irq softirq steal …
            user, nice, system, _, _, irq, softirq, *_ = (int(field) for field in fields)
            tick_s = 1 / os.sysconf("SC_CLK_TCK")
            return CpuTime((user + nice + system + irq + softirq) * tick_s, (irq + softirq) * tick_s)
    raise InternalError(f"/proc/stat has no CPU {cpu}")


def core_share(worked: float, passed: float) -> float:
    """Share of a time in which a core worked: at most 1, whatever rounding or late readings make of it."""
    return min(1.0, worked / passed)
