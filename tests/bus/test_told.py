# SPDX-License-Identifier: BSD-3-Clause
"""What an operator sees of a game that falls behind, or that nothing leads to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyshim.game import Game
from pyshim.protocol.client import Client
from tests.bus.process import Process
from tests.bus.test_attach import config, listed
from tests.bus.test_players import OWN, ticket
from tests.gate import Gate

RING_KIB = 4


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    with Gate(config(tmp_path, ring_kib=RING_KIB, routes=[{"to": "arena"}]), tmp_path) as made:
        yield made


def test_of_a_process_that_does_not_read_the_log_the_api_and_the_metrics_tell(gate: Gate) -> None:
    def counted(name: str, **labels: str) -> float:
        return gate.metrics().value(f"pollgate_game_{name}", process="arena", **labels)

    async def play() -> int:
        said = 0
        async with Client(ticket(gate, 7)) as player:
            while not counted("messages_lost_total", reason="full"):
                for _ in range(5):
                    await player.say(OWN, b"x" * 200)
                said += 5
        return said

    with Process(gate.directory / "game.sock") as process:
        assert counted("ring_used_ratio", worker="0") == 0
        process.attach("arena")
        said = asyncio.run(play())
        gate.wait_for_line(
            r"warning: game process arena does not keep up: .*\d messages? so far; .*game\.ring_kib"
        )
        gate.wait_until(lambda: 0.9 < counted("ring_used_ratio", worker="0") <= 1)
        (arena,) = listed(gate)
        lost = counted("messages_lost_total", reason="full")
        assert (arena["lost"]["full"], arena["lost"]["away"]) == (lost, 0)
        assert arena["delivered"] == said - lost
        assert (arena["orders"], sum(arena["orders_refused"].values())) == (0, 0)
        (unread,) = arena["unread_bytes"]
        assert 0.9 * RING_KIB * 1024 < unread <= RING_KIB * 1024
        assert arena["routed"]
    gate.stop()
    assert gate.stderr.count("does not keep up") == 1


def test_the_log_tells_of_processes_that_no_route_leads_to_and_of_routes_that_lead_to_nobody(
    gate: Gate,
) -> None:
    path = gate.directory / "game.sock"

    def reload(*names: str) -> None:
        written = json.loads(gate.config_path.read_text())
        written["game"]["routes"] = [{"to": list(names)}]
        gate.write_config(written)
        before = gate.stderr.count("configuration reloaded")
        gate.reload()
        gate.wait_until(lambda: gate.stderr.count("configuration reloaded") > before)

    with Process(path) as arena, Process(path) as quiz:
        arena.attach("arena")
        quiz.attach("quiz")
        gate.wait_for_line(r"info: game process arena \(process \d+\) has attached$")
        gate.wait_for_line(
            r"info: game process quiz \(process \d+\) has attached; no entry of game\.routes leads"
        )
        assert [one["routed"] for one in listed(gate)] == [True, False]
        reload("arena", "quizz")
        gate.wait_for_line(
            r"warning: game\.routes leads to quizz now, and no process of that name is attached"
        )
        reload("quiz", "quizz")
        gate.wait_for_line(r"warning: no entry of game\.routes leads to game process arena now")
    told = gate.stderr
    assert told.count("leads to quizz now") == 1
    assert "leads to quiz now" not in told
    assert "leads to arena now" not in told  # it was away at the start, when processes are yet to come


def test_what_a_process_posts_to_one_that_is_gone_is_counted_and_that_it_is_gone_is_seen(gate: Gate) -> None:
    def counted(name: str, **labels: str) -> float:
        return gate.metrics().value(f"pollgate_game_{name}", **labels)

    path = gate.directory / "game.sock"
    with Process(path) as lobby:
        lobby.attach("lobby")
        gate.wait_until(lambda: counted("process_attached", process="lobby") == 1)
    gate.wait_until(lambda: counted("process_attached", process="lobby") == 0)
    with Game(path, "arena") as game:
        for number in range(3):
            game.post("lobby", b"%d" % number)
        game.flush()
        gate.wait_until(
            lambda: (
                gate.metrics().matching("pollgate_game_posts_total", writer="arena", reader="lobby")
                and counted("posts_total", writer="arena", reader="lobby") == 3
            )
        )
    posts = {one["name"]: one["posts_from"] for one in listed(gate)}
    assert posts == {"arena": {}, "lobby": {"arena": 3}}
