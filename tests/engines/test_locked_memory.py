# SPDX-License-Identifier: BSD-3-Clause
"""The locked memory that `check` asks for io_uring's rings is what they take, no less, no more."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.gate import Gate
from tests.nobody import nobody_with, open_directory
from tests.ports import free_port

__all__ = ["open_directory"]

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="not root: runs as other users")

CPUS = sorted(os.sched_getaffinity(0))
CHARGED = "from pyshim.system.io_uring import charges_rings; print(charges_rings())"
_users = itertools.count()


def limited(kib: int, *capabilities: str) -> tuple[str, ...]:
    """A command's beginning: with this limit, as a new user, whose locked memory nobody else shares.

    What a process had locked is given back some time after its end.
    """
    user = str(1_000_000 + os.getpid() % 100_000 * 10 + next(_users))
    as_nobody = (word.replace("65534", user) for word in nobody_with(*capabilities))
    return ("prlimit", f"--memlock={kib << 10}:{kib << 10}", *as_nobody)


def charged(*command: str) -> bool:
    done = subprocess.run(
        [*command, sys.executable, "-P", "-c", CHARGED],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout == "True\n"


@pytest.fixture
def charging(open_directory: Path) -> None:
    if not charged(*limited(64)):
        pytest.skip("this kernel does not charge rings to locked memory (before Linux 6.14)")


def configuration(engine: str = "io_uring") -> dict[str, Any]:
    return {
        "engine": engine,
        "ports": [{"name": "lo", "address": ["127.0.0.1/8"]}],
        "listen": [{"port": free_port()}],
        "workers": {"cpus": CPUS[:1]},
    }


def test_who_may_lock_anything_is_not_asked_for_it() -> None:
    assert not charged("prlimit", "--memlock=0:0")  # root
    assert not charged(*limited(0, "ipc_lock"))


@pytest.mark.usefixtures("charging")
def test_what_is_locked_is_as_much_as_is_said(open_directory: Path) -> None:
    with Gate(configuration(), open_directory, prefix=limited(64), wait_ready=False) as gate:
        assert gate.wait() == 69
        said = gate.stderr
    assert re.match(rf"{gate.config_path}:\d+: engine: ", said)
    assert "together may lock 64;" in said
    named = re.search(r"set ulimit -l (\d+) ", said)
    assert named is not None
    enough = int(named[1])
    with Gate(configuration(), open_directory, prefix=limited(enough)) as gate:
        assert gate.stop() == 0


@pytest.mark.usefixtures("charging")
def test_check_says_what_run_would(open_directory: Path) -> None:
    gate = Gate(configuration(), open_directory)
    done = subprocess.run(
        [*limited(64), sys.executable, "-P", "-m", "pyshim.cli", "check", "-c", str(gate.config_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (69, "")
    assert "KiB of locked memory are needed" in done.stderr
    assert len(done.stderr.splitlines()) <= 2
    gate.write_config(configuration("epoll"))
    done = subprocess.run(
        [*limited(0), sys.executable, "-P", "-m", "pyshim.cli", "check", "-c", str(gate.config_path)],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0
