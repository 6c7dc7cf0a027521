# SPDX-License-Identifier: BSD-3-Clause
"""The contestants of `bench sessions-sealed`, each a server that stays, and a load that plays against it.

Every one of them is driven over the loopback interface, on one CPU, by a load on another. What is measured is
the CPU time of the server's process, all of it, between two moments in which every player was connected.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Protocol

from pyshim.bench.rig.observe import PATIENCE_S
from pyshim.bench.rig.placement import Placement
from pyshim.bench.rig.processes import finish, read_until, run_to_end
from pyshim.bench.rig.sealed_frames import issued_key
from pyshim.errors import UnavailableError
from pyshim.load.scenario import Crowd, Sockets, Target, Trial
from pyshim.load.tickets import Ticket

SOURCES = Path(__file__).with_name("opponents")  # tests/bench/opponents in the repository
_ALWAYS = ("opponents.c", "play.c", "bare_echo.c")
_COMPILERS = ("cc", "gcc", "clang")
_COMPILE_TIMEOUT_S = 120.0
_START_TIMEOUT_S = 120.0  # a million sessions are issued one by one
_WARM_UP_S = 0.2
_DRAIN_S = 0.05
_HOST = "127.0.0.1"

_SETTINGS = """\
engine: {engine}
ports: [{{name: lo, address: ["127.0.0.1/8"]}}]
workers: {{cpus: [{cpu}]}}
listen: [{{port: {port}, profile: session, limits: {{source_pps: 0, connections_pps: 0}}}}]
sessions: {{capacity: {capacity}, idle_timeout_s: 3600}}
delivery: {{messages_pps: {{move: 0}}, handshake_cpu: 1.0}}
metrics: {{listen: null}}
"""


@dataclass(frozen=True, slots=True)
class Pace:
    """How a contestant is driven: at a rate of all players, or with so many messages unanswered."""

    rate_pps: int = 0
    window: int = 0


@dataclass(frozen=True, slots=True)
class Served:
    """What a server did in one measurement."""

    cpu_s: float
    answered: int
    why_generator: tuple[str, ...] = ()

    @property
    def ns_per_message(self) -> float:
        """CPU time of a message and its answer."""
        if not self.answered:
            raise UnavailableError("a server answered nothing; is this machine busy with something else?")
        return self.cpu_s * 1e9 / self.answered


def until_answered(measure: Callable[[], Served]) -> Served:
    """Measure again if others had the server's CPU all the while, and it answered nothing."""
    deadline = time.monotonic() + PATIENCE_S
    while not (served := measure()).answered and time.monotonic() < deadline:
        pass
    return served


class Contestant(Protocol):
    """A server that runs, and the load on it."""

    def serve(self, pace: Pace, seconds: float) -> Served:
        """Measure once."""

    def connect(self) -> Served:
        """All players connect at once: `answered` is how many did."""


# ---------------------------------------------------------------- the gateway


class Crowded:
    """The gateway with a crowd that is connected and silent, and some who play."""

    def __init__(self, config: Path, connected: int, players: int, port: int, placement: Placement) -> None:
        """Nothing is started yet."""
        self._command = [str(config), str(connected), str(players)]
        self._players, self._port, self._placement = players, port, placement
        self._stack = ExitStack()
        self.connect_s = 0.0
        self.memory_bytes = 0

    def __enter__(self) -> Crowded:
        """Start server and load."""
        # Loads DPDK's headers for the generator's sake, which the other benchmarks can do without.
        from pyshim.load.generator import Generator  # noqa: PLC0415

        command = [sys.executable, "-P", "-m", "pyshim.bench.rig.crowded_server", *self._command]
        self._process = self._stack.enter_context(_process(command, self._placement.server))
        sessions = self._read()["sessions"]
        first = int(self._command[1])
        tickets = [Ticket(session, issued_key(first + index)) for index, session in enumerate(sessions)]
        self._generator = self._stack.enter_context(
            Generator(
                Crowd(players=self._players, mix=(("move", 1),)),
                Target(ip_address(_HOST), self._port),
                Sockets(cpu=self._placement.generator),
                tickets=tickets,
            )
        )
        return self

    def __exit__(self, *_: object) -> None:
        """End both."""
        self._stack.close()

    def serve(self, pace: Pace, seconds: float) -> Served:
        """Measure once, with everybody connected."""
        self._generator.run(self._trial(pace, _WARM_UP_S))
        return until_answered(lambda: self._serve(pace, seconds))

    def _serve(self, pace: Pace, seconds: float) -> Served:
        before = self._ask()
        result = self._generator.run(self._trial(pace, seconds))
        after = self._ask()
        self.memory_bytes = after["memory_bytes"]
        return Served(after["cpu_s"] - before["cpu_s"], result.acknowledged, result.limits)

    def connect(self) -> Served:
        """All players connect anew at once."""
        before = self._ask()
        # A trial has a message at least.
        result = self._generator.run(Trial(self._players, 0.01, 100, drain_s=0, storm=True))
        after = self._ask()
        self.connect_s = result.connect_s
        return Served(after["cpu_s"] - before["cpu_s"], result.handshakes)

    def _trial(self, pace: Pace, seconds: float) -> Trial:
        return Trial(self._players, seconds, pace.rate_pps, window=pace.window, drain_s=_DRAIN_S)

    def _ask(self) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        text = read_until("the gateway", self._process, rb"\{.*\}\n", _START_TIMEOUT_S)
        answer: dict[str, Any] = json.loads(text[text.index(b"{") :])
        return answer


