# SPDX-License-Identifier: BSD-3-Clause
"""What dies, what lives on, and what is left behind: the appliance under traffic, with signals."""

from __future__ import annotations

import os
import select
import signal
from pathlib import Path

import pytest

from tests.appliance.conservation import books
from tests.gate import Gate
from tests.processes import is_alive
from tests.supervisor.conftest import PLAYERS, Configure

RESTARTS = "pollgate_worker_restarts_total"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_killed_worker_serves_again_with_every_session(gate: Gate, number: int) -> None:
    before = gate.metrics()
    died = gate.kill_worker(number)
    gate.wait_metric(RESTARTS, 1)
    gate.wait_ready()
    gate.wait_metric("pollgate_messages_total", before.value("pollgate_messages_total") + PLAYERS)
    assert gate.worker_pid() != died
    assert gate.metrics().value("pollgate_sessions", state="active") == PLAYERS
    assert gate.metrics().value(RESTARTS) == 1
    gate.wait_for_line(signal.Signals(number).name)


def test_counters_of_the_whole_run_only_grow_over_a_restart(gate: Gate) -> None:
    before = gate.metrics().counters()
    gate.kill_worker()
    gate.wait_metric(RESTARTS, 1)
    gate.wait_ready()
    after = gate.metrics().counters()
    assert after.keys() >= before.keys()
    assert {key for key, value in before.items() if after[key] < value} == set()


def test_metrics_answer_while_the_worker_is_down(configure: Configure, tmp_path: Path) -> None:
    with Gate(configure(), tmp_path) as gate:
        pid = gate.worker_pid()
        os.kill(pid, signal.SIGSTOP)  # down, as far as anybody can see, until the stall is noticed
        gate.wait_until(lambda: gate.get("/readyz")[0] == 503)
        assert gate.get("/healthz")[0] == 200
        assert gate.metrics().value(RESTARTS) >= 0


def test_stopped_worker_counts_as_stalled_and_is_replaced(configure: Configure, tmp_path: Path) -> None:
    config = configure(workers={"stall_timeout_s": 0.5})
    with Gate(config, tmp_path) as gate:
        gate.wait_metric("pollgate_sessions", PLAYERS, state="active")
        died = gate.signal_worker(signal.SIGSTOP)
        gate.wait_metric(RESTARTS, 1)
        gate.wait_ready()
        assert gate.worker_pid() != died
        gate.wait_for_line("stalled")


def test_worker_that_dies_too_often_ends_the_run_with_a_sentence(
    configure: Configure, tmp_path: Path
) -> None:
    with Gate(configure(workers={"restart_limit": 1}), tmp_path) as gate:
        gate.kill_worker()
        gate.wait_metric(RESTARTS, 1)
        gate.wait_ready()
        gate.kill_worker()
        assert gate.wait() == 70
        assert gate.stderr.splitlines()[-1].startswith("the worker process died 2 times within")
        assert "workers.restart_limit" in gate.stderr
        assert "Traceback" not in gate.stderr


def test_a_run_that_gives_up_prints_what_it_came_to_and_loses_no_packet_in_it(
    configure: Configure, tmp_path: Path
) -> None:
    with Gate(configure(workers={"restart_limit": 0}), tmp_path) as gate:
        gate.wait_metric("pollgate_sessions", PLAYERS, state="active")
        before = gate.metrics()
        gate.kill_worker()
        assert gate.wait() == 70
        summary = gate.summary
    assert summary["elapsed_seconds"] > 0
    assert books(summary).received >= before.value("pollgate_received_packets_total") > 0


def test_a_worker_that_has_to_be_killed_at_the_end_leaves_books_that_balance(gate: Gate) -> None:
    gate.wait_metric("pollgate_sessions", PLAYERS, state="active")
    gate.signal_worker(signal.SIGSTOP)
    gate.process.send_signal(signal.SIGTERM)
    assert gate.wait() == 0
    assert "did not end within" in gate.stderr
    assert books(gate.summary).received > 0


def test_a_run_that_fails_before_it_serves_prints_nothing_but_why(
    configure: Configure, tmp_path: Path
) -> None:
    config = configure()
    config["ports"][0]["device"] += ",nonsense=1"
    with Gate(config, tmp_path, wait_ready=False) as gate:
        assert gate.wait() != 0
        assert gate.stdout == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_end_drains_and_prints_the_summary(gate: Gate, number: int) -> None:
    worker = gate.worker_pid()
    gate.process.send_signal(number)
    assert gate.wait() == 0
    assert gate.summary[RESTARTS] == 0
    assert not is_alive(worker)


def test_supervisor_killed_outright_leaves_no_process_behind(gate: Gate) -> None:
    worker = os.pidfd_open(gate.worker_pid())
    gate.process.kill()
    gate.wait()
    assert select.select([worker], [], [], 10)[0] == [worker]
    os.close(worker)


def test_worker_ignores_a_signal_that_is_the_supervisors_to_decide(gate: Gate) -> None:
    pid = gate.signal_worker(signal.SIGTERM)
    before = gate.metrics().value("pollgate_messages_total")
    gate.wait_metric("pollgate_messages_total", before + PLAYERS)
    assert gate.worker_pid() == pid


def test_run_for_a_time_ends_by_itself(configure: Configure, tmp_path: Path) -> None:
    with Gate(configure(), tmp_path, args=["--for", "0.5"], wait_ready=False) as gate:
        assert gate.wait() == 0
        assert gate.summary[RESTARTS] == 0


def test_run_until_idle_ends_after_a_capture_that_ends(
    configure: Configure, tmp_path: Path, capture: Path
) -> None:
    config = configure()
    config["ports"][0]["device"] = f"net_pcap0,rx_pcap={capture}"
    with Gate(config, tmp_path, args=["--until-idle", "0.3"], wait_ready=False) as gate:
        assert gate.wait() == 0
        assert gate.summary["pollgate_port_receive_packets_total"] == {"game0": PLAYERS}


def test_metrics_port_in_use_is_one_sentence_and_no_worker(configure: Configure, tmp_path: Path) -> None:
    with Gate(configure(), tmp_path) as first:
        address = first.url().removeprefix("http://")
        second_directory = tmp_path / "second"
        second_directory.mkdir()
        config = configure(metrics={"listen": address})
        with Gate(config, second_directory, wait_ready=False) as second:
            assert second.wait() == 69
            assert address in second.stderr
            assert "Traceback" not in second.stderr
