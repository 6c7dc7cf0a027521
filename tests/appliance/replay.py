# SPDX-License-Identifier: BSD-3-Clause
"""Plays frames to the appliance through capture files, and reads back what it sent.

    ended = replay(tmp_path, [frames])
    ended.answers()      # after the announcements, which have been checked

A port has one capture in and one out per queue. The appliance ends by itself when it has read them all.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Interface
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from scapy.layers.inet6 import (
    ICMPv6MLDMultAddrRec,
    ICMPv6MLReport2,
    ICMPv6ND_NA,
    ICMPv6NDOptDstLLAddr,
    IPv6,
    IPv6ExtHdrHopByHop,
    RouterAlert,
)
from scapy.layers.l2 import ARP, Ether

from pyshim.protocol.capture import PCAP_HEADER
from tests.appliance.conservation import Books, books
from tests.gate import Gate
from tests.oracle import Interface
from tests.oracle_checks import solicited_node
from tests.strategies import INTERFACES, LISTENERS, MAC

LEFT, JOINED = 3, 4  # RFC 3810 5.2.12: CHANGE_TO_INCLUDE_MODE, CHANGE_TO_EXCLUDE_MODE
UNLIMITED = {"reply_pps": 10_000_000, "reply_burst": 1_000_000}
Case = TypeVar("Case")


def sample(strategy: st.SearchStrategy[Case], count: int) -> list[Case]:
    """Up to `count` different cases, the same every time: for runs too long to be had for one case each."""
    found: list[Case] = []

    @settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(case: Case) -> None:
        found.append(case)

    collect()
    return found


def write_capture(path: Path, frames: Iterable[bytes]) -> None:
    """A classic pcap file."""
    records = (struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame for frame in frames)
    path.write_bytes(PCAP_HEADER + b"".join(records))


def read_capture(path: Path) -> list[bytes]:
    """The frames of a pcap file that DPDK wrote, none of them cut."""
    data = path.read_bytes()
    assert data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1"), data[:4]
    frames, at = [], 24
    while at < len(data):
        captured, original = struct.unpack_from("<8xII", data, at)
        assert captured == original
        frames.append(data[at + 16 : at + 16 + captured])
        at += 16 + captured
    assert at == len(data), "the last frame is cut"
    return frames


def announcements(mac: str = MAC, interfaces: Sequence[Interface] = INTERFACES) -> list[bytes]:
    """What a port says when it starts: a gratuitous ARP per IPv4 address, then a neighbour advertisement per
    IPv6 address, and which multicast groups that makes."""
    arps, advertisements = [], []
    for interface in interfaces:
        own = str(interface.ip)
        if isinstance(interface, IPv4Interface):
            arp = ARP(op=1, hwsrc=mac, psrc=own, hwdst="00:00:00:00:00:00", pdst=own)
            arps.append(bytes(Ether(src=mac, dst="ff:ff:ff:ff:ff:ff") / arp).ljust(60, b"\0"))
        else:
            ip = IPv6(src=own, dst="ff02::1", hlim=255)
            message = ICMPv6ND_NA(R=0, S=0, O=1, tgt=own) / ICMPv6NDOptDstLLAddr(lladdr=mac)
            advertisements.append(bytes(Ether(src=mac, dst="33:33:00:00:00:01") / ip / message))
    return arps + advertisements + reports(JOINED, mac, interfaces)


def reports(kind: int, mac: str = MAC, interfaces: Sequence[Interface] = INTERFACES) -> list[bytes]:
    """What is said of the multicast groups of the IPv6 addresses, if there are any."""
    groups = dict.fromkeys(solicited_node(own.ip) for own in interfaces if isinstance(own, IPv6Interface))
    if not groups:
        return []
    records = [ICMPv6MLDMultAddrRec(rtype=kind, dst=str(group)) for group in groups]
    message = ICMPv6MLReport2(records=records, records_number=len(records))
    ip = IPv6(src="::", dst="ff02::16", hlim=1) / IPv6ExtHdrHopByHop(options=RouterAlert())
    return [bytes(Ether(src=mac, dst="33:33:00:00:00:16") / ip / message)]


def unlike(frames: Iterable[bytes], announced: Sequence[bytes]) -> list[bytes]:
    """Those that are none of the announcements; the answer to a probe can be just like one."""
    return [frame for frame in frames if frame not in announced]


@dataclass(frozen=True, slots=True)
class Ended:
    """A replay that is over."""

    directory: Path
    summary: dict[str, Any]
    books: Books

    def sent(self, port: str = "game0", queue: int = 0) -> list[bytes]:
        """All that a queue sent, in order."""
        return read_capture(self.directory / f"{port}-{queue}-out.pcap")

    def answers(
        self, port: str = "game0", mac: str = MAC, interfaces: Sequence[Interface] = INTERFACES
    ) -> list[bytes]:
        """What queue 0 of a port sent after its announcements; those are checked.

        They are said again after two seconds, and by a host that defends its address.
        """
        sent, expected = self.sent(port), announcements(mac, interfaces)
        assert sent[: len(expected)] == expected
        return unlike(sent[len(expected) :], [*expected, *reports(LEFT, mac, interfaces)])


def pcap_port(
    directory: Path,
    queues: Sequence[Sequence[bytes]],
    *,
    name: str = "game0",
    number: int = 0,
    interfaces: Sequence[Interface] = INTERFACES,
    **settings: Any,
) -> dict[str, Any]:
    """A port that reads one capture per queue; its files are written to `directory`."""
    device = f"net_pcap{number}"
    for queue, frames in enumerate(queues):
        path = directory / f"{name}-{queue}-in.pcap"
        write_capture(path, frames)
        device += f",rx_pcap={path},tx_pcap={directory / f'{name}-{queue}-out.pcap'}"
    addresses = [str(interface) for interface in interfaces]
    return {"name": name, "device": device, "address": addresses, "mac": MAC, **settings}


def run_to_end(directory: Path, ports: Sequence[dict[str, Any]], **config: Any) -> Ended:
    """Run until the captures are read; `config` replaces top-level keys."""
    defaults: dict[str, Any] = {
        "eal": {"memory_mib": 128},
        "listen": [{"port": port} for port in LISTENERS],
        "host": UNLIMITED,
        "metrics": {"listen": None},
    }
    whole = {"ports": list(ports), **defaults, **config}
    with Gate(whole, directory, args=["--until-idle", "0.5"], wait_ready=False) as gate:
        assert gate.wait() == 0, gate.stderr
        assert all(line.startswith("info: ") for line in gate.stderr.splitlines()), gate.stderr
        return Ended(directory, gate.summary, books(gate.summary))


def replay(directory: Path, queues: Sequence[Sequence[bytes]], **config: Any) -> Ended:
    """Run one port on these captures, one per queue."""
    return run_to_end(directory, [pcap_port(directory, queues)], **config)
