# SPDX-License-Identifier: BSD-3-Clause
"""Who runs on which CPU: nothing but its poll loop on a worker's."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest

from tests.gate import Gate

NULL = {"ports": [{"name": "game0", "device": "net_null0", "address": ["10.0.0.1/24"]}]}


def allowed(task: Path) -> str:
    """The CPUs that a thread may run on, as the kernel writes them."""
    lines = (task / "status").read_text().splitlines()
    return next(line.split(":")[1].strip() for line in lines if line.startswith("Cpus_allowed_list:"))


def threads(pid: int) -> dict[str, str]:
    """CPUs by thread, of a process; the name is made unique with the thread's id."""
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a thread that just ended
            found[f"{(task / 'comm').read_text().strip()}/{task.name}"] = allowed(task)
    return found


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one CPU is shared by all")
def test_only_the_poll_loop_may_run_on_a_workers_cpu(tmp_path: Path) -> None:
    worker_cpu = max(os.sched_getaffinity(0))

    with Gate({**NULL, "workers": {"cpus": [worker_cpu]}}, tmp_path) as gate:
        in_worker = threads(gate.worker_pid())
        in_supervisor = threads(gate.process.pid)

    on_worker_cpu = [name for name, cpus in in_worker.items() if cpus == str(worker_cpu)]
    others = [cpus for name, cpus in in_worker.items() if name not in on_worker_cpu]
    assert len(on_worker_cpu) == 1, in_worker
    assert others, "EAL has threads of its own"
    assert all(str(worker_cpu) not in cpus for cpus in [*others, *in_supervisor.values()])


def test_a_host_with_one_cpu_is_served_by_it(tmp_path: Path) -> None:
    cpu = min(os.sched_getaffinity(0))

    with Gate(NULL, tmp_path, prefix=("taskset", "-c", str(cpu))) as gate:
        gate.wait_metric("pollgate_received_packets_total", at_least=1)
        in_worker = threads(gate.worker_pid())

    assert set(in_worker.values()) == {str(cpu)}
