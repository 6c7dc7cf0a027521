# SPDX-License-Identifier: BSD-3-Clause
"""What devices turned out to have less of than planned: a PCI device tells its queues only once it is up."""

from __future__ import annotations

from pyshim.plan import Plan
from pyshim.stats import Snapshot


def queue_shortfalls(plan: Plan, snapshot: Snapshot) -> tuple[str, ...]:
    """One sentence per port with fewer queue pairs than planned, and per worker that is left without any."""
    if plan.uses_sockets:
        return ()  # every worker has opened its own, or has not started
    have = [port.queues for port in snapshot.ports]
    ports = (
        f"port {planned.name}: {planned.queues} queue pairs were planned, the device offers {queues} that "
        "flows can be spread over; the others are not used"
        for planned, queues in zip(plan.ports, have, strict=True)
        if queues < planned.queues
    )
    idle = (
        f"worker {index} on CPU {worker.cpu} has no queue left to poll; list fewer CPUs in workers.cpus"
        for index, worker in enumerate(plan.workers)
        if all(ref.queue >= have[ref.port] for ref in worker.queues)
    )
    return (*ports, *idle)
