# SPDX-License-Identifier: BSD-3-Clause
"""Every way to spoil a frame that the protocol document names, each with the drop reason it must get."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IPOption_NOP
from scapy.layers.inet6 import ICMPv6EchoRequest, ICMPv6ND_NA, ICMPv6ND_NS, IPv6
from scapy.packet import Packet, Raw

from tests.strategies import (
    BROADCAST_MAC,
    GROUPS,
    LISTENERS,
    MAC_BYTES,
    OWN4,
    OWN6,
    Datagram,
    Link,
    arp_frame,
    chat_body,
    datagrams,
    links,
    network_frame,
    padding,
    players4,
    players6,
    u8,
    u16,
)

Draw = st.DrawFn
ALL_NODES = IPv6Address("ff02::1")
KNOWN_TYPES = frozenset({0x0800, 0x0806, 0x86DD, 0x8100, 0x88A8, 0x9100})
BAD_SOURCES4 = (*OWN4, *map(IPv4Address, ("0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.1", "239.255.255.250")))
BAD_SOURCES4 += tuple(map(IPv4Address, ("240.0.0.1", "255.255.255.255", "10.0.0.255")))
BAD_SOURCES6 = (*OWN6, *map(IPv6Address, ("::", "::1", "ff02::1", "ff0e::1234", "::ffff:10.0.0.7")))
OTHERS4 = tuple(map(IPv4Address, ("10.0.0.2", "10.0.0.255", "255.255.255.255", "224.0.0.1", "0.0.0.0")))
OTHERS6 = (*GROUPS, *map(IPv6Address, ("fd00::2", "ff02::1", "::", "fd00::1:1")))
BAD_TEXTS = (
    b"\x80",  # a continuation of nothing
    b"\xc0\x80",  # overlong
    b"\xc1\xbf",
    b"\xe0\x9f\xbf",
    b"\xf0\x8f\xbf\xbf",
    b"\xed\xa0\x80",  # surrogates
    b"\xed\xbf\xbf",
    b"\xf4\x90\x80\x80",  # above U+10FFFF
    b"\xf5\x80\x80\x80",
    b"\xfe",
    b"\xff",
    b"\xc3",  # cut
    b"\xe2\x82",
    b"\xf0\x9f\x90",
    b"\xe2\x28\xa1",  # a wrong continuation
)
NON_FINITE = tuple(
    bytes.fromhex(bits)[::-1] for bits in ("7f800000", "ff800000", "7fc00000", "7f800001", "ffffffff")
)


@dataclass(frozen=True, slots=True)
class Spoiled:
    """A frame that must be dropped for the reason `drop`, by a gate that has no session and no limit."""

    how: str
    frame: bytes
    drop: str


def _l3(datagram: Datagram) -> int:
    return 14 + 4 * len(datagram.link.tags)


def _whole(datagram: Datagram) -> int:
    """Bytes up to the end of the IP datagram."""
    return _l3(datagram) + (28 if datagram.version == 4 else 48) + len(datagram.message)


def _patch(frame: bytes, at: int, value: bytes) -> bytes:
    return frame[:at] + value + frame[at + len(value) :]


def _wrong_u16(draw: Draw, right: int) -> int:
    """±1, zero, the most, or anything, but not what is right."""
    near = st.sampled_from([right - 1, right + 1, 0, 0xFFFF])
    return draw((near | u16).filter(lambda value: value != right))


# ---- Ethernet


def cut_anywhere(draw: Draw, d: Datagram) -> tuple[bytes, str]:
    return d.frame()[: draw(st.integers(0, _whole(d) - 1))], "truncated"


def too_long(draw: Draw, d: Datagram) -> tuple[bytes, str]:
    return d.frame().ljust(draw(st.integers(1527, 1700)), b"\0"), "too_long"


def other_mac(draw: Draw, d: Datagram) -> tuple[bytes, str]:
    other = bytearray(MAC_BYTES)
    other[draw(st.integers(0, 5))] ^= draw(st.sampled_from([2, 4, 128]))
    return replace(d, link=replace(d.link, destination=bytes(other))).frame(), "not_for_us"


def group_frame(draw: Draw, d: Datagram) -> tuple[bytes, str]:
    groups = (BROADCAST_MAC, b"\x01\x00\x5e\x00\x00\x01", b"\x33\x33\xff\x00\x00\x01")
    return replace(d, link=replace(d.link, destination=draw(st.sampled_from(groups)))).frame(), "group_frame"


def bad_mac_source(draw: Draw, d: Datagram) -> tuple[bytes, str]:
    source = draw(st.sampled_from([bytes(6), MAC_BYTES, b"\xff" * 6, b"\x01\x00\x5e\x00\x00\x01"]))
    return replace(d, link=replace(d.link, source=source)).frame(), "bad_source"


def ieee_802_3(draw: Draw, d: Datagram) -> tuple[bytes, str]:
    return _patch(d.frame(), _l3(d) - 2, struct.pack("!H", draw(st.integers(0, 0x5FF)))), "not_ethernet_ii"


def other_ether_type(draw: Draw, d: Datagram) -> tuple[bytes, str]:
    kind = draw(st.integers(0x600, 0xFFFF).filter(lambda value: value not in KNOWN_TYPES))
    return _patch(d.frame(), _l3(d) - 2, struct.pack("!H", kind)), "not_for_us"


def third_tag(draw: Draw, d: Datagram) -> tuple[bytes, str]:
    tags = ((0x88A8, draw(u16)), (0x8100, draw(u16)), (draw(st.sampled_from([0x8100, 0x88A8])), draw(u16)))
    return replace(d, link=replace(d.link, tags=tags)).frame(), "not_for_us"


# ---- IPv4


def ip4_version(draw: Draw, d: Datagram) -> tuple[bytes, str]:
    version = draw(st.integers(0, 15).filter(lambda value: value != 4))
    return d.frame(ip={"version": version, "ihl": 5}), "bad_ip_header"


def ip4_short_header(draw: Draw, d: Datagram) -> tuple[bytes, str]:
    return d.frame(ip={"ihl": draw(st.integers(0, 4))}), "bad_ip_header"


def ip4_options(draw: Draw, d: Datagram) -> tuple[bytes, str]:
    options = [IPOption_NOP()] * draw(st.integers(1, 40))
    return d.frame(ip={"options": options}), "ip_options"


def ip4_header_length_lies(draw: Draw, d: Datagram) -> tuple[bytes, str]:
    return d.frame(ip={"ihl": draw(st.integers(6, 15))}), "ip_options"


def ip4_total_below_header(draw: Draw, d: Datagram) -> tuple[bytes, str]:
    return d.frame(ip={"len": draw(st.integers(0, 19))}), "bad_ip_header"


def ip4_total_beyond_frame(draw: Draw, d: Datagram) -> tuple[bytes, str]:
    left = _whole(d) - _l3(d) + len(d.padding)
    return d.frame(ip={"len": draw(st.sampled_from([left + 1, 0xFFFF]))}), "truncated"


def ip4_total_without_udp_header(draw: Draw, d: Datagram) -> tuple[bytes, str]:
    return d.frame(ip={"len": draw(st.integers(20, 27))}), "truncated"


def ip4_total_cuts_datagram(draw: Draw, d: Datagram) -> tuple[bytes, str]:
    return d.frame(ip={"len": draw(st.integers(28, 27 + len(d.message)))}), "udp_length"


def ip4_bit_flip(draw: Draw, d: Datagram) -> tuple[bytes, str]:
    frame = d.frame()
    at = _l3(d) + draw(st.sampled_from([1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 15, 16, 19]))
    return _patch(frame, at, bytes([frame[at] ^ 1 << draw(st.integers(0, 7))])), "ip_checksum"


def ip4_other_destination(draw: Draw, d: Datagram) -> tuple[bytes, str]:
    return replace(d, destination=draw(st.sampled_from(OTHERS4))).frame(), "not_for_us"


def ip4_bad_source(draw: Draw, d: Datagram) -> tuple[bytes, str]:
    return replace(d, source=draw(st.sampled_from(BAD_SOURCES4))).frame(), "bad_source"


def ip4_fragment(draw: Draw, d: Datagram) -> tuple[bytes, str]:
    more, offset = draw(st.sampled_from([("MF", 0), ("MF", 1), ("", 1), ("DF", 8191), ("MF", 8191)]))
    return d.frame(ip={"flags": more, "frag": offset}), "ip_fragment"


def ip4_other_protocol(draw: Draw, d: Datagram) -> tuple[bytes, str]:
    protocol = draw(u8.filter(lambda value: value not in (1, 17)))
    return d.frame(ip={"proto": protocol}), "not_for_us"


# ---- IPv6


def ip6_version(draw: Draw, d: Datagram) -> tuple[bytes, str]:
    return d.frame(ip={"version": draw(st.integers(0, 15).filter(lambda value: value != 6))}), "bad_ip_header"


def ip6_length_beyond_frame(draw: Draw, d: Datagram) -> tuple[bytes, str]:
    left = _whole(d) - _l3(d) - 40 + len(d.padding)
    return d.frame(ip={"plen": draw(st.sampled_from([left + 1, 0xFFFF]))}), "truncated"


def ip6_length_without_udp_header(draw: Draw, d: Datagram) -> tuple[bytes, str]:
    return d.frame(ip={"plen": draw(st.integers(0, 7))}), "truncated"


def ip6_length_cuts_datagram(draw: Draw, d: Datagram) -> tuple[bytes, str]:
    return d.frame(ip={"plen": draw(st.integers(8, 7 + len(d.message)))}), "udp_length"


def ip6_other_destination(draw: Draw, d: Datagram) -> tuple[bytes, str]:
    return replace(d, destination=draw(st.sampled_from(OTHERS6))).frame(), "not_for_us"


def ip6_bad_source(draw: Draw, d: Datagram) -> tuple[bytes, str]:
    return replace(d, source=draw(st.sampled_from(BAD_SOURCES6))).frame(), "bad_source"


def ip6_fragment(draw: Draw, d: Datagram) -> tuple[bytes, str]:
    return d.frame(ip={"nh": 44}), "ip_fragment"


def ip6_extension(draw: Draw, d: Datagram) -> tuple[bytes, str]:
    return d.frame(ip={"nh": draw(st.sampled_from([0, 43, 60]))}), "ip_options"


def ip6_other_next_header(draw: Draw, d: Datagram) -> tuple[bytes, str]:
    protocol = draw(u8.filter(lambda value: value not in (0, 17, 43, 44, 58, 60)))
    return d.frame(ip={"nh": protocol}), "not_for_us"


# ---- UDP


def udp_length(draw: Draw, d: Datagram) -> tuple[bytes, str]:
    return d.frame(udp={"len": _wrong_u16(draw, 8 + len(d.message))}), "udp_length"


def udp_other_port(draw: Draw, d: Datagram) -> tuple[bytes, str]:
    port = draw(u16.filter(lambda value: value not in LISTENERS))
    return d.frame(udp={"dport": port, "chksum": draw(u16)}), "not_for_us"


def udp_source_port_zero(draw: Draw, d: Datagram) -> tuple[bytes, str]:
    return d.frame(udp={"sport": 0}), "bad_source"


def udp_bit_flip(draw: Draw, d: Datagram) -> tuple[bytes, str]:
    frame = replace(d, checksum=True).frame()
    at = draw(st.integers(_whole(d) - len(d.message), _whole(d) - 1))
    return _patch(frame, at, bytes([frame[at] ^ 1 << draw(st.integers(0, 7))])), "udp_checksum"


def udp6_checksum_missing(draw: Draw, d: Datagram) -> tuple[bytes, str]:
    return d.frame(udp={"chksum": 0}), "udp_checksum_missing"


# ---- the message


def _says(d: Datagram, message: bytes, drop: str) -> tuple[bytes, str]:
    return replace(d, message=message).frame(), drop


def message_cut_in_header(draw: Draw, d: Datagram) -> tuple[bytes, str]:
    return _says(d, d.message[: draw(st.integers(0, 15))], "truncated")


def message_type(draw: Draw, d: Datagram) -> tuple[bytes, str]:
    kinds = st.sampled_from([0, 6, 100, 101, 105, 0x01000000, 0xFFFFFFFF]) | st.integers(6, 0xFFFFFFFF)
    return _says(d, struct.pack("<I", draw(kinds)) + d.message[4:], "message_type")


def message_size_lies(draw: Draw, d: Datagram) -> tuple[bytes, str]:
    right = len(d.message)
    wrong = draw(st.sampled_from([right - 1, right + 1, 0, 16, 0xFFFFFFFF, right | 0x10000]))
    return _says(d, _patch(d.message, 4, struct.pack("<I", wrong)), "message_size")


def message_grown_or_cut(draw: Draw, d: Datagram) -> tuple[bytes, str]:
    right = len(d.message)
    length = draw(st.integers(16, right - 1) | st.integers(right + 1, right + 60))
    message = _patch(d.message, 4, struct.pack("<I", length))[:length].ljust(length, b"\0")
    return _says(d, message, "message_size")


def _chat(d: Datagram, text: bytes) -> bytes:
    return struct.pack("<IIQ", 3, 28 + len(text), 7) + chat_body(1, 0, 0, text)


def chat_without_or_too_much_text(draw: Draw, d: Datagram) -> tuple[bytes, str]:
    return _says(d, _chat(d, b"a" * draw(st.sampled_from([0, 513, 600, 1200]))), "message_size")


def chat_length_lies(draw: Draw, d: Datagram) -> tuple[bytes, str]:
    text = b"a" * draw(st.integers(1, 512))
    return _says(
        d, _patch(_chat(d, text), 26, struct.pack("<H", _wrong_u16(draw, len(text)))), "message_size"
    )


def chat_reserved(draw: Draw, d: Datagram) -> tuple[bytes, str]:
    return _says(d, _patch(_chat(d, b"hi"), 25, bytes([draw(st.integers(1, 255))])), "message_reserved")


def chat_bad_text(draw: Draw, d: Datagram) -> tuple[bytes, str]:
    before = draw(st.integers(0, 40)) * b"a" + draw(st.sampled_from([b"", "é".encode(), "🐉".encode()]))
    after = draw(st.integers(0, 40)) * b"z"
    return _says(d, _chat(d, before + draw(st.sampled_from(BAD_TEXTS)) + after), "bad_utf8")


def _non_finite(draw: Draw, d: Datagram, first: int) -> tuple[bytes, str]:
    at = draw(st.sampled_from(range(first, len(d.message), 4)))
    return _says(d, _patch(d.message, at, draw(st.sampled_from(NON_FINITE))), "not_finite")


def move_non_finite(draw: Draw, d: Datagram) -> tuple[bytes, str]:
    return _non_finite(draw, d, 20)


def attack_non_finite(draw: Draw, d: Datagram) -> tuple[bytes, str]:
    return _non_finite(draw, d, 28)


Mutation = Callable[[Draw, Datagram], tuple[bytes, str]]

# By what they need: any datagram, an IPv4 or IPv6 one, or one message type.
ANY: tuple[Mutation, ...] = (
    *(cut_anywhere, too_long, other_mac, group_frame, bad_mac_source),
    *(ieee_802_3, other_ether_type, third_tag),
    *(udp_length, udp_other_port, udp_source_port_zero, udp_bit_flip),
    *(message_cut_in_header, message_type, message_size_lies, message_grown_or_cut),
    *(chat_without_or_too_much_text, chat_length_lies, chat_reserved, chat_bad_text),
)
IP4: tuple[Mutation, ...] = (
    *(ip4_version, ip4_short_header, ip4_options, ip4_header_length_lies, ip4_total_below_header),
    *(ip4_total_beyond_frame, ip4_total_without_udp_header, ip4_total_cuts_datagram, ip4_bit_flip),
    *(ip4_other_destination, ip4_bad_source, ip4_fragment, ip4_other_protocol),
)
IP6: tuple[Mutation, ...] = (
    *(ip6_version, ip6_length_beyond_frame, ip6_length_without_udp_header, ip6_length_cuts_datagram),
    *(ip6_other_destination, ip6_bad_source, ip6_fragment, ip6_extension, ip6_other_next_header),
    udp6_checksum_missing,
)
NEEDS: dict[Mutation, dict[str, int]] = {
    **{mutation: {} for mutation in ANY},
    **{mutation: {"version": 4} for mutation in IP4},
    **{mutation: {"version": 6} for mutation in IP6},
    move_non_finite: {"packet_type": 1},
    attack_non_finite: {"packet_type": 2},
}


@st.composite
def spoiled_datagrams(draw: Draw, mutation: Mutation | None = None) -> Spoiled:
    """A datagram spoiled in the given way, or in any."""
    how = draw(st.sampled_from(list(NEEDS))) if mutation is None else mutation
    frame, drop = how(draw, draw(datagrams(**NEEDS[how])))
    return Spoiled(how.__name__, frame, drop)


# ---- the host side


@st.composite
def spoiled_arp(draw: Draw) -> Spoiled:
    """An ARP packet that must not be answered."""
    link, sender, target = draw(links), draw(players4), draw(st.sampled_from(OWN4))
    good = (1, 0x0800, 6, 4, 1)
    place = draw(st.integers(0, 3))
    wrong = (*good[:place], good[place] + draw(st.sampled_from([-1, 1])), *good[place + 1 :])
    nobody = draw(st.sampled_from([bytes(6), BROADCAST_MAC]))
    bad = draw(st.sampled_from([a for a in BAD_SOURCES4 if a not in OWN4 and a != IPv4Address("0.0.0.0")]))
    cases = {
        "arp_cut": (arp_frame(link, sender, target)[: -draw(st.integers(1, 28))], "truncated"),
        "arp_kind": (arp_frame(link, sender, target, kind=wrong), "bad_arp"),
        "arp_reply": (
            arp_frame(link, sender, target, kind=(*good[:4], draw(st.sampled_from([0, 2, 3])))),
            "not_for_us",
        ),
        "arp_mac": (arp_frame(link, sender, target, sender_mac=nobody), "bad_arp"),
        "arp_own_mac": (arp_frame(link, sender, target, sender_mac=MAC_BYTES), "bad_source"),
        "arp_sender": (arp_frame(link, bad, target), "bad_arp"),
        "arp_own_sender": (arp_frame(link, draw(st.sampled_from(OWN4)), target), "address_conflict"),
        "arp_own_reply": (
            arp_frame(link, draw(st.sampled_from(OWN4)), target, kind=(*good[:4], 2)),
            "address_conflict",
        ),
        "arp_other_target": (arp_frame(link, sender, IPv4Address("10.0.0.99")), "not_for_us"),
    }
    how = draw(st.sampled_from(list(cases)))
    return Spoiled(how, *cases[how])


@st.composite
def spoiled_icmp(draw: Draw) -> Spoiled:
    """An ICMP packet that must not be answered."""
    data = Raw(draw(st.binary(max_size=40)))
    right = bytes(ICMP(type=8, id=draw(u16), seq=draw(u16)) / data)
    other = draw(u8.filter(lambda value: value != 8))
    at = draw(st.integers(0, len(right) - 1))
    cases = {
        "icmp_cut": (right[: draw(st.integers(0, 7))], "truncated"),
        "icmp_flip": (_patch(right, at, bytes([right[at] ^ 1 << draw(st.integers(0, 7))])), "bad_icmp"),
        "icmp_other_type": (bytes(Raw(_icmp(other, 0, right[4:]))), "not_for_us"),
        "icmp_code": (_icmp(8, draw(st.integers(1, 255)), right[4:]), "not_for_us"),
    }
    how = draw(st.sampled_from(list(cases)))
    message, drop = cases[how]
    source, own = draw(players4), draw(st.sampled_from(OWN4))
    fields = {"proto": 1, "ttl": draw(u8)}
    return Spoiled(how, network_frame(draw(links), source, own, Raw(message), fields, draw(padding)), drop)


def _icmp(kind: int, code: int, rest: bytes) -> bytes:
    """An ICMP message with its checksum, without scapy's opinion on the type."""
    words = bytes([kind, code]) + b"\0\0" + rest
    total = sum(struct.unpack(f"!{(len(words) + 1) // 2}H", words + b"\0" * (len(words) % 2))) % 0xFFFF
    return words[:2] + struct.pack("!H", 0xFFFF - (total or 0xFFFF)) + rest


