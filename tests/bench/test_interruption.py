# SPDX-License-Identifier: BSD-3-Clause
"""An interrupt comes where a benchmark waits: never between the start of a process and the note of it."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pyshim.bench.commands import measure
from pyshim.bench.description import Bench, Request
from pyshim.bench.reports.report import Note, Row
from pyshim.bench.rig import processes
from pyshim.bench.rig.processes import gateway, run_to_end
from pyshim.system.interruption import Interruption, interruptible, interrupts_held, sleep
from tests.bench.test_interrupt import children_of_nobody
from tests.processes import is_alive

NUMBERS = [signal.SIGINT, signal.SIGTERM]
LONG_S = 100.0
ENDED_S = 60.0


def interrupt(number: signal.Signals = signal.SIGINT) -> None:
    signal.raise_signal(number)


@pytest.fixture
def held() -> Iterator[Interruption]:
    with interrupts_held() as interruption:
        yield interruption


@pytest.mark.parametrize("number", NUMBERS)
def test_an_interrupt_waits_for_a_block_that_can_be_left(held: Interruption, number: signal.Signals) -> None:
    interrupt(number)
    done = ["what must not be torn apart"]
    with pytest.raises(KeyboardInterrupt), interruptible():
        done.append("never")
    assert done == ["what must not be torn apart"]
    assert held.came


@pytest.mark.parametrize("number", NUMBERS)
def test_an_interrupt_ends_a_wait_at_once(held: Interruption, number: signal.Signals) -> None:
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    before = signal.signal(signal.SIGALRM, lambda *_: interrupt(number))
    try:
        with pytest.raises(KeyboardInterrupt):
            sleep(LONG_S)
    finally:
        signal.signal(signal.SIGALRM, before)


def test_an_interrupt_that_a_finaliser_swallowed_comes_at_the_next_wait(held: Interruption) -> None:
    with contextlib.suppress(KeyboardInterrupt), interruptible():
        interrupt()
    with pytest.raises(KeyboardInterrupt):
        sleep(LONG_S)


def test_cleaning_up_after_an_interrupt_is_not_interrupted(held: Interruption) -> None:
    cleaned = []

    def waits_and_cleans_up() -> None:
        try:
            interrupt()
        finally:
            interrupt()
            cleaned.append("all of it")

    with pytest.raises(KeyboardInterrupt), interruptible():
        waits_and_cleans_up()
    assert cleaned == ["all of it"]


def test_afterwards_interrupts_are_what_they_were_before() -> None:
    before = [signal.getsignal(number) for number in NUMBERS]
    with interrupts_held():
        assert [signal.getsignal(number) for number in NUMBERS] != before
    assert [signal.getsignal(number) for number in NUMBERS] == before
    with interruptible():
        pass  # and where none are held, nothing changes


def test_an_interrupt_while_a_gateway_is_being_started_leaves_none(
    held: Interruption, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "gate.yaml"
    config.write_text("ports: [{name: game0, device: net_null0, address: [10.0.0.1/24]}]\n")
    start = subprocess.Popen
    started = []

    def start_and_interrupt(*args: Any, **options: Any) -> subprocess.Popen[bytes]:
        started.append(start(*args, **options))
        interrupt()
        return started[-1]

    monkeypatch.setattr(processes.subprocess, "Popen", start_and_interrupt)
    with pytest.raises(KeyboardInterrupt), gateway(config):
        pass
    assert started[0].returncode is not None
    assert children_of_nobody(str(tmp_path)) == []


def test_what_a_command_started_ends_with_it(tmp_path: Path) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        run_to_end(("sh", "-c", f"sleep {LONG_S} & echo $! >{tmp_path}/pid; wait"), 1.0)
    child = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + ENDED_S
    while is_alive(child):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_command_that_ends_is_told_with_all_that_it_said() -> None:
    done = run_to_end(("sh", "-c", "echo out; echo err >&2; echo $GIVEN; exit 3"), LONG_S, {"GIVEN": "given"})
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\ngiven\n", "err\n")


def test_a_benchmark_that_is_interrupted_where_nothing_waits_any_more_is_complete() -> None:
    def rows(request: Request) -> Iterator[Row | Note]:
        interrupt()
        yield Note("a remark")

    with interrupts_held() as interruption:
        report, ended = measure(Bench("made-up", "Nothing.", rows), Request(pairs=1, seconds=0.2))
    assert (report.complete, ended, interruption.came) == (True, None, True)
