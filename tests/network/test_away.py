# SPDX-License-Identifier: BSD-3-Clause
"""The interface goes down, away or narrow under a gate that serves: it says so, waits, loses no player."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.gate import Gate, Samples
from tests.network.held import held
from tests.network.namespace import (
    GATE4,
    GATE6,
    GATE_INTERFACE,
    GATE_MAC,
    PLAYERS_INTERFACE,
    Namespace,
    Wire,
)
from tests.network.players import (
    Crowd,
    Growth,
    NetworkGate,
    Player,
    all_play,
    config,
    heartbeat,
    serving,
    settled,
)

NOTICED_S = (
    30.0  # a bound for busy machines: it takes a tenth of a second, or two seconds where nothing leaves
)
PLAYERS = 40
MTU, LOWER_MTU = "1500", "1300"  # with less than 1280 there is no IPv6
LINK_UP, REOPENINGS = "pollgate_port_link_up", "pollgate_worker_reopenings_total"
# Long enough that a worker may be stopped for a while and is not taken for a stalled one.
PATIENT = {"workers": {"stall_timeout_s": 60}}


@pytest.fixture
def gate(wire: Wire, tmp_path: Path) -> Iterator[NetworkGate]:
    with serving(wire, config(**PATIENT), tmp_path) as running:
        yield running


@pytest.fixture
def players(gate: NetworkGate, crowd: Crowd) -> list[Player]:
    admitted = crowd.players(PLAYERS // 2) + crowd.players(PLAYERS // 2, family=6)
    all_play(admitted, lambda number: [heartbeat(number)])
    return admitted


def is_ready(gate: Gate) -> bool:
    return gate.get("/readyz")[0] == 200


def wait_not_ready(gate: Gate) -> str:
    """What /readyz says when it says no."""
    gate.wait_until(lambda: not is_ready(gate), NOTICED_S)
    status, said = gate.get("/readyz")
    assert status == 503
    return said


def link(samples: Samples) -> float:
    return samples.value(LINK_UP, port="game0")


@contextmanager
def down(wire: Wire, interface: str) -> Iterator[None]:
    where = wire.gate if interface == GATE_INTERFACE else wire.players
    where.run("ip", "link", "set", interface, "down")
    try:
        yield
    finally:
        wire.gate.run("ip", "link", "set", GATE_INTERFACE, "up")
        wire.raise_players()


@contextmanager
def cut(wire: Wire) -> Iterator[None]:
    wire.cut()
    try:
        yield
    finally:
        wire.lay_again()


def everybody_plays_on(gate: NetworkGate, players: list[Player]) -> None:
    """With the sessions of before: each player still has the same."""
    admitted = gate.metrics().value("pollgate_sessions_admitted_total")
    for player in players:
        player.catch_up()
    all_play(players, lambda number: [heartbeat(number)])
    for player in players:
        player.is_ignored(heartbeat(player.id + 1))
    assert gate.metrics().value("pollgate_sessions_admitted_total") == admitted


class TestDown:
    @pytest.mark.parametrize("interface", [GATE_INTERFACE, PLAYERS_INTERFACE], ids=["own", "far"])
    def test_an_interface_that_is_down_is_said_shown_and_waited_for(
        self, wire: Wire, gate: NetworkGate, players: list[Player], interface: str
    ) -> None:
        with down(wire, interface):
            assert f"port game0: interface {GATE_INTERFACE} is down" in wait_not_ready(gate)
            assert link(gate.metrics()) == 0
        gate.wait_ready(NOTICED_S)
        assert link(gate.metrics()) == 1
        gate.wait_for_line(f"warning: port game0: interface {GATE_INTERFACE} is down")
        gate.wait_for_line(f"port game0: {GATE_INTERFACE} serves again")
        everybody_plays_on(gate, players)
        assert gate.metrics().value(REOPENINGS) == 0  # a socket that is bound hears again by itself

    def test_what_is_answered_while_the_link_is_down_is_dropped_as_that_and_never_leaves(
        self, wire: Wire, gate: NetworkGate, players: list[Player]
    ) -> None:
        for address in (GATE4, GATE6):
            know(wire, address, "permanent")
        grown = settled(gate)
        with held(gate):
            for player in players:
                player.send(heartbeat(player.id))
            wire.players.run("ip", "link", "set", PLAYERS_INTERFACE, "down")
            wait_not_ready(gate)
        try:
            gate.wait_until(
                lambda: grown.of("pollgate_transmit_drops_total", reason="link_down") == len(players),
                NOTICED_S,
            )
            assert grown.of("pollgate_transmit_sent_packets_total") == 0
        finally:
            wire.raise_players()
        gate.wait_ready(NOTICED_S)
        all_play(players, lambda number: [heartbeat(number, timestamp=1)])  # and not an old one before it

    def test_an_interface_that_is_down_at_the_start_is_said_and_serves_once_it_is_up(
        self, wire: Wire, crowd: Crowd, tmp_path: Path
    ) -> None:
        with down(wire, GATE_INTERFACE), NetworkGate(wire.gate, config(), tmp_path, wait_ready=False) as gate:
            said = f"{GATE_INTERFACE} is down"
            gate.wait_for_line(said, NOTICED_S)
            gate.wait_until(lambda: link(gate.metrics()) == 0, NOTICED_S)
            assert not is_ready(gate)
            assert gate.stderr.count(said) == 1
            wire.gate.run("ip", "link", "set", GATE_INTERFACE, "up")
            gate.wait_ready(NOTICED_S)
            all_play(crowd.players(4))
            assert gate.stop() == 0


class TestGone:
    def test_an_interface_deleted_and_made_again_is_opened_again_with_every_session(
        self, wire: Wire, gate: NetworkGate, players: list[Player]
    ) -> None:
        before = gate.metrics().counters()
        with cut(wire):
            assert f"port game0: interface {GATE_INTERFACE} is gone" in wait_not_ready(gate)
            assert link(gate.metrics()) == 0
            gate.wait_for_line(f"warning: port game0: interface {GATE_INTERFACE} is gone")
        gate.wait_metric(REOPENINGS, 1, NOTICED_S)
        gate.wait_ready(NOTICED_S)
        gate.wait_for_line(f"interface {GATE_INTERFACE} is another one now, or was away")
        everybody_plays_on(gate, players)
        after = gate.metrics()
        assert link(after) == 1
        assert after.value("pollgate_worker_restarts_total") == 0
        later = after.counters()
        assert {key: (count, later[key]) for key, count in before.items() if later[key] < count} == {}

    def test_an_interface_that_was_in_another_namespace_is_opened_again_though_it_is_the_same(
        self, wire: Wire, gate: NetworkGate, players: list[Player]
    ) -> None:
        with Namespace() as elsewhere:
            wire.gate.run("ip", "link", "set", GATE_INTERFACE, "netns", elsewhere.path)
            assert f"port game0: interface {GATE_INTERFACE} is gone" in wait_not_ready(gate)
            elsewhere.run("ip", "link", "set", GATE_INTERFACE, "netns", wire.gate.path)
        wire.gate.run("ip", "link", "set", GATE_INTERFACE, "up")
        wire.raise_players()
        gate.wait_metric(REOPENINGS, 1, NOTICED_S)
        gate.wait_ready(NOTICED_S)
        everybody_plays_on(gate, players)

    def test_an_interface_that_is_replaced_at_once_is_noticed_by_its_number(
        self, wire: Wire, gate: NetworkGate, players: list[Player]
    ) -> None:
        with cut(wire):
            pass
        gate.wait_metric(REOPENINGS, 1, NOTICED_S)
        gate.wait_ready(NOTICED_S)
        everybody_plays_on(gate, players)

    def test_a_worker_that_dies_meanwhile_is_waited_for_without_end(
        self, wire: Wire, tmp_path: Path, crowd: Crowd
    ) -> None:
        # One more than a crash loop may have: none of the tries counts as a crash.
        settings = config(workers={"restart_limit": 1})
        with serving(wire, settings, tmp_path) as gate:
            players = crowd.players(PLAYERS)
            all_play(players, lambda number: [heartbeat(number)])
            with cut(wire):
                gate.kill_worker()
                said = gate.wait_for_line("the worker process cannot start", NOTICED_S)
                assert "No such device" in said
                assert "all sessions are kept" in said
                tried: set[int] = set()
                gate.wait_until(lambda: tried.update(gate.worker_pids()) or len(tried) > 3, NOTICED_S)
                assert "an interface of game0 (net_af_packet0) is not there" in wait_not_ready(gate)
                assert gate.stderr.count("cannot start") == 1
            gate.wait_ready(NOTICED_S)
            everybody_plays_on(gate, players)
            assert gate.metrics().value("pollgate_worker_restarts_total") == 1


class TestNarrow:
    """The far end's MTU is lowered: what it refuses stays at the head of the driver's ring."""

    @pytest.fixture
    def lowered(self, wire: Wire) -> Iterator[Callable[[], None]]:
        def lower() -> None:
            wire.players.run("ip", "link", "set", PLAYERS_INTERFACE, "mtu", LOWER_MTU)

        yield lower
        wire.players.run("ip", "link", "set", PLAYERS_INTERFACE, "mtu", MTU)

    def test_a_ring_that_sends_nothing_any_more_is_noticed_and_opened_again_with_every_session(
        self, wire: Wire, gate: NetworkGate, players: list[Player], lowered: Callable[[], None]
    ) -> None:
        worker = gate.worker_pid()
        os.kill(worker, signal.SIGSTOP)
        ping_long(wire)
        lowered()
        os.kill(worker, signal.SIGCONT)  # its loop answers what was longer before anybody sees that it is

        def offered() -> bool:
            for player in players:
                player.send(heartbeat(player.id))
            return bool(gate.metrics().value(REOPENINGS))

        gate.wait_until(offered, NOTICED_S)
        gate.wait_for_line(f"port game0: nothing leaves through {GATE_INTERFACE} any more")
        gate.wait_ready(NOTICED_S)
        everybody_plays_on(gate, players)
        assert gate.metrics().value("pollgate_worker_restarts_total") == 0

    def test_what_the_far_end_would_refuse_is_dropped_as_refused_and_stops_nobody(
        self, wire: Wire, crowd: Crowd, tmp_path: Path, lowered: Callable[[], None]
    ) -> None:
        lowered()
        with serving(wire, config(**PATIENT), tmp_path) as gate:
            said = gate.wait_for_line(f"packets of more than {LOWER_MTU} bytes do not pass", NOTICED_S)
            assert f"ip link set {GATE_INTERFACE} mtu" in said
            players = crowd.players(PLAYERS)
            all_play(players, lambda number: [heartbeat(number)])
            grown = Growth(gate)
            with held(gate):  # how else would it be asked for an answer that is longer than what passes?
                wire.players.run("ip", "link", "set", PLAYERS_INTERFACE, "mtu", MTU)
                ping_long(wire)
                lowered()
            gate.wait_until(
                lambda: grown.of("pollgate_transmit_drops_total", reason="refused") == LONG_PINGS, NOTICED_S
            )
            assert is_ready(gate)
            everybody_plays_on(gate, players)
            assert gate.metrics().value(REOPENINGS) == 0


LONG_PINGS = 3


def know(wire: Wire, address: str, state: str) -> None:
    """The players' kernel knows where the gate is; while its link is up, it never asks about "permanent"."""
    where = ("dev", PLAYERS_INTERFACE, "lladdr", GATE_MAC)
    wire.players.run("ip", "neigh", "replace", address, *where, "nud", state)


def ping_long(wire: Wire) -> None:
    """Send pings that nobody answers yet; however long that takes, no neighbour is asked for."""
    know(wire, GATE4, "permanent")
    try:
        said = wire.players.attempt(
            *("ping", "-n", "-s", "1400", "-c", str(LONG_PINGS), "-i", "0.01", "-W", "1", GATE4)
        ).stdout
    finally:
        know(wire, GATE4, "reachable")
    assert f"{LONG_PINGS} packets transmitted" in said
