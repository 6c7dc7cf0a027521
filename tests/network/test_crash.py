# SPDX-License-Identifier: BSD-3-Clause
"""Players keep playing while the worker is killed, the configuration reloaded, or the run ended."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.network.namespace import Wire
from tests.network.players import (
    Crowd,
    Growth,
    NetworkGate,
    Player,
    Traffic,
    all_play,
    changed,
    config,
    heartbeat,
    is_balanced,
    serving,
    total,
)

SERVED_AGAIN_S = 60.0  # a bound for busy machines; what is aimed at, and printed, is below one second


@pytest.fixture
def gate(wire: Wire, tmp_path: Path) -> Iterator[NetworkGate]:
    with serving(wire, config(), tmp_path) as running:
        yield running


@pytest.fixture
def players(gate: NetworkGate, crowd: Crowd) -> list[Player]:
    """Two hundred of them, IPv4 and IPv6, each with a session."""
    admitted = crowd.players(100) + crowd.players(100, family=6)
    all_play(admitted, lambda number: [heartbeat(number)])
    return admitted


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV], ids=["SIGKILL", "SIGSEGV"])
def test_a_killed_worker_serves_again_with_every_session_and_every_count(
    gate: NetworkGate, players: list[Player], number: signal.Signals
) -> None:
    before = gate.metrics()
    with Traffic(players) as traffic:
        traffic.await_sent(100)
        killed_s = time.monotonic()
        gate.kill_worker(number)
        traffic.await_answer(SERVED_AGAIN_S)
        print(f"\n{number.name}: served again after {time.monotonic() - killed_s:.3f} s")
        traffic.await_sent(100)
    gate.wait_ready()
    after = gate.metrics()

    assert after.value("pollgate_worker_restarts_total") == 1
    earlier, later = before.counters(), after.counters()
    assert earlier.keys() <= later.keys()
    assert {key: (count, later[key]) for key, count in earlier.items() if later[key] < count} == {}

    assert after.value("pollgate_sessions", state="active") == len(players)
    assert after.value("pollgate_sessions_recovered_total") == len(players)
    for player in players:
        player.catch_up()
        player.is_ignored(heartbeat(player.id + 1))  # its session is still its own
    final = gate.metrics()
    assert final.value("pollgate_sessions_admitted_total") == len(players)
    assert final.value("pollgate_drops_total", reason="player_mismatch") == len(players)
    gate.wait_until(lambda: is_balanced(gate.metrics()))


def test_a_reload_loses_no_packet(gate: NetworkGate, players: list[Player]) -> None:
    generous = {"source_pps": 1_000_000, "source_burst": 1_000_000}
    with Traffic(players) as traffic:
        traffic.await_sent(100)
        with changed(gate, config(listen=[{"port": 8080, "limits": generous}]), after=config()):
            traffic.await_sent(100)
        traffic.await_sent(100)
        traffic.end()
        traffic.settle(lambda: traffic.sent)


def test_reloaded_limits_hold_for_players_that_are_connected(
    gate: NetworkGate, players: list[Player]
) -> None:
    grown = Growth(gate)
    strict = config(listen=[{"port": 8080, "limits": {"source_pps": 1, "source_burst": 1}}])
    with Traffic(players) as traffic:
        traffic.await_sent(100)
        assert grown.dropped("source_rate_limited") == 0
        with changed(gate, strict, after=config()):
            traffic.await_sent(200)
        gate.wait_metric("pollgate_drops_total", 1, reason="source_rate_limited")
        traffic.end()
        traffic.settle(lambda: traffic.sent - grown.dropped("source_rate_limited"))
        assert grown.of("pollgate_sessions", state="active") == 0  # nobody lost a session by it


def test_a_refused_reload_names_the_key_and_nobody_notices(gate: NetworkGate, players: list[Player]) -> None:
    strict = {"source_pps": 1, "source_burst": 1}
    with Traffic(players) as traffic:
        gate.write_config(config(sessions={"capacity": 8192}, listen=[{"port": 8080, "limits": strict}]))
        gate.reload()
        assert "sessions.capacity" in gate.wait_for_line("reload refused")
        traffic.await_sent(100)
        traffic.end()
        traffic.settle(lambda: traffic.sent)
    assert gate.metrics().value("pollgate_config_last_reload_successful") == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_signal_ends_the_run_and_what_was_handled_was_acknowledged(
    gate: NetworkGate, players: list[Player], number: signal.Signals
) -> None:
    with Traffic(players) as traffic:
        traffic.await_sent(100)
        gate.process.send_signal(number)
        assert gate.wait() == 0
        traffic.end()
        handled = total(gate.summary["pollgate_messages_total"]["0"]["heartbeat"])
        traffic.settle(lambda: handled - len(players))


def test_a_run_of_limited_time_ends_with_its_summary(wire: Wire, crowd: Crowd, tmp_path: Path) -> None:
    with serving(wire, config(), tmp_path, args=("--for", "3")) as gate:
        all_play(crowd.players(20))
        assert gate.wait() == 0
        assert gate.summary["pollgate_messages_total"]["0"]["move"] == 20
        assert gate.summary["pollgate_sessions"]["active"] == 20
