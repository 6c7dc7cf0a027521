# SPDX-License-Identifier: BSD-3-Clause
"""Files that a device's driver would make: what is there already is found out before the driver does."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from pyshim.host.vdev import gather_vdev, gather_vdevs

TX = "net_pcap0,rx_iface=lo,tx_pcap={}"
MEMIF = "net_memif0,role=server,socket-abstract=no,socket={}"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with one of each kind in it."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "directory").mkdir()
    (tmp_path / "file").write_text("something")
    (tmp_path / "circle").symlink_to("circle")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
    return tmp_path


def problems(device: str, path: Path) -> str:
    return "\n".join(gather_vdev(device.format(path), None).problems)


@pytest.mark.parametrize("name", ["file", "new"])
def test_a_capture_is_written_to_a_file(place: Path, name: str) -> None:
    assert problems(TX, place / name) == ""


def test_a_capture_may_be_thrown_away(place: Path) -> None:
    assert problems(TX, Path("/dev/null")) == ""
    (place / "null").symlink_to("/dev/null")
    assert problems(TX, place / "null") == ""


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("fifo", "is a FIFO"),
        ("directory", "is a directory"),
        ("socket", "is a socket, which would be written over"),
        ("circle", "Too many levels of symbolic links"),
        ("missing/new", "missing is not a directory"),
        ("file/new", "file is not a directory"),
        ("n" * 300, "File name too long"),
        ("/dev/zero", "is a device, which would be written over"),
    ],
)
def test_a_capture_is_written_to_nothing_else(place: Path, name: str, why: str) -> None:
    assert why in problems(TX, place / name)
    assert "is the file that" not in "".join(gather_vdevs([TX.format(place / name)], None)[0].problems)


@pytest.mark.parametrize("name", ["socket", "new"])
def test_a_memif_is_served_at_a_socket(place: Path, name: str) -> None:
    assert problems(MEMIF, place / name) == ""


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("fifo", "is a FIFO"),
        ("directory", "is a directory"),
        ("file", "is a file"),
        ("circle", "Too many levels of symbolic links"),
        ("missing/new", "missing is not a directory"),
        ("n" * 300, "longer than the 107 bytes"),
        ("/dev/null", "is a device"),
    ],
)
def test_a_memif_is_served_at_nothing_else(place: Path, name: str, why: str) -> None:
    assert why in problems(MEMIF, place / name)


def test_a_memif_client_may_wait_for_its_server(place: Path) -> None:
    assert problems(MEMIF.replace("server", "client"), place / "missing" / "new") == ""
    assert "is a FIFO" in problems(MEMIF.replace("server", "client"), place / "fifo")


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user takes root")
@pytest.mark.parametrize("device", [TX, MEMIF])
@pytest.mark.parametrize("command", ["check", "run"])
def test_a_directory_that_is_not_ours_to_look_into_is_a_sentence(device: str, command: str) -> None:
    with tempfile.TemporaryDirectory() as name:  # pytest's own is for root alone
        place = Path(name)
        place.chmod(0o755)
        (place / "closed").mkdir(mode=0o700)
        port = {"name": "a", "device": device.format(place / "closed/x"), "address": ["10.0.0.1/24"]}
        config = place / "gate.yaml"
        config.write_text(
            json.dumps({"ports": [port], "eal": {"memory_mib": 64}, "metrics": {"listen": None}})
        )
        done = subprocess.run(
            [sys.executable, "-P", "-m", "pyshim", command, "-c", config],
            user=65534,
            group=65534,
            extra_groups=[],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 69
    assert "closed/x cannot be looked at by uid 65534: Permission denied" in done.stderr
