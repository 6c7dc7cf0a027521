# SPDX-License-Identifier: BSD-3-Clause
"""A worker of sockets that has nothing to do sleeps, and yet is known to be alive."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.engines import SOCKETS, everything
from tests.network.namespace import Wire
from tests.network.players import Crowd, Growth, NetworkGate, Traffic, all_play, serving

pytestmark = SOCKETS
STALL_TIMEOUT_S = 0.5
IDLE_SHARE_MIN = 0.9  # what is seen is more than 0.99
SLEEPS_MIN = 20  # within three stall timeouts; it turns a hundred times a second


@pytest.fixture(scope="module")
def gate(wire: Wire, engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetworkGate]:
    settings = everything(engine, workers={"stall_timeout_s": STALL_TIMEOUT_S})
    with serving(wire, settings, tmp_path_factory.mktemp("idle")) as running:
        yield running


def voluntary_switches(pid: int) -> int:
    """How often the worker's threads gave up their CPU of their own accord."""
    count = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        if (task / "comm").read_text().startswith("worker"):
            status = dict(line.split(":\t", 1) for line in (task / "status").read_text().splitlines())
            count += int(status["voluntary_ctxt_switches"])
    return count


def test_without_traffic_it_sleeps_and_is_not_taken_for_stalled(gate: NetworkGate, crowd: Crowd) -> None:
    all_play(crowd.players(10))
    pid = gate.worker_pid()
    grown, switches = Growth(gate), voluntary_switches(pid)
    time.sleep(3 * STALL_TIMEOUT_S)
    gate.wait_until(lambda: voluntary_switches(pid) - switches > SLEEPS_MIN)
    idle, busy = (grown.of("pollgate_worker_cycles_total", state=state) for state in ("idle", "busy"))
    assert idle / (idle + busy) > IDLE_SHARE_MIN
    assert gate.worker_pid() == pid
    assert grown.of("pollgate_worker_restarts_total") == 0
    assert gate.get("/readyz")[0] == 200
    all_play(crowd.players(10))


def test_with_little_traffic_every_message_is_answered_between_sleeps(
    gate: NetworkGate, crowd: Crowd
) -> None:
    pid = gate.worker_pid()
    switches = voluntary_switches(pid)
    grown = Growth(gate)
    with Traffic(crowd.players(20)) as traffic:
        traffic.await_sent(400)
        traffic.end()
        traffic.settle(lambda: traffic.sent)
    idle, busy = (grown.of("pollgate_worker_cycles_total", state=state) for state in ("idle", "busy"))
    assert busy > 0
    assert idle > 0
    assert voluntary_switches(pid) - switches > SLEEPS_MIN
