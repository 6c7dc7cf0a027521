# SPDX-License-Identifier: BSD-3-Clause
"""What benchmarks run: the gateway as a user runs it, and what its metrics say of a measurement."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Self
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from pyshim.bench.rig.observe import observe
from pyshim.bench.rig.placement import core_share
from pyshim.errors import InternalError, UnavailableError
from pyshim.system.interruption import interruptible, sleep

WARM_UP_S = 0.3
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
_LOOK_S = 0.02  # how often a process is asked whether it has ended

_COUNT = re.compile(r"\d+ errors?\s*")  # ends a list of errors
_RECEIVED = "pollgate_received_packets_total"
_CYCLES = "pollgate_worker_cycles_total"
_STATES = ("busy", "idle", "off_cpu")  # together all of a worker's time


Sample = tuple[str, str, str]  # name, worker, state


@dataclass(frozen=True, slots=True)
class GatewayRun:
    """What one measurement of the gateway showed."""

    packets_per_s: float  # of all workers together
    cycles_per_packet: float
    dropped: int  # of what was received meanwhile
    handed_over: int  # received by another worker than has the session

    def core_share(self, packets_per_s: float, tsc_hz: float) -> float:
        """Of one core, what so many of these packets take: all of it, if it cannot serve as many."""
        return core_share(packets_per_s * self.cycles_per_packet, tsc_hz)


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
        with suppress(subprocess.TimeoutExpired):  # only one stuck in a driver takes longer
            process.wait(STOP_TIMEOUT_S)


def run_to_end(
    command: Sequence[str], limit_s: float, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command and read what it says; it and all that it started are gone afterwards, whatever happens.

    Raises:
        subprocess.TimeoutExpired: it did not end within `limit_s`.
    """
    with TemporaryFile() as out, TemporaryFile() as err:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=env, process_group=0
        )
        deadline = time.monotonic() + limit_s
        try:
            while process.poll() is None:
                if time.monotonic() > deadline:
                    raise subprocess.TimeoutExpired(command, limit_s)
                sleep(_LOOK_S)
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                finish(process)
        said = []
        for file in (out, err):
            file.seek(0)
            said.append(file.read().decode(errors="replace"))
    return subprocess.CompletedProcess(command, process.returncode, *said)


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
        with interruptible():
            ready, _, _ = select.select([stream], [], [], max(0.0, deadline - time.monotonic()))
        piece = os.read(stream.fileno(), 65536) if ready else b""
        if not piece:
            why = "did not answer" if not ready else "ended"
            raise UnavailableError(f"{name} {why}: {_tail(read.decode(errors='replace'))}")
        read += piece
    return read


def fetch(url: str) -> str:
    """The text of one scrape.

    Raises:
        UnavailableError: the gateway does not answer.
    """
    try:
        with interruptible(), urlopen(url, timeout=START_TIMEOUT_S) as answer:
            text: str = answer.read().decode()
    except OSError as problem:
        raise UnavailableError(f"the gateway's metrics at {url} cannot be read: {problem}") from problem
    return text


def scrape(url: str) -> Mapping[Sample, float]:
    """Samples of one scrape, summed over all labels except worker and state."""
    totals: dict[Sample, float] = {}
    for family in text_string_to_metric_families(fetch(url)):
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
def gateway(config: Path, inside: Sequence[str] = ()) -> Iterator[str]:
    """The appliance itself, as a user runs it; gives the URL of its metrics once it polls.

    In a process group of its own: Ctrl-C is for the benchmark, which then ends what it started.

    Args:
        config: its configuration.
        inside: goes before the command, such as that which leads into a private network.
    """
    command = [*inside, sys.executable, "-P", "-m", "pyshim", "run", "-c", str(config), "--json"]
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
            with interruptible(), urlopen(url, timeout=1):
                return
        except OSError:
            sleep(0.02)
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
        sleep(0.05)


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
            sleep(WARM_UP_S)
            self._config = config
        before, after = observe(lambda: scrape(self._url), seconds, all_received)
        return run_between(before, after, tsc_hz)


def measure_gateway(config: Path, seconds: float, tsc_hz: float, sessions: int = 1) -> GatewayRun:
    """What `Stage.measure` does, with a gateway that is started for it and ended after it."""
    with Stage() as stage:
        return stage.measure(config, seconds, tsc_hz, sessions)


def _gained(before: Mapping[Sample, float], after: Mapping[Sample, float], name: str) -> dict[str, float]:
    """How much a counter grew, by worker."""
    return {key[1]: value - before.get(key, 0.0) for key, value in after.items() if key[0] == name}


def all_received(before: Mapping[Sample, float], after: Mapping[Sample, float]) -> bool:
    """Whether every worker has received something between two scrapes."""
    return all(count > 0 for count in _gained(before, after, _RECEIVED).values())


def run_between(before: Mapping[Sample, float], after: Mapping[Sample, float], tsc_hz: float) -> GatewayRun:
    """What happened between two scrapes.

    A worker that shares its CPU counts the cycles that it did not have too: they are part of its rate.

    Raises:
        UnavailableError: a worker received nothing.
    """
    gained = {key: value - before.get(key, 0.0) for key, value in after.items()}
    packets = _gained(before, after, _RECEIVED)
    if idle := [worker for worker, count in packets.items() if count <= 0]:
        raise UnavailableError(
            f"worker {idle[0]} of the gateway received nothing from the benchmark's capture: others have its "
            "CPU; stop them, or run the benchmark on a machine that is less busy"
        )
    rates = (
        count * tsc_hz / sum(gained.get((_CYCLES, worker, state), 0.0) for state in _STATES)
        for worker, count in packets.items()
    )
    return GatewayRun(
        packets_per_s=sum(rates),
        cycles_per_packet=total(gained, _CYCLES, "busy") / sum(packets.values()),
        dropped=int(total(gained, "pollgate_drops_total")),
        handed_over=int(total(gained, "pollgate_handed_over_packets_total")),
    )
