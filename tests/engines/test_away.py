# SPDX-License-Identifier: BSD-3-Clause
"""An address leaves the host for a while: the gateway says so, serves the others, and keeps every session."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.engines.engines import GATES, OTHER4, OTHER6, SOCKETS, everything
from tests.network.namespace import GATE4, GATE_INTERFACE, PLAYERS_INTERFACE, Wire
from tests.network.players import Crowd, NetworkGate, Player, all_play, heartbeat, serving

pytestmark = SOCKETS
NOTICED_S = 90.0  # a bound for busy machines
PLAYERS = 10
MOVED = pytest.mark.parametrize("moved", [OTHER4, OTHER6], ids=["ipv4", "ipv6"])


@pytest.fixture
def gate(wire: Wire, engine: str, tmp_path: Path) -> Iterator[NetworkGate]:
    with serving(wire, everything(engine), tmp_path) as running:
        yield running


@contextmanager
def elsewhere(wire: Wire, address: str) -> Iterator[None]:
    """For the time of the `with` block the host does not have it."""
    ours = f"{address}/{64 if ':' in address else 24}"
    wire.gate.run("ip", "address", "delete", ours, "dev", GATE_INTERFACE)
    try:
        yield
    finally:
        flags = ("nodad",) if ":" in address else ()
        wire.gate.run("ip", "address", "add", ours, "dev", GATE_INTERFACE, *flags)


def players_of(crowd: Crowd, address: str) -> list[Player]:
    """Players of that address, each with a session."""
    made = crowd.players(PLAYERS, family=6 if ":" in address else 4, target=address)
    all_play(made, lambda number: [heartbeat(number)])
    return made


def play_on(gate: NetworkGate, players: list[Player]) -> None:
    admitted = gate.metrics().value("pollgate_sessions_admitted_total")
    all_play(players, lambda number: [heartbeat(number)])
    for player in players:
        player.is_ignored(heartbeat(player.id + 1))  # its session is still its own
    assert gate.metrics().value("pollgate_sessions_admitted_total") == admitted


@MOVED
def test_an_address_that_leaves_and_comes_back_is_said_and_its_players_go_on(
    wire: Wire, gate: NetworkGate, crowd: Crowd, moved: str
) -> None:
    here, there = players_of(crowd, GATE4), players_of(crowd, moved)
    with elsewhere(wire, moved):
        said = gate.wait_for_line(f"port game0: {moved} is not an address of this host", NOTICED_S)
        assert "all sessions are kept" in said
        gate.wait_until(lambda: gate.get("/readyz")[0] == 503, NOTICED_S)
        assert moved in gate.get("/readyz")[1]
        assert gate.metrics().value("pollgate_port_link_up") == 0
        play_on(gate, here)
    gate.wait_ready(NOTICED_S)
    gate.wait_for_line(f"port game0: {moved} serves again", NOTICED_S)
    assert gate.metrics().value("pollgate_port_link_up") == 1
    play_on(gate, there)
    assert gate.metrics().value("pollgate_worker_restarts_total") == 0


@MOVED
def test_a_worker_that_dies_meanwhile_serves_the_other_addresses_and_that_one_when_it_is_back(
    wire: Wire, gate: NetworkGate, crowd: Crowd, moved: str
) -> None:
    here, there = players_of(crowd, GATE4), players_of(crowd, moved)
    with elsewhere(wire, moved):
        gate.kill_worker()
        gate.wait_for_line("the worker process serves again", NOTICED_S)
        play_on(gate, here)
        assert gate.get("/readyz")[0] == 503
    gate.wait_ready(NOTICED_S)
    play_on(gate, there)
    assert gate.metrics().value("pollgate_worker_restarts_total") == 1


@contextmanager
def interface_down(wire: Wire) -> Iterator[None]:
    """It keeps its IPv4 addresses and loses those of IPv6."""
    wire.gate.run("ip", "link", "set", GATE_INTERFACE, "down")
    try:
        yield
    finally:
        wire.gate.run("ip", "link", "set", GATE_INTERFACE, "up")
        for address in (address for address in GATES if ":" in address):
            wire.gate.run("ip", "address", "replace", address, "dev", GATE_INTERFACE, "nodad")


def test_an_interface_that_is_down_is_no_way_to_the_addresses_that_it_keeps(
    wire: Wire, engine: str, crowd: Crowd, tmp_path: Path
) -> None:
    settings = everything(engine)
    settings["ports"][0]["address"] = [address for address in GATES if ":" not in address]
    with serving(wire, settings, tmp_path) as gate:
        players = players_of(crowd, GATE4)
        with interface_down(wire):
            gate.wait_for_line(f"port game0: interface {GATE_INTERFACE} is down", NOTICED_S)
            gate.wait_until(lambda: gate.get("/readyz")[0] == 503, NOTICED_S)
            assert gate.metrics().value("pollgate_port_link_up") == 0
        gate.wait_ready(NOTICED_S)
        gate.wait_for_line(f"port game0: {GATE_INTERFACE} serves again", NOTICED_S)
        assert gate.metrics().value("pollgate_port_link_up") == 1
        play_on(gate, players)


def test_without_a_carrier_the_link_is_down_and_the_address_serves_who_gets_there_otherwise(
    wire: Wire, gate: NetworkGate
) -> None:
    wire.players.run("ip", "link", "set", PLAYERS_INTERFACE, "down")
    crowd = Crowd(wire.gate)  # on the same host
    try:
        gate.wait_until(lambda: gate.metrics().value("pollgate_port_link_up") == 0, NOTICED_S)
        neighbours = crowd.players(PLAYERS, source=GATE4)
        all_play(neighbours, lambda number: [heartbeat(number)])
        assert gate.get("/readyz")[0] == 200
    finally:
        crowd.close()
        wire.raise_players()
    gate.wait_until(lambda: gate.metrics().value("pollgate_port_link_up") == 1, NOTICED_S)
