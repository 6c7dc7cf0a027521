# SPDX-License-Identifier: BSD-3-Clause
"""An appliance under endless traffic, without privileges or hardware."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Raw
from scapy.utils import wrpcap

from tests.gate import Gate

PLAYERS = 200
MOVE = 1
MOVE_BYTES = 44


@pytest.fixture(scope="session")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One MOVE of each of PLAYERS players."""
    path = tmp_path_factory.mktemp("capture") / "players.pcap"
    frames = [
        Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
        / IP(src=f"10.0.0.{2 + player % 200}", dst="10.0.0.1")
        / UDP(sport=20000 + player, dport=8080)
        / Raw(struct.pack("<IIQI6f", MOVE, MOVE_BYTES, player, player + 1, *[1.0] * 6))
        for player in range(PLAYERS)
    ]
    wrpcap(str(path), frames)
    return path


Configure = Callable[..., dict[str, Any]]


@pytest.fixture
def configure(capture: Path) -> Configure:
    """A configuration that replays the capture without end; keyword arguments replace top-level keys."""

    def make(**changes: Any) -> dict[str, Any]:
        port = {
            "name": "game0",
            "device": f"net_pcap0,rx_pcap={capture},infinite_rx=1",
            "address": ["10.0.0.1/24"],
            "mac": "02:00:00:00:00:02",
        }
        return {"eal": {"memory_mib": 128}, "ports": [port], "sessions": {"capacity": 1024}, **changes}

    return make


@pytest.fixture
def gate(configure: Configure, tmp_path: Path) -> Iterator[Gate]:
    """An appliance that has admitted every player of the capture."""
    with ExitStack() as stack:
        running = stack.enter_context(Gate(configure(), tmp_path))
        running.wait_metric("pollgate_sessions", PLAYERS, state="active")
        yield running
