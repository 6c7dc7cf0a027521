# SPDX-License-Identifier: BSD-3-Clause
"""Socket files of net_memif that a dead worker left."""

from __future__ import annotations

import socket
from contextlib import closing
from pathlib import Path

import pytest

from pyshim.plan import Plan
from pyshim.planner import plan
from pyshim.run.stale_sockets import remove_stale_sockets
from tests.gate import Gate
from tests.plan.builders import make_config, make_host


def serving(path: Path, role: str = "role=server") -> str:
    return f"net_memif0,{role},socket-abstract=no,socket={path}"


def planned(device: str) -> Plan:
    config = make_config(device)
    return plan(config, make_host(config))


def listener_at(path: Path, backlog: int = 16) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(str(path))
    listener.listen(backlog)
    return listener


def connected_to(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.connect(str(path))
    return connection


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """The file of a listener that is gone."""
    path = tmp_path / "memif.sock"
    listener_at(path).close()
    assert path.is_socket()
    return path


def test_the_socket_of_a_dead_worker_is_removed(left: Path) -> None:
    remove_stale_sockets(planned(serving(left)))
    assert not left.exists()


def test_a_socket_that_somebody_listens_on_stays(tmp_path: Path) -> None:
    path = tmp_path / "memif.sock"
    with closing(listener_at(path)):
        remove_stale_sockets(planned(serving(path)))
        assert path.is_socket()


def test_a_listener_that_takes_no_connection_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "memif.sock"
    with closing(listener_at(path, backlog=0)), closing(connected_to(path)):
        remove_stale_sockets(planned(serving(path)))
        assert path.is_socket()


def test_the_socket_that_a_client_connects_to_is_not_its_to_remove(left: Path) -> None:
    remove_stale_sockets(planned(serving(left, "role=client")))
    assert left.exists()


def test_a_file_that_is_no_socket_stays(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a socket")
    remove_stale_sockets(planned(serving(path)))
    assert path.read_text() == "not a socket"


def test_a_killed_worker_serves_its_memif_again(tmp_path: Path) -> None:
    path = tmp_path / "memif.sock"
    port = {"name": "game0", "device": serving(path), "address": ["10.0.0.1/24"]}
    with Gate({"eal": {"memory_mib": 128}, "ports": [port]}, tmp_path) as gate:
        gate.kill_worker()
        gate.wait_metric("pollgate_worker_restarts_total", 1)
        gate.wait_ready()
        gate.wait_for_line("serves again")
        assert path.is_socket()
        assert gate.stop() == 0
        assert gate.summary["pollgate_worker_restarts_total"] == 1