def _solicitation(target: IPv6Address, options: bytes = b"", code: int = 0) -> Packet:
    return ICMPv6ND_NS(tgt=str(target), code=code) / Raw(options)


@st.composite
def spoiled_icmpv6(draw: Draw) -> Spoiled:
    """An ICMPv6 packet that must not be answered."""
    link, source, own = draw(links), draw(players6), OWN6[0]
    group, nobody = GROUPS[0], IPv6Address("::")
    option = b"\x01\x01" + link.source
    ping = ICMPv6EchoRequest(id=draw(u16), data=draw(st.binary(max_size=40)))
    reason = "bad_neighbor_discovery"

    def frame(payload: Packet, to: IPv6Address = own, by: IPv6Address = source, **ip: Any) -> bytes:
        return network_frame(link, by, to, payload, {"hlim": 255} | ip)

    broken = draw(
        st.sampled_from([b"\x01\x00" + bytes(6), b"\x01\x02" + bytes(6), b"\x01", option + b"\x0e\x02"])
    )
    cases = {
        "icmpv6_cut": (frame(Raw(bytes(draw(st.integers(0, 3)))), nh=58), "truncated"),
        "ping6_checksum": (_flip_last(frame(ping)), "bad_icmp"),
        "ping6_to_group": (frame(ping, to=group), "not_for_us"),
        "ping6_from_nobody": (frame(ping, by=nobody), "bad_source"),
        "ns_checksum": (_flip_last(frame(_solicitation(own))), "bad_icmp"),
        "ns_from_afar": (frame(_solicitation(own), hlim=draw(st.integers(0, 254))), reason),
        "ns_code": (frame(_solicitation(own, code=1)), reason),
        "ns_multicast_target": (frame(_solicitation(IPv6Address("ff02::1"))), reason),
        "ns_broken_options": (frame(_solicitation(own, broken)), reason),
        "ns_probe_to_unicast": (frame(_solicitation(own), by=nobody), reason),
        "ns_probe_with_link_layer": (frame(_solicitation(own, option), to=group, by=nobody), reason),
        "ns_other_target": (frame(_solicitation(IPv6Address("fd00::99")), to=group), "not_for_us"),
        "ns_own_mac": (frame(_solicitation(own, b"\x01\x01" + MAC_BYTES)), "bad_source"),
        "ns_from_ours": (frame(_solicitation(own, option), to=group, by=OWN6[1]), "address_conflict"),
        "na_ours": (frame(ICMPv6ND_NA(tgt=str(own), S=0), to=ALL_NODES), "address_conflict"),
        "na_other": (frame(ICMPv6ND_NA(tgt="fd00::99", S=0), to=ALL_NODES), "not_for_us"),
        "na_solicited_by_all": (frame(ICMPv6ND_NA(tgt=str(own), S=1), to=ALL_NODES), reason),
        "na_from_nobody": (frame(ICMPv6ND_NA(tgt=str(own), S=0), by=nobody), "bad_source"),
        "ns_short": (_short_solicitation(link, source, own, draw(st.integers(4, 23))), reason),
    }
    how = draw(st.sampled_from(list(cases)))
    return Spoiled(how, *cases[how])


def _flip_last(frame: bytes) -> bytes:
    return frame[:-1] + bytes([frame[-1] ^ 1])


def _short_solicitation(link: Link, source: IPv6Address, own: IPv6Address, length: int) -> bytes:
    """Fewer than 24 bytes, under a right checksum."""
    pseudo = source.packed + own.packed + struct.pack("!II", length, 58)
    words = pseudo + (b"\x87" + bytes(length - 1))
    total = sum(struct.unpack(f"!{(len(words) + 1) // 2}H", words + b"\0" * (len(words) % 2))) % 0xFFFF
    message = b"\x87\0" + struct.pack("!H", 0xFFFF - (total or 0xFFFF)) + bytes(length - 4)
    header = bytes(IPv6(src=str(source), dst=str(own), nh=58, hlim=255, plen=length))
    return link.header(0x86DD) + header + message


spoiled = st.one_of(spoiled_datagrams(), spoiled_arp(), spoiled_icmp(), spoiled_icmpv6())
