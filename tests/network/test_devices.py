# SPDX-License-Identifier: BSD-3-Clause
"""What the figures of each device on an interface say is what happened: overrun, down, gone, made again.

Who is believed is never the gate: the players' kernel says what arrived, a file what is in it.
"""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from scapy.layers.inet import UDP
from scapy.utils import PcapReader

from tests.network.held import held
from tests.network.namespace import (
    GATE4,
    GATE_INTERFACE,
    GATE_MAC,
    PLAYERS4,
    PLAYERS_INTERFACE,
    Namespace,
    Wire,
)
from tests.network.players import (
    PORT,
    Crowd,
    Growth,
    NetworkGate,
    acknowledgement,
    all_play,
    config,
    heartbeat,
    is_balanced,
    serving,
    settled,
)

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


def overrun(gate: NetworkGate, crowd: Crowd) -> None:
    """Send more than the ring holds while nobody takes any: each is received or missed."""
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
    gate.wait_until(lambda: is_balanced(gate.metrics()))


@pytest.mark.parametrize("gate", DEVICES, ids=NAMES, indirect=True)
def test_what_a_full_ring_lost_is_counted_as_missed(gate: NetworkGate, crowd: Crowd) -> None:
    overrun(gate, crowd)


def test_what_the_kernel_had_no_room_for_in_a_tap_is_counted_as_missed(wire: Wire, tmp_path: Path) -> None:
    settings = config(
        port={"device": "net_tap0,iface=tap78"},
        workers={"stall_timeout_s": 60},
        listen=[{"port": PORT, "limits": {"source_pps": 0}}],
    )
    with NetworkGate(wire.gate, settings, tmp_path) as gate:
        wire.gate.run("ip", "address", "add", f"{PLAYERS4}/24", "dev", "tap78")
        crowd = Crowd(wire.gate)
        try:
            overrun(gate, crowd)
        finally:
            crowd.close()
        assert gate.stop() == 0


def arrived(namespace: Namespace, interface: str) -> int:
    """Frames that a kernel took from an interface."""
    (link,) = json.loads(namespace.run("ip", "-s", "-j", "link", "show", interface))
    return int(link["stats64"]["rx"]["packets"])


def ping_long(wire: Wire) -> None:
    wire.players.attempt("ping", "-n", "-s", "1400", "-c", "1", "-W", "1", GATE4)


@pytest.mark.parametrize("gate", DEVICES[2:], ids=NAMES[2:], indirect=True)
def test_a_frame_that_the_kernel_refuses_takes_none_of_those_behind_it_along(
    wire: Wire, gate: NetworkGate, crowd: Crowd
) -> None:
    players = crowd.players(10)
    all_play(players, lambda number: [heartbeat(number)])
    grown, before = settled(gate), arrived(wire.players, PLAYERS_INTERFACE)
    try:
        with held(gate):
            for player in players[:5]:
                player.send(heartbeat(player.id))
            ping_long(wire)
            for player in players[5:]:
                player.send(heartbeat(player.id))
            wire.players.run("ip", "link", "set", PLAYERS_INTERFACE, "mtu", "1300")
        for player in players:
            assert player.receive() == acknowledgement(heartbeat(player.id))
    finally:
        wire.players.run("ip", "link", "set", PLAYERS_INTERFACE, "mtu", "1500")
    gate.wait_until(lambda: grown.of("pollgate_transmit_offered_packets_total") >= 11)
    gate.wait_until(lambda: is_balanced(gate.metrics()))
    sent = grown.of("pollgate_transmit_sent_packets_total")
    assert grown.of("pollgate_transmit_drops_total", reason="refused") == 1
    assert grown.of("pollgate_transmit_drops_total") == 1
    assert arrived(wire.players, PLAYERS_INTERFACE) - before == sent


@pytest.mark.parametrize("device", DEVICES, ids=NAMES)
def test_what_the_far_end_refuses_from_the_start_is_dropped_as_refused(
    wire: Wire, crowd: Crowd, tmp_path: Path, device: str
) -> None:
    settings = config(port={"device": device}, workers={"stall_timeout_s": 60})
    wire.players.run("ip", "link", "set", PLAYERS_INTERFACE, "mtu", "1300")
    try:
        with serving(wire, settings, tmp_path) as gate:
            gate.wait_for_line("packets of more than 1300 bytes do not pass", NOTICED_S)
            players = crowd.players(10)
            all_play(players, lambda number: [heartbeat(number)])
            grown = Growth(gate)
            with held(gate):
                wire.players.run("ip", "link", "set", PLAYERS_INTERFACE, "mtu", "1500")
                ping_long(wire)
                wire.players.run("ip", "link", "set", PLAYERS_INTERFACE, "mtu", "1300")
                # Who may still ask has seen the 1500, and will see that they are over.
                time.sleep(1)
                gate.wait_until(lambda: gate.stderr.count("serves again") < gate.stderr.count("do not pass"))
            gate.wait_until(
                lambda: grown.of("pollgate_transmit_drops_total", reason="refused") == 1, NOTICED_S
            )
            all_play(players, lambda number: [heartbeat(number)])
    finally:
        wire.players.run("ip", "link", "set", PLAYERS_INTERFACE, "mtu", "1500")


