# SPDX-License-Identifier: BSD-3-Clause
"""Names that come without end: one that is away makes room, and every message stays in the books."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyshim.game import Game, Message, Post
from pyshim.protocol.client import Client
from tests.bus.process import ENDS, NOBODY, PAIR, WRITES, Process, hello, open_, refusal
from tests.bus.test_attach import FULL, config, listed
from tests.bus.test_players import OWN, hears, ticket
from tests.gate import Gate

MESSAGES = 5


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    with Gate(config(tmp_path, processes=3, routes=[{"to": "arena"}]), tmp_path) as made:
        yield made


def names(gate: Gate) -> set[str]:
    return {labels["process"] for labels, _ in gate.metrics().matching("pollgate_game_orders_total")}


def is_away(gate: Gate, name: str) -> None:
    gate.wait_until(lambda: any((one["name"], one["state"]) == (name, "away") for one in listed(gate)))


def test_processes_of_ever_new_names_attach_as_long_as_not_all_are_there_at_once(gate: Gate) -> None:
    path = gate.directory / "game.sock"
    with Process(path) as lobby:
        lobby.attach("lobby")
        for number in range(40):
            with Process(path) as process:
                process.attach(f"match-{number}")
                said = refusal(path, hello("one-more"))
                assert said.reason == FULL
                assert said.text.endswith(f"are attached or in routes: arena, lobby, match-{number}")
            is_away(gate, f"match-{number}")
    gate.wait_until(lambda: names(gate) == {"arena", "lobby", "match-39"})


def test_with_a_name_go_its_rings_to_others_and_they_are_told(gate: Gate) -> None:
    path = gate.directory / "game.sock"

    def hears_of(process: Process) -> tuple[int, int, str, int]:
        said = process.hear()
        assert said is not None
        return said.kind, said.numbers[0], said.name, len(said.fds)

    with Process(path) as lobby:
        lobby.attach("lobby")
        with Process(path) as match:
            match.attach("match")
            lobby.say(open_("match"))
            assert hears_of(lobby) == (PAIR, WRITES, "match", 2)
        is_away(gate, "match")
        with Process(path) as other:
            other.attach("other")
            assert hears_of(lobby) == (PAIR, ENDS, "match", 0)
            lobby.say(open_("match"))
            said = lobby.hear()
            assert said is not None
            assert (said.kind, said.text) == (NOBODY, "there is no game process match")
        is_away(gate, "other")
        with Process(path) as match:
            match.attach("match")
            assert hears_of(lobby) == (PAIR, ENDS, "other", 0)
            assert match.hears_nothing()


def test_a_process_writes_to_the_next_one_of_a_name_that_had_been_given_up(gate: Gate) -> None:
    path = gate.directory / "game.sock"
    with Game(path, "lobby") as lobby:
        for turn in range(3):
            with Game(path, "match") as match:
                lobby.poll()  # and hears that the name was given up
                lobby.post("match", b"%d" % turn)
                lobby.flush()
                (post,) = hears(match, Post)
                assert post.body == b"%d" % turn
            is_away(gate, "match")
            with Game(path, f"other-{turn}"):
                pass
            is_away(gate, f"other-{turn}")


def test_a_process_hears_of_more_others_than_it_has_room_for_at_once(gate: Gate) -> None:
    path = gate.directory / "game.sock"
    with Game(path, "lobby") as lobby:
        lobby.subscribe("news")
        for number in range(70):  # a library has room for 62
            with Game(path, f"match-{number}") as match:
                match.subscribe("scores")
                match.post("lobby", b"begins")
                match.flush()
                (post,) = hears(lobby, Post)
                assert (post.process, post.body) == (f"match-{number}", b"begins")
            is_away(gate, f"match-{number}")


def test_messages_of_a_name_that_is_given_up_stay_in_the_books_and_the_next_begins_at_none(
    gate: Gate,
) -> None:
    def counted(name: str, **labels: str) -> float:
        return gate.metrics().value(f"pollgate_game_{name}_total", **labels)

    def reload(to: str) -> None:
        written = json.loads(gate.config_path.read_text())
        written["game"]["routes"] = [{"to": to}]
        gate.write_config(written)
        before = gate.stderr.count("configuration reloaded")
        gate.reload()
        gate.wait_until(lambda: gate.stderr.count("configuration reloaded") > before)

    async def say(player: Client) -> None:
        receipts = [player.say(OWN, b"x") for _ in range(MESSAGES)]
        for receipt in receipts:
            assert receipt is not None
            await receipt

    async def play() -> None:
        path = gate.directory / "game.sock"
        async with Client(ticket(gate, 7)) as player:
            with Game(path, "arena") as arena:
                await say(player)
                await asyncio.to_thread(hears, arena, Message, MESSAGES)
                arena.poll()  # gives back what it had
            await say(player)  # nobody reads these
            await asyncio.to_thread(reload, "lobby")
            with contextlib.ExitStack() as stack:
                for name in ("lobby", "match"):
                    stack.enter_context(Game(path, name))
                last = stack.enter_context(Game(path, "last"))
                await asyncio.to_thread(reload, "last")
                await say(player)
                await asyncio.to_thread(hears, last, Message, MESSAGES)

    asyncio.run(play())
    assert names(gate) == {"last", "lobby", "match"}
    assert [counted(f"messages_{name}", process="last") for name in ("offered", "delivered")] == [
        MESSAGES
    ] * 2
    assert counted("retired_messages", result="delivered") == 2 * MESSAGES
    assert counted("unread_messages", reason="given_up") == MESSAGES
    dispatched = gate.metrics().value("pollgate_session_messages_dispatched_total", worker="0", to="process")
    offered = sum(counted("messages_offered", process=name) for name in names(gate))
    assert dispatched == offered + 2 * MESSAGES
    gate.kill_worker()
    gate.wait_ready()
    assert counted("messages_delivered", process="last") == MESSAGES
