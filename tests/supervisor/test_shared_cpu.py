# SPDX-License-Identifier: BSD-3-Clause
"""What a worker says that it did is what the kernel says that it had of its CPU, whoever else wants it."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.gate import Gate, Samples
from tests.supervisor.conftest import PLAYERS

CYCLES = "pollgate_worker_cycles_total"
LOOK_S = 3.0
UNSEEN_S = 0.15 * LOOK_S


def seconds_of_poll_loop(pid: int) -> float:
    """CPU time of the thread that has had most, which is the poll loop."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return max(int(thread.read_text().split()[0]) for thread in threads) / 1e9


def cpu_of_poll_loop(pid: int) -> int:
    threads = Path(f"/proc/{pid}/task").iterdir()
    busiest = max(threads, key=lambda thread: int((thread / "schedstat").read_text().split()[0]))
    return int((busiest / "stat").read_text().rpartition(")")[2].split()[36])


@dataclass(frozen=True, slots=True)
class Look:
    """One scrape, and moments and CPU time of the poll loop from before it and after it."""

    began_s: float
    had_from_s: float
    metrics: Samples
    had_to_s: float
    ended_s: float

    @classmethod
    def at(cls, gate: Gate, pid: int) -> Look:
        began_s, had_from_s = time.monotonic(), seconds_of_poll_loop(pid)
        metrics = gate.metrics()
        return cls(began_s, had_from_s, metrics, seconds_of_poll_loop(pid), time.monotonic())


def test_time_that_others_had_of_the_cpu_is_neither_busy_nor_handling(gate: Gate, tmp_path: Path) -> None:
    gate.wait_metric("pollgate_sessions", PLAYERS, state="active")
    pid = gate.worker_pid()
    other = subprocess.Popen(
        ["taskset", "-c", str(cpu_of_poll_loop(pid)), sys.executable, "-c", "while True: pass"],
        stdin=subprocess.DEVNULL,
    )
    try:
        first = Look.at(gate, pid)
        time.sleep(LOOK_S)
        last = Look.at(gate, pid)
    finally:
        other.kill()
        other.wait()
    before, after = first.metrics, last.metrics
    gained = {
        state: after.value(CYCLES, state=state) - before.value(CYCLES, state=state)
        for state in ("busy", "idle", "off_cpu")
    }
    share = (gained["busy"] + gained["idle"]) / sum(gained.values())  # the three together are all of the time
    assert gained["off_cpu"] > 0
    # A scrape takes its time, on a busy machine much of it: what it shows is of some moment within.
    told_s = share * (last.began_s - first.ended_s), share * (last.ended_s - first.began_s)
    had_s = last.had_from_s - first.had_to_s, last.had_to_s - first.had_from_s
    assert told_s[0] - had_s[1] < UNSEEN_S, (told_s, had_s, gained)
    assert had_s[0] - told_s[1] < UNSEEN_S, (told_s, had_s, gained)
    # A time slice is milliseconds; a burst of this gate is microseconds, and so are 999 of 1,000 packets.
    name = "pollgate_message_handling_seconds"
    count = after.value(f"{name}_count") - before.value(f"{name}_count")
    quick = after.value(f"{name}_bucket", le="0.001") - before.value(f"{name}_bucket", le="0.001")
    assert quick / count > 0.999
