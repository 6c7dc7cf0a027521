# SPDX-License-Identifier: BSD-3-Clause
"""A server under test: how busy its core was while a trial was played."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyshim.bench.rig.observe import PATIENCE_S
from pyshim.bench.rig.placement import CpuTime, core_share, cpu_time
from pyshim.bench.rig.processes import scrape, total
from pyshim.errors import UnavailableError
from pyshim.load.scenario import Trial

if TYPE_CHECKING:
    from pyshim.load.generator import Generator
    from pyshim.load.result import Result

BUSY_ENOUGH = 0.9  # below it, a server could have served more: its load was the limit

_CYCLES = "pollgate_worker_cycles_total"


@dataclass(frozen=True, slots=True)
class Played:
    """A trial, and the server's part in it."""

    result: Result
    busy: float  # share of the trial in which the server's core worked

    @property
    def packets_per_s(self) -> float:
        """Messages that were acknowledged."""
        return self.result.acknowledged_pps

    @property
    def cpu_s_per_packet(self) -> float:
        """Seconds of the server's core that a message took."""
        return self.busy / self.packets_per_s

    def why_generator(self) -> tuple[str, ...]:
        """Why the figure is the generator's and not the server's, as parts of a sentence.

        A server whose core was busy throughout is its own limit, however near the generator was to its own.
        """
        if self.busy >= BUSY_ENOUGH:
            return ()
        ceiling = self.result.ceiling_pps / self.packets_per_s
        return (
            f"the server's core was {self.busy:.0%} busy",
            f"the generator could have sent {ceiling:.1f} times as much",
        )


@dataclass(frozen=True, slots=True)
class _Reading:
    cpu: CpuTime
    busy_cycles: float  # of a worker that polls


@dataclass(frozen=True, slots=True)
class Served:
    """A server that runs on a CPU of its own."""

    cpu: int
    url: str | None  # of its metrics; None: it has none
    polls: bool  # its worker never sleeps: only its own counters tell work from waiting
    interrupted: bool  # the kernel works for it too, in interrupts that a polling worker does not see

    def play(self, generator: Generator, trial: Trial) -> Played:
        """Play a trial against it, again if others have the server's CPU all the while.

        Raises:
            UnavailableError: not one message was answered, or the generator failed.
        """
        deadline = time.monotonic() + PATIENCE_S
        while True:
            before = self._read()
            result = generator.run(trial)
            after = self._read()
            answered = result.acknowledged > 0 and result.elapsed_s > 0
            if answered or time.monotonic() > deadline:
                break
        if not answered:
            raise UnavailableError(
                f"none of {result.sent:,} messages to {generator.target} was answered; run the server by "
                "itself and play against it with `pollgate load`, to see what it does with them"
            )
        return Played(result, self._busy(before, after, result))

    def _busy(self, before: _Reading, after: _Reading, result: Result) -> float:
        """What it did from the first to the last message; before and after, it has nothing to do."""
        spent = after.cpu.since(before.cpu)
        if not self.polls:
            return core_share(spent.working_s, result.elapsed_s)
        own = core_share(after.busy_cycles - before.busy_cycles, result.elapsed_s * result.tsc_hz)
        if not self.interrupted:
            return own
        # Interrupts come in turns with packets and in turns without, and lengthen both alike.
        kernel = core_share(spent.interrupts_s, result.elapsed_s)
        return own + kernel - own * kernel

    def _read(self) -> _Reading:
        polled = self.url if self.polls else None
        busy_cycles = total(scrape(polled), _CYCLES, "busy") if polled is not None else 0.0
        return _Reading(cpu_time(self.cpu), busy_cycles)
