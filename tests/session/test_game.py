# SPDX-License-Identifier: BSD-3-Clause
"""What a game developer uses: the asyncio client over real sockets, and every block of its README."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import struct
import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from pyshim.errors import UsageError
from pyshim.protocol.client import (
    Attack,
    Bulk,
    Chat,
    Client,
    Connected,
    Disconnected,
    Ending,
    Event,
    Expired,
    Settings,
    Skill,
    Ticket,
    TimedOut,
    Undelivered,
)
from pyshim.protocol.session_wire import CloseReason, Denial, MessageType
from tests.gate import Gate
from tests.issuing.gateway import Api, configuration
from tests.session.model_server import ModelServer

README = (files("pyshim.protocol") / "README.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
TIMEOUT_S = 90


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as it:
        yield it


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """The control API of a real gateway on this host's sockets."""
    directory = tmp_path_factory.mktemp("gate")
    with Gate(configuration(directory), directory) as gate:
        yield Api(gate)


async def hear(game: Client, count: int) -> list[Event]:
    heard: list[Event] = []
    async with asyncio.timeout(TIMEOUT_S):
        async for event in game.events():
            heard.append(event)
            if len(heard) == count:
                break
    return heard


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_readmes_blocks_run_as_they_stand(
    block: str, api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ticket.json").write_text(json.dumps(api.issue(7)))
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "README.md", "exec"), {"__name__": "__main__"})
    # Their own last resorts print what went wrong: none was needed.
    assert not any(
        word in capsys.readouterr().out for word in ("ticket", "connection", "acknowledged", "lost")
    )


def test_readmes_blocks_pass_a_games_type_checker(tmp_path: Path) -> None:
    """As an installed package: mypy believes only one that says that it is typed."""
    games = [f"game{at}.py" for at in range(len(BLOCKS))]
    for game, block in zip(games, BLOCKS, strict=True):
        (tmp_path / game).write_text(block)
    command = [sys.executable, "-m", "mypy", "--strict", *games]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_client_comes_back_through_a_crash_of_the_worker(tmp_path: Path) -> None:
    async def play(gate: Gate, api: Api) -> list[str]:
        issued = await asyncio.to_thread(api.issue, 7)
        async with Client(Ticket.from_json(json.dumps(issued)), Settings(keep_trying_s=TIMEOUT_S)) as game:
            await game.chat("before", to=7)
            await asyncio.to_thread(gate.kill_worker)
            while True:
                with contextlib.suppress(Undelivered):
                    await asyncio.wait_for(game.chat("after", to=7), TIMEOUT_S)
                    break
            texts = []
            async with asyncio.timeout(TIMEOUT_S):
                async for event in game.events():
                    if isinstance(event, Chat):
                        texts.append(event.text)
                    if texts[-1:] == ["after"]:
                        break
            return texts

    with Gate(configuration(tmp_path), tmp_path) as gate:
        assert asyncio.run(play(gate, Api(gate)))[-1] == "after"


def test_readme_has_blocks() -> None:
    assert len(BLOCKS) >= 4


def test_players_do_things_to_each_other(server: ModelServer) -> None:
    async def play() -> list[Event]:
        async with Client(server.issue(7)) as alice, Client(server.issue(8)) as bob:
            await alice.attack(8, 3, (0.0, 1.0, 0.0))
            await alice.chat("左から来るぞ", to=8, topic=2)
            await alice.bulk(bytes(100_0), to=8)
            return await hear(bob, 4)

    connected, *said = asyncio.run(play())
    assert connected == Connected(8, 3600, 1400)
    assert said == [Attack(7, 8, 3, (0.0, 1.0, 0.0)), Chat(7, 8, 2, "左から来るぞ"), Bulk(7, 8, bytes(1000))]


def test_moves_arrive(server: ModelServer) -> None:
    async def play() -> None:
        async with Client(server.issue(7)) as game:
            for _ in range(100):
                game.move((1.0, 2.0, 3.0), (0.0, 0.0, -1.0))
            await game.chat("done", to=9)

    asyncio.run(play())
    with server.lock:
        assert [number for _, number, _ in server.gateway.taken].count(MessageType.MOVE) == 100


@pytest.mark.parametrize("call", ["move", "say"])
def test_what_is_urgent_leaves_at_once_though_it_may_be_lost(server: ModelServer, call: str) -> None:
    async def play() -> None:
        patient = Settings(flush_s=10 * TIMEOUT_S)  # what is not urgent waits for longer than the test
        async with Client(server.issue(7), patient) as game:
            if call == "move":
                game.move((1.0, 2.0, 3.0))
            else:
                assert game.say(MessageType.MOVE, struct.pack("<6f", *6 * [1.0])) is None
            async with asyncio.timeout(TIMEOUT_S):
                while MessageType.MOVE not in taken(server):
                    await asyncio.sleep(0.01)

    asyncio.run(play())


def taken(server: ModelServer) -> list[int]:
    """The types that the gateway was told."""
    with server.lock:
        return [number for _, number, _ in server.gateway.taken]


def test_client_goes_on_from_another_port(server: ModelServer) -> None:
    async def play() -> list[Event]:
        async with Client(server.issue(7)) as game:
            before = server.gateway.seat(7)[1].address
            await game.rebind()
            await game.chat("still here", to=7)
            heard = await hear(game, 2)
            assert server.gateway.seat(7)[1].address != before
            return heard

    assert asyncio.run(play()) == [Connected(7, 3600, 1400), Chat(7, 7, 0, "still here")]


