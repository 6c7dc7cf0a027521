#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Linux (seen on 6.18): the wait in /proc/PID/schedstat stands still while the task waits.
#
# The second figure of /proc/PID/schedstat is the time that a task spent waiting for a CPU. A watchdog that reads it to
# tell a starved task from a stuck one is told 0 for as long as the task is starved: the kernel adds a wait to the figure
# when the task gets its CPU, not while it waits. The state of the task (R) and the first figure, which does not grow,
# tell at once.
#
# Source: Documentation/scheduler/sched-stats.rst; kernel/sched/stats.h (sched_info_arrive adds to run_delay).
#
# Seen, beside a real-time task on the same CPU: for half a second the wait grew by 0.000 s in state R; afterwards by the
# whole time at once.
# Fails when the wait grows meanwhile. Run as root (real-time priority); takes two seconds of one CPU.

set -euo pipefail
python3 - <<'PYTHON'
import os
import subprocess
import sys
import time
from pathlib import Path


def account(pid: int) -> tuple[float, float, str]:
    ran, waited, _ = Path(f"/proc/{pid}/schedstat").read_text().split()
    state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return int(ran) / 1e9, int(waited) / 1e9, state


cpu = max(os.sched_getaffinity(0))
if len(os.sched_getaffinity(0)) > 1:
    os.sched_setaffinity(0, os.sched_getaffinity(0) - {cpu})
spin = f"import os; os.sched_setaffinity(0, [{cpu}])\nwhile True: pass"
real_time = f"import os; os.sched_setaffinity(0, [{cpu}]); os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))\n"
starved = subprocess.Popen([sys.executable, "-c", spin])
time.sleep(0.5)
hog = subprocess.Popen([sys.executable, "-c", real_time + spin.replace("import os;", "pass;", 1).split("\n", 1)[1]])
try:
    seen = []
    deadline = time.monotonic() + 1.5
    while time.monotonic() < deadline:
        seen.append((time.monotonic(), *account(starved.pid)))
        time.sleep(0.02)
finally:
    hog.kill()
    hog.wait()
time.sleep(0.2)
after = account(starved.pid)
starved.kill()

# The longest time in which the task did not run at all: how much its wait grew in it.
longest = max(
    ((first, last) for i, first in enumerate(seen) for last in seen[i + 1 :] if last[1] == first[1]),
    key=lambda pair: pair[1][0] - pair[0][0],
)
lasted_s, grew_s = longest[1][0] - longest[0][0], longest[1][2] - longest[0][2]
states = {row[3] for row in seen if longest[0][0] <= row[0] <= longest[1][0]}
print(f"did not run for {lasted_s:.3f} s in state {'/'.join(sorted(states))}: the wait grew by {grew_s:.3f} s")
print(f"when it had run again: by {after[1] - longest[0][2]:.3f} s")
sys.exit(lasted_s < 0.3 or grew_s > 0.01 or states != {"R"} or after[1] - longest[0][2] < 0.9 * lasted_s)
PYTHON
