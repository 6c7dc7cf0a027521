# SPDX-License-Identifier: BSD-3-Clause
"""Two routers with one address between the players and the gate: the other one takes over.

With VRRP's virtual MAC the place moves and the MAC stays; where routers speak with MACs of their own, it is
another one. A gate keeps no table of neighbours (net/return_headers.h): an answer goes to the MAC that
brought the question (what a session sends on its own: tests/session/test_failover.py). So there is nothing to
learn anew, nor to be told wrongly by ARP or neighbour discovery; who asks is answered as RFC 826 and RFC 4861
7.2.4 say, whichever of the two that is.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptDstLLAddr, ICMPv6NDOptSrcLLAddr, IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet, Raw

from tests.network.namespace import GATE4, GATE6, Wire
from tests.network.players import Growth, NetworkGate, acknowledgement, config, heartbeat, serving
from tests.network.raw import RawInterface, raw_interface

MAC = "02:00:00:00:00:99"
FIRST, SECOND = "02:00:00:00:00:a1", "02:00:00:00:00:a2"
ROUTER4, ROUTER6 = "10.0.0.254", "fd00::254"
PLAYER4, PLAYER6 = "198.51.100.7", "2001:db8::7"  # behind the routers
BROADCAST = "ff:ff:ff:ff:ff:ff"
OUR_GROUP = ("ff02::1:ff00:1", "33:33:ff:00:00:01")


@pytest.fixture(scope="module")
def gate(wire: Wire, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetworkGate]:
    settings = config(port={"mac": MAC}, host={"reply_pps": 1000, "reply_burst": 200})
    with serving(wire, settings, tmp_path_factory.mktemp("failover")) as running:
        yield running


@pytest.fixture
def link(wire: Wire, gate: NetworkGate) -> Iterator[RawInterface]:
    with raw_interface(wire.players) as opened:
        yield opened


def ip_of(family: int) -> Packet:
    return IP(src=PLAYER4, dst=GATE4) if family == 4 else IPv6(src=PLAYER6, dst=GATE6)


def plays_by(link: RawInterface, router: str, family: int, player: int, moment: int) -> Packet:
    """A player's heartbeat through a router; returns the frame with its answer."""
    sent = heartbeat(player, moment)
    link.send(Ether(src=router, dst=MAC) / ip_of(family) / UDP(sport=4000 + player, dport=8080) / Raw(sent))
    return link.hear(lambda frame: UDP in frame and acknowledgement(sent) in bytes(frame[UDP].payload))


@pytest.mark.parametrize("family", [4, 6])
def test_a_player_whose_router_is_another_one_now_is_answered_through_that_and_stays_who_he_is(
    gate: NetworkGate, link: RawInterface, family: int
) -> None:
    grown = Growth(gate)
    for moment, router in enumerate((FIRST, FIRST, SECOND, SECOND, FIRST)):
        answer = plays_by(link, router, family, family, moment)
        assert (answer.src, answer.dst) == (MAC, router)
    gate.wait_until(lambda: grown.handled("heartbeat") == 5)
    assert grown.of("pollgate_sessions_admitted_total") == 1
    assert grown.dropped("player_mismatch") == 0


@pytest.mark.parametrize("family", [4, 6])
def test_an_announcement_of_the_new_router_does_not_move_what_the_old_one_still_brings(
    gate: NetworkGate, link: RawInterface, family: int
) -> None:
    assert plays_by(link, FIRST, family, 10 + family, 1).dst == FIRST
    if family == 4:
        link.send(Ether(src=SECOND, dst=BROADCAST) / ARP(op=1, hwsrc=SECOND, psrc=ROUTER4, pdst=ROUTER4))
    else:
        link.send(
            Ether(src=SECOND, dst="33:33:00:00:00:01")
            / IPv6(src=ROUTER6, dst="ff02::1", hlim=255)
            / ICMPv6ND_NA(tgt=ROUTER6, R=1, S=0, O=1)
            / ICMPv6NDOptDstLLAddr(lladdr=SECOND)
        )
    assert plays_by(link, FIRST, family, 10 + family, 2).dst == FIRST
    assert plays_by(link, SECOND, family, 10 + family, 3).dst == SECOND


def test_both_routers_ask_for_us_with_the_address_that_they_share_and_each_is_answered(
    link: RawInterface,
) -> None:
    for router in (FIRST, SECOND):
        link.send(Ether(src=router, dst=BROADCAST) / ARP(hwsrc=router, psrc=ROUTER4, pdst=GATE4))
        answer = link.hear(lambda frame: ARP in frame and frame[ARP].op == 2)
        assert (answer.dst, answer[ARP].hwdst, answer[ARP].hwsrc) == (router, router, MAC)
        link.send(
            Ether(src=router, dst=OUR_GROUP[1])
            / IPv6(src=ROUTER6, dst=OUR_GROUP[0], hlim=255)
            / ICMPv6ND_NS(tgt=GATE6)
            / ICMPv6NDOptSrcLLAddr(lladdr=router)
        )
        answer = link.hear(lambda frame: ICMPv6ND_NA in frame and frame[IPv6].dst == ROUTER6)
        assert (answer.dst, answer.src) == (router, MAC)


def test_an_echo_follows_the_router_that_brought_it(link: RawInterface) -> None:
    for number, router in enumerate((FIRST, SECOND)):
        link.send(Ether(src=router, dst=MAC) / ip_of(4) / ICMP(id=0x4242, seq=number))
        answer = link.hear(lambda frame: ICMP in frame and frame[ICMP].type == 0)
        assert (answer.dst, answer[ICMP].seq) == (router, number)
