# SPDX-License-Identifier: BSD-3-Clause
"""Setting up, and every command in its first moments, ends at once and quietly when it is told to."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 180.0

pytestmark = pytest.mark.skipif(shutil.which("dpkg-query") is None, reason="scripts/setup is for Debian")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What setting up reads first, without an environment: making one takes seconds."""
    for name in ("scripts", "configs"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def left_of(checkout: Path) -> list[str]:
    """Command lines of processes that work on the checkout."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                if str(checkout) == str((entry / "cwd").readlink()):
                    found.append((entry / "cmdline").read_text())
    return [line for line in found if line]


def interrupted(checkout: Path, script: str, interrupt: Callable[[int], None]) -> tuple[int, str]:
    """Run a script until it makes the environment, then interrupt it: its end, and all that it said."""
    with subprocess.Popen(
        [checkout / "scripts" / script],
        cwd=checkout,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout is not None
            said = ""
            for line in process.stdout:
                said += line
                if "making .venv" in line:
                    break
            until(lambda: any("venv" in command for command in left_of(checkout)))
            interrupt(process.pid)
            rest, _ = process.communicate(timeout=LIMIT_S)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, said + rest


def until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("script", ["setup", "run"])
@pytest.mark.parametrize(
    ("interrupt", "number"),
    [
        (lambda pid: os.killpg(pid, signal.SIGINT), signal.SIGINT),  # what a terminal does
        (
            lambda pid: os.kill(pid, signal.SIGTERM),
            signal.SIGTERM,
        ),  # what a service manager or timeout(1) does
    ],
    ids=["Ctrl-C", "SIGTERM"],
)
def test_what_is_interrupted_is_no_failure_and_leaves_nothing_running(
    checkout: Path, script: str, interrupt: Callable[[int], None], number: int
) -> None:
    code, said = interrupted(checkout, script, interrupt)
    assert code == -number, said
    assert said.splitlines()[-1] == "setup: interrupted; what is done stays, run it again to go on"
    assert "failed" not in said
    assert "Traceback" not in said
    assert left_of(checkout) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    "command", [("run",), ("check",), ("token", "list"), ("load", "127.0.0.1:9")], ids=" ".join
)
def test_a_command_that_is_interrupted_at_any_of_its_first_moments_says_nothing(
    command: tuple[str, ...], number: int, tmp_path: Path
) -> None:
    config = tmp_path / "gate.yaml"
    config.write_text(
        '{"engine": "epoll", "ports": [{"name": "lo", "address": ["127.0.0.1/8"]}], '
        '"listen": [{"port": 8081, "profile": "session"}], "metrics": {"listen": "127.0.0.1:0"}}'
    )
    options = () if command[0] == "load" else ("-c", str(config))
    for moment in range(12):
        with subprocess.Popen(
            [sys.executable, "-P", "-c", MARKED, *command, *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
            start_new_session=True,
        ) as process:
            try:
                assert process.stdout is not None
                assert process.stdout.readline() == b"begun\n"  # from here on it is ours
                time.sleep(0.04 * moment)
                process.send_signal(number)
                _, said = process.communicate(timeout=LIMIT_S)
            finally:
                process.kill()
        assert b"Traceback" not in said, said.decode()
        assert b"this is a bug" not in said, said.decode()
        # It ended by itself before, or of the signal, or of it in good order.
        assert process.returncode in (0, -number, 128 + number, 69), said.decode()


@pytest.mark.skipif(os.geteuid() != 0, reason="not root: a process namespace needs it")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_process_of_a_container_ends_too(number: int) -> None:
    command = ["unshare", "--pid", "--fork", "--kill-child", sys.executable, "-P", "-c", FIRST]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as outside:
        try:
            assert outside.stdout is not None
            assert outside.stdout.readline() == b"begun\n"
            children = Path(f"/proc/{outside.pid}/task/{outside.pid}/children").read_text().split()
            os.kill(int(children[0]), number)
            assert outside.wait(LIMIT_S) == 128 + number
        finally:
            outside.kill()


def test_the_installed_command_says_nothing_while_python_itself_starts(tmp_path: Path) -> None:
    command = Path(sys.executable).parent / "pollgate"
    for moment in range(60):
        with subprocess.Popen(
            [command, "check", "-c", tmp_path / "none.yaml"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        ) as process:
            time.sleep(0.001 * moment)
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=LIMIT_S)
        assert b"Traceback" not in said, said.decode()
        assert process.returncode in (-signal.SIGINT, 78)


FIRST = """
from pyshim.entry import end_at_once_when_told_to
end_at_once_when_told_to()
import os, time
os.write(1, b"begun\\n")
time.sleep(600)
"""

MARKED = """
from pyshim.entry import end_at_once_when_told_to, main
end_at_once_when_told_to()
import os, sys
os.write(1, b"begun\\n")
sys.argv[0] = "pollgate"
sys.exit(main())
"""