def crowded(  # noqa: PLR0913, PLR0917 - what a gateway is made from
    directory: Path, engine: str, connected: int, players: int, port: int, placement: Placement
) -> Crowded:
    """A gateway of this engine; it starts with the block."""
    path = directory / f"{engine}-{port}.yaml"
    capacity = max(1024, connected + players)
    path.write_text(_SETTINGS.format(engine=engine, cpu=placement.server, port=port, capacity=capacity))
    return Crowded(path, connected, players, port, placement)


# ---------------------------------------------------------------- the others


def compile_opponents(directory: Path, kind: str, netcode: Path = Path()) -> Path:
    """The other servers, of which `kind` is one, compiled into `directory`; `netcode` is where its source is.

    Raises:
        UnavailableError: there is no compiler, or it fails: without ENet's headers, for example.
    """
    compiler = next(filter(None, map(shutil.which, _COMPILERS)), None)
    if compiler is None:
        raise UnavailableError("no C compiler for the other servers; on Debian: apt-get install gcc")
    program = directory / f"opponents-{kind}"
    source = str(netcode.absolute())
    more = {
        "echo": [],
        "enet": [str(SOURCES / "with_enet.c"), "-DWITH_ENET", "-lenet"],
        "netcode": [
            str(SOURCES / "with_netcode.c"),
            f"{source}/netcode.c",
            f"-I{source}",
            "-DWITH_NETCODE",
            "-lsodium",
            "-lm",
        ],
    }
    ours = [str(SOURCES / name) for name in _ALWAYS]
    command = [compiler, "-std=gnu17", "-O2", "-D_GNU_SOURCE", "-o", str(program), *ours, *more[kind]]
    try:
        done = run_to_end(tuple(command), _COMPILE_TIMEOUT_S, {**os.environ, "TMPDIR": str(directory)})
    except subprocess.TimeoutExpired as problem:
        raise UnavailableError(f"{compiler} did not compile {SOURCES} within two minutes") from problem
    if done.returncode != 0:
        said = next((line for line in done.stderr.splitlines() if "error" in line), "it says no more")
        raise UnavailableError(f"{compiler} cannot compile the other servers: {said}")
    return program


class Opponent:
    """A bare echo, ENet, or netcode."""

    def __init__(self, program: Path, kind: str, players: int, port: int, placement: Placement) -> None:
        """Nothing is started yet."""
        self._program, self._kind, self._players = str(program), kind, players
        self._port, self._placement = str(port), placement
        self._stack = ExitStack()

    def __enter__(self) -> Opponent:
        """Start the server."""
        command = [self._program, f"{self._kind}-serve", self._port]
        self._server = self._stack.enter_context(_process(command, self._placement.server))
        read_until(self._kind, self._server, rb"ready\n", _START_TIMEOUT_S)
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._stack.close()

    def serve(self, pace: Pace, seconds: float) -> Served:
        """Measure once, with everybody connected."""
        return until_answered(lambda: self._serve(pace, seconds))

    def _serve(self, pace: Pace, seconds: float) -> Served:
        with self._load(pace, seconds) as load:
            before = _cpu_s(self._server.pid)
            answered = self._play(load)
            return Served(_cpu_s(self._server.pid) - before, answered)

    def connect(self) -> Served:
        """All players connect at once."""
        before = _cpu_s(self._server.pid)
        with self._load(Pace(rate_pps=1), 0.001) as load:
            took = _cpu_s(self._server.pid) - before
            self._play(load)
        return Served(took, self._players)

    @contextmanager
    def _load(self, pace: Pace, seconds: float) -> Iterator[subprocess.Popen[bytes]]:
        given = (self._players, pace.rate_pps, pace.window, seconds)
        command = [self._program, f"{self._kind}-load", self._port, *map(str, given)]
        with _process(command, self._placement.generator) as load:
            read_until(f"{self._kind}'s load", load, rb"connected\n", _START_TIMEOUT_S)
            yield load

    def _play(self, load: subprocess.Popen[bytes]) -> int:
        assert load.stdin is not None
        load.stdin.write(b"\n")
        load.stdin.flush()
        text = read_until(f"{self._kind}'s load", load, rb"\{.*\}\n", _START_TIMEOUT_S)
        return int(json.loads(text[text.index(b"{") :])["answered"])


@contextmanager
def _process(command: Sequence[str], cpu: int) -> Iterator[subprocess.Popen[bytes]]:
    """A process on one CPU, while the block lasts."""
    process = subprocess.Popen(
        ["taskset", "--cpu-list", str(cpu), *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        process_group=0,
    )
    try:
        yield process
    finally:
        if process.stdin is not None:
            with suppress(OSError):
                process.stdin.close()
        process.terminate()
        finish(process)
        if process.stdout is not None:
            process.stdout.close()


def _cpu_s(pid: int) -> float:
    """CPU time that a process has used, in all its threads."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) * 1e-9
