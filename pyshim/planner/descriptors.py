# SPDX-License-Identifier: BSD-3-Clause
"""How many file descriptors a plan needs; too many are refused before anything starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyshim.errors import ExitCode, Problem
from pyshim.plan import Plan

if TYPE_CHECKING:
    from pyshim.host import HostFacts

# The interpreter, memory files, the control channel, the log, and what libraries and drivers open while they
# start. In the supervisor also connections of metrics (16) and of the control API (64).
_EVERY_PROCESS = 128
_PER_WORKER = 4  # its io_uring or epoll descriptor, the eventfd that wakes it for mail
_PER_PORT = 4  # sockets to ask the kernel with, and what the driver opens once
_PER_QUEUE = 4  # tap: one per direction, in driver and kernel; AF_XDP: socket and memory
_HUGE_PAGE_BYTES = 2 << 20  # the smallest
_MIB = 1 << 20


def descriptors_needed(plan: Plan, host: HostFacts) -> tuple[int, str]:
    """An upper bound, and its parts in words."""
    parts = {"each process": _EVERY_PROCESS, "workers": _PER_WORKER * len(plan.workers)}
    if plan.game.path:
        parts["game processes"] = _of_game(plan.game.processes, len(plan.workers))
    if plan.uses_sockets:
        addresses = sum(len(port.addresses) for port in plan.ports)
        sockets = len(plan.workers) * addresses * len(plan.listeners)
        parts["sockets (workers × addresses × UDP ports)"] = sockets
    else:
        queues = sum(len(worker.queues) for worker in plan.workers)
        parts["ports and queues"] = _PER_PORT * len(plan.ports) + _PER_QUEUE * queues
        if plan.huge_pages:  # DPDK holds a descriptor for each page
            parts["huge pages"] = -(-_memory_mib(plan) * _MIB // _page_bytes(host))
    return sum(parts.values()), ", ".join(f"{count} for {what}" for what, count in parts.items())


def _of_game(processes: int, workers: int) -> int:
    """Of each pair with a worker two files and an eventfd; of two processes four; two of its own."""
    return processes * (3 * workers + 2 * (processes - 1) + 2)


def descriptor_problem(plan: Plan, host: HostFacts) -> Problem | None:
    """Why the host's limit is too low for the plan; None: it is high enough, or unknown."""
    needed, why = descriptors_needed(plan, host)
    limit = host.descriptor_limit
    if limit is None or needed <= limit:
        return None
    key = "listen" if plan.uses_sockets else "eal.memory_mib"
    if plan.game.path and 2 * _of_game(plan.game.processes, len(plan.workers)) > needed:
        key = "game.processes"
    return Problem(
        key,
        f"{needed} file descriptors are needed ({why}) and this process may have {limit}; raise the hard "
        "limit (ulimit -Hn; systemd: LimitNOFILE; container: --ulimit nofile), or plan for less",
        ExitCode.UNAVAILABLE,
    )


def _memory_mib(plan: Plan) -> int:
    """The memory that DPDK is told to take, summed over all nodes."""
    words = dict(zip(plan.eal_args, plan.eal_args[1:], strict=False))
    return sum(int(share) for share in words.get("--socket-mem", words.get("-m", "0")).split(","))


def _page_bytes(host: HostFacts) -> int:
    """The size of the smallest huge page that is free."""
    return min((pages.page_bytes for pages in host.memory.huge if pages.free), default=_HUGE_PAGE_BYTES)
