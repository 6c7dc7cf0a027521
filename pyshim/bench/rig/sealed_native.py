# SPDX-License-Identifier: BSD-3-Clause
"""pollgate_bench.h as Python: sessions connected without having shaken hands, and who serves them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyshim.bench.rig.sealed_frames import Connection, issued_key
from pyshim.bench.rig.sealed_run import ServerRun
from pyshim.dataplane import Gateway, OwnState, check, new_error, tsc_hz

from pyshim._native._pollgate import ffi, lib  # isort: skip

_TTL_S = 86_400


def issue_all(state: OwnState, count: int) -> list[Connection]:
    """Issue sessions with the keys of their numbers, from 0; a new state gives the same ones each time.

    Raises:
        PollgateError: there is no room for so many.
    """
    connections = []
    request: Any = ffi.new("struct pg_issue_request *", {"ttl_s": _TTL_S})
    session: Any = ffi.new("uint32_t *")
    for number in range(count):
        request.player_id = number + 1
        request.key = list(issued_key(number))
        error = new_error()
        check(lib.pg_session_issue(state.native, request, session, error), error)
        connections.append(Connection(number, session[0]))
    return connections


def connect_all(state: OwnState, connections: Sequence[Connection]) -> None:
    """Leave connections in the state as a worker process that died would have."""
    native: Any = ffi.new("struct pg_bench_connection[]", len(connections))
    for to, connection in zip(native, connections, strict=True):
        to.session = connection.session
        to.secret = list(connection.secret)
        to.peer.family = 4
        ffi.memmove(to.peer.bytes, connection.address.packed, 4)
        to.peer_port = connection.port
    error = new_error()
    check(lib.pg_bench_connect(state.native, native, len(connections), error), error)


def know_limits(gateway: Gateway) -> None:
    """Before it starts: the connections in its state need not be told of its limits."""
    lib.pg_bench_know_limits(gateway.native, gateway.state)


def rewind(gateway: Gateway) -> None:
    """Forget what a burst of the first port has shown, once it has been served."""
    error = new_error()
    check(lib.pg_bench_rewind(gateway.native, gateway.state, error), error)


def rewinding_cycles() -> int:
    """What rewinding has taken of this process's workers so far."""
    return int(lib.pg_bench_rewinding_cycles())


def converse(gateway: Gateway, frames: Sequence[bytes], answer_min: int) -> object:
    """Have these packets come one by one, the next when the one before was answered, by as many bytes.

    Returns:
        their memory, which has to stay until the gateway is closed.
    """
    native: Any = ffi.new("struct pg_bench_frame[]", len(frames))
    for to, frame in zip(native, frames, strict=True):
        to.length = len(frame)
        ffi.memmove(to.bytes, frame, len(frame))
    error = new_error()
    check(lib.pg_bench_converse(gateway.native, gateway.state, native, len(frames), answer_min, error), error)
    return native


def round_trips() -> tuple[list[float], int]:
    """How long the last ones took, in seconds, sorted; and how many packets were not answered so far."""
    cycles: Any = ffi.new("uint32_t[]", lib.PG_BENCH_ROUND_TRIPS)
    lost: Any = ffi.new("uint64_t *")
    n = lib.pg_bench_round_trips(cycles, lost)
    hz = tsc_hz()
    taken: Any = ffi.unpack(cycles, n)
    return sorted(each / hz for each in taken), int(lost[0])


def crypto_only(gateway: Gateway, seconds: float, *, answers: bool) -> ServerRun:
    """Receive, open, seal and send on the first worker's CPU, instead of the gateway's loops.

    Args:
        gateway: open, not started.
        seconds: for how long.
        answers: seal only as much as the gateway answers, instead of all that was opened.
    """
    error = new_error()
    run: Any = ffi.new("struct pg_bench_run *")
    check(
        lib.pg_bench_crypto_only(gateway.native, gateway.state, answers, round(seconds * 1000), run, error),
        error,
    )
    refused = run.refused + run.unsent
    return ServerRun(
        packets_per_s=run.packets * tsc_hz() / run.cycles,
        cycles_per_packet=run.cycles / run.packets,
        refused=refused,
        received=run.packets,
        answered=run.packets - refused,
        dropped={},
    )
