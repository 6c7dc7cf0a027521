# SPDX-License-Identifier: BSD-3-Clause
"""Capture files are recognised, counted, or refused with the reason."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from scapy.layers.l2 import Ether
from scapy.packet import Raw
from scapy.utils import wrpcap

from pyshim.host.capture import inspect_capture
from pyshim.host.vdev import gather_vdevs

FRAMES = [Ether() / Raw(bytes(size)) for size in (46, 200, 100)]


@pytest.mark.parametrize("endianness", ["<", ">"])
@pytest.mark.parametrize("nano", [False, True])
def test_packets_of_every_pcap_flavour_are_counted(tmp_path: Path, endianness: str, nano: bool) -> None:
    path = tmp_path / "in.pcap"
    wrpcap(str(path), FRAMES, endianness=endianness, nano=nano)
    capture = inspect_capture(path, endless=True)
    assert (capture.problem, capture.packets, capture.longest_bytes) == (None, 3, 214)


def test_twenty_thousand_packets_are_all_counted(tmp_path: Path) -> None:
    path = tmp_path / "in.pcap"
    header = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    path.write_bytes(header + (struct.pack("<IIII", 0, 0, 86, 86) + bytes(86)) * 20_000)
    assert inspect_capture(path, endless=True).packets == 20_000


def test_a_record_cut_off_by_the_end_is_not_counted(tmp_path: Path) -> None:
    path = tmp_path / "in.pcap"
    wrpcap(str(path), FRAMES)
    path.write_bytes(path.read_bytes()[:-1])
    assert inspect_capture(path, endless=True).packets == 2


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"hello, this is no capture", "is not a pcap file"),
        (b"\xd4\xc3\xb2\xa1", "is not a pcap file"),
        (b"\x1f\x8b\x08" + bytes(40), "is compressed; run gunzip on it first"),
        (b"\x28\xb5\x2f\xfd" + bytes(40), "is compressed; run unzstd on it first"),
        (struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 113), "link type 113"),
        (struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1), "holds no packet"),
    ],
)
def test_what_is_not_a_capture_is_refused_with_the_reason(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "in.pcap"
    path.write_bytes(content)
    assert says in str(inspect_capture(path, endless=True).problem)


def test_a_missing_file_and_a_directory_are_told_apart(tmp_path: Path) -> None:
    assert inspect_capture(tmp_path / "no.pcap").problem == "does not exist"
    assert inspect_capture(tmp_path).problem == "is not a regular file"


# ---- records that are broken


@pytest.mark.parametrize("said_bytes", [0x1000_0000, 100_000])
def test_a_record_that_is_broken_in_the_middle_is_named(said_bytes: int, tmp_path: Path) -> None:
    path = tmp_path / "in.pcap"
    wrpcap(str(path), FRAMES)
    data = bytearray(path.read_bytes())
    second = 24 + 16 + len(FRAMES[0])
    data[second + 8 : second + 12] = said_bytes.to_bytes(4, "little")
    path.write_bytes(data)
    assert inspect_capture(path).problem == (
        f"packet 2 (at byte {second}) is broken: its length cannot be; what follows is lost"
    )


@pytest.mark.parametrize("upper_bits", [0x4400_0000, 0x4000_0000, 0xF400_0000])
def test_a_link_type_that_tells_of_a_frame_check_sequence_is_ethernet(
    upper_bits: int, tmp_path: Path
) -> None:
    path = tmp_path / "in.pcap"
    wrpcap(str(path), FRAMES)
    data = bytearray(path.read_bytes())
    data[20:24] = (upper_bits | 1).to_bytes(4, "little")
    path.write_bytes(data)
    capture = inspect_capture(path)
    assert (capture.problem, capture.packets) == (None, 3)


# ---- one file for two things


@pytest.mark.parametrize("alias", ["same", "symbolic", "hard", "dotted"])
def test_a_file_that_is_read_is_not_written(alias: str, tmp_path: Path) -> None:
    path, other = tmp_path / "in.pcap", tmp_path / "out.pcap"
    wrpcap(str(path), FRAMES)
    match alias:
        case "symbolic":
            other.symlink_to(path)
        case "hard":
            other.hardlink_to(path)
        case "dotted":
            other = tmp_path / ".." / tmp_path.name / "in.pcap"
        case _:
            other = path
    reads, writes = f"net_pcap0,rx_pcap={path}", f"net_pcap1,rx_pcap=x.pcap,tx_pcap={other}"
    said = f"tx_pcap={other} is the file that net_pcap0 reads; name another one"
    assert gather_vdevs([f"{reads},tx_pcap={other}"], None)[0].problems == (said,)
    assert gather_vdevs([reads, writes], None)[1].problems == (said,)


def test_a_file_is_written_by_one_device(tmp_path: Path) -> None:
    devices = [f"net_pcap{n},rx_pcap=x.pcap,tx_pcap={tmp_path}/out.pcap" for n in range(2)]
    first, second = gather_vdevs(devices, None)
    assert first.problems == ()
    assert second.problems == (f"tx_pcap={tmp_path}/out.pcap is written by net_pcap0 too; name another file",)
    nothing = [f"net_pcap{n},rx_pcap=x.pcap,tx_pcap=/dev/null" for n in range(2)]
    assert [facts.problems for facts in gather_vdevs(nothing, None)] == [(), ()]
