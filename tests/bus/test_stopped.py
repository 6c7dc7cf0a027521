# SPDX-License-Identifier: BSD-3-Clause
"""A game process that is stopped: its ring fills, what is lost is counted and told, the others go on."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pyshim.game import Game, Message
from pyshim.protocol.client import Client
from tests.bus.test_attach import config
from tests.bus.test_players import OWN, answer, hears, ticket
from tests.gate import TIMEOUT_S, Gate

BODY = b"x" * 200
# Writes down what it is told, in order; messages in a row as their number.
LISTENS = """
import sys
from pyshim.game import Game, Gap, Joined, Left, Listed, Message
with Game(sys.argv[1], "arena") as game:
    for batch in game.batches():
        for event in batch.events():
            match event:
                case Message(body=body):
                    print("message", body[:1].decode(), flush=True)
                case Gap(messages=messages):
                    print("gap", messages, flush=True)
                case Joined(player=player):
                    print("joined", player, flush=True)
                case Left(player=player):
                    print("left", player, flush=True)
                case Listed():
                    print("listed", flush=True)
"""


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    routes = [{"to": "lobby", "types": [OWN + 1]}, {"to": "arena"}]
    with Gate(config(tmp_path, ring_kib=4, routes=routes), tmp_path) as made:
        yield made


@contextmanager
def listener(path: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-P", "-c", LISTENS, str(path)], stdout=subprocess.PIPE, text=True
    ) as it:
        try:
            yield it
        finally:
            it.kill()


def reads(process: subprocess.Popen[str], until: str) -> list[str]:
    """Its lines, the one that ends with this being the last."""
    found = [""]
    while not found[-1].endswith(until):
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, found
        found.append(line.strip())
    return found[1:]


def test_a_stopped_process_reads_on_and_is_told_what_it_missed_and_nobody_waits_for_it(gate: Gate) -> None:
    path = gate.directory / "game.sock"

    def counted(name: str, **labels: str) -> int:
        return int(gate.metrics().value(f"pollgate_game_messages_{name}_total", **labels))

    async def say(player: Client, message_type: int, body: bytes) -> None:
        async with asyncio.timeout(TIMEOUT_S):
            receipt = player.say(message_type, body)
            assert receipt is not None
            await receipt

    async def play(arena: subprocess.Popen[str], lobby: Game) -> None:
        async with Client(ticket(gate, 7)) as stays:
            async with Client(ticket(gate, 8)) as goes:
                await asyncio.to_thread(reads, arena, "joined 8")
                arena.send_signal(signal.SIGSTOP)
                said = 0
                while not counted("lost", process="arena", reason="full"):
                    for _ in range(5):
                        await say(goes, OWN, b"m" + BODY)
                    said += 5
            await say(stays, OWN + 1, b"to the lobby")  # its worker goes on, and so do others
            (heard,) = await asyncio.to_thread(hears, lobby, Message)
            assert heard.body == b"to the lobby"
            lobby.send(7, OWN, b"answered")
            lobby.flush()
            assert (await answer(stays)).body == b"answered"
            assert arena.poll() is None
            arena.send_signal(signal.SIGCONT)
            before, told = counted("delivered", process="arena"), []
            while sum(line == "message m" for line in told) < before:
                told += await asyncio.to_thread(reads, arena, "message m")
            while (
                counted("delivered", process="arena") == before
            ):  # as soon as it has given back what it read
                await say(stays, OWN, b"l" + BODY)
                said += 1
            told += await asyncio.to_thread(reads, arena, "message l")
            lost = counted("lost", process="arena", reason="full")
            gaps = [int(line.split()[1]) for line in told if line.startswith("gap")]
            messages = [line for line in told if line.startswith("message")]
            assert (sum(gaps), len(messages)) == (lost, said - lost)
            assert counted("delivered", process="arena") == len(messages)
            assert messages[-1] == "message l"
            if "left 8" not in told:
                told += await asyncio.to_thread(reads, arena, "left 8")
            assert "joined 7" not in told  # it knows, though all are listed anew

    with listener(path) as arena, Game(path, "lobby") as lobby:
        asyncio.run(play(arena, lobby))
    gate.wait_until(lambda: gate.metrics().value("pollgate_game_processes", state="attached") == 0)
    assert gate.metrics().value("pollgate_worker_restarts_total") == 0
