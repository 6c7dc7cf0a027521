# SPDX-License-Identifier: BSD-3-Clause
"""A FIFO or a device that is named where a file belongs is refused in a sentence, and never waited for."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pyshim.protocol.client import Ticket
from pyshim.system.regular_file import NotRegularError, read_open, read_regular, write_file
from tests.gate import Gate
from tests.issuing.gateway import certificate, configuration, token_file

IRREGULAR = ["fifo", "/dev/zero", "/dev/full", "/dev/random"]


@pytest.fixture(params=IRREGULAR)
def irregular(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A FIFO that nobody writes to, and devices without an end."""
    if request.param != "fifo":
        return Path(request.param)
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return path


def pollgate(*args: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "pyshim", *map(str, args)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def refused(done: subprocess.CompletedProcess[str], code: int) -> None:
    assert done.returncode == code, done.stderr
    assert "a regular file is needed" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", [("run",), ("check",), ("token", "list")], ids=" ".join)
def test_as_a_configuration(command: tuple[str, ...], irregular: Path) -> None:
    refused(pollgate(*command, "-c", irregular), 78)


Control = Callable[[Path, Path], dict[str, object]]


@pytest.mark.parametrize(
    "control",
    [
        lambda directory, path: {"token_file": str(path)},
        lambda directory, path: {"tls": {**certificate(directory), "key": str(path)}},
        lambda directory, path: {"tls": {**certificate(directory), "certificate": str(path)}},
    ],
    ids=["token", "key", "certificate"],
)
@pytest.mark.parametrize("command", ["check", "run"])
def test_as_a_secret(command: str, control: Control, tmp_path: Path, irregular: Path) -> None:
    config = tmp_path / "gate.yaml"
    more = {"listen": "127.0.0.1:0", "token_file": token_file(tmp_path)} | control(tmp_path, irregular)
    config.write_text(json.dumps(configuration(tmp_path, **more)))
    refused(pollgate(command, "-c", config), 69)


def test_as_a_message_to_a_player(tmp_path: Path, irregular: Path) -> None:
    config = tmp_path / "gate.yaml"
    config.write_text(json.dumps(configuration(tmp_path)))
    refused(pollgate("token", "send", "-c", config, "1", "--type", "bulk", "--file", irregular), 2)


def test_as_what_a_benchmark_printed(tmp_path: Path, irregular: Path) -> None:
    refused(pollgate("bench", "results", "--out", tmp_path / "page.md", irregular), 2)


def test_as_a_ticket(irregular: Path) -> None:
    with pytest.raises(NotRegularError):
        Ticket.from_json(irregular)


def test_a_fifo_is_no_capture_to_write(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "out.pcap")
    config = tmp_path / "gate.yaml"
    device = f"net_pcap0,rx_iface=lo,tx_pcap={tmp_path}/out.pcap"
    config.write_text(json.dumps({"ports": [{"name": "a", "device": device, "address": ["10.0.0.1/24"]}]}))
    done = pollgate("check", "-c", config)
    assert done.returncode == 69
    assert "out.pcap is a FIFO" in done.stderr


def test_a_fifo_that_nobody_reads_is_not_written_to(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "page.md")
    done = pollgate("bench", "results", "--out", tmp_path / "page.md", tmp_path / "missing.json")
    assert done.returncode == 69
    assert "cannot be written: nobody reads" in done.stderr


def test_a_configuration_that_became_a_fifo_is_a_refused_reload(tmp_path: Path) -> None:
    with Gate(configuration(tmp_path), tmp_path) as gate:
        gate.config_path.unlink()
        os.mkfifo(gate.config_path)
        gate.process.send_signal(signal.SIGHUP)
        gate.wait_for_line("reload refused.*it is a FIFO")
        assert gate.get("/readyz")[0] == 200
        assert gate.stop() == 0


def test_a_file_in_which_nothing_is_yet_is_not_waited_for() -> None:
    # As /proc/kmsg, which says of itself that it is a regular file.
    reading, writing = os.pipe2(os.O_NONBLOCK)
    try:
        with pytest.raises(OSError, match="nothing to read at the moment"):
            read_open(reading, Path("kmsg"))
    finally:
        os.close(writing)


def test_what_is_written_can_be_read(tmp_path: Path) -> None:
    write_file(tmp_path / "file", b"longer than the next")
    write_file(tmp_path / "file", b"short")
    assert read_regular(tmp_path / "file") == b"short"
    assert read_regular(tmp_path / "file", 2) == b"sh"
