# SPDX-License-Identifier: BSD-3-Clause
"""Players, a gateway and a game process: what is said arrives, whoever dies meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from pyshim.bus.files import LEFT_MAX
from pyshim.game import Game, Gap, Joined, Left, Message, Post, Published
from pyshim.protocol.client import Client, GameMessage, Ticket
from tests.bus.test_attach import config
from tests.gate import TIMEOUT_S, Gate
from tests.issuing.gateway import Api

T = TypeVar("T")
OWN = 70
LISTENS = """
import sys
from pyshim.game import Game, Gap, Message
with Game(sys.argv[1], "arena") as game:
    for batch in game.batches():
        for event in batch.events():
            if isinstance(event, Message):
                print(int(event.body), flush=True)
            if isinstance(event, Gap):
                print(-event.messages, flush=True)
"""


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    with Gate(config(tmp_path, ring_kib=256, routes=[{"to": "arena"}]), tmp_path) as made:
        yield made


def ticket(gate: Gate, player: int) -> Ticket:
    return Ticket.from_json(json.dumps(Api(gate).issue(player)))


def hears(game: Game, kind: type[T], count: int = 1) -> list[T]:
    """The next so many events of a kind."""
    found: list[T] = []
    deadline = time.monotonic() + TIMEOUT_S
    while len(found) < count:
        assert time.monotonic() < deadline, found
        game.wait(1.0)
        found += [event for event in game.poll().events() if isinstance(event, kind)]
    return found


async def answer(player: Client) -> GameMessage:
    async with asyncio.timeout(TIMEOUT_S):
        async for event in player.events():
            if isinstance(event, GameMessage):
                return event
    raise AssertionError("the connection is over")


def test_what_a_player_says_reaches_the_game_and_its_answer_the_player(gate: Gate) -> None:
    async def play() -> None:
        with Game(gate.directory / "game.sock", "arena") as game:
            async with Client(ticket(gate, 7)) as player:
                (joined,) = await asyncio.to_thread(hears, game, Joined)
                assert joined.player == 7
                await player.say(OWN, b"hello")
                (said,) = await asyncio.to_thread(hears, game, Message)
                assert (said.player, said.type, said.body) == (7, OWN, b"hello")
                game.send(7, OWN + 1, b"welcome")
                game.flush()
                heard = await answer(player)
                assert (heard.type, heard.body) == (OWN + 1, b"welcome")
            (left,) = await asyncio.to_thread(hears, game, Left)
            assert left.player == 7

    asyncio.run(play())


def test_what_is_said_while_no_process_is_there_waits_for_the_next(gate: Gate) -> None:
    async def play() -> None:
        async with Client(ticket(gate, 7)) as player:
            await player.say(OWN, b"before the first")
            with Game(gate.directory / "game.sock", "arena") as game:
                (said,) = await asyncio.to_thread(hears, game, Message)
                assert said.body == b"before the first"
            await player.say(OWN, b"between two")
            gate.kill_worker()
            await asyncio.to_thread(gate.wait_ready)
            await player.say(OWN, b"after a crash")
            with Game(gate.directory / "game.sock", "arena") as game:
                found = await asyncio.to_thread(hears, game, Message, 2)
                assert [said.body for said in found] == [b"between two", b"after a crash"]

    asyncio.run(play())


def test_who_is_away_while_many_workers_die_is_told_how_many_messages_are_gone(gate: Gate) -> None:
    said, kept = (
        LEFT_MAX + 1,
        LEFT_MAX - 2,
    )  # of dead workers' files, beside the one that is there and the gap

    async def play() -> int:
        async with Client(ticket(gate, 7)) as player:
            with Game(gate.directory / "game.sock", "arena"):
                pass
            for number in range(said):
                receipt = player.say(OWN, b"%d" % number)
                assert receipt is not None
                await receipt
                gate.kill_worker()
                await asyncio.to_thread(gate.wait_ready)
            with Game(gate.directory / "game.sock", "arena") as game:
                events: list[Gap | Message] = []
                while not any(isinstance(one, Message) and one.body == b"%d" % (said - 1) for one in events):
                    assert await asyncio.to_thread(game.wait, TIMEOUT_S)
                    events += [event for event in game.poll().events() if isinstance(event, Gap | Message)]
        gap, *messages = events
        assert isinstance(gap, Gap)
        read = len(messages)  # more than are kept, if two were said to the same worker's file
        assert read >= kept
        assert gap.messages >= said - read  # who came and was listed is missing, too
        assert [one.body for one in messages if isinstance(one, Message)] == [
            b"%d" % number for number in range(said - read, said)
        ]
        return read

    read = asyncio.run(play())
    unread = gate.metrics().value("pollgate_game_unread_messages_total", reason="worker_deaths")
    assert unread == said - read


def test_a_killed_worker_costs_an_attached_game_no_message_and_no_player(gate: Gate) -> None:
    async def play() -> None:
        with Game(gate.directory / "game.sock", "arena") as game:
            async with Client(ticket(gate, 7)) as player:
                await asyncio.to_thread(hears, game, Joined)
                for number in range(3):
                    await player.say(OWN, b"said %d" % number)
                    gate.kill_worker()
                    await asyncio.to_thread(gate.wait_ready)
                found = await asyncio.to_thread(hears, game, Message, 3)
                assert [said.body for said in found] == [b"said %d" % number for number in range(3)]
                assert game.is_here(7)
                game.send(7, OWN, b"still here")
                game.flush()
                assert (await answer(player)).body == b"still here"

    asyncio.run(play())


def test_a_reload_sends_players_elsewhere(gate: Gate) -> None:
    async def play() -> None:
        path = gate.directory / "game.sock"
        with Game(path, "arena") as arena, Game(path, "lobby") as lobby:
            async with Client(ticket(gate, 7)) as player:
                await player.say(OWN, b"to the arena")
                assert (await asyncio.to_thread(hears, arena, Message))[0].body == b"to the arena"
                written = json.loads(gate.config_path.read_text())
                written["game"]["routes"] = [{"to": "lobby", "types": [OWN]}, {"to": "arena"}]
                gate.write_config(written)
                gate.reload()
                await asyncio.to_thread(gate.wait_for_line, "configuration reloaded")
                await player.say(OWN, b"to the lobby")
                assert (await asyncio.to_thread(hears, lobby, Message))[0].body == b"to the lobby"
                await player.say(OWN + 1, b"to the arena")
                assert (await asyncio.to_thread(hears, arena, Message))[0].body == b"to the arena"

    asyncio.run(play())


def test_processes_speak_to_each_other(gate: Gate) -> None:
    path = gate.directory / "game.sock"
    with Game(path, "arena") as arena, Game(path, "lobby") as lobby:
        lobby.subscribe("news")
        lobby.flush()
        arena.post("lobby", b"hello")
        arena.flush()
        (post,) = hears(lobby, Post)
        assert (post.process, post.body) == ("arena", b"hello")
        deadline = time.monotonic() + TIMEOUT_S
        while not arena.publish("news", b"extra"):
            arena.poll()
            assert time.monotonic() < deadline
        arena.flush()
        (published,) = hears(lobby, Published)
        assert (published.process, published.topic, published.body) == ("arena", "news", b"extra")


@contextlib.contextmanager
def listener(path: Path, heard: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process of its own that writes down what it hears before it takes more."""
    with (
        heard.open("ab") as out,
        subprocess.Popen([sys.executable, "-P", "-c", LISTENS, str(path)], stdout=out) as it,
    ):
        try:
            yield it
        finally:
            it.kill()


