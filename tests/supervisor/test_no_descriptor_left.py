# SPDX-License-Identifier: BSD-3-Clause
"""A supervisor that has no file descriptor left for a connection closes it at once, and says so."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from pyshim.system.spare_descriptor import SpareDescriptor
from tests.gate import Gate
from tests.issuing.gateway import configuration, token_file
from tests.ports import free_port

ENDED_S = 30.0  # a bound for busy machines


@contextmanager
def nothing_left(pid: int) -> Iterator[None]:
    """No descriptor for this process beside those that it has."""
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    highest = max(int(path.name) for path in Path(f"/proc/{pid}/fd").iterdir())
    with contextlib.ExitStack() as gaps:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (highest + 1, before[1]))
        gaps.callback(resource.prlimit, pid, resource.RLIMIT_NOFILE, before)
        yield


def is_closed_at_once(where: tuple[str, int]) -> bool:
    with socket.create_connection(where, ENDED_S) as asker:
        try:
            return asker.recv(100) == b""  # who waits for a question says nothing, and is waited for in vain
        except ConnectionResetError:
            return True


def ask_until_said(gate: Gate, stack: contextlib.ExitStack, where: tuple[str, int], said: str) -> None:
    """Connect until it is said. Who is let in says nothing and stays: whatever gap there is gets filled."""

    def is_said() -> bool:
        with contextlib.suppress(OSError):
            stack.enter_context(socket.create_connection(where, ENDED_S))
        return said in gate.stderr

    gate.wait_until(is_said, ENDED_S)


def test_connections_are_closed_and_said_and_served_again_later(tmp_path: Path) -> None:
    control = ("127.0.0.1", free_port(socket.SOCK_STREAM))
    more = {"listen": f"127.0.0.1:{control[1]}", "token_file": token_file(tmp_path)}
    with Gate(configuration(tmp_path, **more), tmp_path) as gate:
        host, port = gate.url().split("/")[2].split(":")
        metrics = (host, int(port))
        with nothing_left(gate.process.pid), contextlib.ExitStack() as stack:
            ask_until_said(gate, stack, control, "warning: control: connections are closed at once")
            ask_until_said(gate, stack, metrics, "warning: metrics: connections are closed at once")
            assert is_closed_at_once(control)
            assert is_closed_at_once(metrics)
        gate.wait_until(lambda: gate.get("/readyz")[0] == 200, ENDED_S)
        assert gate.stop() == 0
        assert "Traceback" not in gate.stderr


def test_a_connection_that_is_refused_does_not_stay_in_the_queue(caplog: pytest.LogCaptureFixture) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        listener.setblocking(False)
        with closing(SpareDescriptor("control")) as spare:
            for _ in range(3):
                with socket.create_connection(listener.getsockname(), ENDED_S) as asker:
                    spare.refuse(listener, OSError(24, os.strerror(24)))
                    assert asker.recv(10) == b""
            with pytest.raises(BlockingIOError):
                listener.accept()
    assert len(caplog.records) == 1
