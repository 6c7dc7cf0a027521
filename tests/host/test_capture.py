# SPDX-License-Identifier: BSD-3-Clause
"""Capture files are recognised, counted, or refused with the reason."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from scapy.layers.l2 import Ether
from scapy.packet import Raw
from scapy.utils import wrpcap, wrpcapng

from pyshim.host.capture import inspect_capture

FRAMES = [Ether() / Raw(bytes(size)) for size in (46, 200, 100)]


@pytest.mark.parametrize("endianness", ["<", ">"])
@pytest.mark.parametrize("nano", [False, True])
def test_packets_of_every_pcap_flavour_are_counted(tmp_path: Path, endianness: str, nano: bool) -> None:
    path = tmp_path / "in.pcap"
    wrpcap(str(path), FRAMES, endianness=endianness, nano=nano)
    capture = inspect_capture(path, count=True)
    assert (capture.problem, capture.packets, capture.longest_bytes) == (None, 3, 214)


def test_twenty_thousand_packets_are_all_counted(tmp_path: Path) -> None:
    path = tmp_path / "in.pcap"
    header = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    path.write_bytes(header + (struct.pack("<IIII", 0, 0, 86, 86) + bytes(86)) * 20_000)
    assert inspect_capture(path, count=True).packets == 20_000


def test_counting_is_left_out_unless_asked(tmp_path: Path) -> None:
    path = tmp_path / "in.pcap"
    wrpcap(str(path), FRAMES)
    assert inspect_capture(path).packets is None


def test_a_record_cut_off_by_the_end_is_not_counted(tmp_path: Path) -> None:
    path = tmp_path / "in.pcap"
    wrpcap(str(path), FRAMES)
    path.write_bytes(path.read_bytes()[:-1])
    assert inspect_capture(path, count=True).packets == 2


def test_pcapng_is_refused_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "in.pcapng"
    wrpcapng(str(path), FRAMES)
    problem = inspect_capture(path).problem
    assert problem is not None
    assert "pcapng" in problem
    assert "-F pcap" in problem


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"hello, this is no capture", "is not a pcap file"),
        (b"\xd4\xc3\xb2\xa1", "is not a pcap file"),
        (struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 113), "link type 113"),
        (struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1), "holds no packet"),
    ],
)
def test_what_is_not_a_capture_is_refused_with_the_reason(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "in.pcap"
    path.write_bytes(content)
    assert says in str(inspect_capture(path, count=True).problem)


def test_a_missing_file_and_a_directory_are_told_apart(tmp_path: Path) -> None:
    assert inspect_capture(tmp_path / "no.pcap").problem == "does not exist"
    assert inspect_capture(tmp_path).problem == "is not a regular file"
