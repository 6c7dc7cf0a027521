# SPDX-License-Identifier: BSD-3-Clause
"""The example games behind a real gateway, with real players: fights, chat, and deaths of all but players."""

from __future__ import annotations

import asyncio
import json
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from pyshim.game import Event, Game, Joined, Left, Message, Moved, Quality
from pyshim.protocol.client import (
    Attack,
    Chat,
    Client,
    Correction,
    Disconnected,
    GameMessage,
    Ticket,
)
from tests.game.installed import EXAMPLES, Installed
from tests.gate import TIMEOUT_S, Gate
from tests.issuing.gateway import Api
from tests.ports import free_port

HEALTH, SCORE, MISSED = 64, 65, 66


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    config = {
        "engine": "epoll",
        "ports": [{"name": "game0", "address": ["127.0.0.1/8"]}],
        "listen": [{"port": free_port(), "profile": "session"}],
        "game": {"listen": f"unix:{tmp_path}/game.sock", "ring_kib": 64, "routes": [{"to": "arena"}]},
    }
    with Gate(config, tmp_path) as made:
        yield made


@pytest.fixture(params=["C", "Python"])
def command(request: pytest.FixtureRequest, installed: Installed) -> list[str]:
    """How to start the arena."""
    if request.param == "Python":
        return [sys.executable, str(EXAMPLES / "arena.py")]
    flags = ["-I", str(installed.header.parent), str(installed.source), "-D_POSIX_C_SOURCE=200809L"]
    return [str(installed.compile("gcc", EXAMPLES / "arena.c", "arena", "-std=c17", *flags))]


@contextmanager
def arena(command: list[str], gate: Gate) -> Iterator[subprocess.Popen[str]]:
    """It has attached."""
    process = subprocess.Popen(
        [*command, str(gate.directory / "game.sock")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "arena: attached\n"
    yield process
    process.kill()
    process.wait(TIMEOUT_S)
    process.stdout.close()


@asynccontextmanager
async def player(gate: Gate, number: int) -> Any:
    """One who has connected, and what the player hears."""
    async with Client(Ticket.from_json(json.dumps(Api(gate).issue(number)))) as client:
        yield client, client.events()


async def hears(events: Any, kind: type[Any], message_type: int | None = None) -> Any:
    """The next of its kind."""
    async with asyncio.timeout(TIMEOUT_S):
        async for event in events:
            if isinstance(event, kind) and message_type in {None, getattr(event, "type", None)}:
                return event
    raise AssertionError("the connection is over")


async def is_in(process: subprocess.Popen[str], number: int) -> None:
    assert process.stdout
    assert await asyncio.to_thread(process.stdout.readline) == f"arena: player {number} is in\n"


def test_players_fight_and_chat(command: list[str], gate: Gate) -> None:
    async def play(process: subprocess.Popen[str]) -> None:
        async with player(gate, 7) as (seven, at_seven), player(gate, 9) as (nine, at_nine):
            await is_in(process, 7)
            await is_in(process, 9)
            await nine.chat("hello", to=0)
            for events in (at_seven, at_nine):
                said = await hears(events, Chat)
                assert (said.sender, said.text) == (9, "hello")
            for left in (75, 50, 25, 0):
                await seven.attack(9, 1, (1.0, 0.0, 0.0))
                assert (await hears(at_nine, Attack)).sender == 7
                assert (await hears(at_nine, GameMessage, HEALTH)).body == struct.pack("<II", left, 7)
            for events in (at_seven, at_nine):
                assert (await hears(events, GameMessage, SCORE)).body == struct.pack("<III", 7, 1, 9)
            assert (await hears(at_nine, Correction)).position == (0.0, 0.0, 0.0)
            await seven.attack(8, 1, (1.0, 0.0, 0.0))
            assert (await hears(at_seven, GameMessage, MISSED)).body == struct.pack("<I", 8)

    with arena(command, gate) as process:
        asyncio.run(play(process))


def test_the_game_goes_on_when_a_worker_is_killed_and_when_it_is_killed_itself(
    command: list[str], gate: Gate
) -> None:
    async def play() -> None:
        async with player(gate, 7) as (seven, at_seven):
            with arena(command, gate) as process:
                await is_in(process, 7)
                gate.kill_worker()
                await asyncio.to_thread(gate.wait_ready)
                await seven.chat("after the worker", to=0)  # groups were made anew
                assert (await hears(at_seven, Chat)).text == "after the worker"
            with arena(command, gate) as process:
                await is_in(process, 7)
                await seven.chat("after the game", to=0)
                assert (await hears(at_seven, Chat)).text == "after the game"

    asyncio.run(play())


def test_a_game_that_was_stopped_goes_on_with_what_was_said_meanwhile(command: list[str], gate: Gate) -> None:
    async def play(process: subprocess.Popen[str]) -> None:
        async with player(gate, 7) as (seven, at_seven):
            await is_in(process, 7)
            process.send_signal(signal.SIGSTOP)
            for number in range(5):
                await seven.chat(f"said {number}", to=0)  # taken: the gateway answers for it
            process.send_signal(signal.SIGCONT)
            for number in range(5):
                assert (await hears(at_seven, Chat)).text == f"said {number}"

    with arena(command, gate) as process:
        asyncio.run(play(process))


def test_the_game_ends_with_the_gateway(command: list[str], gate: Gate) -> None:
    with arena(command, gate) as process:
        assert process.stdout
        gate.stop()
        assert process.stdout.readline() == "arena: the gateway ended\n"
        assert process.wait(TIMEOUT_S) == 0


async def told(events: Any, kind: type[Event]) -> Any:
    """The next of its kind that a game is told."""
    async with asyncio.timeout(TIMEOUT_S):
        async for event in events:
            if isinstance(event, kind):
                return event
    raise AssertionError("the gateway ended")


def test_a_player_is_followed_asked_about_placed_and_kicked(gate: Gate) -> None:
    async def play(game: Game) -> None:
        events = game.events()
        async with player(gate, 7) as (seven, at_seven):
            assert (await told(events, Joined)).player == 7
            seven.move((1.0, 2.0, 3.0), (0.0, 0.0, 1.0))
            assert (await told(events, Moved)).positions == ((7, (1.0, 2.0, 3.0), (0.0, 0.0, 1.0)),)
            game.ask(7, 42)
            quality = await told(events, Quality)
            assert (quality.player, quality.cookie) == (7, 42)
            game.place(7, (4, 5, 6))
            game.flush()
            assert (await hears(at_seven, Correction)).position == (4.0, 5.0, 6.0)
            game.kick(7, 33)
            assert (await told(events, Left)).player == 7
            assert (await hears(at_seven, Disconnected)).kick_reason == 33

    with Game(gate.directory / "game.sock", "arena", wants_moves=True) as game:
        asyncio.run(play(game))


def test_a_game_that_fails_leaves_what_it_has_not_handled_to_the_next(gate: Gate) -> None:
    async def speak() -> None:
        async with player(gate, 7) as (seven, _):
            for number in range(20):
                await seven.say(70, bytes([number]))

    asyncio.run(speak())
    path, heard = gate.directory / "game.sock", b""
    with pytest.raises(ZeroDivisionError), Game(path, "arena") as game:  # noqa: PT012 - in the loop
        for event in game:
            if isinstance(event, Message):
                heard += event.body
                if len(heard) == 5:
                    raise ZeroDivisionError
    assert heard == bytes(range(5))
    with Game(path, "arena") as game:
        for event in game:
            if isinstance(event, Message):
                heard += event.body
                if event.body == b"\x13":
                    break
    assert heard == bytes(range(5)) + bytes(range(4, 20))
