# SPDX-License-Identifier: BSD-3-Clause
"""Neighbours that are not one MAC and one address: routers of a group, and hosts with our address."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import (
    ICMPv6EchoRequest,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
)
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet, Raw

from tests.network.namespace import GATE4, GATE6, PLAYERS4, PLAYERS6, PLAYERS_INTERFACE, PLAYERS_MAC, Wire
from tests.network.players import Growth, NetworkGate, config, heartbeat, serving
from tests.network.raw import RawInterface, raw_interface

MAC = "02:00:00:00:00:99"
VIRTUAL = "00:00:5e:00:01:0a"  # of a VRRP group
STRANGER = "02:00:00:00:00:66"
ORIGINATED = "pollgate_transmit_originated_packets_total"
BROADCAST = "ff:ff:ff:ff:ff:ff"
ALL_NODES = ("ff02::1", "33:33:00:00:00:01")
OUR_GROUP = ("ff02::1:ff00:1", "33:33:ff:00:00:01")


@pytest.fixture(scope="module")
def gate(wire: Wire, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetworkGate]:
    settings = config(port={"mac": MAC}, host={"reply_pps": 1000, "reply_burst": 200})
    with serving(wire, settings, tmp_path_factory.mktemp("neighbors")) as running:
        # What is said at the start is over: two addresses and a multicast group, twice.
        running.wait_until(lambda: running.metrics().value(ORIGINATED) >= 6)
        yield running


@pytest.fixture
def link(wire: Wire, gate: NetworkGate) -> Iterator[RawInterface]:
    with raw_interface(wire.players) as opened:
        yield opened


def test_arp_from_another_mac_than_the_frames_is_answered_to_the_one_in_the_packet(
    link: RawInterface,
) -> None:
    link.send(Ether(src=PLAYERS_MAC, dst=BROADCAST) / ARP(hwsrc=VIRTUAL, psrc="10.0.0.254", pdst=GATE4))
    answer = link.hear(lambda frame: ARP in frame and frame[ARP].op == 2 and frame[ARP].hwdst == VIRTUAL)
    assert (answer.dst, answer.src, answer[ARP].hwsrc, answer[ARP].psrc) == (VIRTUAL, MAC, MAC, GATE4)
    assert answer[ARP].pdst == "10.0.0.254"


def test_a_solicitation_is_answered_to_the_mac_in_its_option(link: RawInterface) -> None:
    link.send(
        Ether(src=PLAYERS_MAC, dst=OUR_GROUP[1])
        / IPv6(src="fd00::254", dst=OUR_GROUP[0], hlim=255)
        / ICMPv6ND_NS(tgt=GATE6)
        / ICMPv6NDOptSrcLLAddr(lladdr=VIRTUAL)
    )
    answer = link.hear(lambda frame: ICMPv6ND_NA in frame and frame[IPv6].dst == "fd00::254")
    assert (answer.dst, answer.src, answer[ICMPv6NDOptDstLLAddr].lladdr) == (VIRTUAL, MAC, MAC)


@pytest.mark.parametrize("group", [BROADCAST, "01:00:5e:00:00:01", "33:33:ff:00:00:01"])
def test_what_is_for_us_alone_in_a_frame_for_many_is_not_answered(
    gate: NetworkGate, link: RawInterface, group: str
) -> None:
    grown = Growth(gate)
    message = UDP(sport=4000, dport=8080) / Raw(heartbeat(7))
    ether = Ether(src=PLAYERS_MAC, dst=group)
    for packet in (
        IP(src=PLAYERS4, dst=GATE4) / message,
        IP(src=PLAYERS4, dst=GATE4) / ICMP(id=0x4242),
        IPv6(src=PLAYERS6, dst=GATE6) / message,
        IPv6(src=PLAYERS6, dst=GATE6) / ICMPv6EchoRequest(id=0x4242),
    ):
        link.send(ether / packet)
    gate.wait_until(lambda: grown.dropped("group_frame") == 4)
    assert grown.of("pollgate_sessions", state="active") == 0
    assert [grown.handled(kind) for kind in ("heartbeat", "icmp_echo", "icmpv6_echo")] == [0, 0, 0]


def test_a_host_with_our_ipv4_address_is_told_and_so_is_the_operator(
    gate: NetworkGate, wire: Wire, link: RawInterface
) -> None:
    grown = Growth(gate)
    # The players' kernel says that it has our address, as one that is configured so does.
    wire.add_address(f"{GATE4}/32")
    try:
        wire.players.attempt("arping", "-U", "-c", "3", "-w", "10", "-I", PLAYERS_INTERFACE, GATE4)
        defence = link.hear(lambda frame: ARP in frame and frame[ARP].hwsrc == MAC)
    finally:
        wire.players.run("ip", "address", "del", f"{GATE4}/32", "dev", PLAYERS_INTERFACE)
    assert (defence.dst, defence.src, defence[ARP].op, defence[ARP].pdst) == (BROADCAST, MAC, 1, GATE4)
    assert grown.dropped("address_conflict") >= 1
    assert grown.of(ORIGINATED) == 1
    gate.wait_until(lambda: f"another host, {PLAYERS_MAC}, says that {GATE4}" in gate.stderr)
    assert gate.stderr.count("another host") == 1


def test_a_host_with_our_ipv6_address_is_told_by_an_advertisement(
    gate: NetworkGate, link: RawInterface
) -> None:
    grown = Growth(gate)
    claim: Packet = (
        Ether(src=STRANGER, dst=ALL_NODES[1])
        / IPv6(src=GATE6, dst=ALL_NODES[0], hlim=255)
        / ICMPv6ND_NA(tgt=GATE6, R=0, S=0, O=1)
        / ICMPv6NDOptDstLLAddr(lladdr=STRANGER)
    )
    for _ in range(5):
        link.send(claim)
    defence = link.hear(lambda frame: ICMPv6ND_NA in frame and frame[ICMPv6ND_NA].tgt == GATE6)
    assert (defence.dst, defence.src, defence[IPv6].dst) == (ALL_NODES[1], MAC, ALL_NODES[0])
    assert (defence[ICMPv6ND_NA].O, defence[ICMPv6ND_NA].S) == (1, 0)
    gate.wait_until(lambda: grown.dropped("address_conflict") == 5)
    assert grown.of(ORIGINATED) == 1  # in ten seconds, however often the other one says so
