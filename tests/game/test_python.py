# SPDX-License-Identifier: BSD-3-Clause
"""pyshim.game against a gateway of the tests' own: what it hears, says, waits for and refuses."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from pyshim._native import _game
from pyshim.game import (
    Batch,
    Delivery,
    End,
    EndedError,
    Event,
    FullError,
    Game,
    GameError,
    Gap,
    How,
    Joined,
    Left,
    Message,
    MessageType,
    Moved,
    NotHereError,
    Post,
    Priority,
    Published,
)
from tests.game.stand_in import StandIn

BOUND_S = 60


@pytest.fixture
def gate(program: Path) -> Iterator[StandIn]:
    with StandIn(program, workers=2) as gate:
        yield gate


def take(game: Game, n: int) -> list[Event]:
    """The next so many events."""
    found: list[Event] = []
    while len(found) < n:
        assert game.wait(BOUND_S)
        found += game.poll().events()
    return found


def joined(gate: StandIn, game: Game, *players: int) -> None:
    for player in players:
        gate.do(f"join {player % 2} {player}")
    take(game, len(players))


def test_players_come_speak_and_go(gate: StandIn) -> None:
    with Game(gate.path, "arena") as game:
        gate.do("join 0 7")
        gate.do("say 0 7 100 hello")
        assert take(game, 2) == [
            Joined(7, 1007, 8081, 1, How.NOW, 7),
            Message(7, 100, b"hello", True, 2, Priority.URGENT),
        ]
        assert game.players == 1
        assert game.is_here(7)
        gate.do("leave 0 7 2")
        assert take(game, 1) == [Left(7, 1007, "idle")]
        gate.do("moved 0 20")
        assert take(game, 1) == [
            Moved(((20, (1.0, 2.0, 3.0), (0.0, 0.0, 0.0)), (21, (1.0, 2.0, 3.0), (0.0, 0.0, 1.0))))
        ]
        assert game.statistics.events == 4


def test_the_synchronous_loop_ends_with_the_gateway(program: Path) -> None:
    gate = StandIn(program)
    with Game(gate.path, "arena") as game:
        gate.do("say 0 7 100 last words")
        gate.close()
        heard = list(game)
        assert heard == [Message(7, 100, b"last words", True, 2, 0), End("the gateway ended")]
        assert list(game) == []
        with pytest.raises(EndedError, match="not attached to the gateway any more"):
            game.kick(7)


def test_columns_of_a_batch_are_views_into_memory(gate: StandIn) -> None:
    with Game(gate.path, "arena") as game:
        for player in range(5):
            gate.do(f"say 0 {player + 1} {100 + player} {'x' * player}")
        assert game.wait(BOUND_S)
        batch = game.poll()
        assert len(batch) == 5
        assert batch.kinds.tolist() == [Batch.MESSAGE] * 5
        assert batch.players.tolist() == [1, 2, 3, 4, 5]
        assert batch.message_types.tolist() == [100, 101, 102, 103, 104]
        assert batch.lengths.tolist() == [0, 1, 2, 3, 4]
        assert batch.channels.tolist() == [2] * 5
        assert batch.reliable.tolist() == [True] * 5
        assert batch.priorities.tolist() == [0] * 5
        assert [bytes(batch.body(i)) for i in range(5)] == [b"x" * i for i in range(5)]
        assert batch.bodies.readonly
        assert [event.body for event in batch.events() if isinstance(event, Message)] == [
            bytes(batch.body(i)) for i in range(5)
        ]
        gate.do("join 0 9")
        gate.do("say 0 9 64 y")
        assert game.wait(BOUND_S)
        mixed = list(game.poll().events())
        assert isinstance(mixed[0], Joined)


def test_views_that_are_kept_harm_nothing(gate: StandIn) -> None:
    game = Game(gate.path, "arena")
    gate.do("say 0 7 100 hello")
    assert game.wait(BOUND_S)
    batch = game.poll()
    body, players = batch.body(0), batch.players
    gate.do("replace 0 0")
    game.poll()
    game.poll()
    game.close()
    assert len(bytes(body)) == 5  # whatever is there now
    assert len(players.tolist()) == 1
    with pytest.raises(EndedError, match="this game was closed"):
        game.poll()


def test_a_flood_arrives_whole_and_in_order(gate: StandIn) -> None:
    with Game(gate.path, "arena") as game:
        gate.tell("flood 0 1 56 200000")
        found = 0
        for batch in game.batches():
            for player, length in zip(batch.players, batch.lengths, strict=True):
                assert (player, length) == (1 + found % 100, 48)
                found += 1
            if found == 200000:
                break
        assert game.statistics.missing == 0


def test_what_is_sent_reaches_the_worker_of_the_player(gate: StandIn) -> None:
    with Game(gate.path, "arena") as game:
        joined(gate, game, 6, 7)
        game.send(7, 100, b"hi", Delivery(channel=1, priority=Priority.BULK))
        assert gate.order(1) is None  # not before a flush
        game.send(6, MessageType.CHAT, b"\0\0\0\0\1\0\1\0x", Delivery(sender=7))
        assert game.send_list([6, 7, 8], 101, memoryview(b"both")) == 2
        game.join_group(3, 7)
        game.send_group(3, 102, bytearray(b"group"), besides=6)
        game.place(7, (1, 2, 3))
        game.kick(7, 5)
        game.flush()
        assert gate.order(1) == (1, struct.pack("<IIIBBBB", 7, 0, 0, 100, 1, 1, 2) + b"hi")
        assert gate.order(0) == (1, struct.pack("<IIIBBBB", 6, 0, 7, 203, 0, 1, 0) + b"\0\0\0\0\1\0\1\0x")
        assert gate.order(1) == (2, struct.pack("<IIIBBBBI4x", 1, 0, 0, 101, 0, 1, 0, 7) + b"both")
        assert gate.order(1) == (4, struct.pack("<II", 3, 7))
        assert gate.order(1) == (3, struct.pack("<IIIBBBB", 3, 6, 0, 102, 0, 1, 0) + b"group")
        assert gate.order(1) == (8, struct.pack("<I6f", 7, 1, 2, 3, 0, 0, 0))
        assert gate.order(1) == (7, struct.pack("<IB3x", 7, 5))


def test_what_cannot_be_sent_says_why(gate: StandIn) -> None:
    with Game(gate.path, "arena") as game:
        joined(gate, game, 7)
        with pytest.raises(NotHereError, match="player 8 is not in"):
            game.send(8, 100, b"")
        with pytest.raises(
            GameError,
            match="type: 1, which is not sent to players; allowed are 2, 3, 5, 7, 206 and 64 to 199",
        ):
            game.send(7, 1, b"")
        with pytest.raises(GameError, match="body: none, of type 3, whose body has 9 to 520 bytes"):
            game.send(7, MessageType.CHAT, b"")
        with pytest.raises(GameError, match="body: 21 bytes of type 2, allowed are 20 to 20"):
            game.send(7, MessageType.ATTACK, bytes(21))
        with pytest.raises(GameError, match=r"type 256, .* allowed are 0 to 255"):
            game.send(7, 256, b"")
        with pytest.raises(TypeError, match="body: str, expected bytes"):
            game.send(7, 70, "abc")  # type: ignore[arg-type]
        with pytest.raises(GameError, match="channel: 9, allowed are 0 to 3"):
            game.send(7, 70, b"", Delivery(channel=9))
        with pytest.raises(GameError, match="2000 bytes in one datagram, allowed are 1400"):
            game.send(7, 70, bytes(2000), Delivery(reliable=False))
        with pytest.raises(GameError, match="reason: 200, allowed are 0 to 127"):
            game.kick(7, 200)
        with pytest.raises(GameError, match="reason: 300, allowed are 0 to 127"):
            game.kick(7, 300)
        with pytest.raises(GameError, match="topic: `no thing`, allowed are 1 to 31 letters"):
            game.subscribe("no thing")
        with pytest.raises(GameError, match="process: `arena`, which is this one"):
            game.post("arena", b"")
        with pytest.raises(FullError, match="has not kept up"):  # noqa: PT012 - at one of them
            for _ in range(100000):
                game.send(7, 100, bytes(1000))
        with pytest.raises(NotHereError, match="nobody has the name `nobody`"):
            game.post("nobody", b"x")


@pytest.mark.parametrize(
    ("path", "name", "says"),
    [
        ("/nowhere", "arena", "/nowhere: No such file or directory; is the gateway running"),
        ("/" + "p" * 200, "arena", "options.path has 201 bytes"),
        ("/nowhere", "two words", "a name has 1 to 31 letters"),
    ],
)
def test_who_cannot_attach_is_told_why(path: str, name: str, says: str) -> None:
    with pytest.raises(GameError, match=says):
        Game(path, name)


def test_processes_post_and_publish(gate: StandIn) -> None:
    with Game(gate.path, "arena") as arena, Game(gate.path, "chat") as chat:
        arena.post("chat", b"between us")
        arena.flush()
        assert take(chat, 1) == [Post("arena", b"between us")]
        chat.subscribe("scores")
        while arena.publish("scores", b"1:0") == 0:
            pass
        arena.flush()
        assert take(chat, 1) == [Published("arena", "scores", b"1:0")]
        chat.unsubscribe("scores")


def test_a_worker_that_dies_is_a_gap_and_nothing_else(gate: StandIn) -> None:
    with Game(gate.path, "arena") as game:
        gate.do("say 0 7 100 before")
        gate.do("replace 0 3")
        gate.do("say 0 7 100 after")
        before, gap, after = take(game, 3)
        assert gap == Gap(3, 0, None)
        assert isinstance(before, Message)
        assert isinstance(after, Message)
        assert (before.body, after.body) == (b"before", b"after")


def test_an_event_loop_goes_on_while_nothing_happens(gate: StandIn) -> None:
    async def play(game: Game) -> list[Event]:
        heard: list[Event] = []

        async def listen() -> None:
            async for event in game.events():
                heard.append(event)
                if len(heard) == 3:
                    return

        async def speak() -> None:
            while not heard:  # listen() sleeps, or soon will
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)
            game.send(7, 100, b"while asleep")
            while (order := gate.order(1)) is None:
                await asyncio.sleep(0.01)
            assert order[1].endswith(b"while asleep")
            gate.do("say 1 7 100 two")
            while len(heard) < 2:
                await asyncio.sleep(0.01)
            gate.do("say 0 7 100 three")

        gate.do("join 1 7")
        await asyncio.wait_for(asyncio.gather(listen(), speak()), BOUND_S)
        return heard

    with Game(gate.path, "arena") as game:
        heard = asyncio.run(play(game))
        assert game.statistics.sleeps > 0
    assert [type(event) for event in heard] == [Joined, Message, Message]


def test_who_no_longer_listens_can_listen_again(gate: StandIn) -> None:
    async def play(game: Game) -> Event:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(game.events()), 0.05)
        gate.do("say 0 7 100 now")
        return await asyncio.wait_for(anext(game.events()), BOUND_S)

    with Game(gate.path, "arena") as game:
        event = asyncio.run(play(game))
    assert isinstance(event, Message)
    assert event.body == b"now"


def bodies(events: Iterable[Event]) -> list[bytes]:
    return [event.body for event in events if isinstance(event, Message)]


def say_numbers(gate: StandIn) -> None:
    for number in range(6):
        gate.do(f"say 0 7 70 {number}")


def rest(gate: StandIn, before: int = 0) -> bytes:
    """What the next process of the name is told, after the one of this number."""
    gate.do(f"follow {before}")
    with Game(gate.path, "arena") as game:
        return b"".join(bodies(game.poll().events()) if game.wait(0) else [])


def test_an_event_at_which_a_game_failed_and_those_behind_it_come_to_the_next(gate: StandIn) -> None:
    async def fail_at_one(game: Game) -> None:
        async for event in game.events():
            raise KeyError(event)

    say_numbers(gate)
    with pytest.raises(KeyError), Game(gate.path, "arena") as game:  # noqa: PT012 - in the loop
        for event in game:
            if isinstance(event, Message) and event.body == b"3":
                raise KeyError
    gate.do("follow 0")
    with pytest.raises(KeyError), Game(gate.path, "arena") as game:
        asyncio.run(fail_at_one(game))
    gate.do("follow 1")
    with pytest.raises(KeyError), Game(gate.path, "arena") as game:  # noqa: PT012 - in the loop
        for batch in game.batches():
            raise KeyError(batch.body(0))
    assert rest(gate, 2) == b"345"


def test_a_game_that_leaves_its_loop_has_finished_what_it_was_given(gate: StandIn) -> None:
    say_numbers(gate)
    gate.do("join 0 9")  # of mixed company
    with Game(gate.path, "arena") as game:
        for event in game:
            if isinstance(event, Message) and event.body == b"3":
                break
    assert rest(gate) == b"45"
    assert rest(gate, 1) == b""


def test_a_second_loop_goes_on_where_the_first_was_left(gate: StandIn) -> None:
    async def take_two(game: Game) -> list[Event]:
        return [await anext(game.events()), await anext(game.events())]

    say_numbers(gate)
    with Game(gate.path, "arena") as game:
        assert bodies([next(iter(game)), next(iter(game))]) == [b"0", b"1"]
        assert bodies(asyncio.run(take_two(game))) == [b"2", b"3"]
        assert bodies([next(iter(game))]) == [b"4"]
    assert rest(gate) == b"5"


def test_the_end_of_the_gateway_ends_an_event_loop(program: Path) -> None:
    async def play(game: Game) -> list[Event]:
        asyncio.get_running_loop().call_later(0.05, gate.close)
        return [event async for event in game.events()]

    gate = StandIn(program)
    with Game(gate.path, "arena") as game:
        assert asyncio.run(asyncio.wait_for(play(game), BOUND_S)) == [End("the gateway ended")]


def test_a_child_is_refused_and_its_parent_goes_on(gate: StandIn) -> None:
    with Game(gate.path, "arena") as game:
        joined(gate, game, 7)
        child = os.fork()
        if child == 0:
            try:
                game.send(7, 100, b"x")
            except GameError as error:
                os._exit(0 if "child of the one that attached" in str(error) else 2)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        game.send(7, 100, b"parent")
        game.flush()
        order = gate.order(1)
        assert order
        assert order[1].endswith(b"parent")


def test_no_data_plane_is_loaded_with_it() -> None:
    code = "import pyshim.game, sys; print('_pollgate' in str(sys.modules), open('/proc/self/maps').read())"
    said = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert said.stdout.startswith("False")
    assert "librte" not in said.stdout
    assert _game.__file__ in said.stdout


def test_the_server_in_the_readme_outlives_gateways_and_ends_with_ctrl_c(
    program: Path, tmp_path: Path
) -> None:
    text = (Path(__file__).parents[2] / "game/README.md").read_text()
    server = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)[0]
    path = tmp_path / "game.sock"
    (tmp_path / "server.py").write_text(
        server.replace("/run/pollgate/game.sock", str(path)).replace("time.sleep(1)", "time.sleep(0.05)")
    )
    with subprocess.Popen(
        [sys.executable, tmp_path / "server.py"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert "is the gateway running" in process.stdout.readline()
        for answer in ("first", "second"):
            with StandIn(program) as gate:
                gate.do("join 0 7")
                gate.do(f"say 0 7 70 {answer}")
                path.symlink_to(gate.path)
                while (order := gate.order()) is None:
                    time.sleep(0.01)
                assert order[1].endswith(answer.encode())
                if answer == "second":
                    process.send_signal(signal.SIGINT)
                    _, said = process.communicate(timeout=BOUND_S)
                path.unlink()
    assert (process.returncode, said) == (0, "")


def test_who_imports_the_sources_is_told_where_a_game_belongs() -> None:
    root = Path(__file__).parents[2]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONSAFEPATH"}
    done = subprocess.run(
        [sys.executable, "-c", "import pyshim.game"],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=BOUND_S,
    )
    assert done.returncode == 1
    assert f"ImportError: {root}/pyshim is the sources of pollgate" in done.stderr
