# SPDX-License-Identifier: BSD-3-Clause
"""A pcapng file is taken for what DPDK reads of it: the same packets arrive as are counted here."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.l2 import Ether
from scapy.packet import Raw
from scapy.utils import wrpcap

from pyshim.host.capture import inspect_capture
from pyshim.host.pcapng import walk_pcapng
from tests.appliance.conservation import books
from tests.gate import Gate

FRAMES = [bytes(Ether(dst="02:00:00:00:00:09") / Raw(bytes(size))) for size in (46, 201, 100)]
LONGEST = 215


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    size = 12 + len(body)
    return struct.pack(order + "II", kind, size) + body + struct.pack(order + "I", size)


def section(order: str = "<") -> bytes:
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(link_type: int = 1, snaplen: int = 262_144, order: str = "<", options: bytes = b"") -> bytes:
    return block(1, struct.pack(order + "HHI", link_type, 0, snaplen) + options, order)


def packet(frame: bytes, of: int = 0, order: str = "<", *, says: int | None = None) -> bytes:
    captured = len(frame) if says is None else says
    head = struct.pack(order + "IIIII", of, 0, 0, captured, len(frame))
    return block(6, head + frame + bytes(-len(frame) % 4), order)


def simple_packet(frame: bytes) -> bytes:
    return block(3, struct.pack("<I", len(frame)) + frame + bytes(-len(frame) % 4))


def old_packet(frame: bytes) -> bytes:
    return block(
        2, struct.pack("<HHIIII", 0, 0, 0, 0, len(frame), len(frame)) + frame + bytes(-len(frame) % 4)
    )


ALL = b"".join(map(packet, FRAMES))
FCS = struct.pack("<HHBxxxHH", 13, 1, 4, 0, 0)  # the option that tells its length, and the end of options
READ = {
    "enhanced": section() + interface() + ALL,
    "big-endian": section(">") + interface(order=">") + b"".join(packet(f, order=">") for f in FRAMES),
    "simple": section() + interface() + b"".join(map(simple_packet, FRAMES)),
    "obsolete": section() + interface() + b"".join(map(old_packet, FRAMES)),
    "two-alike": section() + interface() * 2 + b"".join(packet(f, i % 2) for i, f in enumerate(FRAMES)),
    "unused-other": section() + interface() + interface(113) + ALL,
    "no-snapshot-length": section() + interface(snaplen=0) + ALL,
    "check-sequence": section() + interface(options=FCS) + ALL,
    "unknown-blocks": section() + interface() + block(5, bytes(12)) + ALL + block(0xBAD, b"good"),
}
REFUSED = {
    "two-lengths": (
        section() + interface() + interface(snaplen=65_535) + ALL + packet(FRAMES[0], 1),
        "has packets of an interface with a snapshot length of 65535, its first one has 262144",
    ),
    "next-section": (
        section() + interface() + ALL + section() + interface(snaplen=1000) + ALL,
        "a snapshot length of 1000, its first one has 262144",
    ),
    "other-type": (section() + interface(113) + ALL, "link type 113; only Ethernet"),
    "other-type-first": (
        section() + interface(113) + interface() + packet(FRAMES[0], 1),
        "describes an interface of link type 113 first",
    ),
    "no-interface": (section() + ALL, "an interface that it does not describe (at byte 28)"),
    "broken-block": (
        section() + interface() + ALL + struct.pack("<II", 6, 5) + bytes(24) + ALL,
        "block at byte 536 is broken",
    ),
    "broken-end": (
        section() + interface() + ALL[:-4] + bytes(4) + ALL,
        "is broken: its length cannot be; what follows is lost",
    ),
    "broken-packet": (
        section() + interface() + ALL + packet(FRAMES[0], says=500) + ALL,
        "packet 4 (at byte 536) is broken: it says 500 bytes, its block has 92",
    ),
    "over-its-length": (
        section() + interface(snaplen=60) + ALL,
        "packet 2 (at byte 140) is broken: it says 215 bytes, the snapshot length is 60",
    ),
}


@pytest.mark.parametrize("kind", READ)
def test_packets_that_dpdk_reads_are_counted(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "in.pcapng"
    path.write_bytes(READ[kind])
    capture = inspect_capture(path)
    assert (capture.problem, capture.packets, capture.longest_bytes) == (None, 3, LONGEST)
    assert received(path, tmp_path) == 3


@pytest.mark.parametrize("kind", REFUSED)
def test_packets_that_dpdk_skips_are_refused_with_the_reason(kind: str, tmp_path: Path) -> None:
    data, said = REFUSED[kind]
    path = tmp_path / "in.pcapng"
    path.write_bytes(data)
    assert said in str(inspect_capture(path).problem)


def test_a_packet_cut_off_by_the_end_is_not_counted(tmp_path: Path) -> None:
    path = tmp_path / "in.pcapng"
    path.write_bytes(READ["enhanced"][:-10])
    capture = inspect_capture(path)
    assert (capture.problem, capture.packets) == (None, 2)
    assert received(path, tmp_path) == 2


def test_pcapng_is_not_replayed_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "in.pcapng"
    path.write_bytes(READ["enhanced"])
    assert inspect_capture(path, endless=True).problem == (
        "is pcapng, which infinite_rx does not replay; convert it with editcap -F pcap"
    )


@pytest.mark.skipif(shutil.which("editcap") is None, reason="editcap comes with wireshark-common")
def test_a_file_of_wiresharks_tools_is_read_and_what_is_advised_works(tmp_path: Path) -> None:
    plain, ours, back = tmp_path / "in.pcap", tmp_path / "in.pcapng", tmp_path / "back.pcap"
    wrpcap(str(plain), [Ether(frame) for frame in FRAMES])
    subprocess.run(["editcap", "-F", "pcapng", plain, ours], check=True)
    assert inspect_capture(ours).packets == received(ours, tmp_path) == 3
    ours.write_bytes(REFUSED["two-lengths"][0])
    subprocess.run(["editcap", "-F", "pcap", ours, back], check=True)
    assert inspect_capture(back, endless=True).packets == 4


def _damaged(data: bytes, at: int, value: int) -> bytes:
    at %= len(data)
    return data[:at] + bytes([value]) + data[at + 1 :]


@given(st.sampled_from([*READ.values()]), st.integers(0, 10_000), st.integers(0, 255), st.integers(0, 1000))
def test_no_damage_is_more_than_a_problem(data: bytes, at: int, value: int, cut: int) -> None:
    found = walk_pcapng(_damaged(data, at, value)[: max(12, len(data) - cut)], 1 << 20)
    assert found.packets <= len(data) // 12
    assert found.problem is None or "\n" not in found.problem


def received(path: Path, directory: Path) -> int:
    """Frames that the appliance gets out of a file."""
    settings = {
        "eal": {"memory_mib": 64},
        "ports": [{"name": "g", "device": f"net_pcap0,rx_pcap={path}", "address": ["10.0.0.1/24"]}],
        "metrics": {"listen": None},
    }
    with Gate(settings, directory, args=["--until-idle", "0.3"], wait_ready=False) as gate:
        assert gate.wait() == 0, gate.stderr
    return int(books(gate.summary).received)
