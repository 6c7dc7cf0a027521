# SPDX-License-Identifier: BSD-3-Clause
"""A player whose packets change their queue stays with the worker that has the session.

Two interfaces are the two queues of one port (net_pcap), each with a worker of its own, so that the test
decides which worker receives a packet.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from pyshim.bench.rig.frames import GATE_ADDRESS, GATE_MAC, move_frame
from tests.network.namespace import Namespace
from tests.network.players import NetworkGate, ended_well, is_balanced

TYPE_OFFSET = 14 + 20 + 8
ACK = 101


def wire_socket(interface: str) -> socket.socket:
    """A raw end of a wire."""
    end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
    end.bind((interface, 0))
    end.settimeout(60)
    return end


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    """A namespace with two wires: port0/wire0 and port1/wire1."""
    with Namespace() as place:
        place.run("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
        for number in "01":
            place.run("ip", "link", "add", f"port{number}", "type", "veth", "peer", f"wire{number}")
            place.run("ip", "link", "set", f"port{number}", "up")
            place.run("ip", "link", "set", f"wire{number}", "up")
        yield place


def exchange(end: socket.socket, player: int) -> None:
    """Send a MOVE and wait until something is acknowledged there."""
    end.send(move_frame(player))
    acknowledged(end)


def acknowledged(end: socket.socket) -> bytes:
    """The next frame from the gate; its announcements have another EtherType, the kernel's another MAC."""
    while True:
        frame, address = end.recvfrom(2048)
        if address[2] != socket.PACKET_OUTGOING and frame[6:12] == bytes.fromhex(GATE_MAC.replace(":", "")):
            assert frame[TYPE_OFFSET] == ACK
            return frame


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="two workers need two CPUs")
def test_packets_on_the_other_queue_go_to_the_worker_with_the_session(
    namespace: Namespace, tmp_path: Path
) -> None:
    cpus = sorted(os.sched_getaffinity(0))[:2]
    queues = ",".join(f"rx_iface_in=port{number},tx_iface=port{number}" for number in "01")
    port = {"name": "game0", "device": f"net_pcap0,{queues}", "address": [GATE_ADDRESS], "mac": GATE_MAC}
    settings = {"ports": [{**port, "queues": 2}], "workers": {"cpus": cpus}}

    with NetworkGate(namespace, settings, tmp_path) as gate:
        first, second = (namespace.call(partial(wire_socket, f"wire{number}")) for number in "01")
        with first, second:
            exchange(first, 0)
            exchange(second, 1)
            # Player 0 moves to the other queue: the session's worker answers, over the queue that it has.
            for _ in range(20):
                second.send(move_frame(0))
                acknowledged(first)
        samples = gate.metrics()

        assert samples.value("pollgate_sessions", state="active") == 2
        handed = partial(samples.value, "pollgate_handed_over_packets_total")
        assert handed(worker="1", direction="out") == handed(worker="0", direction="in") == 20
        assert handed(worker="0", direction="out") == handed(worker="1", direction="in") == 0
        assert samples.value("pollgate_messages_total", worker="0", type="move") == 21
        for worker in "01":
            gate.wait_until(lambda worker=worker: is_balanced(gate.metrics(), worker=worker))
        gate.stop()
    ended_well(gate)
