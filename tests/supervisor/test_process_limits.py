# SPDX-License-Identifier: BSD-3-Clause
"""Limits of processes: raised to what the plan needs, refused with the number, or waited out."""

from __future__ import annotations

import os
import re
import resource
import socket
import struct
from pathlib import Path

import pytest

from tests.gate import Gate
from tests.ports import free_port
from tests.supervisor.conftest import PLAYERS, Configure

HEARTBEAT = struct.pack("<IIQI", 4, 20, 0, 1)
NOTICED_S = 90.0  # a bound for busy machines
LOW = 40  # more than an interpreter needs to say what is wrong, fewer than any plan does


def may_raise_hard_limits() -> bool:
    found = re.search(r"CapEff:\s*(\w+)", Path("/proc/self/status").read_text())
    return found is not None and bool(int(found[1], 16) >> 24 & 1)


HARD = pytest.param(
    LOW,
    marks=pytest.mark.skipif(not may_raise_hard_limits(), reason="needs CAP_SYS_RESOURCE"),
    id="hard",
)


def limited(hard: int) -> tuple[str, ...]:
    return ("prlimit", f"--nofile={LOW}:{hard}")


def open_files_limit(pid: int) -> int:
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("Max open files")).split()[3])


@pytest.mark.parametrize("hard", [HARD, pytest.param(4096, id="soft")])
def test_a_low_limit_is_raised_to_what_the_plan_needs_where_that_is_allowed(
    configure: Configure, tmp_path: Path, hard: int
) -> None:
    with Gate(configure(), tmp_path, prefix=limited(hard)) as gate:
        assert open_files_limit(gate.process.pid) > LOW
        assert open_files_limit(gate.worker_pid()) > LOW
        gate.wait_metric("pollgate_messages_total", PLAYERS)
        assert gate.stop() == 0


def test_a_soft_limit_on_cpu_time_does_not_end_a_worker(configure: Configure, tmp_path: Path) -> None:
    with Gate(configure(), tmp_path, prefix=("prlimit", "--cpu=100:1000000")) as gate:
        assert resource.prlimit(gate.worker_pid(), resource.RLIMIT_CPU) == (1000000, 1000000)
        gate.wait_for_line("a process may use 1000000 s of CPU time")
        assert gate.stop() == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="gives up the right to raise hard limits")
def test_a_hard_limit_that_is_too_low_is_refused_with_both_numbers(
    configure: Configure, tmp_path: Path
) -> None:
    powerless = ("setpriv", "--bounding-set", "-sys_resource", "--inh-caps", "-sys_resource")
    with Gate(configure(), tmp_path, prefix=(*powerless, *limited(LOW)), wait_ready=False) as gate:
        assert gate.wait() == 69
        assert re.search(r"\d+ file descriptors are needed", gate.stderr)
        assert f"this process may have {LOW}" in gate.stderr
        assert "LimitNOFILE" in gate.stderr
        assert "Traceback" not in gate.stderr


def lose_a_worker_under(gate: Gate, limit: int) -> None:
    """Kill it while its successor may have no more than `limit`; the limit of before comes back."""
    gate.url()
    pid = gate.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, before[1]))
    gate.kill_worker()
    said = gate.wait_for_line("the worker process cannot start", NOTICED_S)
    assert "Too many open files" in said
    resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
    gate.wait_for_line("serves again", NOTICED_S)
    gate.wait_ready(NOTICED_S)
    assert gate.metrics().value("pollgate_worker_restarts_total") == 1


def test_too_few_for_the_supervisor_to_start_a_worker_are_waited_out_with_every_session(
    configure: Configure, tmp_path: Path
) -> None:
    with Gate(configure(), tmp_path) as gate:
        gate.wait_metric("pollgate_messages_total", PLAYERS)
        lose_a_worker_under(gate, 10)
        assert gate.metrics().value("pollgate_sessions", state="active") == PLAYERS
        assert gate.stop() == 0


def test_too_few_for_a_workers_sockets_are_waited_out_with_every_session(tmp_path: Path) -> None:
    listeners = [{"port": free_port(address="127.7.7.1")} for _ in range(16)]
    addresses = [f"127.7.7.{last}/8" for last in range(1, 5)]  # 64 sockets; the supervisor needs fewer
    settings = {"engine": "epoll", "ports": [{"name": "game0", "address": addresses}], "listen": listeners}
    with Gate(settings, tmp_path) as gate, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as player:
        player.settimeout(NOTICED_S)
        player.connect(("127.7.7.1", listeners[0]["port"]))
        player.send(HEARTBEAT)
        assert len(player.recv(2048)) == len(HEARTBEAT)
        lose_a_worker_under(gate, 40)
        player.send(HEARTBEAT)
        assert len(player.recv(2048)) == len(HEARTBEAT)
        assert gate.metrics().value("pollgate_sessions_admitted_total") == 1
        assert gate.stop() == 0
