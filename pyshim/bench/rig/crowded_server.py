# SPDX-License-Identifier: BSD-3-Clause
"""A process that serves profile session on a kernel socket, with as many players connected as it is told.

Run as `python -m pyshim.bench.rig.crowded_server CONFIG CONNECTED PLAYERS`. It prints the sessions of those
who play, as JSON; then, for each line that comes, how much CPU time it has used, and its memory. Their keys
are issued_key() of their numbers: those who are connected come first.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from pyshim.bench.rig.sealed_native import connect_all, issue_all, know_limits
from pyshim.config import load_config
from pyshim.dataplane import Gateway, PageNames, RunState, StatsPage, new_state
from pyshim.errors import PollgateError
from pyshim.host import gather
from pyshim.planner import plan

_STOP_S = 30.0


def main(arguments: Sequence[str]) -> None:
    """Serve until nobody asks any more.

    Raises:
        PollgateError: the gateway cannot be opened.
    """
    config, connected, players = Path(arguments[0]), int(arguments[1]), int(arguments[2])
    loaded = load_config(config)
    decided = plan(loaded, gather(loaded))
    empty = _memory_bytes()
    state = new_state(decided)
    connections = issue_all(state, connected + players)
    connect_all(state, connections[:connected])
    sessions = [connection.session for connection in connections[connected:]]
    del connections  # else it would count as the gateway's memory
    page = StatsPage.create(len(decided.workers), PageNames.of(decided))
    gateway = Gateway(decided, page, state)
    know_limits(gateway)
    gateway.start()
    _say(sessions=sessions)
    for _ in sys.stdin:
        worker = page.snapshot(decided.engine, RunState()).workers[0]
        _say(
            cpu_s=time.process_time(),
            received=worker.received,
            memory_bytes=_memory_bytes() - empty,
        )
    gateway.stop(_STOP_S)


def _memory_bytes() -> int:
    """Proportional set size: this one process issues and serves, so it maps the sessions' file twice."""
    found = re.search(r"^Pss:\s+(\d+) kB$", Path("/proc/self/smaps_rollup").read_text(), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def _say(**values: object) -> None:
    print(json.dumps(values), flush=True)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except PollgateError as problem:
        sys.exit(str(problem))  # its last line is what the benchmark tells
