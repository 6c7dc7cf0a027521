# SPDX-License-Identifier: BSD-3-Clause
"""A gateway that serves a capture of the game's own messages, with a process that reads them or without.

Run as `python -m pyshim.bench.rig.game_server CONFIG SESSIONS SECONDS READER CPU`; READER "" is none.
Prints one line of JSON.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from pyshim.bench.rig.processes import finish, read_until
from pyshim.bench.rig.sealed_frames import Connection
from pyshim.bench.rig.sealed_native import connect_all, issue_all, know_limits, rewind
from pyshim.bench.rig.sealed_server import serve
from pyshim.config import load_config
from pyshim.dataplane import Gateway, PageNames, RunState, StatsPage, new_state
from pyshim.dataplane.game import game_file, seal_game_file
from pyshim.errors import PollgateError
from pyshim.host import gather
from pyshim.plan import Plan
from pyshim.planner import plan
from pyshim.stats import Snapshot, WorkerSnapshot, count

PROCESS = "reader"
_START_S = 20.0


def main(arguments: Sequence[str]) -> None:
    """Measure once.

    Raises:
        PollgateError: the gateway cannot be opened, or the process does not start.
    """
    config, sessions, seconds, reader, cpu = arguments
    gateway, page, decided, _ = open_gateway(Path(config), int(sessions))
    rewind(gateway)

    def look() -> WorkerSnapshot:
        return page.snapshot(decided.engine, RunState()).workers[0]

    heard: dict[str, Any] = {}
    with reading(gateway, decided, (reader,), cpu, heard) if reader else nullcontext():
        run = serve(gateway, look, float(seconds))
    ended = page.snapshot(decided.engine, RunState())
    gateway.close()
    print(json.dumps({"run": dataclasses.asdict(run), "heard": heard.get("messages", 0), **_counted(ended)}))


def open_gateway(config: Path, sessions: int) -> tuple[Gateway, StatsPage, Plan, list[Connection]]:
    """One whose state has so many connections, which know their limits.

    Raises:
        PollgateError: it cannot be opened.
    """
    loaded = load_config(config)
    decided = plan(loaded, gather(loaded))
    state = new_state(decided)
    connections = issue_all(state, sessions)
    connect_all(state, connections)
    page = StatsPage.create(len(decided.workers), PageNames.of(decided))
    page.name("process", 0, PROCESS)
    gateway = Gateway(decided, page, state)
    know_limits(gateway)
    return gateway, page, decided, connections


@contextmanager
def reading(
    gateway: Gateway, decided: Plan, reader: Sequence[str], cpu: str, heard: dict[str, Any]
) -> Iterator[None]:
    """A process attached to the first worker; what it heard is known after the block.

    Args:
        gateway: open, not started.
        decided: what it was opened with.
        reader: the program, and what it is to do beside reading.
        cpu: that it runs on.
        heard: out: what it said at its end.
    """
    size = decided.game.ring_bytes
    files = game_file("bench-worker", size), game_file("bench-process", size)
    gateway.game_attach(0, 0, (files[0], -1, -1, 0), present=True, wants_moves=False)
    seal_game_file(files[0])
    process = subprocess.Popen(
        ["taskset", "--cpu-list", cpu, reader[0], *map(str, files), str(size), *reader[1:]],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=files,
    )
    try:
        read_until("the game process", process, rb"ready\n", _START_S)
        seal_game_file(files[1])
        gateway.game_hear(0, 0, files[1])
        yield
        assert process.stdin is not None
        process.stdin.close()
        said = read_until("the game process", process, rb"\{.*\}\n", _START_S)
        heard.update(json.loads(said[said.index(b"{") :]))
    finally:
        process.terminate()
        finish(process)
        for file in files:
            os.close(file)


def _counted(snapshot: Snapshot) -> Mapping[str, Any]:
    """What became of the messages that the worker took, over the run."""
    messages = snapshot.workers[0].messages
    (process,) = snapshot.instances["PROCESS_COUNT"]
    return {
        "taken": messages.received["game"],
        "dispatched": messages.others["dispatched"],
        "offered": count(process, "offered"),
        "delivered": count(process, "delivered"),
        "lost": count(process, "lost"),
    }


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except PollgateError as problem:
        sys.exit(str(problem))  # its last line is what the benchmark tells