def test_kill_loops_under_load_lose_nothing_without_naming_it(gate: Gate, tmp_path: Path) -> None:
    path, heard = gate.directory / "game.sock", tmp_path / "heard"
    heard.touch()

    def numbers() -> list[int]:
        return [int(line) for line in heard.read_text().splitlines()]

    def hears_after(number: int) -> None:
        gate.wait_until(lambda: numbers()[-1:] > [number])

    async def say(player: Client, said: int) -> int:
        for number in range(said, said + 100):
            receipt = player.say(OWN, b"%d" % (number + 1))
        assert receipt is not None
        await receipt
        return said + 100

    async def play() -> int:
        said = 0
        async with Client(ticket(gate, 7)) as player:
            for turn in range(6):
                with listener(path, heard) as process:
                    talk = asyncio.create_task(say(player, said))
                    await asyncio.to_thread(hears_after, said)
                    if turn % 3 == 2:
                        gate.kill_worker()
                    else:
                        process.kill()
                    said = await say(player, await talk)
            with listener(path, heard):
                await asyncio.to_thread(gate.wait_until, lambda: numbers()[-1:] == [said])
        return said

    said = asyncio.run(play())
    found = numbers()
    missing = said - len({number for number in found if number > 0})
    assert missing <= -sum(number for number in found if number < 0)  # gaps name them
    counted = gate.metrics()
    offered, delivered, lost = (
        counted.value(f"pollgate_game_messages_{name}_total", process="arena")
        for name in ("offered", "delivered", "lost")
    )
    assert (offered, delivered, lost) == (said, said - missing, missing)
    assert counted.value("pollgate_game_messages_lost_total", process="arena", reason="worker_lost") == lost


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="two workers need two CPUs")
def test_two_workers_have_rings_of_their_own_and_a_killed_one_costs_nobody(tmp_path: Path) -> None:
    cpus = sorted(os.sched_getaffinity(0))[:2]
    wanted = {**config(tmp_path, routes=[{"to": "arena"}]), "workers": {"cpus": cpus}}
    with Gate(wanted, tmp_path) as gate:

        async def play() -> None:
            async with contextlib.AsyncExitStack() as stack:
                players = [
                    await stack.enter_async_context(Client(ticket(gate, number))) for number in range(1, 9)
                ]
                for turn in range(2):
                    with Game(gate.directory / "game.sock", "arena") as game:
                        for player in players:
                            await player.say(OWN, b"%d" % turn)
                        said = await asyncio.to_thread(hears, game, Message, len(players))
                        assert {one.player for one in said} == set(range(1, 9))
                        assert {one.body for one in said} == {b"%d" % turn}
                        for player in range(1, 9):
                            game.send(player, OWN, b"heard")
                        game.flush()
                        assert {(await answer(player)).body for player in players} == {b"heard"}
                    gate.kill_worker()
                    await asyncio.to_thread(gate.wait_ready)

        asyncio.run(play())
