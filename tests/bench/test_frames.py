# SPDX-License-Identifier: BSD-3-Clause
"""What benchmarks feed the gateway, judged by scapy."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.utils import rdpcap

from pyshim.bench.rig.frames import GATE_MAC, GATE_PORT, PLAYERS_MAX, move_frame, write_moves


def test_a_capture_has_one_frame_per_session_in_no_order(tmp_path: Path) -> None:
    capture = write_moves(tmp_path / "moves.pcap", 300)

    packets = rdpcap(str(capture.path))

    sources = [(packet[IP].src, packet[UDP].sport) for packet in packets]
    assert len(set(sources)) == len(packets) == capture.sessions == capture.frames == 300
    assert sources != sorted(sources)
    assert {len(packet) for packet in packets} == {capture.frame_bytes} == {86}


def test_players_take_turns_when_there_are_more_frames_than_sessions(tmp_path: Path) -> None:
    capture = write_moves(tmp_path / "moves.pcap", 10, frames=205)

    turns = Counter(packet[IP].src for packet in rdpcap(str(capture.path)))

    assert (capture.sessions, capture.frames) == (10, 205)
    assert sorted(turns.values()) == [20] * 5 + [21] * 5


def test_captures_of_different_players_share_no_address(tmp_path: Path) -> None:
    one, other = (write_moves(tmp_path / f"{first}.pcap", 50, first_player=first) for first in (0, 50))

    sources = [{packet[IP].src for packet in rdpcap(str(capture.path))} for capture in (one, other)]

    assert not sources[0] & sources[1]


@pytest.mark.parametrize("player", [0, 1, 255, 39_999, 40_000, 65_535, 65_536, 999_999, PLAYERS_MAX - 1])
def test_every_checksum_is_what_scapy_computes(player: int) -> None:
    frame = move_frame(player)

    again = Ether(frame)
    assert (again.dst, again[UDP].dport) == (GATE_MAC, GATE_PORT)
    del again[IP].chksum, again[UDP].chksum
    assert bytes(again) == frame
