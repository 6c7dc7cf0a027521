# SPDX-License-Identifier: BSD-3-Clause
"""The two things that `bench forward` runs: the gateway, and DPDK's testpmd on the same device."""

from __future__ import annotations

import os
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from pyshim.errors import InternalError, UnavailableError
from pyshim.plan import Plan

WARM_UP_S = 0.3
TESTPMD_START_S = 1.5  # it says nothing that could be awaited; a rate needs it to forward, not to be fresh
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0

TESTPMD = "dpdk-testpmd"


@dataclass(frozen=True, slots=True)
class GatewayRun:
    """What one measurement of the gateway showed."""

    packets_per_s: float
    cycles_per_packet: float
    dropped: int  # of what was received meanwhile


def _tail(text: str) -> str:
    """The last line that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no output"


def _finish(process: subprocess.Popen[bytes]) -> None:
    """Wait for a process that was told to end; kill it when it does not."""
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _read_until(name: str, process: subprocess.Popen[bytes], pattern: bytes, timeout_s: float) -> bytes:
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


def _counters(url: str) -> Mapping[str, float]:
    """Samples of one scrape, summed over labels except the worker's busy and idle time and drops."""
    with urlopen(url, timeout=10) as answer:
        text = answer.read().decode()
    totals: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            name = sample.name + sample.labels.get("state", "")
            totals[name] = totals.get(name, 0.0) + sample.value
    return totals


@contextmanager
def _gateway(config: Path) -> Iterator[str]:
    """The appliance itself, as a user runs it; gives the URL of its metrics once it polls."""
    command = [sys.executable, "-P", "-m", "pyshim", "run", "-c", str(config), "--json"]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        said = _read_until("the gateway", process, rb"http://\S+/metrics", START_TIMEOUT_S).decode()
        url = re.search(r"http://\S+/metrics", said)
        if url is None:
            raise InternalError("the gateway named no metrics address")
        _await_ready(process, url.group().replace("/metrics", "/readyz"))
        yield url.group()
    finally:
        process.terminate()
        _finish(process)
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


def measure_gateway(config: Path, seconds: float, tsc_hz: float) -> GatewayRun:
    """Packets per second that the gateway's one worker took through, from its own cycle counters."""
    with _gateway(config) as url:
        time.sleep(WARM_UP_S)
        before = _counters(url)
        time.sleep(seconds)
        after = _counters(url)
    gained = {name: value - before.get(name, 0.0) for name, value in after.items()}
    busy = gained["pollgate_worker_cycles_totalbusy"]
    packets = gained["pollgate_received_packets_total"]
    if packets <= 0:
        raise UnavailableError("the gateway received nothing from the benchmark's capture")
    return GatewayRun(
        packets_per_s=packets * tsc_hz / (busy + gained["pollgate_worker_cycles_totalidle"]),
        cycles_per_packet=busy / packets,
        dropped=int(gained["pollgate_drops_total"]),
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
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        time.sleep(TESTPMD_START_S + WARM_UP_S)
        _tell(process, b"show port stats 0\n")
        time.sleep(seconds)
        _tell(process, b"show port stats 0\nquit\n")
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


def _tell(process: subprocess.Popen[bytes], commands: bytes) -> None:
    if process.stdin is None:
        raise InternalError("testpmd was started without a pipe for its commands")
    with suppress(BrokenPipeError):  # it ended early; its output says why
        process.stdin.write(commands)
        process.stdin.flush()
