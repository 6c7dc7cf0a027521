# SPDX-License-Identifier: BSD-3-Clause
"""A gateway and a player on a virtual cable, and forged packets in the player's name over the same cable."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import median

from pyshim.bench.rig.flood import flood
from pyshim.bench.rig.forgery import forged_datagram
from pyshim.bench.rig.frames import GATE_PORT, Capture, udp_frame, write_capture
from pyshim.bench.rig.observe import PATIENCE_S
from pyshim.bench.rig.placement import Placement
from pyshim.bench.rig.private_network import (
    GENERATOR_ADDRESS,
    GENERATOR_INTERFACE,
    SERVER_ADDRESS,
    SERVER_INTERFACE,
    SERVER_MAC,
    private_network,
)
from pyshim.bench.rig.processes import gateway, scrape, total
from pyshim.bench.rig.steady_player import Moved, SteadyPlayer, bound
from pyshim.bench.rig.testpmd import testpmd_path
from pyshim.config import load_config
from pyshim.errors import UnavailableError
from pyshim.issuing.client import Client as Issuer
from pyshim.protocol.client import Ticket

RATE_PPS = 500.0
DEVICE = f"net_af_packet on veth, {SERVER_INTERFACE}"
FORGED = 512  # different frames

_TTL_S = 86_400
_DROPS = "pollgate_drops_total"

_CONFIG = """\
eal: {{memory_mib: 256}}
ports:
  - name: game0
    device: "net_af_packet0,iface={interface},framecnt=4096"
    address: [{address}]
    mac: "{mac}"
workers: {{cpus: [{cpu}]}}
listen: [{{port: {port}, profile: session}}]
sessions: {{idle_timeout_s: 3600}}
delivery: {{messages_pps: {{move: 0}}}}
control: {{listen: "unix:{directory}/control.sock"}}
metrics: {{listen: "127.0.0.1:0"}}
"""


@dataclass(frozen=True, slots=True)
class Flooded:
    """One measurement under attack."""

    moved: Moved
    sent_pps: float  # by the flood
    received_pps: float  # by the gateway
    forged: int  # dropped for their tag
    taken: int  # moves that the gateway took, whether or not the player heard of it
    busy: float  # share of the worker's time


@dataclass(slots=True)
class FloodRun:
    """What runs, and what the measurements showed beside the share."""

    player: SteadyPlayer
    url: str
    capture: Capture
    placement: Placement
    inside: tuple[str, ...]  # before a command: it runs in the run's network
    baseline: list[Moved] = field(default_factory=list)
    under_attack: list[Flooded] = field(default_factory=list)

    def alone(self, seconds: float) -> float:
        """Share of the player's packets that were acknowledged."""
        moved = self.player.play(RATE_PPS, seconds)
        self.baseline.append(moved)
        return moved.share

    def under_flood(self, seconds: float) -> float:
        """Likewise, while forged ones come as fast as this machine lets them.

        Raises:
            UnavailableError: the flood does not run, or does not reach the gateway.
        """
        deadline = time.monotonic() + PATIENCE_S
        with flood(self.capture.path, GENERATOR_INTERFACE, self.placement.generator, self.inside) as running:
            forged = 0.0
            while not forged and time.monotonic() < deadline:
                before, began = scrape(self.url), time.monotonic()
                moved = self.player.play(RATE_PPS, seconds)
                after, elapsed_s = scrape(self.url), time.monotonic() - began
                forged = total(after, _DROPS) - total(before, _DROPS)
        if not forged:
            raise UnavailableError("no forged packet reached the gateway")

        def gained(name: str, state: str | None = None) -> float:
            return total(after, name, state) - total(before, name, state)

        cycles = gained("pollgate_worker_cycles_total")
        flooded = Flooded(
            moved,
            sent_pps=running.sent_pps,
            received_pps=gained("pollgate_received_packets_total") / elapsed_s,
            forged=int(forged),
            taken=int(gained("pollgate_session_messages_received_total")),
            busy=gained("pollgate_worker_cycles_total", "busy") / cycles,
        )
        self.under_attack.append(flooded)
        return moved.share

    def details(self) -> dict[str, object]:
        """What a row tells of how it was measured."""
        return {
            "frame_bytes": self.capture.frame_bytes,
            "device": DEVICE,
            "worker_cpus": [self.placement.server],
            "generator_cpu": self.placement.generator,
            "huge_pages": False,
            "rate_pps": RATE_PPS,
            "sent": [each.moved.sent for each in self.under_attack],
            "taken": [each.taken for each in self.under_attack],
            "acknowledged": [each.moved.acknowledged for each in self.under_attack],
            "against_sent": [each.sent for each in self.baseline],
            "against_acknowledged": [each.acknowledged for each in self.baseline],
            "flood_sent_pps": median(each.sent_pps for each in self.under_attack),
            "flood_received_pps": median(each.received_pps for each in self.under_attack),
            "worker_busy": median(each.busy for each in self.under_attack),
        }


@contextmanager
def flood_run(directory: Path, placement: Placement) -> Iterator[FloodRun]:
    """A player who is connected, while the block lasts.

    Raises:
        UnavailableError: something of it does not run here.
    """
    testpmd_path()
    config = directory / "flood.yaml"
    config.write_text(
        _CONFIG.format(
            interface=SERVER_INTERFACE,
            address=SERVER_ADDRESS,
            mac=SERVER_MAC,
            cpu=placement.server,
            port=GATE_PORT,
            directory=directory,
        )
    )
    with ExitStack() as stack:
        network = stack.enter_context(private_network())
        address = stack.enter_context(network.generator_address())
        url = stack.enter_context(gateway(config, network.inside))
        stack.enter_context(_on_cpu(placement.generator))
        with Issuer(load_config(config)) as issuer:
            issued = issuer.ask("POST", "/v1/sessions", {"player_id": 1, "ttl": _TTL_S})
        ticket = Ticket.from_json(json.dumps(issued))
        own = stack.enter_context(bound(address, (str(SERVER_ADDRESS.ip), GATE_PORT)))
        player = SteadyPlayer(ticket, own)
        player.connect()
        capture = _forge(directory / "forged.pcap", ticket.session, own.getsockname()[1])
        yield FloodRun(player, url, capture, placement, network.inside)


@contextmanager
def _on_cpu(cpu: int) -> Iterator[None]:
    """The calling thread does not disturb the other CPUs."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _forge(path: Path, session: int, port: int) -> Capture:
    """In the name of the player, from the player's address and port."""
    random, source = Random(1), int(GENERATOR_ADDRESS.ip)
    frames = [udp_frame(source, port, forged_datagram(session, random)) for _ in range(FORGED)]
    return write_capture(path, 1, frames)
