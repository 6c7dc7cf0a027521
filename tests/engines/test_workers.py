# SPDX-License-Identifier: BSD-3-Clause
"""Two workers with sockets of their own: each peer stays with one, also after a crash and to the end."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.appliance.conservation import books
from tests.engines.engines import CPUS, SOCKETS, everything, needs_two_cpus
from tests.network.namespace import Wire
from tests.network.players import (
    KINDS,
    Crowd,
    Growth,
    NetworkGate,
    Player,
    Traffic,
    all_play,
    heartbeat,
    is_balanced,
    serving,
    total,
)

pytestmark = [SOCKETS, needs_two_cpus]
PLAYERS = 150  # of each family; that all of them hash to one of two workers has a probability of 2 ** -149
SERVED_AGAIN_S = 60.0  # a bound for busy machines


@pytest.fixture
def gate(wire: Wire, engine: str, tmp_path: Path) -> Iterator[NetworkGate]:
    with serving(wire, everything(engine, workers={"cpus": CPUS[:2]}), tmp_path) as running:
        yield running
    books(running.summary)  # of each worker


@pytest.fixture
def players(gate: NetworkGate, crowd: Crowd) -> list[Player]:
    """Each with a session."""
    admitted = crowd.players(PLAYERS) + crowd.players(PLAYERS, family=6)
    all_play(admitted)
    return admitted


def test_both_serve_and_every_player_is_a_session_of_one_of_them(
    gate: NetworkGate, players: list[Player]
) -> None:
    grown = Growth(gate)
    for _ in range(2):
        all_play(players)
    assert grown.of("pollgate_sessions_admitted_total") == 0
    admitted = [gate.metrics().value("pollgate_sessions_admitted_total", worker=worker) for worker in "01"]
    assert min(admitted) > 0
    assert sum(admitted) == len(players)
    assert [grown.of("pollgate_messages_total", worker=worker) for worker in "01"] == [
        2 * len(KINDS) * count for count in admitted
    ]
    for worker in "01":
        gate.wait_until(partial(keeps_books, gate, worker))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV], ids=["SIGKILL", "SIGSEGV"])
def test_a_killed_worker_process_serves_again_with_every_session_where_it_was(
    gate: NetworkGate, players: list[Player], number: signal.Signals
) -> None:
    before = gate.metrics()
    with Traffic(players) as traffic:
        for restarts in range(1, 4):  # each time, players meet sockets that are only just being made
            traffic.await_sent(100)
            gate.kill_worker(number)
            traffic.await_answer(SERVED_AGAIN_S)
            gate.wait_metric("pollgate_worker_restarts_total", restarts)
        traffic.await_sent(100)
    gate.wait_ready()
    after = gate.metrics()
    earlier, later = before.counters(), after.counters()
    assert {key: (count, later[key]) for key, count in earlier.items() if later[key] < count} == {}
    assert after.value("pollgate_sessions_recovered_total") == 3 * len(players)
    assert after.value("pollgate_sessions_admitted_total") == len(players)
    assert after.value("pollgate_sessions", state="active") == len(players)

    for player in players:
        player.catch_up()
        player.is_ignored(heartbeat(player.id + 1))  # its session is still its own
    final = gate.metrics()
    assert final.value("pollgate_sessions_admitted_total") == len(players)
    assert final.value("pollgate_drops_total", reason="player_mismatch") == len(players)
    gate.wait_until(lambda: is_balanced(gate.metrics()))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_signal_in_the_middle_of_traffic_ends_it_and_what_was_handled_was_acknowledged(
    gate: NetworkGate, players: list[Player], number: signal.Signals
) -> None:
    with Traffic(players) as traffic:
        traffic.await_sent(100)
        gate.process.send_signal(number)
        assert gate.wait() == 0
        traffic.end()
        handled = total(gate.summary["pollgate_messages_total"])
        traffic.settle(lambda: handled - len(KINDS) * len(players))
    assert total(gate.summary["pollgate_transmit_drops_total"]) == 0
    assert total(gate.summary["pollgate_sessions_admitted_total"]) == len(players)


def test_the_ports_of_a_run_that_has_ended_are_free_at_once(
    wire: Wire, engine: str, crowd: Crowd, tmp_path: Path
) -> None:
    for run in range(3):
        directory = tmp_path / str(run)
        directory.mkdir()
        with serving(wire, everything(engine, workers={"cpus": CPUS[:2]}), directory) as gate:
            all_play(crowd.players(10))
            assert gate.stop() == 0


def keeps_books(gate: NetworkGate, worker: str) -> bool:
    return is_balanced(gate.metrics(), worker=worker)