def test_af_xdp_has_the_buffers_that_its_driver_takes_whatever_rings_are_asked_for(
    wire: Wire, crowd: Crowd, tmp_path: Path
) -> None:
    asked = {"device": f"net_af_xdp0,iface={GATE_INTERFACE}", "rx_descriptors": 64, "tx_descriptors": 64}
    with serving(wire, config(port=asked), tmp_path):
        all_play(crowd.players(8))


class TestFile:
    """net_pcap writes to a file what leaves; what is in there is in there."""

    @pytest.fixture
    def small(self, tmp_path: Path) -> Iterator[Path]:
        """A disk of four pages."""
        place = tmp_path / "small"
        place.mkdir()
        subprocess.run(("mount", "-t", "tmpfs", "-o", "size=16k", "small", place), check=True)
        yield place
        subprocess.run(("umount", "--lazy", place), check=True)

    @pytest.fixture
    def capture(self, small: Path) -> Path:
        return small / "out.pcap"

    @pytest.fixture
    def gate(self, wire: Wire, tmp_path: Path, capture: Path) -> Iterator[NetworkGate]:
        device = f"net_pcap0,rx_iface_in={GATE_INTERFACE},tx_pcap={capture}"
        settings = config(port={"device": device, "mac": GATE_MAC})
        neighbour = ("neigh", "replace", GATE4, "dev", PLAYERS_INTERFACE, "lladdr", GATE_MAC)
        wire.players.run("ip", *neighbour, "nud", "permanent")  # nobody hears the gate's answers
        try:
            with NetworkGate(wire.gate, settings, tmp_path) as gate:
                yield gate
        finally:
            wire.players.run("ip", *neighbour, "nud", "reachable")

    @staticmethod
    def send_until(gate: NetworkGate, crowd: Crowd, done: Callable[[], object]) -> int:
        """Go on sending; returns how many were sent."""
        player, sent = crowd.player(), itertools.count(1)

        def send() -> object:
            player.send(heartbeat(player.id))
            next(sent)
            return done()

        gate.wait_until(send, NOTICED_S)
        return next(sent) - 1

    @staticmethod
    def acknowledgements(capture: Path) -> int:
        """Whole ones, up to the first that is not."""
        with PcapReader(str(capture)) as reader:
            return sum(1 for frame in reader if UDP in frame and frame[UDP].sport == PORT)

    def test_what_is_written_is_what_was_sent(self, gate: NetworkGate, crowd: Crowd, capture: Path) -> None:
        grown = Growth(gate)
        player = crowd.player()
        for _ in range(20):
            player.send(heartbeat(player.id))
        gate.wait_until(lambda: grown.handled("heartbeat") == 20)
        gate.wait_until(lambda: is_balanced(gate.metrics()))
        assert gate.stop() == 0
        assert self.acknowledgements(capture) == 20

    def test_a_file_that_takes_no_more_is_said_and_what_is_to_leave_is_dropped(
        self, gate: NetworkGate, crowd: Crowd, capture: Path
    ) -> None:
        self.send_until(gate, crowd, lambda: "is its disk full" in gate.stderr)
        assert gate.get("/readyz")[0] == 503
        assert "out.pcap has less in it than was written" in gate.get("/readyz")[1]
        grown = Growth(gate)
        written = self.acknowledgements(capture)
        self.send_until(
            gate, crowd, lambda: grown.of("pollgate_transmit_drops_total", reason="refused") >= 10
        )
        gate.wait_until(lambda: is_balanced(gate.metrics()))
        assert grown.of("pollgate_transmit_sent_packets_total") == 0
        assert self.acknowledgements(capture) == written
        assert gate.get("/readyz")[0] == 503

    def test_with_the_file_moved_away_it_is_begun_anew_with_every_session(
        self, gate: NetworkGate, crowd: Crowd, capture: Path, tmp_path: Path
    ) -> None:
        self.send_until(gate, crowd, lambda: "is its disk full" in gate.stderr)
        admitted = gate.metrics().value("pollgate_sessions_admitted_total")
        shutil.move(capture, tmp_path / "kept.pcap")
        gate.wait_metric("pollgate_worker_reopenings_total", 1, NOTICED_S)
        gate.wait_ready(NOTICED_S)
        gate.wait_for_line("out.pcap is not the file any more that was opened")
        grown = Growth(gate)
        player = crowd.player()
        for _ in range(20):
            player.send(heartbeat(player.id))
        gate.wait_until(lambda: grown.handled("heartbeat") == 20)
        samples = gate.metrics()
        assert samples.value("pollgate_sessions_admitted_total") == admitted + 1
        assert samples.value("pollgate_worker_restarts_total") == 0
        assert gate.stop() == 0
        assert self.acknowledgements(capture) == 20


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
