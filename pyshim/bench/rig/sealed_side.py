# SPDX-License-Identifier: BSD-3-Clause
"""A process that serves a capture of sealed packets for a while, as the gateway or with its cryptography alone.

Run as `python -m pyshim.bench.rig.sealed_side CONFIG SIDE CONNECTIONS FRAMES SECONDS`; prints one line of JSON. EAL starts
once per process, so each measurement has its own.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pyshim.bench.rig.sealed import WARM_UP_S, Side, SideRun, issue_all
from pyshim.bench.rig.sealed_frames import Connection
from pyshim.config import load_config
from pyshim.dataplane import Gateway, PageNames, RunState, StatsPage, _check, _new_error, new_state, tsc_hz
from pyshim.errors import UsageError
from pyshim.host import gather
from pyshim.memory_file import SessionState
from pyshim.plan import Plan, plan

from pyshim._native._pollgate import ffi, lib  # isort: skip

_STOP_S = 2.0


def main(arguments: Sequence[str]) -> None:
    """Measure once."""
    if len(arguments) != 5:
        raise UsageError("usage: python -m pyshim.bench.rig.sealed_side CONFIG SIDE CONNECTIONS FRAMES SECONDS")
    config, side, connections, frames, seconds = arguments
    loaded = load_config(Path(config))
    decided = plan(loaded, gather(loaded))
    state = new_state(decided)
    _connect(state, issue_all(state, int(connections)))
    page = StatsPage.create(len(decided.workers), len(decided.ports), len(decided.pools))
    gateway = Gateway(decided, page, state)
    if side == Side.CRYPTO_ONLY:
        run = _crypto_only(gateway, state, float(seconds))
    else:
        _rewind(gateway, state, int(frames))
        run = _gateway(gateway, page, decided, float(seconds))
    gateway.close()
    print(json.dumps(dataclasses.asdict(run)))


def _connect(state: SessionState, connections: Sequence[Connection]) -> None:
    native: Any = ffi.new("struct pg_bench_connection[]", len(connections))
    for to, connection in zip(native, connections, strict=True):
        to.session = connection.session
        to.client_nonce = list(connection.client_nonce)
        to.server_nonce = list(connection.server_nonce)
        to.peer.family = 4
        ffi.memmove(to.peer.bytes, connection.address.packed, 4)
        to.peer_port = connection.port
    memory = state.map()
    error = _new_error()
    _check(lib.pg_bench_connect(ffi.from_buffer(memory), native, len(connections), error), error)


def _rewind(gateway: Gateway, frames: int) -> None:
    error = _new_error()
    _check(lib.pg_bench_rewind(gateway.native, gateway.state, frames, error), error)


def _gateway(gateway: Gateway, page: StatsPage, decided: Plan, seconds: float) -> SideRun:
    names = PageNames.of(decided)
    gateway.start()
    time.sleep(WARM_UP_S)
    before = page.snapshot(names, RunState()).workers[0]
    time.sleep(seconds)
    after = page.snapshot(names, RunState()).workers[0]
    gateway.stop(_STOP_S)
    received = after.received - before.received
    busy = after.cycles_busy - before.cycles_busy
    cycles = busy + after.cycles_idle - before.cycles_idle
    refused = sum(after.dropped.values()) - sum(before.dropped.values())
    return SideRun(received * tsc_hz() / cycles, busy / received, refused)


def _crypto_only(gateway: Gateway, seconds: float) -> SideRun:
    error = _new_error()
    run: Any = ffi.new("struct pg_bench_run *")
    milliseconds = round(seconds * 1000)
    _check(lib.pg_bench_crypto_only(gateway.native, gateway.state, milliseconds, run, error), error)
    return SideRun(run.packets * tsc_hz() / run.cycles, run.cycles / run.packets, run.refused + run.unsent)


if __name__ == "__main__":
    main(sys.argv[1:])
