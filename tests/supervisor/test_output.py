# SPDX-License-Identifier: BSD-3-Clause
"""Whatever becomes of what a gateway writes to, it goes on serving, and tells the truth of itself."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import termios
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest

from pyshim.system.worker_process import is_worker
from tests.gate import Samples
from tests.ports import free_port

LIMIT_S = 90.0
LOST = "pollgate_output_lost_lines_total"


@dataclass
class Running:
    """A gateway with the standard streams that a test gave it."""

    process: subprocess.Popen[bytes]
    url: str

    def status(self, path: str) -> int:
        """HTTP status; 0 while nobody answers."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=30) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as problem:
            return problem.code
        except OSError:
            return 0

    def metrics(self) -> Samples:
        with urllib.request.urlopen(self.url + "/metrics", timeout=30) as answer:
            return Samples(answer.read().decode())

    def until(self, what: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + LIMIT_S
        while not (found := what()):
            assert self.process.poll() is None, f"it ended with {self.process.returncode}"
            assert time.monotonic() < deadline, f"not within {LIMIT_S:.0f} s"
            time.sleep(0.02)
        return found

    def worker(self) -> int:
        """The worker process, once there is one."""

        def found() -> int | None:
            for entry in Path("/proc").iterdir():
                if entry.name.isdecimal():
                    with contextlib.suppress(OSError):
                        parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                        command = (entry / "cmdline").read_bytes()
                        if parent == self.process.pid and is_worker(command):
                            return int(entry.name)
            return None

        return int(self.until(found))

    def goes_on(self) -> None:
        """A dead worker is replaced, what it says of itself is right, and SIGTERM ends it."""
        died = self.worker()
        os.kill(died, signal.SIGKILL)
        self.until(lambda: self.metrics().value("pollgate_worker_restarts_total") >= 1)
        self.until(lambda: self.status("/readyz") == 200)
        assert self.worker() != died
        assert self.status("/healthz") == 200

    def ends(self) -> int:
        self.process.terminate()
        return self.process.wait(LIMIT_S)


Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a gateway that serves a loopback port, with these standard streams."""
    with contextlib.ExitStack() as stack:

        def begin(stdout: int | IO[bytes], stderr: int | IO[bytes], *args: str) -> Running:
            metrics = free_port(socket.SOCK_STREAM)
            config = tmp_path / "gate.yaml"
            config.write_text(
                json.dumps(
                    {
                        "engine": "epoll",
                        "ports": [{"name": "lo", "address": ["127.0.0.1/8"]}],
                        "listen": [{"port": free_port()}],
                        "metrics": {"listen": f"127.0.0.1:{metrics}"},
                    }
                )
            )
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "pyshim", "run", "-c", str(config), *args],
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env={**os.environ, "TERM": "xterm"},
                start_new_session=True,
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
            running = Running(process, f"http://127.0.0.1:{metrics}")
            running.until(lambda: running.status("/readyz") == 200)
            return running

        yield begin


def full_pipe() -> tuple[int, int]:
    """A pipe that nobody reads, with no room left."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, b"x" * 4096)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, b"x")
    os.set_blocking(writer, True)
    return reader, writer


def test_a_reader_that_goes_away_does_not_end_the_gateway(start: Start) -> None:
    reader, writer = os.pipe()
    gone, out = os.pipe()
    gate = start(out, writer)
    os.close(out)
    os.close(writer)
    os.close(gone)
    gate.until(lambda: gate.metrics().value(LOST, stream="stdout") > 0)
    gate.goes_on()
    assert gate.ends() == 0
    said = os.read(reader, 1 << 16).decode()
    assert said.count("nobody reads standard output any more") == 1
    assert "Traceback" not in said


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_full_disk_does_not_end_the_gateway(start: Start, stream: str, tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full, (tmp_path / "said").open("wb") as said:
        gate = start(full if stream == "stdout" else said, full if stream == "stderr" else said)
        gate.goes_on()
        gate.until(lambda: gate.metrics().value(LOST, stream=stream) > 0)
        assert gate.ends() == 0
    assert "this is a bug" not in (tmp_path / "said").read_text()


def test_when_a_disk_has_room_again_the_lines_lost_are_told(start: Start, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], check=False, capture_output=True
    ).returncode:
        pytest.skip("nothing may be mounted here")
    try:
        filler = disk / "filler"
        with (disk / "out").open("wb") as out, (tmp_path / "said").open("wb") as said:
            gate = start(out, said)
            gate.until(lambda: (disk / "out").stat().st_size > 0)
            with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
                while True:
                    file.write(b"x" * 512)
            gate.until(lambda: gate.metrics().value(LOST, stream="stdout") > 0)
            filler.unlink()
            told = re.compile(r"warning: \d+ lines? of standard output could not be written")
            gate.until(lambda: told.search((tmp_path / "said").read_text()))
            assert gate.ends() == 0
        for line in (disk / "out").read_text().splitlines():
            assert line.count("up_s=") <= 1  # a line that was cut ends before the next one
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.parametrize("streams", ["stdout", "stderr", "both"])
def test_a_reader_that_stops_reading_holds_nothing_up(start: Start, streams: str, tmp_path: Path) -> None:
    reader, writer = full_pipe()
    with (tmp_path / "said").open("wb") as said:
        stdout = writer if streams in ("stdout", "both") else said
        stderr = writer if streams in ("stderr", "both") else said
        gate = start(stdout, stderr)
        gate.goes_on()
        assert gate.ends() == 0
    os.close(reader)
    os.close(writer)


def test_a_terminal_that_was_stopped_holds_nothing_up_and_is_told_later(start: Start) -> None:
    screen, terminal = pty.openpty()
    gate = start(terminal, terminal)
    termios.tcflow(terminal, termios.TCOOFF)  # Ctrl-S
    gate.goes_on()
    os.kill(gate.worker(), signal.SIGKILL)
    gate.until(lambda: gate.metrics().value("pollgate_worker_restarts_total") >= 2)
    termios.tcflow(terminal, termios.TCOON)  # Ctrl-Q
    drawn = b""
    while drawn.count(b"was killed by SIGKILL") < 2:
        drawn += os.read(screen, 65536)
    gate.process.terminate()
    os.close(terminal)
    with contextlib.suppress(OSError):  # how a terminal says that its last writer has gone
        while piece := os.read(screen, 65536):
            drawn += piece
    os.close(screen)
    assert gate.process.wait(LIMIT_S) == 0
    assert b"Ran for" in drawn


def test_a_terminal_that_stays_stopped_does_not_keep_sigterm_waiting(start: Start) -> None:
    screen, terminal = pty.openpty()
    gate = start(terminal, terminal)
    termios.tcflow(terminal, termios.TCOOFF)
    assert gate.ends() == 0
    os.close(terminal)
    os.close(screen)


def test_a_slow_reader_gets_the_whole_json_object(start: Start) -> None:
    reader, writer = full_pipe()
    gate = start(writer, subprocess.DEVNULL, "--json")
    os.close(writer)
    gate.process.terminate()
    said = b""
    while piece := os.read(reader, 1000):
        said += piece
        time.sleep(0.001)
    os.close(reader)
    assert gate.process.wait(LIMIT_S) == 0
    summary = json.loads(said.lstrip(b"x"))
    assert summary["pollgate_worker_restarts_total"] == 0


def test_a_json_object_that_finds_no_room_is_one_sentence_and_69(start: Start, tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full, (tmp_path / "said").open("wb") as said:
        gate = start(full, said, "--json")
        assert gate.ends() == 69
    lines = (tmp_path / "said").read_text().splitlines()
    assert lines[1:] == ["standard output cannot be written: No space left on device"]


def test_a_worker_process_never_waits_for_whoever_reads_its_log(start: Start) -> None:
    gate = start(subprocess.DEVNULL, subprocess.DEVNULL)
    for fd in (1, 2):
        text = Path(f"/proc/{gate.worker()}/fdinfo/{fd}").read_text()
        flags = re.search(r"^flags:\s*(\d+)", text, re.MULTILINE)
        assert flags is not None
        assert int(flags[1], 8) & os.O_NONBLOCK
    assert gate.ends() == 0


def test_standard_streams_that_are_closed_become_nobodys_file(tmp_path: Path) -> None:
    config = tmp_path / "gate.yaml"
    config.write_text('{"ports": [{"name": "game0", "device": "net_null0", "address": ["10.0.0.1/24"]}]}')
    command = f'exec {sys.executable} -P -m pyshim check -c "{config}" <&- >&- 2>"{tmp_path}/said"'
    done = subprocess.run(["sh", "-c", command], timeout=60, check=False)
    assert (done.returncode, (tmp_path / "said").read_text()) == (0, "")
