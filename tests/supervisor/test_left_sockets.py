# SPDX-License-Identifier: BSD-3-Clause
"""Sockets of gateways that were killed: the next one removes them, and never one that somebody has."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pyshim.config.values import UnixSocket
from pyshim.issuing.access import bind
from pyshim.run.reload_socket import socket_name
from pyshim.system.unix_socket import listen_among_ours
from tests.gate import Gate
from tests.ports import free_port
from tests.supervisor.test_reload_command import reload


@pytest.fixture(autouse=True)
def directory_of_sockets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    directory = tmp_path / "ours"
    directory.mkdir()
    return directory


def bound(path: Path, kind: socket.SocketKind = socket.SOCK_STREAM) -> socket.socket:
    some = socket.socket(socket.AF_UNIX, kind)
    some.bind(str(path))
    return some


def left(path: Path) -> Path:
    """The file of a socket that is gone."""
    bound(path).close()
    assert path.is_socket()
    return path


# ---------------------------------------------------------------- gateways


def configuration(**more: Any) -> dict[str, Any]:
    return {
        "engine": "epoll",
        "ports": [{"name": "lo", "address": ["127.0.0.1/8"]}],
        "listen": [{"port": free_port()}],
    } | more


def reload_socket(gate: Gate, tmp_path: Path) -> Path:
    base = Path("/run") if os.geteuid() == 0 else tmp_path
    return base / "pollgate" / socket_name(gate.config_path)


def test_what_a_killed_gateway_left_is_removed_by_the_next_and_a_live_ones_socket_stays(
    tmp_path: Path,
) -> None:
    for name in ("killed", "lives", "next"):
        (tmp_path / name).mkdir()
    with Gate(configuration(), tmp_path / "killed") as killed:
        killed.process.send_signal(signal.SIGKILL)
        killed.process.wait(timeout=60)
        assert reload_socket(killed, tmp_path).is_socket()
        with Gate(configuration(), tmp_path / "lives") as lives, Gate(configuration(), tmp_path / "next"):
            assert not reload_socket(killed, tmp_path).exists()
            assert reload(lives.config_path).returncode == 0


def test_the_control_socket_of_a_killed_gateway_is_removed_by_the_next_of_another_prefix(
    ours: Path,
) -> None:
    dead = left(ours / "killed.sock")
    with closing(bind(UnixSocket(f"{ours}/next.sock"), is_default=True)):
        assert not dead.exists()


def test_where_the_operator_put_a_control_socket_nothing_else_is_removed(ours: Path) -> None:
    dead = left(ours / "killed.sock")
    with closing(bind(UnixSocket(f"{ours}/next.sock"), is_default=False)):
        assert dead.exists()


# ---------------------------------------------------------------- which ones


def test_just_sockets_that_nobody_has_are_removed(ours: Path) -> None:
    dead = left(ours / "gate-1.reload")
    left(ours / "gate.sock")
    (ours / "notes.reload").write_text("no socket")
    with (
        closing(bound(ours / "starting.reload")),  # it does not listen yet
        closing(bound(ours / "other.reload", socket.SOCK_SEQPACKET)),
        closing(listen_among_ours(ours / "mine.reload")),
    ):
        assert not dead.exists()
        names = {"gate.sock", "mine.reload", "notes.reload", "other.reload", "starting.reload"}
        assert {path.name for path in ours.iterdir()} == names


def test_one_that_takes_no_connection_is_not_disturbed(ours: Path) -> None:
    with closing(bound(ours / "busy.reload")) as busy, closing(socket.socket(socket.AF_UNIX)) as first:
        busy.listen(0)
        first.connect(str(ours / "busy.reload"))
        with closing(listen_among_ours(ours / "mine.reload")):
            assert (ours / "busy.reload").is_socket()
        busy.accept()[0].close()
        busy.setblocking(False)
        with pytest.raises(BlockingIOError):
            busy.accept()


def test_while_another_sweeps_nothing_is_removed_but_the_own_socket_is_made(ours: Path) -> None:
    dead = left(ours / "gate-1.reload")
    fd = os.open(ours, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    try:
        with closing(listen_among_ours(ours / "mine.reload")):
            assert dead.is_socket()
    finally:
        os.close(fd)


def test_of_many_that_start_at_once_each_keeps_its_socket(ours: Path) -> None:
    # All were killed: every one finds its own socket dead, and those of the others.
    paths = [left(ours / f"gate-{number}.reload") for number in range(32)]
    gate = threading.Barrier(len(paths))
    mask = os.umask(0o077)  # each sets it for a moment: of the process
    listeners: list[socket.socket] = []

    def start(path: Path) -> None:
        gate.wait(60)
        listeners.append(listen_among_ours(path))

    threads = [threading.Thread(target=start, args=(path,)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    os.umask(mask)
    for path in paths:
        with closing(socket.socket(socket.AF_UNIX)) as asker:
            asker.connect(str(path))
    for listener in listeners:
        listener.close()
    assert len(listeners) == len(paths)
