# SPDX-License-Identifier: BSD-3-Clause
"""The example games, in C and in Python, with players of every client, and with a crowd of sealed ones."""

from __future__ import annotations

import asyncio
import json
import re
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pyshim.config import load_config
from pyshim.protocol.client import Chat, GameMessage
from tests.client.installed import Installed as InstalledClient
from tests.game.installed import EXAMPLES, Installed
from tests.game.test_gateway import HEALTH, hears, player
from tests.gate import TIMEOUT_S, Gate
from tests.issuing.gateway import Api
from tests.javascript.players import ATTACK, Player
from tests.load.test_command import load, steps_of
from tests.ports import free_port

CROWD = 5000
IN_JAVASCRIPT, IN_PYTHON, IN_C = 7, 8, 9


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    config = {
        "engine": "epoll",
        "ports": [{"name": "game0", "address": ["127.0.0.1/8"]}],
        "listen": [{"port": free_port(), "profile": "session", "limits": {"connections_pps": 0}}],
        "delivery": {"handshake_cpu": 1},  # a crowd connects at once
        "game": {"listen": f"unix:{tmp_path}/game.sock", "routes": [{"to": "arena"}]},
    }
    with Gate(config, tmp_path) as made:
        yield made


@pytest.fixture(params=["C", "Python"])
def command(request: pytest.FixtureRequest, installed: Installed) -> list[str]:
    """How to start the arena."""
    if request.param == "Python":
        return [sys.executable, str(EXAMPLES / "arena.py")]
    flags = ["-I", str(installed.header.parent), str(installed.source), "-D_POSIX_C_SOURCE=200809L"]
    return [str(installed.compile("gcc", EXAMPLES / "arena.c", "arena", "-std=c17", "-O2", *flags))]


@pytest.fixture(scope="session")
def player_in_c(installed: Installed) -> Path:
    """The client library's example, from what `meson install` left, too."""
    client = InstalledClient(installed.prefix, installed.directory)
    return client.build_player("player")


@contextmanager
def arena(command: list[str], gate: Gate) -> Iterator[Path]:
    """It has attached; what it prints."""
    printed = gate.directory / "arena.log"
    with (
        printed.open("w") as out,
        subprocess.Popen([*command, f"{gate.directory}/game.sock"], stdout=out) as it,
    ):
        try:
            gate.wait_until(lambda: "arena: attached" in printed.read_text())
            yield printed
        finally:
            it.kill()


def test_players_of_all_clients_fight_and_chat_in_one_arena(
    command: list[str], gate: Gate, player_in_c: Path
) -> None:
    async def play(printed: Path) -> None:
        ticket = gate.directory / "ticket"
        ticket.write_text(json.dumps(Api(gate).issue(IN_C)))
        words = [str(player_in_c), "--ticket", str(ticket), "--seconds", "5", "--say", "from C", "--to", "0"]
        with Player(Api(gate).issue(IN_JAVASCRIPT)) as script:
            async with player(gate, IN_PYTHON) as (python, at_python):
                await asyncio.to_thread(script.heard, "connected")
                await asyncio.to_thread(
                    gate.wait_until,
                    lambda: all(
                        f"player {n} is in" in printed.read_text() for n in (IN_JAVASCRIPT, IN_PYTHON)
                    ),
                )
                with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as in_c:
                    for chats in ([await hears(at_python, Chat)], script.messages("CHAT_EVENT")):
                        said = chats[0]
                        assert "from C" in (said.text if isinstance(said, Chat) else said["text"])
                    await python.chat("from Python", to=0)
                    script.chat("from JavaScript", 0)
                    script.send(ATTACK, {"targetId": IN_PYTHON, "attackId": 1, "direction": [1, 0, 0]})
                    blow = await hears(at_python, GameMessage, HEALTH)
                    assert blow.body == struct.pack("<II", 75, IN_JAVASCRIPT)
                    await python.attack(IN_JAVASCRIPT, 1, (1.0, 0.0, 0.0))
                    assert (await asyncio.to_thread(script.messages, "ATTACK_EVENT"))[0][
                        "playerId"
                    ] == IN_PYTHON
                    heard = (await asyncio.to_thread(in_c.communicate, None, TIMEOUT_S))[0]
                    assert in_c.returncode == 0, heard
        for said in (f"{IN_C}: from C", f"{IN_PYTHON}: from Python", f"{IN_JAVASCRIPT}: from JavaScript"):
            assert f"chat: player {said}" in heard

    with arena(command, gate) as printed:
        asyncio.run(play(printed))


def test_thousands_of_sealed_players_fight_and_the_books_are_exact(command: list[str], gate: Gate) -> None:
    target = f"127.0.0.1:{load_config(gate.config_path).listen[0].port}"
    with arena(command, gate) as printed:
        (step,) = steps_of(
            load(
                target,
                *("--players", str(CROWD), "--rate", "1", "--seconds", "4", "--drain", "10", "--json"),
                *("--mix", "move=800,attack=198,game=2", "--issue", str(gate.config_path)),
            )
        )
        assert step["sessions"]["connected"] == CROWD
        assert step["sent"] > 0
        # Who comes while the machine is busy may come twice.
        gate.wait_until(lambda: len(set(re.findall(r"player \d+ is in\n", printed.read_text()))) == CROWD)
        metrics = gate.metrics()

        def counted(name: str, **labels: str) -> float:
            return metrics.value(f"pollgate_{name}_total", **labels)

        taken = sum(counted("session_messages_received", type=kind) for kind in ("attack", "game"))
        offered = counted("game_messages_offered", process="arena")
        lost = counted("game_messages_lost", process="arena")
        assert taken == counted("session_messages_dispatched", to="process") == offered > 0
        assert offered == counted("game_messages_delivered", process="arena") + lost
        assert counted("game_orders", process="arena") >= CROWD  # all are in the group, and blows were judged
        assert metrics.value("pollgate_worker_restarts_total") == 0
