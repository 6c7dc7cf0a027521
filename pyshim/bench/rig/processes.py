# SPDX-License-Identifier: BSD-3-Clause
"""What benchmarks run: the gateway as a user runs it, and DPDK's testpmd on the same device."""

from __future__ import annotations

import os
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from pyshim.errors import InternalError, UnavailableError
from pyshim.plan import Plan

WARM_UP_S = 0.3
TESTPMD_START_S = 1.5  # it says nothing that could be awaited; a rate needs it to forward, not to be fresh
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0

TESTPMD = "dpdk-testpmd"

_COUNT = re.compile(r"\d+ errors?\s*")  # ends a list of errors
_RECEIVED = "pollgate_received_packets_total"
_CYCLES = "pollgate_worker_cycles_total"


Sample = tuple[str, str, str]  # name, worker, state


@dataclass(frozen=True, slots=True)
class GatewayRun:
    """What one measurement of the gateway showed."""

    packets_per_s: float  # of all workers together
    cycles_per_packet: float
    dropped: int  # of what was received meanwhile
    handed_over: int  # received by another worker than has the session


def _tail(text: str) -> str:
    """The last line that says something: not the number of errors, but one of them."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not _COUNT.fullmatch(line)]
    return lines[-1] if lines else "no output"


def finish(process: subprocess.Popen[bytes]) -> None:
    """Wait for a process that was told to end; kill it when it does not."""
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def read_until(name: str, process: subprocess.Popen[bytes], pattern: bytes, timeout_s: float) -> bytes:
    """Read standard output until `pattern` matches it; everything read is returned.

    Raises:
        UnavailableError: the process ended or `timeout_s` passed first.
    """
    stream = process.stdout
    if stream is None:
        raise InternalError("a process whose output is awaited was started without a pipe")
    read = b""
    deadline = time.monotonic() + timeout_s
    while not re.search(pattern, read):
        ready, _, _ = select.select([stream], [], [], max(0.0, deadline - time.monotonic()))
        piece = os.read(stream.fileno(), 65536) if ready else b""
        if not piece:
            why = "did not answer" if not ready else "ended"
            raise UnavailableError(f"{name} {why}: {_tail(read.decode(errors='replace'))}")
        read += piece
    return read


def scrape(url: str) -> Mapping[Sample, float]:
    """Samples of one scrape, summed over all labels except worker and state."""
    with urlopen(url, timeout=10) as answer:
        text = answer.read().decode()
    totals: dict[Sample, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, sample.labels.get("worker", ""), sample.labels.get("state", ""))
            totals[key] = totals.get(key, 0.0) + sample.value
    return totals


def total(samples: Mapping[Sample, float], name: str, state: str | None = None) -> float:
    """A metric over all workers, in one state or in all of them."""
    return sum(
        value for key, value in samples.items() if key[0] == name and (state is None or key[2] == state)
    )


@contextmanager
def gateway(config: Path) -> Iterator[str]:
    """The appliance itself, as a user runs it; gives the URL of its metrics once it polls.

    In a process group of its own: Ctrl-C is for the benchmark, which then ends what it started.
    """
    command = [sys.executable, "-P", "-m", "pyshim", "run", "-c", str(config), "--json"]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, process_group=0
    )
    try:
        said = read_until("the gateway", process, rb"http://\S+/metrics", START_TIMEOUT_S).decode()
        url = re.search(r"http://\S+/metrics", said)
        if url is None:
            raise InternalError("the gateway named no metrics address")
        _await_ready(process, url.group().replace("/metrics", "/readyz"))
        yield url.group()
    finally:
        process.terminate()
        finish(process)
        if process.stdout is not None:
            process.stdout.close()


def _await_ready(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urlopen(url, timeout=1):
                return
        except OSError:
            time.sleep(0.02)
    raise UnavailableError("the gateway did not become ready; run it by itself to see why")


def _await_sessions(url: str, sessions: int) -> None:
    """Wait until every player of a capture has a session: from then on no packet makes one.

    Raises:
        UnavailableError: they do not become so many.
    """
    deadline = time.monotonic() + START_TIMEOUT_S
    while (held := int(total(scrape(url), "pollgate_sessions"))) < sessions:
        if time.monotonic() > deadline:
            raise UnavailableError(
                f"the gateway has {held:,} sessions {START_TIMEOUT_S:.0f} s after it started, {sessions:,} "
                "are in the capture; run it by itself to see what it drops"
            )
        time.sleep(0.05)


class Stage:
    """Has one gateway running at a time: that which was measured last, so that the next time is quick."""

    def __init__(self) -> None:
        """Nothing runs yet."""
        self._config: Path | None = None
        self._url = ""
        self._running = ExitStack()

    def __enter__(self) -> Self:
        """Nothing runs yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the one that runs."""
        self._running.close()

    def measure(self, config: Path, seconds: float, tsc_hz: float, sessions: int = 1) -> GatewayRun:
        """Packets per second that the gateway's workers took through, each from its own cycle counters.

        Args:
            config: the gateway's configuration; another than the last time ends that gateway first.
            seconds: how long to measure.
            tsc_hz: cycles per second of the counters.
            sessions: how many there must be before anything is measured.
        """
        if self._config != config:
            self._running.close()
            self._config = None
            self._url = self._running.enter_context(gateway(config))
            _await_sessions(self._url, sessions)
            time.sleep(WARM_UP_S)
            self._config = config
        before = scrape(self._url)
        time.sleep(seconds)
        after = scrape(self._url)
        return run_between(before, after, tsc_hz)


def measure_gateway(config: Path, seconds: float, tsc_hz: float, sessions: int = 1) -> GatewayRun:
    """What `Stage.measure` does, with a gateway that is started for it and ended after it."""
    with Stage() as stage:
        return stage.measure(config, seconds, tsc_hz, sessions)


def run_between(before: Mapping[Sample, float], after: Mapping[Sample, float], tsc_hz: float) -> GatewayRun:
    """What happened between two scrapes.

    A worker that shares its CPU counts the cycles that it did not have too: they are part of its rate.

    Raises:
        UnavailableError: nothing was received.
    """
    gained = {key: value - before.get(key, 0.0) for key, value in after.items()}
    packets = {worker: count for (name, worker, _), count in gained.items() if name == _RECEIVED}
    if sum(packets.values()) <= 0:
        raise UnavailableError("the gateway received nothing from the benchmark's capture")
    rates = (
        count * tsc_hz / (gained[_CYCLES, worker, "busy"] + gained[_CYCLES, worker, "idle"])
        for worker, count in packets.items()
    )
    return GatewayRun(
        packets_per_s=sum(rates),
        cycles_per_packet=total(gained, _CYCLES, "busy") / sum(packets.values()),
        dropped=int(total(gained, "pollgate_drops_total")),
        handed_over=int(total(gained, "pollgate_handed_over_packets_total")),
    )


def testpmd_path() -> str:
    """Where testpmd is.

    Raises:
        UnavailableError: it is not installed.
    """
    path = shutil.which(TESTPMD)
    if path is None:
        raise UnavailableError(f"{TESTPMD} is not installed; on Debian: apt-get install dpdk-dev")
    return path


def measure_testpmd(plan: Plan, mode: str, seconds: float) -> float:
    """Packets per second that testpmd forwards on the plan's first device, with the same cores and memory.

    testpmd itself computes the rate between two `show port stats`, from its own clock.
    """
    command = [
        *(testpmd_path(), *plan.eal_args, "--"),
        *("--interactive", f"--forward-mode={mode}", "--auto-start", "--nb-cores=1"),
        f"--total-num-mbufs={plan.pools[0].mbufs}",
    ]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, process_group=0
    )
    try:
        time.sleep(TESTPMD_START_S + WARM_UP_S)
        ask_testpmd(process, "show port stats 0\n")
        time.sleep(seconds)
        ask_testpmd(process, "show port stats 0\nquit\n")
        said, _ = process.communicate(timeout=STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise UnavailableError(f"{TESTPMD} did not end when it was told to") from error
    finally:
        process.kill()
        process.wait()
    # Its output is buffered until it ends and read then; the second answer is the rate since the first.
    rates = re.findall(rb"Rx-pps:\s+(\d+)", said)
    if not rates or int(rates[-1]) == 0:
        raise UnavailableError(f"{TESTPMD} forwarded nothing: {_tail(said.decode(errors='replace'))}")
    return float(rates[-1])


def ask_testpmd(process: subprocess.Popen[bytes], commands: str) -> None:
    """Type commands, each with its line's end; what it answers comes when it ends."""
    if process.stdin is None:
        raise InternalError("testpmd was started without a pipe for its commands")
    with suppress(BrokenPipeError):  # it ended early; its output says why
        process.stdin.write(commands.encode())
        process.stdin.flush()
