# SPDX-License-Identifier: BSD-3-Clause
"""What the figures of each device on an interface say is what happened: overrun, down, gone, made again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.network.held import held
from tests.network.namespace import GATE_INTERFACE, Wire
from tests.network.players import Crowd, Growth, NetworkGate, all_play, config, heartbeat, serving

NOTICED_S = 90.0  # a bound for busy machines
FLOOD = 6000  # more than any of the rings holds
DEVICES = [
    f"net_af_packet0,iface={GATE_INTERFACE},framecnt=2048",
    f"net_af_xdp0,iface={GATE_INTERFACE}",
    f"net_pcap0,iface={GATE_INTERFACE}",
]
NAMES = ["af_packet", "af_xdp", "pcap"]


@pytest.fixture
def gate(wire: Wire, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[NetworkGate]:
    settings = config(
        port={"device": request.param},
        workers={"stall_timeout_s": 60},
        listen=[{"port": 8080, "limits": {"source_pps": 0}}],
    )
    with serving(wire, settings, tmp_path) as running:
        yield running


@pytest.mark.parametrize("gate", DEVICES[:2], ids=NAMES[:2], indirect=True)
def test_what_a_full_ring_lost_is_counted_as_missed(gate: NetworkGate, crowd: Crowd) -> None:
    player = crowd.player()
    player.plays(heartbeat(player.id))
    grown = Growth(gate)
    with held(gate):
        for _ in range(FLOOD):
            player.send(heartbeat(player.id))

    def accounted() -> int:
        return grown.of("pollgate_port_receive_packets_total") + grown.of(
            "pollgate_port_receive_missed_total"
        )

    gate.wait_until(lambda: accounted() >= FLOOD, NOTICED_S)
    assert grown.of("pollgate_port_receive_missed_total") > 0
    assert accounted() - FLOOD < 10  # neighbours ask now and then


@pytest.mark.parametrize("gate", DEVICES, ids=NAMES, indirect=True)
def test_an_interface_that_is_down_and_then_another_one_is_shown_and_served_again(
    wire: Wire, gate: NetworkGate, crowd: Crowd
) -> None:
    players = crowd.players(10)
    all_play(players, lambda number: [heartbeat(number)])
    wire.gate.run("ip", "link", "set", GATE_INTERFACE, "down")
    gate.wait_until(lambda: gate.metrics().value("pollgate_port_link_up") == 0, NOTICED_S)
    gate.wait_for_line(f"interface {GATE_INTERFACE} is down", NOTICED_S)
    wire.cut()
    try:
        gate.wait_for_line(f"interface {GATE_INTERFACE} is gone", NOTICED_S)
        assert gate.get("/readyz")[0] == 503
    finally:
        wire.lay_again()
    gate.wait_metric("pollgate_worker_reopenings_total", 1, NOTICED_S)
    gate.wait_ready(NOTICED_S)
    for player in players:
        player.catch_up()
    all_play(players, lambda number: [heartbeat(number)])
    samples = gate.metrics()
    assert samples.value("pollgate_port_link_up") == 1
    assert samples.value("pollgate_sessions_admitted_total") == len(players)
    assert samples.value("pollgate_worker_restarts_total") == 0


def test_a_tap_that_somebody_deletes_is_made_again(wire: Wire, tmp_path: Path) -> None:
    with NetworkGate(wire.gate, config(port={"device": "net_tap0,iface=tap77"}), tmp_path) as gate:
        wire.gate.run("ip", "link", "delete", "tap77")
        gate.wait_metric("pollgate_worker_reopenings_total", 1, NOTICED_S)
        gate.wait_ready(NOTICED_S)
        assert "tap77" in wire.gate.run("ip", "-o", "link", "show", "up")
        wire.gate.run("ip", "link", "set", "tap77", "down")
        gate.wait_until(lambda: gate.metrics().value("pollgate_port_link_up") == 0, NOTICED_S)
        wire.gate.run("ip", "link", "set", "tap77", "up")
        gate.wait_ready(NOTICED_S)
        assert gate.metrics().value("pollgate_worker_restarts_total") == 0
        assert gate.stop() == 0
