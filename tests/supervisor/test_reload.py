# SPDX-License-Identifier: BSD-3-Clause
"""SIGHUP: what changes while packets flow, and what is refused whole."""

from __future__ import annotations

import socket
from pathlib import Path

from tests.gate import Gate
from tests.supervisor.conftest import PLAYERS, Configure

SUCCESSFUL = "pollgate_config_last_reload_successful"


def test_new_limits_apply_to_the_running_worker(gate: Gate, configure: Configure) -> None:
    pid = gate.worker_pid()
    limits = {"source_pps": 1, "source_burst": 1}
    gate.write_config(configure(listen=[{"port": 8080, "limits": limits}]))
    gate.reload()
    gate.wait_for_line("configuration reloaded")
    gate.wait_metric("pollgate_drops_total", PLAYERS, reason="source_rate_limited")
    assert gate.worker_pid() == pid


def test_a_wrong_file_is_refused_with_its_errors_and_nothing_changes(
    gate: Gate, configure: Configure
) -> None:
    gate.write_config(configure(sesions={}))
    gate.reload()
    assert "sesions" in gate.wait_for_line("reload refused")
    assert gate.metrics().value(SUCCESSFUL) == 0
    assert gate.get("/readyz")[0] == 200


def test_a_change_that_needs_a_restart_is_refused_whole_and_named(gate: Gate, configure: Configure) -> None:
    gate.write_config(configure(sessions={"capacity": 2048}, host={"reply_pps": 5}))
    gate.reload()
    assert "sessions.capacity" in gate.wait_for_line("reload refused")
    assert gate.metrics().value(SUCCESSFUL) == 0


def test_a_good_reload_makes_up_for_a_refused_one(gate: Gate, configure: Configure) -> None:
    gate.write_config(configure(sesions={}))
    gate.reload()
    gate.wait_for_line("reload refused")
    gate.write_config(configure(host={"reply_pps": 5}))
    gate.reload()
    gate.wait_for_line("configuration reloaded")
    assert gate.metrics().value(SUCCESSFUL) == 1


def test_metrics_move_to_a_new_address(gate: Gate, configure: Configure) -> None:
    old = gate.url()
    gate.write_config(configure(metrics={"listen": "localhost:0"}))
    gate.reload()
    line = gate.wait_for_line("configuration reloaded; metrics: http")
    assert old not in line
    with socket.socket() as probe:
        host, port = old.removeprefix("http://").split(":")
        assert probe.connect_ex((host, int(port))) != 0


def test_a_metrics_address_in_use_refuses_the_whole_reload(gate: Gate, configure: Configure) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        gate.write_config(configure(metrics={"listen": address}, host={"reply_pps": 5}))
        gate.reload()
        assert address in gate.wait_for_line("reload refused")
    assert gate.metrics().value(SUCCESSFUL) == 0


def test_a_reloaded_policy_is_that_of_the_next_worker(
    gate: Gate, configure: Configure, tmp_path: Path
) -> None:
    limits = {"source_pps": 1, "source_burst": 1}
    gate.write_config(configure(listen=[{"port": 8080, "limits": limits}]))
    gate.reload()
    gate.wait_for_line("configuration reloaded")
    gate.kill_worker()
    gate.wait_metric("pollgate_worker_restarts_total", 1)
    gate.wait_ready()
    before = gate.metrics().value("pollgate_drops_total", reason="source_rate_limited")
    gate.wait_metric("pollgate_drops_total", before + PLAYERS, reason="source_rate_limited")
