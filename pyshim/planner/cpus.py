# SPDX-License-Identifier: BSD-3-Clause
"""Which CPUs the workers poll on, and which are left to all other threads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pyshim.errors import ExitCode, Problem
from pyshim.host import Cpu, HostFacts, format_cpu_list
from pyshim.planner.queues import Assignment, QueueDemand

if TYPE_CHECKING:
    from pyshim.config.models import Config

WORKERS_MAX = 32  # PG_WORKERS_MAX


@dataclass(frozen=True, slots=True)
class CpuChoice:
    """The CPUs of the poll loops, in order, and the CPUs of supervisor and control thread."""

    workers: tuple[Cpu, ...]
    why: tuple[str, ...]  # one per worker
    control: tuple[int, ...]
    main: int  # where the worker process's control thread runs; one of `control`
    explicit: bool  # the configuration lists them
    notes: tuple[str, ...]


def choose_cpus(
    config: Config,
    host: HostFacts,
    demands: Sequence[QueueDemand],
    nodes: Sequence[int],
    problems: list[Problem],
) -> CpuChoice:
    """Take the configured CPUs, or choose them; errors are appended to `problems`."""
    if config.workers.cpus == "auto":
        return _automatic(host, demands, nodes)
    return _listed(config.workers.cpus, host, problems)


def return_idle(host: HostFacts, choice: CpuChoice, assignment: Assignment) -> tuple[CpuChoice, Assignment]:
    """Remove workers without a queue; their CPUs go to supervisor and control thread."""
    busy = [index for index, queues in enumerate(assignment.workers) if queues]
    if len(busy) == len(choice.workers):
        return choice, assignment
    workers = tuple(choice.workers[index] for index in busy)
    kept = replace(
        choice,
        workers=workers,
        why=tuple(choice.why[index] for index in busy),
        control=_control(host.cpus, workers, choice.main),
    )
    return kept, replace(assignment, workers=tuple(assignment.workers[index] for index in busy))


def _automatic(host: HostFacts, demands: Sequence[QueueDemand], nodes: Sequence[int]) -> CpuChoice:
    # The kernel works on CPUs that are not isolated, on CPU 0 first. The control thread runs there, too.
    main = next((cpu for cpu in host.cpus if not cpu.isolated), host.cpus[0])
    rest = [cpu for cpu in host.cpus if cpu is not main]
    if not rest:
        note = f"CPU {main.cpu} is the only one: the worker shares it with the control side."
        return CpuChoice((main,), ("the only CPU",), (main.cpu,), main.cpu, False, (note,))
    order = sorted(rest, key=lambda cpu: (not cpu.isolated, cpu.node not in nodes, cpu.cpu))
    wanted = sum(demand.most for demand in demands)
    workers = tuple(order[: min(wanted, len(order), WORKERS_MAX)])
    why = tuple(_reason(cpu, nodes) for cpu in workers)
    return CpuChoice(workers, why, _control(host.cpus, workers, main.cpu), main.cpu, False, ())


def _reason(cpu: Cpu, nodes: Sequence[int]) -> str:
    reasons = ["isolated"] if cpu.isolated else []
    if any(node >= 0 for node in nodes):
        near = "a port's" if cpu.node in nodes else "no port's"
        reasons.append(f"on {near} NUMA node, {cpu.node}")
    return ", ".join(reasons) or "free"


def _listed(listed: tuple[int, ...], host: HostFacts, problems: list[Problem]) -> CpuChoice:
    allowed = {cpu.cpu: cpu for cpu in host.cpus}
    outside = [cpu for cpu in listed if cpu not in allowed]
    if outside:
        which = f"CPU {outside[0]} is" if len(outside) == 1 else f"CPUs {format_cpu_list(outside)} are"
        text = f"{which} outside this process's cpuset ({format_cpu_list(allowed)})"
        problems.append(Problem("workers.cpus", text, ExitCode.UNAVAILABLE))
    workers = tuple(allowed[cpu] for cpu in listed if cpu in allowed) or host.cpus[:1]
    rest = [cpu for cpu in host.cpus if cpu not in workers]
    notes: tuple[str, ...] = ()
    if not rest:
        main = host.cpus[0]
        notes = (
            f"workers.cpus lists every CPU: the control side shares CPU {main.cpu} with a worker; "
            "leave one out for even latency.",
        )
    else:
        main = next((cpu for cpu in rest if not cpu.isolated), rest[0])
    control = _control(host.cpus, workers, main.cpu)
    return CpuChoice(workers, ("listed",) * len(workers), control, main.cpu, True, notes)


def _control(allowed: Sequence[Cpu], workers: Sequence[Cpu], main: int) -> tuple[int, ...]:
    """The CPUs without a worker; isolated ones only if there are no others."""
    rest = [cpu for cpu in allowed if cpu not in workers]
    friendly = [cpu.cpu for cpu in rest if not cpu.isolated]
    return tuple(friendly or [cpu.cpu for cpu in rest] or [main])
