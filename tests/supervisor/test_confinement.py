# SPDX-License-Identifier: BSD-3-Clause
"""What the processes of a running gateway may still do, as the kernel tells it."""

from __future__ import annotations

import os
import pwd
import re
import select
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pyshim.confinement import confine
from pyshim.errors import ExitCode
from tests.gate import Gate
from tests.supervisor.conftest import PLAYERS, Configure

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root has anything to give up")
NOBODY = pwd.getpwnam("nobody")
SECCOMP_FILTER = "2"
ENDED_TIMEOUT_S = 90.0


@dataclass(frozen=True, slots=True)
class Powers:
    """Of one thread, from /proc/PID/task/TID/status."""

    name: str
    uids: tuple[str, ...]
    groups: str
    effective: int
    permitted: int
    bounding: int
    no_new_privs: str
    seccomp: str


def powers(pid: int) -> list[Powers]:
    return [of_thread((task / "status").read_text()) for task in Path(f"/proc/{pid}/task").iterdir()]


def of_thread(status: str) -> Powers:
    found = dict(re.findall(r"^(\w+):[ \t]*(.*)$", status, re.MULTILINE))
    return Powers(
        name=found["Name"],
        uids=tuple(found["Uid"].split() + found["Gid"].split()),
        groups=found["Groups"].strip(),
        effective=int(found["CapEff"], 16),
        permitted=int(found["CapPrm"], 16),
        bounding=int(found["CapBnd"], 16),
        no_new_privs=found["NoNewPrivs"],
        seccomp=found["Seccomp"],
    )


def settings(engine: str, configure: Configure, **workers: Any) -> dict[str, Any]:
    if engine == "dpdk":
        return configure(workers=workers)
    port = {"name": "game0", "address": ["127.0.0.1/8"]}
    return {"engine": engine, "ports": [port], "listen": [{"port": 18_085}], "workers": workers}


@pytest.fixture(params=["dpdk", "epoll", "io_uring"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def gate(engine: str, configure: Configure, tmp_path: Path) -> Iterator[Gate]:
    with Gate(settings(engine, configure), tmp_path) as running:
        yield running


def poll_loops(threads: list[Powers]) -> list[Powers]:
    return [thread for thread in threads if re.match(r"worker\d|(rte|lcore|dpdk)-worker", thread.name)]


@ROOT
def test_a_poll_loop_has_no_capability_and_the_process_gains_none(gate: Gate, engine: str) -> None:
    threads = powers(gate.worker_pid())
    assert poll_loops(threads), [thread.name for thread in threads]
    assert {(thread.effective, thread.permitted) for thread in poll_loops(threads)} == {(0, 0)}
    starting = confine(["net_pcap"], None).starting
    main = threads[0]
    assert (main.effective, main.permitted, main.bounding) == (0, 0, 0)
    assert {thread.no_new_privs for thread in threads} == {"1"}
    assert {thread.seccomp for thread in threads} == {SECCOMP_FILTER}
    assert not any(thread.permitted & ~starting for thread in threads)


@ROOT
def test_the_supervisor_keeps_what_the_next_worker_process_starts_with(gate: Gate, engine: str) -> None:
    main = powers(gate.process.pid)[0]
    starting = confine([] if engine != "dpdk" else ["net_pcap"], None).starting
    mine = of_thread(Path("/proc/self/status").read_text())  # a container's root has less than all
    assert (main.permitted, main.bounding) == (starting & mine.permitted, starting & mine.bounding)
    assert main.no_new_privs == "1"


@ROOT
def test_a_worker_process_becomes_the_user_and_is_replaced_by_one_that_does(
    engine: str, configure: Configure, tmp_path: Path
) -> None:
    with Gate(settings(engine, configure, user="nobody"), tmp_path) as gate:
        wanted = (str(NOBODY.pw_uid),) * 4 + (str(NOBODY.pw_gid),) * 4
        for _ in range(2):
            pid = gate.worker_pid()
            gate.wait_until(lambda pid=pid: {thread.uids for thread in powers(pid)} == {wanted})
            threads = powers(pid)
            assert {thread.groups for thread in threads} == {""}
            assert not any(thread.permitted for thread in threads)
            if engine == "dpdk":
                gate.wait_metric("pollgate_sessions", PLAYERS, state="active")
            gate.kill_worker()
            gate.wait_ready()
        gate.write_config(settings(engine, configure, user="nobody") | {"sessions": {"idle_timeout_s": 20}})
        gate.reload()
        assert gate.stop() == 0


@ROOT
def test_the_kernel_would_kill_the_worker_process_before_the_supervisor(gate: Gate) -> None:
    scores = [
        int(Path(f"/proc/{pid}/oom_score").read_text()) for pid in (gate.process.pid, gate.worker_pid())
    ]
    assert scores[0] < scores[1]


def test_a_stopped_worker_process_ends_when_its_supervisor_has_died(gate: Gate) -> None:
    worker = gate.worker_pid()
    descriptor = os.pidfd_open(worker)
    os.kill(worker, signal.SIGSTOP)
    os.kill(gate.process.pid, signal.SIGKILL)
    try:
        ended, _, _ = select.select([descriptor], [], [], ENDED_TIMEOUT_S)
    finally:
        os.close(descriptor)
    assert ended


@ROOT
def test_a_user_that_is_not_there_is_refused_before_anything_starts(
    configure: Configure, tmp_path: Path
) -> None:
    path = tmp_path / "gate.yaml"
    for name, told, code in (
        ("no-such-user", "this host has no user no-such-user; make one: useradd", ExitCode.UNAVAILABLE),
        ("root", "root is root, which the worker process should not stay", ExitCode.CONFIG),
    ):
        with Gate(configure(workers={"user": name}), tmp_path, wait_ready=False) as gate:
            assert gate.wait() == code
        assert f"{path}:" in gate.stderr
        assert f"workers.user: {told}" in gate.stderr
