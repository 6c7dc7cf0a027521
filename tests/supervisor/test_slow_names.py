# SPDX-License-Identifier: BSD-3-Clause
"""A name server that does not answer, at the start or in a reload, holds up nothing else."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pyshim.errors import ExitCode
from tests.gate import Gate
from tests.ports import free_port

SERVES_S = 60.0  # a bound for busy machines


class Silence(NamedTuple):
    """A name server that never answers."""

    server: socket.socket
    prefix: tuple[str, ...]  # put before a command, this has it ask there


def may_mount() -> bool:
    if os.geteuid() != 0:
        return False
    tried = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False)
    return tried.returncode == 0


@pytest.fixture
def silence(tmp_path: Path) -> Iterator[Silence]:
    if not may_mount():
        pytest.skip("a mount of one's own takes root")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        try:
            server.bind((f"127.53.{os.getpid() >> 8 & 255}.{os.getpid() & 255}", 53))
        except OSError as problem:
            pytest.skip(f"no name server can be had here: {problem}")
        resolver = tmp_path / "resolv.conf"
        # Asked so often that it outlasts every bound of this test.
        resolver.write_text(f"nameserver {server.getsockname()[0]}\noptions timeout:30 attempts:5\n")
        names = tmp_path / "nsswitch.conf"
        names.write_text("hosts: dns\n")
        mounts = f'mount --bind "{resolver}" /etc/resolv.conf && mount --bind "{names}" /etc/nsswitch.conf'
        server.settimeout(SERVES_S)
        yield Silence(server, ("unshare", "--mount", "sh", "-c", f'{mounts} && exec "$@"', "sh"))


def config() -> dict[str, Any]:
    return {
        "engine": "epoll",
        "ports": [{"name": "lo", "address": ["127.0.0.1/8"]}],
        "listen": [{"port": free_port()}],
    }


NOWHERE = {"listen": "nowhere.example:9464"}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, 130)])
def test_a_name_that_is_not_resolved_at_the_start_keeps_no_signal_waiting(
    silence: Silence, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    with Gate(config() | {"metrics": NOWHERE}, tmp_path, prefix=silence.prefix, wait_ready=False) as gate:
        assert silence.server.recv(512)  # it asks
        gate.process.send_signal(number)
        assert gate.wait() == code
        assert gate.stderr == ""


def test_a_name_that_is_not_resolved_at_the_start_is_told_of(silence: Silence, tmp_path: Path) -> None:
    with Gate(config() | {"metrics": NOWHERE}, tmp_path, prefix=silence.prefix, wait_ready=False) as gate:
        assert gate.wait() == ExitCode.UNAVAILABLE
        assert (
            "metrics.listen: nowhere.example:9464 cannot be resolved (no name server answered" in gate.stderr
        )


def test_a_target_that_is_not_resolved_keeps_no_interrupt_waiting(silence: Silence) -> None:
    command = [*silence.prefix, sys.executable, "-P", "-m", "pyshim.cli", "load", "nowhere.example:8080"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as load:
        assert silence.server.recv(512)  # it asks
        load.send_signal(signal.SIGINT)
        _, said = load.communicate(timeout=SERVES_S)
    assert load.returncode == 130
    assert said == ""


def test_a_name_that_is_not_resolved_keeps_no_dead_worker_dead_and_no_signal_waiting(
    silence: Silence, tmp_path: Path
) -> None:
    settings = config()
    with Gate(settings, tmp_path, prefix=silence.prefix) as gate:
        gate.url()
        gate.write_config(settings | {"metrics": NOWHERE})
        gate.reload()
        assert silence.server.recv(512)  # it asks
        gate.kill_worker()
        gate.wait_for_line("the worker process serves again", SERVES_S)
        gate.wait_ready(SERVES_S)
        gate.wait_for_line("within 20 s the configuration could not be read", SERVES_S)
        assert gate.metrics().value("pollgate_config_last_reload_successful") == 0
        gate.write_config(settings | {"sessions": {"idle_timeout_s": 20}})
        gate.reload()
        gate.wait_for_line("configuration reloaded")
        assert gate.stop() == 0
