# SPDX-License-Identifier: BSD-3-Clause
"""Which engines there are, what the tests tell them to serve, and what they must answer."""

from __future__ import annotations

import os
from dataclasses import dataclass
from ipaddress import ip_address, ip_interface
from typing import Any

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6

from tests.network.namespace import GATE4, GATE6, GATE_MAC, PLAYERS_MAC
from tests.network.players import PORT, config
from tests.oracle import Oracle
from tests.strategies import Datagram, Link

SOCKET_ENGINES = ("epoll", "io_uring")
SOCKETS = pytest.mark.parametrize("engine", SOCKET_ENGINES, indirect=True, scope="module")
ALL = pytest.mark.parametrize("engine", [*SOCKET_ENGINES, "dpdk"], indirect=True, scope="module")
CPUS = sorted(os.sched_getaffinity(0))
needs_two_cpus = pytest.mark.skipif(len(CPUS) < 2, reason="two workers need two CPUs")

PORTS = (PORT, 8089)
OTHER4, OTHER6 = "10.0.0.3", "fd00::3"
GATES = (f"{GATE4}/24", f"{OTHER4}/24", f"{GATE6}/64", f"{OTHER6}/64")
OWN = {4: (GATE4, OTHER4), 6: (GATE6, OTHER6)}
HEADERS_BYTES = 14  # of Ethernet, without tags

Endpoint = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What must become of a datagram: an answer from an endpoint, or a reason."""

    answer: bytes | None = None
    source: Endpoint | None = None
    drop: str | None = None


def everything(engine: str, **changes: Any) -> dict[str, Any]:
    """A configuration with two addresses of each family and two UDP ports."""
    listen = [{"port": port} for port in PORTS]
    return config(engine=engine, port={"address": list(GATES)}, **{"listen": listen, **changes})


def judge(message: bytes, source: Endpoint, target: Endpoint) -> Verdict:
    """What the oracle says to the first datagram of a peer. It takes frames, so it is given one."""
    oracle = Oracle(GATE_MAC, [ip_interface(own) for own in GATES], PORTS)
    link = Link(bytes.fromhex(GATE_MAC.replace(":", "")), bytes.fromhex(PLAYERS_MAC.replace(":", "")))
    there, here = ip_address(source[0]), ip_address(target[0])
    datagram = Datagram(link, there, here, {}, source[1], target[1], True, message)
    verdict = oracle.answer(datagram.frame(), 0)
    if verdict.reply is None:
        return Verdict(drop=verdict.drop)
    packet = (IP if there.version == 4 else IPv6)(verdict.reply[HEADERS_BYTES:])
    assert (packet.dst, packet[UDP].dport) == source
    answer = bytes(packet[UDP].payload)[: packet[UDP].len - 8]
    return Verdict(answer, (packet.src, packet[UDP].sport))
