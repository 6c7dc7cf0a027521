# SPDX-License-Identifier: BSD-3-Clause
"""`pollgate load` against a game behind the gate: what the game is told, and what comes back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from pyshim.config import load_config
from pyshim.game import Game, Message
from tests.gate import Gate
from tests.load.test_command import load, steps_of
from tests.ports import free_port

HOW = (
    "--players",
    "20",
    "--rate",
    "20",
    "--seconds",
    "1",
    "--drain",
    "1",
    "--mix",
    "move=1,game=1",
    "--json",
)


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    config = {
        "engine": "epoll",
        "ports": [{"name": "game0", "address": ["127.0.0.1/8"]}],
        "listen": [{"port": free_port(), "profile": "session"}],
        "game": {"listen": f"unix:{tmp_path}/game.sock", "routes": [{"types": ["game"], "to": "echo"}]},
    }
    with Gate(config, tmp_path) as made:
        yield made


@contextmanager
def echo(gate: Gate, said: list[int], cut: int | None, *, to: int = 0) -> Iterator[None]:
    """A game that answers whoever speaks, or player `to`, with so many of the bytes that it was told."""

    def serve(game: Game) -> None:
        for event in game:
            if isinstance(event, Message):
                said.append(event.type)
                game.send(to or event.player, 199, bytes(event.body)[:cut])

    with Game(gate.config_path.parent / "game.sock", "echo") as game:
        server = Thread(target=serve, args=(game,))
        server.start()
        yield
        gate.stop()  # its END ends the loop
        server.join()


def play(gate: Gate, *more: str) -> dict[str, object]:
    target = f"127.0.0.1:{load_config(gate.config_path).listen[0].port}"
    (step,) = steps_of(load(target, *HOW, "--issue", str(gate.config_path), *more))
    assert step["lost"] == 0
    return step


def test_what_a_game_replies_is_counted_and_timed(gate: Gate) -> None:
    said: list[int] = []
    with echo(gate, said, cut=None):
        step = play(gate, "--game-type", "71", "--game-bytes", "40")
    game, sent = step["game"], step["by_type"]["game"]["sent"]
    assert sent > 100
    assert said == [71] * sent
    assert (game["heard"], game["replies"]) == (sent, sent)
    assert 0 < game["latency"]["p50_s"] <= game["latency"]["p99_s"] <= game["latency"]["max_s"]


@pytest.mark.parametrize(("cut", "bytes_", "to"), [(11, "40", 0), (None, "11", 0), (None, "40", 7)])
def test_what_the_game_says_otherwise_is_counted_only(
    gate: Gate, cut: int | None, bytes_: str, to: int
) -> None:
    said: list[int] = []
    with echo(gate, said, cut=cut, to=to):
        step = play(gate, "--game-bytes", bytes_)
    game, sent = step["game"], step["by_type"]["game"]["sent"]
    assert said == [64] * sent
    assert game["heard"] == sent
    assert game["replies"] <= sent / 10  # player 7's own, where all is said to that one
    assert (game["latency"]["p50_s"] is None) == (to == 0)


def test_a_game_that_says_nothing_is_seen_to_say_nothing(gate: Gate) -> None:
    step = play(gate)
    assert step["by_type"]["game"]["acknowledged"] == step["by_type"]["game"]["sent"]
    assert step["game"] == {
        "heard": 0,
        "replies": 0,
        "latency": dict.fromkeys(step["latency"]),
    }
