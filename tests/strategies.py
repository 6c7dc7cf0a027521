# SPDX-License-Identifier: BSD-3-Clause
"""Hypothesis strategies: frames that a gate must answer, with every choice that the protocol leaves open.

What a gate must refuse is made from these by `tests.mutations`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from typing import Any

from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import (
    ICMPv6EchoRequest,
    ICMPv6MLQuery,
    ICMPv6MLQuery2,
    ICMPv6ND_NS,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
    IPv6ExtHdrHopByHop,
    RouterAlert,
)
from scapy.packet import Packet, Raw

from tests.oracle import Interface
from tests.oracle_checks import solicited_node

# ---- the gate that the frames are for

MAC = "02:00:00:00:00:02"
MAC_BYTES = bytes.fromhex(MAC.replace(":", ""))
INTERFACES: tuple[Interface, ...] = (
    IPv4Interface("10.0.0.1/24"),
    IPv4Interface("192.0.2.8/31"),
    IPv6Interface("fd00::1/64"),
    IPv6Interface("2001:db8::a:b:c/48"),
)
OWN4 = tuple(i.ip for i in INTERFACES if isinstance(i, IPv4Interface))
OWN6 = tuple(i.ip for i in INTERFACES if isinstance(i, IPv6Interface))
LISTENERS = (8080, 9000)

GROUPS = tuple(solicited_node(own) for own in OWN6)
BROADCAST_MAC = b"\xff" * 6


@dataclass(frozen=True, slots=True)
class Link:
    """Ethernet addresses and tags; `tags` are (TPID, TCI) pairs, outermost first."""

    destination: bytes
    source: bytes
    tags: tuple[tuple[int, int], ...] = ()

    def header(self, ether_type: int) -> bytes:
        tags = b"".join(struct.pack("!HH", *tag) for tag in self.tags)
        return self.destination + self.source + tags + ether_type.to_bytes(2, "big")


@dataclass(frozen=True, slots=True)
class Datagram:
    """A message on its way to us. `frame()` builds it right, or wrong where a field is overridden."""

    link: Link
    source: IPv4Address | IPv6Address
    destination: IPv4Address | IPv6Address
    ip: dict[str, Any]  # what the protocol leaves open: tos, id, flags, ttl; tc, fl, hlim
    source_port: int
    port: int
    checksum: bool  # False: sent without one, which only IPv4 allows
    message: bytes
    padding: bytes = b""  # after the IP datagram

    @property
    def version(self) -> int:
        return self.source.version

    def frame(self, *, ip: dict[str, Any] | None = None, udp: dict[str, Any] | None = None) -> bytes:
        ports: dict[str, Any] = {"sport": self.source_port, "dport": self.port}
        if not self.checksum:
            ports["chksum"] = 0
        datagram = UDP(**(ports | (udp or {}))) / Raw(self.message)
        return network_frame(
            self.link, self.source, self.destination, datagram, self.ip | (ip or {}), self.padding
        )


@dataclass(frozen=True, slots=True)
class Request:
    """A frame for the host side of the gate (ARP, echo, neighbour discovery) and what it is handled as."""

    frame: bytes
    kind: str


def network_frame(  # noqa: PLR0917
    link: Link,
    source: IPv4Address | IPv6Address,
    destination: IPv4Address | IPv6Address,
    payload: Packet,
    ip: dict[str, Any],
    padding: bytes = b"",
) -> bytes:
    """A whole frame around an IP payload; fields in `ip` are taken as they are."""
    layer: Packet = (IP if source.version == 4 else IPv6)(
        **({"src": str(source), "dst": str(destination)} | ip)
    )
    return link.header(0x0800 if source.version == 4 else 0x86DD) + bytes(layer / payload) + padding


# ---- pieces

u8 = st.integers(0, 0xFF)
u16 = st.integers(0, 0xFFFF)
u32 = st.integers(0, 0xFFFFFFFF)
u64 = st.integers(0, 0xFFFFFFFFFFFFFFFF)
finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
player_ids = st.integers(1, 3) | u32


def _is_player4(address: IPv4Address) -> bool:
    broadcasts = (IPv4Address("10.0.0.255"),)
    return address not in OWN4 and not address.is_loopback and address not in broadcasts


def _is_player6(address: IPv6Address) -> bool:
    return (
        address not in OWN6
        and not address.is_loopback
        and not address.is_multicast
        and address.packed[:12] != (bytes(10) + b"\xff\xff")
    )


# A few addresses come again and again, so that messages meet sessions that are there.
players4 = st.sampled_from([IPv4Address("10.0.0.7"), IPv4Address("203.0.113.9")]) | st.integers(
    0x01000000, 0xDFFFFFFF
).map(IPv4Address).filter(_is_player4)
players6 = st.sampled_from([IPv6Address("fd00::7"), IPv6Address("fe80::9")]) | st.integers(2, 2**128 - 1).map(
    IPv6Address
).filter(_is_player6)
ports = st.sampled_from([4000, 4001]) | st.integers(1, 0xFFFF)
macs = (
    st.binary(min_size=6, max_size=6)
    .map(lambda m: bytes([m[0] & 0xFE]) + m[1:])
    .filter(lambda m: m not in (bytes(6), MAC_BYTES))
)
padding = st.just(b"") | st.binary(max_size=46)
tags = st.one_of(
    st.just(()),
    st.tuples(st.tuples(st.sampled_from([0x8100, 0x88A8, 0x9100]), u16)),
    st.tuples(st.tuples(st.sampled_from([0x8100, 0x88A8, 0x9100]), u16), st.tuples(st.just(0x8100), u16)),
)
links = st.builds(Link, st.just(MAC_BYTES), macs, tags)
arp_links = st.builds(Link, st.sampled_from([MAC_BYTES, BROADCAST_MAC]), macs, tags)
ip4_fields = st.fixed_dictionaries(
    {"tos": u8, "id": u16, "flags": st.sampled_from(["", "DF", "evil", "DF+evil"]), "ttl": u8}
)
ip6_fields = st.fixed_dictionaries({"tc": u8, "fl": st.integers(0, 0xFFFFF), "hlim": u8})


def _message(packet_type: int, timestamp: int, body: bytes) -> bytes:
    return struct.pack("<IIQ", packet_type, 16 + len(body), timestamp) + body


def chat_body(player_id: int, target_id: int, channel: int, text: bytes) -> bytes:
    """The body of a CHAT_MESSAGE around any bytes, even such as are no UTF-8."""
    return struct.pack("<IIBBH", player_id, target_id, channel, 0, len(text)) + text


def _fit(text: str) -> bytes:
    """At most 512 bytes of `text`, cut between characters, at least one."""
    return text.encode()[:512].decode(errors="ignore").encode() or b"!"


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200).map(_fit) | st.integers(
    1, 512
).map(lambda n: b"x" * n)
bodies: dict[int, st.SearchStrategy[bytes]] = {
    1: st.builds(lambda p, f: struct.pack("<I6f", p, *f), player_ids, st.tuples(*[finite] * 6)),
    2: st.builds(
        lambda p, t, a, f: struct.pack("<III3f", p, t, a, *f), player_ids, u32, u32, st.tuples(*[finite] * 3)
    ),
    3: st.builds(chat_body, player_ids, u32, u8, texts),
    4: player_ids.map(lambda p: struct.pack("<I", p)),
    5: st.builds(lambda p, s, t: struct.pack("<III", p, s, t), player_ids, u32, u32),
}


@st.composite
def messages(draw: st.DrawFn, packet_type: int | None = None) -> bytes:
    """A valid message of the given type, or of any."""
    kind = draw(st.integers(1, 5)) if packet_type is None else packet_type
    return _message(kind, draw(u64), draw(bodies[kind]))


@st.composite
def datagrams(draw: st.DrawFn, version: int | None = None, packet_type: int | None = None) -> Datagram:
    """A valid message in a valid frame: v4 or v6, 0 to 2 tags, with or without padding."""
    v4 = draw(st.booleans()) if version is None else version == 4
    return Datagram(
        link=draw(links),
        source=draw(players4) if v4 else draw(players6),
        destination=draw(st.sampled_from(OWN4)) if v4 else draw(st.sampled_from(OWN6)),
        ip=draw(ip4_fields if v4 else ip6_fields),
        source_port=draw(ports),
        port=draw(st.sampled_from(LISTENERS)),
        checksum=not v4 or draw(st.booleans()),
        message=draw(messages(packet_type)),
        padding=draw(padding),
    )


# ---- the host side


@st.composite
def arp_requests(draw: st.DrawFn) -> Request:
    """Who has one of our addresses? With sender 0.0.0.0 a probe (RFC 5227)."""
    link = draw(arp_links)
    sender = draw(players4 | st.just(IPv4Address("0.0.0.0")))
    target = draw(st.sampled_from(OWN4))
    asked = draw(st.sampled_from([bytes(6), BROADCAST_MAC]))
    sender_mac = draw(st.just(link.source) | macs)  # VRRP, HSRP, proxies
    return Request(arp_frame(link, sender, target, asked, sender_mac=sender_mac) + draw(padding), "arp")


def arp_frame(
    link: Link,
    sender: IPv4Address,
    target: IPv4Address,
    asked: bytes = bytes(6),
    *,
    kind: tuple[int, ...] = (1, 0x0800, 6, 4, 1),
    sender_mac: bytes | None = None,
) -> bytes:
    """An ARP packet; `kind` is htype, ptype, hlen, plen and operation."""
    sha = link.source if sender_mac is None else sender_mac
    return link.header(0x0806) + struct.pack("!HHBBH", *kind) + sha + sender.packed + asked + target.packed


@st.composite
def icmp_echoes(draw: st.DrawFn) -> Request:
    """Ping over IPv4."""
    echo = ICMP(type=8, id=draw(u16), seq=draw(u16)) / Raw(draw(st.binary(max_size=64)))
    frame = network_frame(
        draw(links), draw(players4), draw(st.sampled_from(OWN4)), echo, draw(ip4_fields), draw(padding)
    )
    return Request(frame, "icmp_echo")


@st.composite
def icmpv6_echoes(draw: st.DrawFn) -> Request:
    """Ping over IPv6."""
    echo = ICMPv6EchoRequest(id=draw(u16), seq=draw(u16), data=draw(st.binary(max_size=64)))
    frame = network_frame(
        draw(links), draw(players6), draw(st.sampled_from(OWN6)), echo, draw(ip6_fields), draw(padding)
    )
    return Request(frame, "icmpv6_echo")


@st.composite
def neighbor_solicitations(draw: st.DrawFn) -> Request:
    """Who has one of our IPv6 addresses? From a neighbour, or from :: (duplicate address detection)."""
    index = draw(st.integers(0, len(OWN6) - 1))
    target, group = OWN6[index], GROUPS[index]
    link = draw(links)
    source = draw(players6 | st.just(IPv6Address("::")))
    to_group = source.is_unspecified or draw(st.booleans())
    if to_group:
        link = replace(link, destination=b"\x33\x33" + group.packed[12:])
    message: Packet = ICMPv6ND_NS(tgt=str(target), res=draw(u32))
    if not source.is_unspecified and draw(st.booleans()):
        message /= ICMPv6NDOptSrcLLAddr(lladdr=draw(st.just(link.source) | macs).hex(":"))
    if draw(st.booleans()):
        message /= Raw(b"\x0e\x01" + draw(st.binary(min_size=6, max_size=6)))  # a nonce (RFC 3971)
    fields = draw(ip6_fields) | {"hlim": 255}
    frame = network_frame(link, source, group if to_group else target, message, fields, draw(padding))
    return Request(frame, "neighbor_solicitation")


@st.composite
def listener_queries(draw: st.DrawFn) -> bytes:
    """Who listens to what? Of either version, of any group of ours."""
    link = replace(draw(links), destination=bytes.fromhex("333300000001"))
    group = draw(st.sampled_from(["::", *map(str, GROUPS)]))
    sources = [str(source) for source in draw(st.lists(players6, max_size=20))]
    message = draw(
        st.sampled_from(
            [
                ICMPv6MLQuery(mladdr=group, mrd=draw(u16)),
                ICMPv6MLQuery2(mladdr=group, mrd=draw(u16), sources=sources, sources_number=len(sources)),
            ]
        )
    )
    to = "ff02::1" if group == "::" else group
    header = IPv6(src="fe80::9", dst=to, hlim=1) / IPv6ExtHdrHopByHop(options=RouterAlert())
    return link.header(0x86DD) + bytes(header / message) + draw(padding)


requests = st.one_of(arp_requests(), icmp_echoes(), icmpv6_echoes(), neighbor_solicitations())
valid_frames = datagrams().map(Datagram.frame) | requests.map(lambda request: request.frame)
