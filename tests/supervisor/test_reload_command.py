# SPDX-License-Identifier: BSD-3-Clause
"""`pollgate reload`: found by its configuration, a gateway says what came of it."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pyshim.run.reload_socket import socket_name
from tests.gate import Gate
from tests.ports import free_port


@pytest.fixture(autouse=True)
def directory_of_sockets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


def configuration(**more: Any) -> dict[str, Any]:
    return {
        "engine": "epoll",
        "ports": [{"name": "lo", "address": ["127.0.0.1/8"]}],
        "listen": [{"port": free_port()}],
    } | more


def reload(config: Path | str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "pyshim", "reload", "-c", str(config)],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_change_that_is_in_use_is_0_and_said(tmp_path: Path) -> None:
    config = configuration()
    with Gate(config, tmp_path) as gate:
        gate.write_config(config | {"sessions": {"idle_timeout_s": 20}})
        done = reload(gate.config_path)
        assert (done.returncode, done.stdout, done.stderr) == (0, "configuration reloaded\n", "")
        gate.wait_for_line("configuration reloaded")
        assert gate.stop() == 0


def test_a_change_that_is_refused_is_78_with_the_reason(tmp_path: Path) -> None:
    config = configuration()
    with Gate(config, tmp_path) as gate:
        gate.write_config(config | {"sessions": {"capacity": 2048}})
        done = reload(gate.config_path)
        assert (done.returncode, done.stdout) == (78, "")
        assert "sessions.capacity needs a restart" in done.stderr
        gate.write_config("ports: [}")
        done = reload(gate.config_path)
        assert done.returncode == 78
        assert f"{gate.config_path}:1" in done.stderr


def test_a_gateway_is_found_from_elsewhere_and_through_a_link_to_its_directory(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with Gate(configuration(), tmp_path / "real"):
        assert reload("gate.yaml", cwd=tmp_path / "real").returncode == 0
        assert reload(tmp_path / "link" / ".." / "link" / "gate.yaml").returncode == 0


def test_a_link_that_is_turned_to_another_file_is_the_same_configuration(tmp_path: Path) -> None:
    # As Kubernetes updates what it mounts.
    config = configuration()
    with Gate(config, tmp_path) as gate:
        gate.config_path.rename(tmp_path / "first.yaml")
        shutil.copy(tmp_path / "first.yaml", tmp_path / "second.yaml")
        gate.config_path.symlink_to("second.yaml")
        assert reload(gate.config_path).returncode == 0


def test_without_a_gateway_it_is_69_and_one_sentence(tmp_path: Path) -> None:
    config = tmp_path / "gate.yaml"
    done = reload(config)
    assert (done.returncode, done.stdout) == (69, "")
    assert len(done.stderr.splitlines()) == 1
    assert str(config) in done.stderr


def test_from_a_working_directory_that_is_gone_it_is_69_and_said(tmp_path: Path) -> None:
    # A process can only get there by being in it when it is removed.
    gone = tmp_path / "gone"
    gone.mkdir()
    line = f'cd "{gone}" && rmdir "{gone}" && exec "{sys.executable}" -P -m pyshim reload -c gate.yaml'
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 69
    assert "the working directory is gone" in done.stderr


def test_a_name_that_leads_round_in_a_circle_is_69_and_said(tmp_path: Path) -> None:
    (tmp_path / "circle").symlink_to("circle")
    done = reload(tmp_path / "circle" / "gate.yaml")
    assert done.returncode == 69
    assert "no gateway that this user may ask runs with" in done.stderr


def test_one_that_asks_while_the_gateway_ends_is_told(tmp_path: Path) -> None:
    with Gate(configuration(), tmp_path) as gate:
        sockets = [
            Path(name) for name in (f"/run/pollgate/{socket_name(gate.config_path)}",) if os.geteuid() == 0
        ]
        place = next(iter(sockets), tmp_path / "pollgate" / socket_name(gate.config_path))
        with socket.socket(socket.AF_UNIX) as asker:
            asker.settimeout(30)
            asker.connect(str(place))
            gate.wait_until(lambda: gate.get("/readyz")[0] == 200)
            assert gate.stop() == 0
            assert b"the gateway ends" in asker.recv(1000)
        assert not place.exists()


def test_who_says_something_else_is_closed_and_nothing_is_reloaded(tmp_path: Path) -> None:
    with Gate(configuration(), tmp_path) as gate:
        base = Path("/run") if os.geteuid() == 0 else tmp_path
        for said in (b"restart", b"\0" * 5000):
            with socket.socket(socket.AF_UNIX) as asker:
                asker.settimeout(30)
                asker.connect(str(base / "pollgate" / socket_name(gate.config_path)))
                asker.sendall(said)
                with contextlib.suppress(ConnectionResetError):
                    assert asker.recv(1) == b""
        assert reload(gate.config_path).returncode == 0
        assert gate.stderr.count("configuration reloaded") == 1
