# SPDX-License-Identifier: BSD-3-Clause
"""What the heartbeats of a worker process say: it turns, it has stalled, or it gets no CPU time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyshim.run.heartbeats import Heartbeats
from pyshim.run.starvation import Starvation


@dataclass(frozen=True, slots=True)
class Findings:
    """What one look found; workers by index."""

    standing: tuple[int, ...]  # no heartbeat for longer than the time-out
    stalled: tuple[int, ...]  # of these, those that could run
    told: tuple[tuple[str, str], ...]  # level and sentence, for the operator


class Liveness:
    """The liveness of one worker process, from its start on."""

    def __init__(self) -> None:
        """Nothing is known yet: the first look starts every clock."""
        self._heartbeats = Heartbeats()
        self._starvation = Starvation()
        self._starved: frozenset[int] = frozenset()  # that the operator was told of

    def look(
        self, heartbeats: Sequence[int], threads: Sequence[int], timeout_s: float, now_s: float
    ) -> Findings:
        """Take in what the statistics page says now."""
        self._heartbeats.look(heartbeats, now_s)
        self._starvation.look(threads, self._heartbeats.still(now_s), now_s)
        standing = self._heartbeats.stalled(now_s, timeout_s)
        starved = frozenset(index for index in standing if self._starvation.starved(threads, index, now_s))
        told = (*_lost(starved - self._starved, timeout_s), *_regained(self._starved - starved))
        self._starved = starved
        return Findings(tuple(standing), tuple(index for index in standing if index not in starved), told)


def _lost(workers: frozenset[int], timeout_s: float) -> tuple[tuple[str, str], ...]:
    return tuple(
        (
            "warning",
            f"worker {index} has had no CPU time for {timeout_s:g} s, because others take its CPU; it is not "
            "restarted, but its players wait: keep others off that CPU (workers.cpus, isolcpus, cpuset)",
        )
        for index in sorted(workers)
    )


def _regained(workers: frozenset[int]) -> tuple[tuple[str, str], ...]:
    return tuple(("info", f"worker {index} has its CPU again") for index in sorted(workers))
