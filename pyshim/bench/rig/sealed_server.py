# SPDX-License-Identifier: BSD-3-Clause
"""A process that serves a capture of sealed packets for a while: as the gateway, or its cryptography alone.

Run as `python -m pyshim.bench.rig.sealed_shard CONFIG SIDE SESSIONS SECONDS`; prints one line of JSON.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from pyshim.bench.rig.observe import observe
from pyshim.bench.rig.processes import WARM_UP_S
from pyshim.bench.rig.sealed_native import (
    connect_all,
    crypto_only,
    issue_all,
    know_limits,
    rewind,
    rewinding_cycles,
)
from pyshim.bench.rig.sealed_run import Server, ServerRun
from pyshim.config import load_config
from pyshim.dataplane import Gateway, PageNames, RunState, StatsPage, new_state, tsc_hz
from pyshim.errors import PollgateError, UnavailableError
from pyshim.host import gather
from pyshim.planner import plan
from pyshim.stats import WorkerSnapshot

_STOP_S = 30.0


def main(arguments: Sequence[str]) -> None:
    """Measure once.

    Raises:
        PollgateError: the gateway cannot be opened.
    """
    config, server, sessions, seconds = arguments
    loaded = load_config(Path(config))
    decided = plan(loaded, gather(loaded))
    state = new_state(decided)
    connect_all(state, issue_all(state, int(sessions)))
    page = StatsPage.create(len(decided.workers), PageNames.of(decided))
    gateway = Gateway(decided, page, state)
    if server in (Server.CRYPTO_ONLY, Server.CRYPTO_ANSWERS):
        run = crypto_only(gateway, float(seconds), answers=server == Server.CRYPTO_ANSWERS)
    else:
        know_limits(gateway)
        rewind(gateway)
        run = serve(gateway, lambda: page.snapshot(decided.engine, RunState()).workers[0], float(seconds))
    gateway.close()
    print(json.dumps(dataclasses.asdict(run)))


def serve(gateway: Gateway, look: Callable[[], WorkerSnapshot], seconds: float) -> ServerRun:
    """Start the gateway, look at its first worker for so long, and stop it."""
    gateway.start()
    time.sleep(WARM_UP_S)
    (before, harness_before), (after, harness_after) = observe(
        lambda: (look(), rewinding_cycles()),
        seconds,
        lambda earlier, later: later[0].received > earlier[0].received,
    )
    gateway.stop(_STOP_S)
    ended = look()
    if after.received == before.received:
        raise UnavailableError("its worker received nothing: others have its CPU")
    received = after.received - before.received
    busy = after.cycles_busy - before.cycles_busy - (harness_after - harness_before)
    idle = after.cycles_idle - before.cycles_idle
    # What others had of its CPU is part of its rate, and not of its work.
    cycles = busy + idle + after.cycles_off_cpu - before.cycles_off_cpu
    return ServerRun(
        packets_per_s=received * tsc_hz() / cycles,
        cycles_per_packet=busy / received,
        refused=_not_answered(after) - _not_answered(before),
        received=ended.received,
        answered=sum(ended.handled.values()) - ended.unanswered - sum(ended.tx_dropped.values()),
        dropped={reason: count for reason, count in ended.dropped.items() if count},
    )


def _not_answered(worker: WorkerSnapshot) -> int:
    return sum(worker.dropped.values()) + sum(worker.tx_dropped.values()) + worker.unanswered


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except PollgateError as problem:
        sys.exit(str(problem))  # its last line is what the benchmark tells
