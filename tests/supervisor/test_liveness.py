# SPDX-License-Identifier: BSD-3-Clause
"""A worker is restarted when it stalls, not when nobody let it run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pyshim.run.starvation import CpuTime, Starvation, read_cpu_time
from pyshim.system.running_clock import FORGIVEN_S, RunningClock
from tests.gate import Gate
from tests.supervisor.conftest import Configure

FROZEN_S = 12.0  # longer than the stall time-out and the worker process's own watchdog
REALTIME_PRIORITY = 50


def starvation(*accounts: CpuTime | None) -> Starvation:
    read = iter(accounts)
    return Starvation(lambda _thread: next(read))


@pytest.mark.parametrize(
    ("ran_s", "runnable", "starved"),
    [(0.0, True, True), (0.1, True, True), (0.0, False, False), (2.0, True, False), (0.5, True, False)],
    ids=["waits", "is thrown a crumb", "sleeps", "spins", "runs a quarter of the time"],
)
def test_who_wants_a_cpu_and_hardly_runs_is_starved(ran_s: float, runnable: bool, starved: bool) -> None:
    seen = starvation(CpuTime(5.0, True), CpuTime(5.0 + ran_s, runnable))
    seen.look([42], [0], 10.0)
    assert seen.starved([42], 0, 12.0) is starved


def test_a_loop_that_moved_meanwhile_is_judged_anew() -> None:
    seen = starvation(CpuTime(0, True), CpuTime(50, True), CpuTime(50, True))
    seen.look([42], [0], 0.0)
    seen.look([42], [], 99.0)
    seen.look([42], [0], 100.0)
    assert seen.starved([42], 0, 102.0)


def test_a_kernel_that_keeps_no_account_excuses_nobody() -> None:
    seen = starvation(None)
    seen.look([42], [0], 0.0)
    assert not seen.starved([42], 0, 2.0)


def test_the_kernel_keeps_an_account_of_this_thread() -> None:
    account = read_cpu_time(os.getpid())
    assert account is not None
    assert account.ran_s > 0
    assert account.runnable
    assert read_cpu_time(2**22 + 1) is None


def test_time_in_which_nobody_could_look_does_not_count() -> None:
    times = iter([0.0, 0.5, 3600.5, 3601.0])
    clock = RunningClock(lambda: next(times))
    assert [clock.now_s(), clock.now_s(), clock.now_s()] == [0.5, 0.5 + FORGIVEN_S, 1.0 + FORGIVEN_S]


@contextmanager
def frozen(gate: Gate) -> Iterator[None]:
    """Supervisor and worker process stand still, as in a container that is paused."""
    pids = (gate.process.pid, gate.worker_pid())
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:  # the supervisor first: it must not judge before the worker has had its turn
            os.kill(pid, signal.SIGCONT)


def test_a_gateway_that_was_frozen_goes_on_with_the_same_worker(gate: Gate) -> None:
    worker = gate.worker_pid()
    with frozen(gate):
        time.sleep(FROZEN_S)
    received = gate.metrics().value("pollgate_received_packets_total", worker="0")
    gate.wait_metric("pollgate_received_packets_total", received + 1, worker="0")
    assert gate.worker_pid() == worker
    assert gate.metrics().value("pollgate_worker_restarts_total") == 0


@contextmanager
def hogging(cpu: int) -> Iterator[None]:
    """Something else takes nearly all of this CPU, as long as the kernel lets a real-time task."""
    code = (
        f"import os; os.sched_setaffinity(0, [{cpu}]); "
        f"os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param({REALTIME_PRIORITY}))\n"
        "print('takes it', flush=True)\n"
        "while True: pass"
    )
    hog = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert hog.stdout is not None
        if hog.stdout.readline() != "takes it\n":
            pytest.skip("this process may have no real-time priority")
        yield
    finally:
        hog.kill()
        hog.wait()


def test_a_worker_whose_cpu_others_take_is_told_of_and_not_restarted(
    configure: Configure, tmp_path: Path
) -> None:
    cpu = max(os.sched_getaffinity(0))
    # The kernel leaves others a twentieth of each second: heartbeats stop for longer, again and again.
    with Gate(configure(workers={"cpus": [cpu], "stall_timeout_s": 0.3}), tmp_path) as gate:
        worker = gate.worker_pid()
        with hogging(cpu):
            gate.wait_for_line(r"worker 0 has had no CPU time for 0\.3 s", timeout_s=30)
        gate.wait_for_line("worker 0 has its CPU again", timeout_s=30)
        assert gate.worker_pid() == worker
        assert gate.metrics().value("pollgate_worker_restarts_total") == 0