def test_expired_session_is_told_when_connecting(server: ModelServer) -> None:
    ticket = server.issue(7)
    with server.lock:
        server.gateway.seat(7)[1].denial = Denial.EXPIRED

    async def play() -> None:
        async with Client(ticket):
            pytest.fail("connected")

    with pytest.raises(Expired, match="issue another"):
        asyncio.run(play())


def test_nobody_there_is_told_when_connecting(server: ModelServer) -> None:
    ticket = server.issue(7)

    async def play() -> None:
        async with Client(
            Ticket(ticket.session, ticket.key, "127.0.0.1", 9), Settings(connect_timeout_s=0.5)
        ):
            pytest.fail("connected")

    with pytest.raises(TimedOut, match="is it running"):
        asyncio.run(play())


def test_events_end_when_the_session_is_over(server: ModelServer) -> None:
    async def play() -> list[Event]:
        async with Client(server.issue(7)) as game:
            with server.lock:
                server.send(server.gateway.close(7, CloseReason.REVOKED))
            return [event async for event in game.events()]

    assert asyncio.run(asyncio.wait_for(play(), TIMEOUT_S))[-1] == Disconnected(Ending.REVOKED, final=True)


def test_client_that_was_not_entered_says_how(server: ModelServer) -> None:
    async def play() -> None:
        Client(server.issue(7)).move((0.0, 0.0, 0.0))

    with pytest.raises(UsageError, match="async with"):
        asyncio.run(play())


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda game: game.move((float("nan"), 0.0, 0.0)), "finite"),
        (lambda game: game.move((0.0, 0.0)), "three"),
        (lambda game: game.chat("", to=1), "1 to 512"),
        (lambda game: game.chat("ü" * 257, to=1), "514 bytes"),
        (lambda game: game.chat("\ud800", to=1), "surrogate"),
        (lambda game: game.chat("a", to=-1), "to: -1"),
        (lambda game: game.chat("a", to=1, channel=4), "channel: 4"),
        (lambda game: game.bulk(bytes(65529), to=1), "65529 bytes"),
        (lambda game: game.bulk(bytes(1000), to=1, channel=3), "takes 454"),
        (lambda game: game.skill(1 << 32, to=1), "skill_id"),
        (lambda game: game.say(MessageType.SKILL, bytes(9)), "SKILL of 9 bytes"),
        (lambda game: game.say(MessageType.CHAT_EVENT, b""), "kind: 203, allowed are"),
        (lambda game: game.say(63, b""), "kind: 63, allowed are what players say, .* and 64 to 199"),
        (lambda game: game.say(70, b"", priority=3), "priority: 3, allowed are 0, 1 and 2"),
        (lambda game: game.say(MessageType.BULK, bytes(1000), channel=3), "takes 458"),
    ],
)
def test_what_cannot_be_said_is_refused_in_a_sentence(server: ModelServer, call, text: str) -> None:
    async def play() -> None:
        async with Client(server.issue(7)) as game:
            call(game)

    with pytest.raises(UsageError, match=text):
        asyncio.run(play())


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda game: game.say(70, "abc"), "body: str, expected bytes; of text, text.encode"),
        (lambda game: game.say(70, None), "body: NoneType, expected bytes"),
        (lambda game: game.say(70.0, b""), "kind: float, expected a whole number"),
        (lambda game: game.say(70, b"", channel=1.0), "channel: float"),
        (lambda game: game.bulk("abc", to=7), "data: str, expected bytes"),
        (lambda game: game.skill(1.0, to=7), "skill_id: float"),
        (lambda game: game.chat(b"a", to=7), "text: bytes, expected str"),
        (lambda game: game.chat("a", to="7"), "to: str"),
        (lambda game: game.chat("a", to=7, topic=1.0), "topic: float"),
    ],
)
def test_what_is_of_another_type_is_refused_and_the_connection_goes_on(
    server: ModelServer, call, text: str
) -> None:
    async def play() -> list[Event]:
        async with Client(server.issue(7)) as game:
            with pytest.raises(TypeError, match=text):
                call(game)
            await game.skill(12, to=7)
            return await hear(game, 2)

    assert asyncio.run(play())[1] == Skill(7, 12, 7)


def test_a_body_is_said_as_it_was_when_it_was_given(server: ModelServer) -> None:
    async def play() -> list[Event]:
        async with Client(server.issue(7)) as game:
            body = bytearray(struct.pack("<II", 12, 7))
            receipt = game.say(MessageType.SKILL, memoryview(body))
            body[0] = 13
            assert receipt is not None
            await receipt
            return await hear(game, 2)

    assert asyncio.run(play())[1] == Skill(7, 12, 7)


def test_a_message_of_any_type_is_said_by_its_number(server: ModelServer) -> None:
    async def play() -> list[Event]:
        async with Client(server.issue(7)) as game:
            assert game.say(MessageType.HEARTBEAT, b"") is None
            receipt = game.say(MessageType.SKILL, struct.pack("<II", 12, 7))
            assert receipt is not None
            await receipt
            return await hear(game, 2)

    assert asyncio.run(play())[1] == Skill(7, 12, 7)


def test_skill_reaches_its_target(server: ModelServer) -> None:
    async def play() -> list[Event]:
        async with Client(server.issue(7)) as game:
            await game.skill(12, to=7)
            return await hear(game, 2)

    assert asyncio.run(play())[1] == Skill(7, 12, 7)
