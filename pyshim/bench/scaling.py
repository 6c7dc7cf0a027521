# SPDX-License-Identifier: BSD-3-Clause
"""`bench scaling`: 1 to n workers, each with a receive queue and players of its own, against one worker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from pyshim.bench.description import Request
from pyshim.bench.reports.report import GATEWAY, Note, Row
from pyshim.bench.rig.frames import write_moves
from pyshim.bench.rig.replay import Replay, Setting, prepare
from pyshim.host.cpu import gather_cpus

PLAYERS = 4_000  # of each worker
CAPACITY = 1 << 18
WORKERS_MAX = 16  # receive queues of a net_pcap device

_SHARED = (
    "Too few CPUs: the control side shares CPU {cpu} with a worker, which is what bounds this row; with "
    "one CPU more it would not."
)
_ONE_CPU = "This machine has one CPU, so there is no row with more workers."
_ITSELF = "Both sides are the same: how far its ratio is from 1 is the noise of the others."


def scaling(request: Request) -> Iterator[Row | Note]:
    """A row per number of workers.

    Raises:
        PollgateError: the gateway does not run here.
    """
    cpus = worker_cpus([cpu.cpu for cpu in gather_cpus()])
    if len(cpus) == 1:
        yield Note(_ONE_CPU)
    with TemporaryDirectory(prefix="pollgate-bench-") as directory:
        for workers in range(1, len(cpus) + 1):
            yield _row(Path(directory), cpus[:workers], request)


def worker_cpus(allowed: Sequence[int]) -> tuple[int, ...]:
    """The order in which workers take CPUs: the first one last, because the control side lives there."""
    return (*allowed[1:], allowed[0])[:WORKERS_MAX]


def _prepare(directory: Path, cpus: Sequence[int]) -> Replay:
    captures = [
        write_moves(
            directory / f"{len(cpus)}-queue{queue}.pcap",
            PLAYERS,
            first_player=queue * PLAYERS,
            seed=queue,
        )
        for queue in range(len(cpus))
    ]
    return prepare(directory, f"workers-{len(cpus)}", captures, Setting(CAPACITY, cpus))


def _row(directory: Path, cpus: Sequence[int], request: Request) -> Row:
    many, one = _prepare(directory, cpus), _prepare(directory, cpus[:1])
    measured = request.compare(
        many.name, lambda: many.measure(request.seconds), lambda: one.measure(request.seconds)
    )
    shared = set(many.plan.control_cpus) & {worker.cpu for worker in many.plan.workers}
    notes = [_ITSELF] if len(cpus) == 1 else []
    notes += [_SHARED.format(cpu=cpu) for cpu in sorted(shared)]
    return Row.of(
        many.name,
        measured,
        one.name,
        limited_by="cpus" if shared else GATEWAY,
        details={
            **many.details(),
            "workers": len(cpus),
            "sessions_per_worker": PLAYERS,
            "efficiency": measured.ratio.median / len(cpus),  # 1: every worker does as much as one alone
            "handed_over": sum(run.handed_over for run in many.runs),
        },
        note=" ".join(notes),
    )
