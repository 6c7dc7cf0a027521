# SPDX-License-Identifier: BSD-3-Clause
"""Whoever is given a port keeps it, whatever others are given meanwhile."""

from __future__ import annotations

import itertools
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from pyshim.bench.rig import ports
from pyshim.bench.rig.ports import free_port

EACH = 20
ASKING = f"""\
import itertools, sys
from pyshim.bench.rig import ports
ports._numbers = itertools.count(500)  # as in every other process
print(*(ports.free_port() for _ in range({EACH})), flush=True)
sys.stdin.read()
"""


def given(stack: ExitStack) -> set[int]:
    """What a process of its own was given, which uses none of them."""
    command = [sys.executable, "-P", "-c", ASKING]
    process = stack.enter_context(
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    )
    assert process.stdout is not None
    return {int(port) for port in process.stdout.readline().split()}


def test_no_two_processes_are_given_the_same_port() -> None:
    with ExitStack() as stack:
        of_each = [given(stack) for _ in range(3)]
    assert len(set().union(*of_each)) == 3 * EACH


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_port_that_somebody_has_is_not_given(
    monkeypatch: pytest.MonkeyPatch, kind: socket.SocketKind, address: str
) -> None:
    port = free_port(kind, address)
    monkeypatch.setattr(ports, "_numbers", itertools.count(ports._ports().index(port)))
    monkeypatch.setattr(ports, "_claim", lambda _port: socket.socket(socket.AF_UNIX))  # its own is no reason
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, kind) as other:
        other.bind((address, port))
        assert free_port(kind, address) != port


@pytest.mark.parametrize(
    ("chosen", "left"),
    [
        ("32768\t60999\n", range(18_000, 32_768)),
        ("16384\t60999\n", range(61_000, 65_536)),
        ("1024\t30000\n", range(30_001, 65_536)),
        ("1024\t65535\n", range(18_000, 65_536)),
    ],
)
def test_none_is_given_that_the_kernel_may_give_to_anybody_if_there_are_others(
    chosen: str, left: range, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "range").write_text(chosen)
    monkeypatch.setattr(ports, "_CHOSEN_BY_KERNEL", tmp_path / "range")
    monkeypatch.setattr(ports, "_numbers", itertools.count(0))
    assert ports._ports() == left
    assert free_port() in left
