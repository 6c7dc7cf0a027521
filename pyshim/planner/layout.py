# SPDX-License-Identifier: BSD-3-Clause
"""The part of a plan that depends on the engine."""

from __future__ import annotations

from dataclasses import dataclass

from pyshim.plan import PoolPlan, PortPlan, WorkerPlan
from pyshim.planner.cpus import CpuChoice


@dataclass(frozen=True, slots=True)
class Layout:
    """What runs where and in what memory; the fields are those of `pyshim.plan.Plan`."""

    cpus: CpuChoice
    workers: tuple[WorkerPlan, ...]
    ports: tuple[PortPlan, ...]
    notes: tuple[str, ...]
    eal_args: tuple[str, ...] = ()
    pools: tuple[PoolPlan, ...] = ()
    huge_pages: bool = False
    state_huge_pages: bool = False
    socket_pages: str = "ordinary"  # of SocketPlan
