# SPDX-License-Identifier: BSD-3-Clause
"""What a worker says that it did is what the kernel says that it had of its CPU, whoever else wants it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from tests.gate import Gate
from tests.supervisor.conftest import PLAYERS

CYCLES = "pollgate_worker_cycles_total"
LOOK_S = 3.0


def seconds_of_poll_loop(pid: int) -> float:
    """CPU time of the thread that has had most, which is the poll loop."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return max(int(thread.read_text().split()[0]) for thread in threads) / 1e9


def cpu_of_poll_loop(pid: int) -> int:
    threads = Path(f"/proc/{pid}/task").iterdir()
    busiest = max(threads, key=lambda thread: int((thread / "schedstat").read_text().split()[0]))
    return int((busiest / "stat").read_text().rpartition(")")[2].split()[36])


def test_time_that_others_had_of_the_cpu_is_neither_busy_nor_handling(gate: Gate, tmp_path: Path) -> None:
    gate.wait_metric("pollgate_sessions", PLAYERS, state="active")
    pid = gate.worker_pid()
    other = subprocess.Popen(
        ["taskset", "-c", str(cpu_of_poll_loop(pid)), sys.executable, "-c", "while True: pass"],
        stdin=subprocess.DEVNULL,
    )
    try:
        before, had_before, then = gate.metrics(), seconds_of_poll_loop(pid), time.monotonic()
        time.sleep(LOOK_S)
        after, had_after, now = gate.metrics(), seconds_of_poll_loop(pid), time.monotonic()
    finally:
        other.kill()
        other.wait()
    gained = {
        state: after.value(CYCLES, state=state) - before.value(CYCLES, state=state)
        for state in ("busy", "idle", "off_cpu")
    }
    hz = sum(gained.values()) / (now - then)  # the three together are all of the time
    told_s = (gained["busy"] + gained["idle"]) / hz
    had_s = had_after - had_before
    assert gained["off_cpu"] > 0
    assert abs(told_s - had_s) < 0.15 * LOOK_S, (told_s, had_s, gained)
    # A time slice is milliseconds; a burst of this gate is microseconds, and so are 999 of 1,000 packets.
    name = "pollgate_message_handling_seconds"
    count = after.value(f"{name}_count") - before.value(f"{name}_count")
    quick = after.value(f"{name}_bucket", le="0.001") - before.value(f"{name}_bucket", le="0.001")
    assert quick / count > 0.999
