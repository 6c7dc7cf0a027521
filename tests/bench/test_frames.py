# SPDX-License-Identifier: BSD-3-Clause
"""What benchmarks feed the gateway, judged by scapy."""

from __future__ import annotations

from pathlib import Path

from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.utils import rdpcap

from pyshim.bench.frames import GATE_MAC, GATE_PORT, write_moves


def test_a_capture_has_one_right_frame_per_session_in_no_order(tmp_path: Path) -> None:
    capture = write_moves(tmp_path / "moves.pcap", 300)

    packets = rdpcap(str(capture.path))

    sources = [(packet[IP].src, packet[UDP].sport) for packet in packets]
    assert len(set(sources)) == len(packets) == capture.sessions == 300
    assert sources != sorted(sources)
    assert {len(packet) for packet in packets} == {capture.frame_bytes} == {86}
    for packet in packets:
        assert (packet.dst, packet[UDP].dport) == (GATE_MAC, GATE_PORT)
        again = Ether(bytes(packet))
        del again[IP].chksum, again[UDP].chksum
        assert bytes(again) == bytes(packet), "scapy computes the same checksums"
