# SPDX-License-Identifier: BSD-3-Clause
"""`pollgate conformance` as it is typed: what it prints, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conformance import document
from tests.ports import free_port

TICKET = {"session": 16777217, "key": "A" * 43}
# Two HELLOs at once, with padding that is not 0.
WRONG = """
import os, socket, struct, time
host, _, port = os.environ["POLLGATE_ADDRESS"].rpartition(":")
session = int(os.environ["POLLGATE_SESSION"])
hello = struct.pack("<BBHIIHH16s40s", 1, 0, 72, session, 0, 2, 0, os.urandom(16), b"\\1" * 40)
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
    while True:
        out.sendto(hello, (host, int(port)))
        time.sleep(0.05)
"""


def wait_until(holds: Callable[[], bool], seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.05)


def conformance(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "pyshim.cli", "conformance", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)


def test_tables_of_the_document_are_those_of_the_sources() -> None:
    text = document.README.read_text()
    assert document.with_tables(text) == text, "python -m tests.conformance.document"


@pytest.mark.parametrize("subject", ["client", "gateway"])
def test_checks_are_listed(subject: str) -> None:
    done = conformance(subject, "--list")
    assert done.returncode == 0, done.stderr
    assert "| `replay` | 5 |" in done.stdout


def test_client_that_breaks_a_rule_ends_in_1_and_is_told_which() -> None:
    done = conformance("client", "--only", "hello-lost", "--json", "--", sys.executable, "-c", WRONG)
    assert done.returncode == 1, done.stderr
    said = json.loads(done.stdout)
    verdicts = {one["id"]: one for one in said["checks"]}
    assert verdicts["hello-layout"]["verdict"] == "fail"
    assert verdicts["hello-repeats"]["verdict"] == "fail"
    assert verdicts["hello-same"]["verdict"] == "pass"
    assert verdicts["hello-layout"]["section"] == "3"
    assert said["counts"]["fail"] == sum(one["verdict"] == "fail" for one in said["checks"])
    assert "fails" in done.stderr


def test_command_that_cannot_be_run_is_named() -> None:
    done = conformance("client", "--only", "denied", "--", "/nowhere/client")
    assert done.returncode == 69
    assert "/nowhere/client cannot be run" in done.stdout
    assert "Traceback" not in done.stderr


def test_client_ends_with_the_kit(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    script = (
        f"import os, pathlib, time; pathlib.Path({str(told)!r}).write_text(str(os.getpid())); time.sleep(600)"
    )
    command = [sys.executable, "-P", "-m", "pyshim.cli", "conformance", "client", "--only", "denied"]
    with subprocess.Popen([*command, "--", sys.executable, "-c", script]) as kit:
        try:
            wait_until(lambda: told.exists() and told.read_text() != "")
            kit.terminate()
            assert kit.wait(60) == 130
        finally:
            kit.kill()
    pid = int(told.read_text())
    wait_until(lambda: not Path(f"/proc/{pid}").exists())


def test_gateway_that_is_not_there_ends_in_69(tmp_path: Path) -> None:
    path = tmp_path / "ticket.json"
    path.write_text(json.dumps(TICKET | {"address": f"127.0.0.1:{free_port()}"}))
    done = conformance("gateway", "--only", "challenge", "--ticket", str(path))
    assert done.returncode == 69, done.stdout
    assert "no datagram came from the gateway" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["gateway"], "give -c FILE"),
        (["gateway", "--only", "nothing", "--ticket", "x"], "no check or scenario has this name"),
        (["client", "--listen", "nowhere"], "expected HOST:PORT"),
        (["gateway", "--ticket", "/nowhere/ticket.json"], "cannot be read"),
    ],
)
def test_usage_is_told_in_a_sentence(arguments: list[str], said: str) -> None:
    done = conformance(*arguments)
    assert done.returncode in (2, 69), done.stdout
    assert said in done.stderr
    assert "Traceback" not in done.stderr
