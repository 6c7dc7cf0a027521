# SPDX-License-Identifier: BSD-3-Clause
"""Runs the whole appliance as a user would, as a child process, so that tests can play against it.

    with Gate({"ports": [...]}, tmp_path) as gate:
        gate.metrics().value("pollgate_messages_total", type="move")
        gate.stop()
        gate.summary["pollgate_worker_restarts_total"]

The process is always gone when the `with` block is left, and its worker with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from prometheus_client.parser import text_string_to_metric_families

from pyshim.system.worker_process import is_worker

URL = re.compile(r"https?://[^\s/]+:\d+")
# Bounds, no measurements: on a machine that others use all of this takes many times as long, and nobody waits
# for the end of a bound but a test that fails.
READY_TIMEOUT_S = 120.0
TIMEOUT_S = 60.0


class Samples:
    """One scrape, as it was parsed by prometheus-client."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.samples = [
            (sample.name, sample.labels, sample.value)
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        ]

    def matching(self, name: str, **labels: str) -> list[tuple[dict[str, str], float]]:
        """Every sample of this name whose labels include the given ones."""
        return [
            (have, value) for n, have, value in self.samples if n == name and labels.items() <= have.items()
        ]

    def value(self, name: str, **labels: str) -> float:
        """Sum of the matching samples; a sample that does not exist is a failure, not a zero."""
        found = self.matching(name, **labels)
        assert found, f"no sample {name}{labels or ''} in:\n{self.text}"
        return sum(value for _, value in found)

    def counters(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        """Every sample that may only grow."""
        growing = ("_total", "_count", "_sum", "_bucket")
        return {
            (name, frozenset(labels.items())): value
            for name, labels, value in self.samples
            if name.endswith(growing)
        }


class Gate:
    """One running appliance; a context manager that always ends it."""

    patience = (
        1  # every bound of waiting is multiplied by it: more where the appliance runs on slow processors
    )

    def __init__(
        self,
        config: Mapping[str, Any] | str,
        directory: Path,
        *,
        args: Sequence[str] = (),
        wait_ready: bool = True,
        prefix: Sequence[str] = (),
    ) -> None:
        """Prepare to run `config` (YAML text, or a mapping) with files in `directory`.

        Metrics listen on a free port, and the control API at a socket in `directory`, unless the
        configuration says otherwise. `args` are added to the command line; `prefix` goes before it
        (`ip netns exec NAME`, say). With `wait_ready` the block starts when /readyz answers 200; without it,
        at once: for runs that end by themselves or fail.
        """
        self.directory = directory
        self.config_path = directory / "gate.yaml"
        self.write_config(config)
        self._command = [
            *("setpriv", "--pdeathsig", "KILL"),  # nor does it outlive a test run that is killed
            *prefix,
            *(sys.executable, "-P", "-m", "pyshim.cli", "run", "-c", str(self.config_path), "--json"),
            *args,
        ]
        self._wait_ready = wait_ready
        self._stderr: list[str] = []
        self._stdout: list[str] = []
        self._url: str | None = None
        self._told = threading.Condition()
        self._readers: list[threading.Thread] = []
        self._process: subprocess.Popen[str] | None = None

    def write_config(self, config: Mapping[str, Any] | str) -> None:
        """Replace the configuration file; `reload` makes the appliance read it."""
        if isinstance(config, str):
            text = config
        else:
            # JSON is YAML without its traps: no address becomes a number on the way.
            text = json.dumps({**self._places_of_its_own(config), **config}, indent=1)
        self.config_path.write_text(text)

    def _places_of_its_own(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Where several appliances at once would meet: another address for each."""
        places = {"metrics": {"listen": "127.0.0.1:0"}}
        if any(entry.get("profile") in ("session", "netcode") for entry in config.get("listen", ())):
            places["control"] = {"listen": f"unix:{self.directory}/control.sock"}
        return places

    # ------------------------------------------------------------ life

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        for stream, lines in ((self._process.stdout, self._stdout), (self._process.stderr, self._stderr)):
            reader = threading.Thread(target=self._read, args=(stream, lines), daemon=True)
            reader.start()
            self._readers.append(reader)
        if self._wait_ready:
            try:
                self.wait_ready()
            except BaseException:
                self._end()
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        workers = self.worker_pids()
        self.process.kill()
        self.process.wait(timeout=TIMEOUT_S)
        for pid in workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for reader in self._readers:
            reader.join(timeout=TIMEOUT_S)

    def _read(self, stream: Any, lines: list[str]) -> None:
        for line in stream:
            with self._told:
                lines.append(line.rstrip("\n"))
                if self._url is None and lines is self._stderr and (found := URL.search(line)):
                    self._url = found.group()
                self._told.notify_all()
        with self._told:
            self._told.notify_all()

    # ------------------------------------------------------------ what it says

    @property
    def process(self) -> subprocess.Popen[str]:
        """The `pollgate run` process."""
        assert self._process is not None, "use Gate in a with statement"
        return self._process

    @property
    def stderr(self) -> str:
        """All that it wrote to standard error so far."""
        with self._told:
            return "\n".join(self._stderr)

    @property
    def stdout(self) -> str:
        """All that it wrote to standard output so far."""
        with self._told:
            return "\n".join(self._stdout)

    @property
    def summary(self) -> dict[str, Any]:
        """The JSON object of a run that has ended."""
        assert self.process.poll() is not None, "still running: call stop() or wait() first"
        summary = json.loads(self.stdout)
        assert isinstance(summary, dict)
        return summary

    def url(self) -> str:
        """Where metrics are served, as announced: `http://127.0.0.1:PORT`."""
        deadline = time.monotonic() + READY_TIMEOUT_S * self.patience
        with self._told:
            while self._url is None and self.process.poll() is None and time.monotonic() < deadline:
                self._told.wait(0.1)  # nobody tells of the end itself
        assert self._url is not None, f"no metrics address announced; it said:\n{self.stderr}"
        return self._url

    def wait_for_line(self, pattern: str, timeout_s: float = TIMEOUT_S) -> str:
        """Wait until a line of standard error matches, and return it."""
        wanted = re.compile(pattern)

        def seen() -> str | None:
            return next((line for line in self._stderr if wanted.search(line)), None)

        with self._told:
            deadline = time.monotonic() + timeout_s * self.patience
            while not seen() and self.process.poll() is None and time.monotonic() < deadline:
                self._told.wait(0.1)
            found = seen()
        assert found is not None, f"no line matches {pattern!r}; it said:\n{self.stderr}"
        return found

    def get(self, path: str) -> tuple[int, str]:
        """HTTP status and body of a path of the metrics server."""
        try:
            with urllib.request.urlopen(self.url() + path, timeout=TIMEOUT_S * self.patience) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as problem:
            return problem.code, problem.read().decode()

    def metrics(self) -> Samples:
        """Scrape once."""
        status, body = self.get("/metrics")
        assert status == 200, body
        return Samples(body)

    # ------------------------------------------------------------ waiting

    def wait_until(self, what: Callable[[], Any], timeout_s: float = TIMEOUT_S) -> Any:
        """Call `what` until it is true, and return what it gave; an appliance that ends meanwhile fails."""
        timeout_s *= self.patience
        deadline = time.monotonic() + timeout_s
        while not (result := what()):
            assert self.process.poll() is None, (
                f"it ended with {self.process.returncode}; it said:\n{self.stderr}"
            )
            assert time.monotonic() < deadline, f"not within {timeout_s} s; it said:\n{self.stderr}"
            time.sleep(0.01)
        return result

    def wait_ready(self, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Wait until every worker polls."""
        self.url()
        self.wait_until(lambda: self.get("/readyz")[0] == 200, timeout_s)

    def wait_metric(self, name: str, at_least: float, timeout_s: float = TIMEOUT_S, **labels: str) -> Samples:
        """Wait until the sum of a metric's matching samples reaches a value; returns that scrape."""

        def reached() -> Samples | None:
            samples = self.metrics()
            return samples if samples.value(name, **labels) >= at_least else None

        found = self.wait_until(reached, timeout_s)
        assert isinstance(found, Samples)
        return found

    def wait(self, timeout_s: float = 2 * TIMEOUT_S) -> int:
        """Wait for the run to end by itself; returns its exit code."""
        code = self.process.wait(timeout=timeout_s * self.patience)
        for reader in self._readers:
            reader.join(timeout=TIMEOUT_S)
        return code

    # ------------------------------------------------------------ what is done to it

    def stop(self, timeout_s: float = 2 * TIMEOUT_S) -> int:
        """Ask it to end (SIGTERM) and wait; returns its exit code."""
        self.process.terminate()
        return self.wait(timeout_s)

    def reload(self) -> None:
        """Make it read its configuration file again."""
        self.process.send_signal(signal.SIGHUP)

    def worker_pids(self) -> list[int]:
        """The processes that run the data plane: one, or none while it is being restarted."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdecimal():
                continue
            with contextlib.suppress(OSError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                command = (entry / "cmdline").read_bytes()
                # Between fork and exec a child still has its parent's command line: it is not a worker yet.
                if parent == self.process.pid and is_worker(command):
                    found.append(int(entry.name))
        return found

    def worker_pid(self) -> int:
        """The one process that runs the data plane; waits for it while it is being restarted."""
        found = self.wait_until(self.worker_pids)
        assert len(found) == 1, found
        return int(found[0])

    def signal_worker(self, number: int) -> int:
        """Send a signal to the data plane's process; returns its pid."""
        pid = self.worker_pid()
        os.kill(pid, number)
        return pid

    def kill_worker(self, number: int = signal.SIGKILL) -> int:
        """End the data plane's process by a signal; returns the pid that it had.

        It is gone by then. On a busy machine that takes a while, in which it would be found and killed again.
        """
        pid = self.signal_worker(number)
        deadline = time.monotonic() + TIMEOUT_S * self.patience
        while pid in self.worker_pids():
            assert time.monotonic() < deadline, f"worker {pid} outlives signal {number}"
            time.sleep(0.01)
        return pid
