# SPDX-License-Identifier: BSD-3-Clause
"""Workers, game processes and gateways that are killed again and again under the load of many players."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from pyshim.config import load_config
from tests.bus.test_attach import config
from tests.engines.engines import needs_two_cpus
from tests.gate import TIMEOUT_S, Gate
from tests.load.test_command import report_of, running
from tests.network.held import held

PLAYERS = 200
KILLS = 6
WAITING = 10  # messages in the mail of a worker
# Writes down what it hears before it gives it back; so what it had not given back is written twice.
LISTENS = """
import os, sys
from pyshim.game import Detached, End, Game, Gap, Message
heard = os.open(sys.argv[3], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
with Game(sys.argv[1], sys.argv[2]) as game:
    print("attached", flush=True)
    for batch in game.batches():
        events = list(batch.events())
        messages = sum(isinstance(event, Message) for event in events)
        missing = sum(event.messages for event in events if isinstance(event, Gap))
        os.write(heard, b"m" * messages + b"-" * missing)
        for event in events:
            if isinstance(event, (End, Detached)):
                print(type(event).__name__, flush=True)
"""


@contextmanager
def listener(path: Path, name: str, heard: Path) -> Iterator[subprocess.Popen[str]]:
    """A game process that has attached."""
    words = [sys.executable, "-P", "-c", LISTENS, str(path), name, str(heard)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as it:
        try:
            assert it.stdout is not None
            assert it.stdout.readline() == "attached\n"
            yield it
        finally:
            it.kill()


def gateway(directory: Path) -> dict[str, Any]:
    """Two workers where there are CPUs for them, and two processes that share the players."""
    made = config(directory, ring_kib=64, routes=[{"to": ["arena", "lobby"]}])
    made["listen"][0]["limits"] = {"connections_pps": 0}
    return {**made, "workers": {"cpus": sorted(os.sched_getaffinity(0))[:2]}}


@contextmanager
def crowd(gate: Gate, seconds: int) -> Iterator[subprocess.Popen[str]]:
    """Sealed players, half of whose messages are reliable and the game's own."""
    target = f"127.0.0.1:{load_config(gate.config_path).listen[0].port}"
    said = ("--mix", "move=50,game=50", "--issue", str(gate.config_path), "--json")
    rate = ("--players", str(PLAYERS), "--rate", "20", "--seconds", str(seconds), "--drain", "10")
    with running(target, *rate, *said) as load:
        yield load


def counted(gate: Gate, name: str, **labels: str) -> int:
    return int(gate.metrics().value(f"pollgate_game_messages_{name}_total", **labels))


def test_whoever_dies_under_load_the_books_are_exact_and_no_player_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "game.sock"
    heard = {name: tmp_path / f"{name}.heard" for name in ("arena", "lobby")}
    with Gate(gateway(tmp_path), tmp_path) as gate, ExitStack() as stack:
        stack.enter_context(listener(path, "lobby", heard["lobby"]))
        with crowd(gate, seconds=12) as load:
            for turn in range(KILLS):
                with listener(path, "arena", heard["arena"]) as arena:
                    before = {name: counted(gate, "delivered", process=name) for name in heard}
                    for name, was in before.items():  # all of them at work
                        gate.wait_until(
                            lambda name=name, was=was: counted(gate, "delivered", process=name) > was
                        )
                    if turn % 2:
                        gate.kill_worker()
                        gate.wait_ready()
                    arena.kill()
            assert load.poll() is None, "the load ended before the last was killed"
            stack.enter_context(listener(path, "arena", heard["arena"]))
            out, errors = load.communicate(timeout=3 * TIMEOUT_S)
        assert (load.returncode, errors) == (0, "")
        (step,) = report_of(out)["steps"]
        assert step["sessions"]["connected"] == PLAYERS
        game = step["by_type"]["game"]
        assert game["sent"] == game["acknowledged"] > 0  # each was taken, once, though workers died
        assert gate.metrics().value("pollgate_worker_restarts_total") == KILLS // 2
        books = {
            name: [counted(gate, one, process=name) for one in ("offered", "delivered", "lost")]
            for name in heard
        }
        for name, (offered, delivered, lost) in books.items():
            assert offered == delivered + lost > 0
            reasons = ("worker_lost", "full", "away")
            assert lost == sum(counted(gate, "lost", process=name, reason=one) for one in reasons)
        # What was delivered was read: by somebody who had to read it again, if the one before was killed.
        for name, (_, delivered, lost) in books.items():
            gate.wait_until(lambda name=name, n=delivered: heard[name].read_bytes().count(b"m") >= n)
            assert heard[name].read_bytes().count(b"-") >= lost
        assert heard["lobby"].read_bytes().count(b"m") == books["lobby"][1]  # it was never killed
        dispatched = gate.metrics().value("pollgate_session_messages_dispatched_total", to="process")
        assert dispatched == sum(offered for offered, _, _ in books.values())


@needs_two_cpus
def test_what_is_in_the_mail_of_a_worker_that_dies_is_counted_as_lost(tmp_path: Path) -> None:
    made = gateway(tmp_path)
    del made["game"]["routes"]
    made["workers"]["stall_timeout_s"] = 300
    made["delivery"] = {"messages_pps": {"attack": 0}}

    def handed_over(direction: str) -> int:
        name = "pollgate_session_messages_handed_over_total"
        return int(gate.metrics().value(name, direction=direction))

    def lost() -> int:
        return int(gate.metrics().value("pollgate_session_messages_lost_total", reason="worker_lost"))

    with Gate(made, tmp_path) as gate:
        target = f"127.0.0.1:{load_config(gate.config_path).listen[0].port}"
        rate = ("--players", str(PLAYERS), "--rate", "40", "--seconds", "600", "--drain", "10")
        with running(target, *rate, "--mix", "attack=1", "--issue", str(gate.config_path)) as load:
            for turn in range(1, KILLS // 2 + 1):
                before = handed_over("in")
                gate.wait_until(lambda before=before: handed_over("in") > before + PLAYERS)
                counted = lost()
                with held(gate, "worker1"):
                    gate.wait_until(lambda: handed_over("out") >= handed_over("in") + WAITING)
                    gate.signal_worker(signal.SIGKILL)
                gate.wait_metric("pollgate_worker_restarts_total", turn)
                gate.wait_ready()
                assert lost() >= counted + WAITING
            load.kill()
        gate.wait_until(lambda: handed_over("out") == handed_over("in"))
        assert handed_over("in") > lost()


def test_a_gateway_that_is_killed_under_load_tells_its_processes_and_the_next_serves(tmp_path: Path) -> None:
    path = tmp_path / "game.sock"
    for _ in range(3):
        with Gate(gateway(tmp_path), tmp_path) as gate, ExitStack() as stack:
            processes = [
                stack.enter_context(listener(path, name, tmp_path / f"{name}.heard"))
                for name in ("arena", "lobby")
            ]
            with crowd(gate, seconds=60):
                for name in ("arena", "lobby"):
                    gate.wait_until(lambda name=name: counted(gate, "delivered", process=name) > PLAYERS)
                gate.process.kill()
                for process in processes:
                    assert process.communicate(timeout=TIMEOUT_S)[0] == "End\n"
                    assert process.returncode == 0
