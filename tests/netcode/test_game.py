# SPDX-License-Identifier: BSD-3-Clause
"""A game behind a gateway with profile netcode: it hears its clients, and answers them."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pyshim.game import Delivery, Game, GameError, How, Joined, Left, Message, Profile
from tests.gate import TIMEOUT_S, Samples
from tests.netcode.gateway import NetcodeGate, configuration, conserved
from tests.netcode.model import Client, Kind, State
from tests.ports import free_port

PAYLOAD = 64
FORWARDED = "pollgate_forwarded_packets_total"
UNRELIABLE = Delivery(reliable=False)


def with_game(directory: Path, engine: str = "epoll", **more: Any) -> dict[str, Any]:
    game = {"listen": f"unix:{directory}/game.sock", "routes": [{"to": "arena", "types": [PAYLOAD]}]}
    return configuration(directory, engine, game=game, **more)


@pytest.fixture(scope="module", params=["epoll", "io_uring"])
def gate(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetcodeGate]:
    directory = tmp_path_factory.mktemp("game")
    with NetcodeGate(with_game(directory, request.param), directory) as made:
        yield made


@pytest.fixture
def game(gate: NetcodeGate) -> Iterator[Game]:
    """Attached; afterwards nobody is connected, and every packet, message and payload was counted once."""
    with Game(gate.directory / "game.sock", "arena") as made:
        yield made
        await_(lambda: gate.metrics().value("pollgate_sessions", state="connected") == 0)
        await_(lambda: balanced(gate.metrics()))


def await_(reached: Callable[[], bool]) -> None:
    bound_s = time.monotonic() + TIMEOUT_S
    while not reached():
        assert time.monotonic() < bound_s
        time.sleep(0.05)


def balanced(samples: Samples) -> bool:
    """Nobody else speaks to processes and no worker has died: packets forwarded are messages delivered."""
    forwarded = samples.value(FORWARDED)
    offered = samples.value("pollgate_game_messages_offered_total")
    delivered = samples.value("pollgate_game_messages_delivered_total")
    missed = samples.value("pollgate_netcode_payloads_lost_total", reason="process")
    return (
        conserved(samples)
        and forwarded == delivered
        and offered == delivered + samples.value("pollgate_game_messages_lost_total")
        and missed == samples.value("pollgate_game_messages_lost_total")
        and samples.value("pollgate_netcode_payloads_offered_total")
        == samples.value("pollgate_netcode_payloads_sent_total")
        + samples.value("pollgate_netcode_payloads_unsent_total")
    )


class Nobody:
    """Who does nothing while a game is listened to."""

    def step(self) -> None:
        time.sleep(0.02)


def hears(game: Game, kind: Any, client: Any, count: int = 1) -> list[Any]:
    """The next so many events of a kind, while the client goes on."""
    found: list[Any] = []
    bound_s = time.monotonic() + TIMEOUT_S
    while len(found) < count:
        assert time.monotonic() < bound_s, found
        found += [event for event in game.poll().events() if isinstance(event, kind)]
        client.step()
    return found


@contextlib.contextmanager
def connected(gate: NetcodeGate, client_id: int, **more: Any) -> Iterator[Client]:
    client = gate.connected(client_id, **more)
    yield client
    client.send(Kind.DISCONNECT)
    client.socket.close()


def test_a_client_is_named_with_its_id_and_user_data_heard_and_answered(
    gate: NetcodeGate, game: Game
) -> None:
    client_id = 0xFEDC_BA98_7654_3210
    before = gate.metrics().value(FORWARDED)
    with connected(gate, client_id, user_data=b"of the studio") as client:
        (joined,) = hears(game, Joined, client)
        assert (joined.client, joined.profile, joined.how) == (client_id, Profile.NETCODE, How.NOW)
        assert joined.user_data == b"of the studio".ljust(256, b"\0")
        assert (joined.session, joined.port) == (client.index, gate.port)
        assert joined.player >= 1 << 31
        for length in (1, 100, 1200):
            body = random.Random(length).randbytes(length)
            client.send(Kind.PAYLOAD, body)
            (said,) = hears(game, Message, client)
            assert (said.player, said.type, said.body) == (joined.player, PAYLOAD, body)
            assert not said.reliable
            game.send(said.player, said.type, body[::-1], UNRELIABLE)
            game.flush()
            client.until(lambda b=body[::-1]: client.payloads[-1:] == [b])  # type: ignore[misc]
    (left,) = hears(game, Left, Nobody())
    assert (left.player, left.why) == (joined.player, "left")
    assert gate.metrics().value(FORWARDED) - before == 3


def test_what_the_profile_has_not_is_refused_at_the_call_and_in_lists_by_the_gateway(
    gate: NetcodeGate, game: Game
) -> None:
    with connected(gate, 5) as client:
        (joined,) = hears(game, Joined, client)
        for refused in (
            lambda: game.send(joined.player, PAYLOAD, b"reliable"),
            lambda: game.send(joined.player, PAYLOAD + 1, b"x", UNRELIABLE),
            lambda: game.send(joined.player, PAYLOAD, b"", UNRELIABLE),
            lambda: game.send(joined.player, PAYLOAD, bytes(1201), UNRELIABLE),
            lambda: game.place(joined.player, (1, 2, 3)),
            lambda: game.ask(joined.player),
        ):
            with pytest.raises(GameError, match="the player's profile has no such thing: to netcode go"):
                refused()
        game.send_list([joined.player], PAYLOAD, b"reliable")
        game.flush()
        await_(lambda: gate.metrics().value("pollgate_game_orders_refused_total", reason="profile") == 1)
        assert client.payloads == []


def test_a_kick_disconnects_with_the_packets_of_netcode(gate: NetcodeGate, game: Game) -> None:
    client = gate.connected(6)
    (joined,) = hears(game, Joined, client)
    game.kick(joined.player, 3)
    game.flush()
    client.until(lambda: client.state is State.DISCONNECTED)
    (left,) = hears(game, Left, client)
    assert (left.player, left.why) == (joined.player, "kicked")
    client.socket.close()


def test_a_group_hears_what_is_said_to_it(gate: NetcodeGate, game: Game) -> None:
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connected(gate, 10 + number)) for number in range(3)]
        joined = hears(game, Joined, clients[0], 3)
        for one in joined:
            game.join_group(4, one.player)
        game.send_group(4, PAYLOAD, b"to all", UNRELIABLE)
        game.flush()
        for client in clients:
            client.until(lambda c=client: c.payloads == [b"to all"])  # type: ignore[misc]


def test_a_client_that_is_silent_leaves_as_idle(gate: NetcodeGate, game: Game) -> None:
    client = gate.connected(7, timeout_s=1)
    hears(game, Joined, client)
    client.socket.close()
    (left,) = hears(game, Left, Nobody())
    assert left.why == "idle"


def test_who_was_in_before_is_listed_and_what_they_said_meanwhile_waits(tmp_path: Path) -> None:
    with NetcodeGate(with_game(tmp_path), tmp_path) as own, connected(own, 8) as client:
        client.send(Kind.PAYLOAD, b"before")
        await_(lambda: own.metrics().value(FORWARDED) == 1)
        with Game(tmp_path / "game.sock", "arena") as game:
            said, joined = hears(game, Message | Joined, client, 2)
            assert isinstance(said, Message)
            assert isinstance(joined, Joined)
            assert said.body == b"before"
            game.send(said.player, PAYLOAD, b"heard", UNRELIABLE)
            game.flush()
            assert (joined.client, joined.how, joined.player) == (8, How.BEFORE, said.player)
            client.until(lambda: client.payloads == [b"heard"])


def test_a_killed_worker_costs_a_client_neither_its_connection_nor_its_number(tmp_path: Path) -> None:
    with (
        NetcodeGate(with_game(tmp_path), tmp_path) as own,
        Game(tmp_path / "game.sock", "arena") as game,
        connected(own, 9, timeout_s=60) as client,
    ):
        (joined,) = hears(game, Joined, client)
        for number in range(3):
            own.kill_worker()
            own.wait_ready()
            (again,) = hears(game, Joined, client)
            assert (again.player, again.how) == (joined.player, How.AGAIN)
            client.send(Kind.PAYLOAD, b"%d" % number)
            (said,) = hears(game, Message, client)
            assert (said.player, said.body) == (joined.player, b"%d" % number)
            game.send(joined.player, PAYLOAD, said.body, UNRELIABLE)
            game.flush()
            client.until(lambda n=number: client.payloads[-1:] == [b"%d" % n])  # type: ignore[misc]
        await_(lambda: conserved(own.metrics()))


def test_players_of_two_profiles_are_in_one_game(tmp_path: Path) -> None:
    config = with_game(tmp_path)
    config["listen"].append({"port": free_port(), "profile": "session"})
    config["game"]["routes"][0]["listen"] = [config["listen"][0]["port"]]
    with (
        NetcodeGate(config, tmp_path) as own,
        Game(tmp_path / "game.sock", "arena") as game,
        connected(own, 9) as client,
    ):
        (joined,) = hears(game, Joined, client)
        client.send(Kind.PAYLOAD, b"x")
        (said,) = hears(game, Message, client)
        assert said.player == joined.player
        await_(lambda: balanced(own.metrics()))
