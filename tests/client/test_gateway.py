# SPDX-License-Identifier: BSD-3-Clause
"""The C client against the gateway itself, over sockets of this host."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import pytest

from pyshim.protocol.client import Chat, Client, Ticket
from tests.client.c_client import Game, Heard, Library
from tests.gate import Gate
from tests.ports import free_port

TIMEOUT_S = 60.0
REVOKED, REPLACED = 4, 5
DENIED_REVOKED, DENIED_CONSUMED = 24, 25
UNREACHABLE, SILENT = 40, 41


@pytest.fixture(scope="module", params=["epoll"])
def gate(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    config = {
        "engine": request.param,
        "ports": [{"name": "game0", "address": ["127.0.0.1/8"]}],
        "workers": {"cpus": "auto"},
        "listen": [{"port": free_port(), "profile": "session"}],
        "sessions": {"idle_timeout_s": 600},  # a player here is silent while a busy machine starts a worker
    }
    with Gate(config, tmp_path_factory.mktemp("gate")) as running:
        yield running


def token(gate: Gate, *arguments: str) -> str:
    command = [sys.executable, "-P", "-m", "pyshim.cli", "token", arguments[0], "-c", str(gate.config_path)]
    done = subprocess.run(
        [*command, *arguments[1:]], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def issue(gate: Gate, player_id: int, *arguments: str) -> str:
    return token(gate, "issue", "--player", str(player_id), "--json", *arguments)


def tell(game: Game, gate: Gate, *arguments: str) -> None:
    """Have the operator do something; the player plays on meanwhile, else the session times out."""
    with ThreadPoolExecutor(1) as pool:
        told = pool.submit(token, gate, *arguments)
        until(game, told.done)
        told.result()


def until(game: Game, seen: Callable[[], Any], timeout_s: float = TIMEOUT_S) -> None:
    """Play until it is so."""
    deadline = time.monotonic() + timeout_s
    while not seen():
        assert time.monotonic() < deadline, f"it only heard {game.events}"
        game.play(0.05)


def values(game: Game, kind: str) -> list[tuple[Any, ...]]:
    return [event.values for event in game.events if event.type == kind]


def enter(library: Library, gate: Gate, player_id: int) -> Game:
    game = Game(library, Ticket.from_json(issue(gate, player_id)))
    until(game, lambda: values(game, "CONNECTED"))
    return game


def test_example_plays_on_the_gateway(player: Path, gate: Gate) -> None:
    ticket = issue(gate, 101)
    command = [player, "--ticket", "-", "--seconds", "1", "--say", "hello"]
    done = subprocess.run(command, input=ticket, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "chat: player 101: hello" in done.stdout.splitlines()
    assert "delivered: 1" in done.stdout.splitlines()
    answer = json.loads(token(gate, "inspect", str(json.loads(ticket)["session"]), "--json"))
    assert answer["player_id"] == 101


def test_c_and_python_clients_chat_with_each_other(library: Library, gate: Gate) -> None:
    ours = enter(library, gate, 102)
    theirs: list[tuple[int, str]] = []

    async def play() -> None:
        async with asyncio.timeout(TIMEOUT_S), Client(Ticket.from_json(issue(gate, 103))) as game:
            await game.chat("from Python", to=102)
            async for event in game.events():
                if isinstance(event, Chat):
                    theirs.append((event.sender, event.text))
                    return

    thread = threading.Thread(target=lambda: asyncio.run(play()))
    thread.start()
    until(ours, lambda: values(ours, "CHAT"))
    assert ours.chat(103, "from C") == 0
    until(ours, lambda: not thread.is_alive())
    assert Heard("CHAT", 103, (102, "from Python")) in ours.events
    assert theirs == [(102, "from C")]


@pytest.mark.parametrize("data", [b"", b"ab" * 5000, Random(1).randbytes(65_528)], ids=len)
def test_bulk_returns_as_it_was(library: Library, gate: Gate, data: bytes) -> None:
    game = enter(library, gate, 104)
    assert game.bulk(104, data, game.delivery(channel=2, receipt=1)) == 0
    until(game, lambda: values(game, "BULK") and values(game, "DELIVERED"))
    assert values(game, "BULK") == [(data,)]


def test_all_that_is_said_is_heard_in_order(library: Library, gate: Gate) -> None:
    game = enter(library, gate, 105)
    said = [Random(n).randbytes(900) for n in range(30)]  # as many as delivery.messages_burst allows at once
    for data in said:
        while game.bulk(105, data) != 0:
            game.play(0.01)
    until(game, lambda: len(values(game, "BULK")) == len(said))
    assert [data for (data,) in values(game, "BULK")] == said


def test_operator_writes_to_a_player(library: Library, gate: Gate, tmp_path: Path) -> None:
    ticket = Ticket.from_json(issue(gate, 106))
    game = Game(library, ticket)
    until(game, lambda: values(game, "CONNECTED"))
    tell(game, gate, "send", str(ticket.session), "--text", "from the operator")
    things = tmp_path / "things"
    things.write_bytes(b"sword " * 500)
    tell(game, gate, "send", str(ticket.session), "--type", "inventory", "--file", str(things))
    until(game, lambda: values(game, "CHAT") and values(game, "INVENTORY"))
    assert [event.player_id for event in game.events if event.type == "CHAT"] == [0]
    assert values(game, "INVENTORY") == [(b"sword " * 500,)]


def test_player_whose_address_changes_plays_on(library: Library, gate: Gate) -> None:
    game = enter(library, gate, 107)
    before = gate.metrics().value("pollgate_session_path_changes_total")
    assert library.lib.pgc_rebind(game.client) == 0
    assert game.chat(107, "from elsewhere", game.delivery(receipt=1)) == 0
    until(game, lambda: values(game, "CHAT") and values(game, "DELIVERED"))
    assert gate.metrics().value("pollgate_session_path_changes_total") == before + 1
    assert values(game, "CLOSED") == []


def test_revoked_player_is_told_and_cannot_come_back(library: Library, gate: Gate) -> None:
    ticket = Ticket.from_json(issue(gate, 108))
    game = Game(library, ticket)
    until(game, lambda: values(game, "CONNECTED"))
    tell(game, gate, "revoke", str(ticket.session))
    until(game, lambda: values(game, "CLOSED"))
    assert values(game, "CLOSED") == [(REVOKED, 0)]
    assert library.lib.pgc_connect(game.client) == 0
    until(game, lambda: len(values(game, "CLOSED")) == 2)
    assert values(game, "CLOSED")[1] == (DENIED_REVOKED, 0)


def test_ticket_that_is_good_for_once_is_consumed(library: Library, gate: Gate) -> None:
    game = Game(library, Ticket.from_json(issue(gate, 109, "--once")))
    until(game, lambda: values(game, "CONNECTED"))
    assert library.lib.pgc_close(game.client) == 0
    assert library.lib.pgc_connect(game.client) == 0
    until(game, lambda: len(values(game, "CLOSED")) == 2)
    assert values(game, "CLOSED")[1] == (DENIED_CONSUMED, 0)


def test_second_use_of_a_ticket_replaces_the_first(library: Library, gate: Gate) -> None:
    ticket = Ticket.from_json(issue(gate, 110))
    first, second = Game(library, ticket), Game(library, ticket, connect=False)
    until(first, lambda: values(first, "CONNECTED"))
    second.open()
    until(second, lambda: values(second, "CONNECTED"))
    until(first, lambda: values(first, "CLOSED"))
    assert values(first, "CLOSED") == [(REPLACED, 0)]


def test_player_goes_on_when_a_worker_dies(library: Library, gate: Gate) -> None:
    game = enter(library, gate, 111)
    game.play(0.2)
    gate.kill_worker()
    gate.wait_ready()
    # Its sockets are new ones; what the connection was made from is not.
    assert game.chat(111, "still here", game.delivery(receipt=1)) == 0
    until(game, lambda: values(game, "CHAT") and values(game, "DELIVERED"))
    assert values(game, "CHAT") == [(111, "still here")]
    assert values(game, "CLOSED") == values(game, "LOST") == []
    assert values(game, "RESTARTED") == [(0, 0, 0, 0)]


def test_ticket_for_once_survives_a_crash_with_messages_under_way(library: Library, gate: Gate) -> None:
    game = Game(library, Ticket.from_json(issue(gate, 112, "--once")))
    until(game, lambda: values(game, "CONNECTED"))
    restarts = gate.metrics().value("pollgate_worker_restarts_total")
    for receipt in range(1, 4):
        assert game.chat(112, f"{receipt}", game.delivery(receipt=receipt)) == 0
        game.play(0)  # else it would only be sent afterwards
        gate.kill_worker()
    gate.wait_metric("pollgate_worker_restarts_total", restarts + 3)
    gate.wait_ready()
    until(game, lambda: len(values(game, "DELIVERED")) == 3)
    assert game.chat(112, "last", game.delivery(receipt=4)) == 0
    until(game, lambda: (112, "last") in values(game, "CHAT"))
    lost = sum(sum(one) for one in values(game, "RESTARTED"))
    assert len(values(game, "CHAT")) + lost == 4
    assert values(game, "CLOSED") == values(game, "LOST") == []
