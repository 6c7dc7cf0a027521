# SPDX-License-Identifier: BSD-3-Clause
"""Profile netcode over a device of DPDK: frames come and go, and what is sent unasked finds its way back."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pyshim.game import Delivery, Game, Message
from tests.gate import TIMEOUT_S
from tests.netcode.gateway import CAPACITY, KEY, PROTOCOL, key_file
from tests.netcode.model import Client, Kind, State, Token, make_token
from tests.network.namespace import GATE4, GATE6, PLAYERS4, PLAYERS6, Wire
from tests.network.players import NetworkGate, config, serving

PORT = 8082
PLACES = {4: (GATE4, PLAYERS4), 6: (GATE6, PLAYERS6)}


def settings(directory: Path, **more: Any) -> dict[str, Any]:
    return config(
        listen=[{"port": PORT, "profile": "netcode"}],
        sessions={"capacity": CAPACITY},
        netcode={"protocol_id": PROTOCOL, "private_key_file": key_file(directory)},
        **more,
    )


@pytest.fixture
def gate(wire: Wire, tmp_path: Path) -> Iterator[NetworkGate]:
    with serving(wire, settings(tmp_path), tmp_path) as running:
        yield running


@pytest.fixture
def played(wire: Wire, tmp_path: Path) -> Iterator[NetworkGate]:
    """Behind which there is a game."""
    game = {"listen": f"unix:{tmp_path}/game.sock", "routes": [{"to": "arena"}]}
    with serving(wire, settings(tmp_path, game=game), tmp_path) as running:
        yield running


def client(wire: Wire, family: int, client_id: int = 1, timeout_s: int = 30) -> Client:
    """A client in the players' namespace."""
    server, address = PLACES[family]
    named = f"[{server}]:{PORT}" if family == 6 else f"{server}:{PORT}"
    made = make_token(KEY, [named], protocol_id=PROTOCOL, client_id=client_id, timeout_s=timeout_s)
    return wire.players.call(lambda: Client(Token.read(made), (server, PORT), address=address))


@pytest.mark.parametrize("family", [4, 6], ids=["ipv4", "ipv6"])
def test_a_client_gets_in_is_kept_alive_and_leaves(gate: NetworkGate, wire: Wire, family: int) -> None:
    with client(wire, family) as one:
        one.connect()
        one.send(Kind.PAYLOAD, bytes(1200))
        one.until(lambda: one.count(Kind.KEEP_ALIVE) >= 5)
        one.send(Kind.DISCONNECT)
        one.until(lambda: gate.metrics().value("pollgate_sessions", state="connected") == 0)
    assert gate.metrics().value("pollgate_netcode_payloads_lost_total") == 1


@pytest.mark.parametrize("family", [4, 6], ids=["ipv4", "ipv6"])
def test_a_game_hears_a_client_and_answers_it(played: NetworkGate, wire: Wire, family: int) -> None:
    with client(wire, family) as one, Game(played.directory / "game.sock", "arena") as game:

        def answered() -> bool:
            for event in game.poll().events():
                if isinstance(event, Message):
                    game.send(event.player, event.type, event.body[::-1] * 6, Delivery(reliable=False))
            game.flush()
            return bool(one.payloads)

        one.connect()
        one.send(Kind.PAYLOAD, bytes(range(200)))
        one.until(answered)
        assert one.payloads == [bytes(range(200))[::-1] * 6]
        one.send(Kind.DISCONNECT)
        one.until(lambda: played.metrics().value("pollgate_sessions", state="connected") == 0)
    assert played.metrics().value("pollgate_forwarded_packets_total") == 1


def test_a_killed_worker_keeps_clients_of_both_families(gate: NetworkGate, wire: Wire) -> None:
    with client(wire, 4, 1) as one, client(wire, 6, 2) as other:
        one.connect()
        other.connect()
        (worker,) = gate.worker_pids()
        os.kill(worker, signal.SIGKILL)
        one.until(lambda: gate.worker_pids() not in ([], [worker]))
        for each in (one, other):
            heard = each.count(Kind.KEEP_ALIVE)
            each.until(lambda e=each, n=heard + 3: e.count(Kind.KEEP_ALIVE) >= n)  # type: ignore[misc]
        assert gate.metrics().value("pollgate_sessions_recovered_total") == 2


def test_clients_are_told_that_the_gateway_ends(gate: NetworkGate, wire: Wire) -> None:
    with client(wire, 4) as one:
        one.connect()
        gate.process.send_signal(signal.SIGTERM)
        one.until(lambda: one.state is State.DISCONNECTED)
        assert gate.process.wait(TIMEOUT_S) == 0
