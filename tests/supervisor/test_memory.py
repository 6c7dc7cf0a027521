# SPDX-License-Identifier: BSD-3-Clause
"""Memory is short: the kernel kills the worker process first, and that is waited out with every session."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyshim.system import oom
from tests.gate import Gate
from tests.ports import free_port
from tests.processes import is_alive

CGROUPS = (Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup"))
HELD_BYTES = 200 << 20  # by a neighbor
NOTICED_S = 60.0  # a bound for busy machines
ROOM_BYTES = 6 << 20  # for a worker process: too little


class Cgroup:
    """A control group with a limit on memory, of version 1 or 2, in which a neighbor holds most of it.

    oom_score_adj counts in thousandths of the limit: beside a limit of little more than the supervisor itself
    it would be worth less than the supervisor is larger than a worker process that only starts.
    """

    def __init__(self, path: Path) -> None:
        path.mkdir()
        self._path = path
        self._limit, self._usage = (
            ("memory.limit_in_bytes", "memory.usage_in_bytes")
            if (path / "memory.limit_in_bytes").exists()
            else ("memory.max", "memory.current")
        )
        (path / self._limit).write_text(str(400 << 20))
        for name, none in (("memory.swappiness", "0"), ("memory.swap.max", "0")):
            if (path / name).exists():  # memory that can go to a disk is never short
                (path / name).write_text(none)
        self._neighbor = self._holds_memory()

    def _holds_memory(self) -> subprocess.Popen[bytes]:
        held = f"import sys; held = b'x' * {HELD_BYTES}; print(flush=True); sys.stdin.read()"
        process = subprocess.Popen(
            [*self.prefix, sys.executable, "-c", held], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"\n"
        return process

    @property
    def prefix(self) -> tuple[str, ...]:
        """Put before a command, this runs it inside."""
        return ("sh", "-c", f'echo $$ >"{self._path}/cgroup.procs" && exec "$@"', "sh")

    def leave(self, bytes_more: int) -> None:
        """So much beside what cannot be had back: what was read from files can be."""
        statistics = dict(line.split() for line in (self._path / "memory.stat").read_text().splitlines())
        from_files = int(statistics["active_file"]) + int(statistics["inactive_file"])
        used = int((self._path / self._usage).read_text()) - from_files
        (self._path / self._limit).write_text(str(used + bytes_more))

    def close(self) -> None:
        self._neighbor.communicate()
        for pid in (self._path / "cgroup.procs").read_text().split():
            (self._path.parent / "cgroup.procs").write_text(pid)
        self._path.rmdir()


@pytest.fixture
def cgroup() -> Iterator[Cgroup]:
    name = f"pollgate-test-{os.getpid()}"
    for parent in CGROUPS:
        try:
            made = Cgroup(parent / name)
        except OSError:
            if (parent / name).is_dir():
                (parent / name).rmdir()
            continue
        yield made
        made.close()
        return
    pytest.skip("no control group with a limit on memory can be made here")


def settings() -> dict[str, object]:
    return {
        "engine": "epoll",
        "ports": [{"name": "lo", "address": ["127.0.0.1/8"]}],
        "listen": [{"port": free_port()}],
    }


def test_a_worker_that_finds_no_memory_is_waited_for_as_long_as_it_takes(
    cgroup: Cgroup, tmp_path: Path
) -> None:
    with Gate(settings(), tmp_path, prefix=cgroup.prefix) as gate:
        gate.url()
        supervisor = gate.process.pid
        os.kill(supervisor, signal.SIGSTOP)
        worker = gate.kill_worker()
        gate.wait_until(lambda: not is_alive(worker))
        cgroup.leave(ROOM_BYTES)
        os.kill(supervisor, signal.SIGCONT)
        gate.wait_for_line("the kernel killed the worker process because memory is short", NOTICED_S)
        gate.wait_until(lambda: "memory is short" in gate.get("/readyz")[1], NOTICED_S)
        cgroup.leave(400 << 20)
        gate.wait_ready(NOTICED_S)
        assert gate.metrics().value("pollgate_worker_restarts_total") == 1
        assert gate.stop() == 0


def test_one_that_only_starts_is_killed_before_everybody_and_one_that_serves_before_its_supervisor(
    tmp_path: Path,
) -> None:
    def adjustment(pid: int) -> int:
        return int(Path(f"/proc/{pid}/oom_score_adj").read_text())

    with Gate(settings(), tmp_path) as gate:
        mine = adjustment(gate.process.pid)
        gate.wait_until(lambda: adjustment(gate.worker_pid()) == mine + oom.SERVING_MORE, NOTICED_S)
        assert gate.stop() == 0
