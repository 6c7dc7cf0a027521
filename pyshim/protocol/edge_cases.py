# SPDX-License-Identifier: BSD-3-Clause
"""The few packets of a capture that are no player's: a neighbour's questions, and every kind of refusal.

Each hostile packet carries the drop reason that a gate must give it, so that a capture can be checked against
the counters of the gate that read it. Refusals that depend on a gate's state or limits (table full, rate
limited) are not here: no packet is refused for them on its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from scapy.layers.inet import ICMP, IP, UDP, IPOption_NOP
from scapy.layers.inet6 import (
    ICMPv6EchoRequest,
    ICMPv6ND_NS,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
)
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Packet, Raw

from pyshim.protocol.plain import ChatMessage, Heartbeat, Plain, PlayerAttack, PlayerMove, Skill

FRAME_MIN_BYTES = 60
NEIGHBOR_MAC = "02:00:00:00:01:fe"
NEIGHBOR_ID = 0x4242
ATTACKER = IPv4Address("203.0.113.66")  # documentation networks: nobody's
ATTACKER6 = IPv6Address("2001:db8::66")
ATTACKER_PORT = 6666
ATTACKER_ID = 0x66666666


@dataclass(frozen=True, slots=True)
class Gate:
    """Whom the packets are for."""

    mac: bytes
    address: IPv4Address
    address6: IPv6Address
    port: int

    @property
    def neighbor(self) -> IPv4Address:
        """Someone on the gate's own network."""
        return IPv4Address(int(self.address) ^ 2)

    @property
    def neighbor6(self) -> IPv6Address:
        """Someone on the gate's own network."""
        return IPv6Address(int(self.address6) ^ 2)

    @property
    def group(self) -> IPv6Address:
        """Where neighbours ask for the gate's address (RFC 4291 2.7.1)."""
        return IPv6Address(int(IPv6Address("ff02::1:ff00:0")) | int(self.address6) & 0xFFFFFF)


@dataclass(frozen=True, slots=True)
class EdgeCase:
    """One packet of its kind; `drop` is the reason for which it must be refused, None when it is answered."""

    name: str
    drop: str | None
    make: Callable[[Gate], bytes]

    def build(self, gate: Gate) -> bytes:
        """The frame, for this gate."""
        return self.make(gate)


Fields = dict[str, Any]  # of a scapy layer, by name


def _ether(gate: Gate, **fields: Any) -> Packet:
    defaults: Fields = {"dst": gate.mac.hex(":"), "src": NEIGHBOR_MAC}
    return Ether(**(defaults | fields))


def _ip(gate: Gate, **fields: Any) -> Packet:
    defaults: Fields = {"src": str(ATTACKER), "dst": str(gate.address), "ttl": 57}
    return IP(**(defaults | fields))


def _ip6(gate: Gate, **fields: Any) -> Packet:
    defaults: Fields = {"src": str(ATTACKER6), "dst": str(gate.address6), "hlim": 57}
    return IPv6(**(defaults | fields))


def _udp(gate: Gate, **fields: Any) -> Packet:
    defaults: Fields = {"sport": ATTACKER_PORT, "dport": gate.port}
    return UDP(**(defaults | fields))


def _heartbeat() -> Packet:
    return Plain() / Heartbeat(player_id=ATTACKER_ID)


def _pad(frame: bytes) -> bytes:
    return frame.ljust(FRAME_MIN_BYTES, b"\0")


# ---- what may vary in a good heartbeat to make it a bad packet


def _with_ether(gate: Gate, **fields: Any) -> bytes:
    return _pad(bytes(_ether(gate, **fields) / _ip(gate) / _udp(gate) / _heartbeat()))


def _with_ip(gate: Gate, **fields: Any) -> bytes:
    return _pad(bytes(_ether(gate) / _ip(gate, **fields) / _udp(gate) / _heartbeat()))


def _with_ip6(gate: Gate, **fields: Any) -> bytes:
    return _pad(bytes(_ether(gate) / _ip6(gate, **fields) / _udp(gate) / _heartbeat()))


def _with_extension(gate: Gate, header: Callable[[], Packet]) -> bytes:
    return bytes(_ether(gate) / _ip6(gate) / header() / _udp(gate) / _heartbeat())


def _with_udp(gate: Gate, **fields: Any) -> bytes:
    return _pad(bytes(_ether(gate) / _ip(gate) / _udp(gate, **fields) / _heartbeat()))


def _with_udp6(gate: Gate, **fields: Any) -> bytes:
    return bytes(_ether(gate) / _ip6(gate) / _udp(gate, **fields) / _heartbeat())


def _saying(gate: Gate, message: Packet) -> bytes:
    return _pad(bytes(_ether(gate) / _ip(gate) / _udp(gate) / message))


def _cut(gate: Gate, length: int) -> bytes:
    return bytes(_ether(gate) / _ip(gate) / _udp(gate) / _heartbeat())[:length]


def _cut6(gate: Gate, length: int) -> bytes:
    return bytes(_ether(gate) / _ip6(gate) / _udp(gate) / _heartbeat())[:length]


def _third_tag(gate: Gate) -> bytes:
    tags = Dot1Q(vlan=1) / Dot1Q(vlan=2) / Dot1Q(vlan=3)
    return _pad(bytes(_ether(gate) / tags / _ip(gate) / _udp(gate) / _heartbeat()))


def _cut_tag(gate: Gate) -> bytes:
    return bytes(_ether(gate) / Dot1Q(vlan=1))[:16]


def _own_source(gate: Gate) -> bytes:
    return _with_ip(gate, src=str(gate.address))


def _own_source6(gate: Gate) -> bytes:
    return _with_ip6(gate, src=str(gate.address6))


def _arp(gate: Gate, **fields: Any) -> bytes:
    asked: Fields = {"op": 1, "hwsrc": NEIGHBOR_MAC, "psrc": str(gate.neighbor), "pdst": str(gate.address)}
    return _pad(bytes(_ether(gate, dst="ff:ff:ff:ff:ff:ff") / ARP(**(asked | fields))))


def _ping(gate: Gate, **fields: Any) -> bytes:
    ip = _ip(gate, src=str(gate.neighbor))
    return _pad(bytes(_ether(gate) / ip / ICMP(id=NEIGHBOR_ID, seq=1, **fields) / Raw(bytes(range(56)))))


def _ping6(gate: Gate, **fields: Any) -> bytes:
    ip = _ip6(gate, src=str(gate.neighbor6))
    return bytes(
        _ether(gate) / ip / ICMPv6EchoRequest(id=NEIGHBOR_ID, seq=1, data=bytes(range(56)), **fields)
    )


def _solicit(gate: Gate, *, probe: bool = False, **fields: Any) -> bytes:
    mac = "33:33:" + gate.group.packed[12:].hex(":")
    source = "::" if probe else str(gate.neighbor6)
    ip = _ip6(gate, **({"src": source, "dst": str(gate.group), "hlim": 255} | fields))
    message: Packet = ICMPv6ND_NS(tgt=str(gate.address6))
    if not probe:
        message /= ICMPv6NDOptSrcLLAddr(lladdr=NEIGHBOR_MAC)
    return bytes(_ether(gate, dst=mac) / ip / message)


def _move(**fields: Any) -> Packet:
    return Plain() / PlayerMove(player_id=ATTACKER_ID, **fields)


def _chat(**fields: Any) -> Packet:
    defaults: Fields = {"player_id": ATTACKER_ID, "text": b"hello"}
    return Plain() / ChatMessage(**(defaults | fields))


def _impostor(gate: Gate) -> bytes:
    """From the address of FOOTHOLD, under another name."""
    return _saying(gate, Plain() / Heartbeat(player_id=ATTACKER_ID + 1))


NEIGHBORLY: tuple[EdgeCase, ...] = (
    EdgeCase("arp_request", None, _arp),
    EdgeCase("icmp_echo", None, _ping),
    EdgeCase("neighbor_solicitation", None, _solicit),
    EdgeCase("icmpv6_echo", None, _ping6),
    EdgeCase("arp_probe", None, partial(_arp, psrc="0.0.0.0")),
    EdgeCase("duplicate_address_detection", None, partial(_solicit, probe=True)),
)

# The attacker's one valid message, which makes its session. A capture begins with it, so that `other_player`
# below is refused for what it is.
FOOTHOLD = EdgeCase("attacker_session", None, lambda gate: _saying(gate, _heartbeat()))

_NAN, _INFINITY = float("nan"), float("inf")
HOSTILE: tuple[EdgeCase, ...] = (
    # Ethernet
    EdgeCase("cut_in_ethernet", "truncated", partial(_cut, length=13)),
    EdgeCase("cut_in_tag", "truncated", _cut_tag),
    EdgeCase("cut_in_ipv4", "truncated", partial(_cut, length=14 + 19)),
    EdgeCase("cut_in_ipv6", "truncated", partial(_cut6, length=14 + 39)),
    EdgeCase("cut_in_udp", "truncated", partial(_cut, length=14 + 20 + 7)),
    EdgeCase("cut_in_message", "truncated", partial(_cut6, length=14 + 40 + 8 + 15)),
    EdgeCase("ip_says_less_than_udp_header", "truncated", partial(_with_ip, len=27)),
    EdgeCase("jumbo", "too_long", lambda gate: _saying(gate, Plain() / Raw(bytes(1600)))),
    EdgeCase("ieee_802_3", "not_ethernet_ii", partial(_with_ether, type=46)),
    EdgeCase("other_mac", "not_for_us", partial(_with_ether, dst="02:00:00:00:00:99")),
    EdgeCase("other_ethertype", "not_for_us", partial(_with_ether, type=0x88CC)),
    EdgeCase("third_tag", "not_for_us", _third_tag),
    EdgeCase("multicast_mac_source", "bad_source", partial(_with_ether, src="01:00:5e:00:00:01")),
    EdgeCase("zero_mac_source", "bad_source", partial(_with_ether, src="00:00:00:00:00:00")),
    EdgeCase("own_mac_source", "bad_source", lambda gate: _with_ether(gate, src=gate.mac.hex(":"))),
    EdgeCase("broadcast_mac", "group_frame", partial(_with_ether, dst="ff:ff:ff:ff:ff:ff")),
    # IPv4
    EdgeCase("ipv4_version", "bad_ip_header", partial(_with_ip, version=5)),
    EdgeCase("ipv4_short_header", "bad_ip_header", partial(_with_ip, ihl=4)),
    EdgeCase("ipv4_total_length", "bad_ip_header", partial(_with_ip, len=19)),
    EdgeCase("ipv4_longer_than_frame", "truncated", partial(_with_ip, len=0xFFFF)),
    EdgeCase("ipv4_options", "ip_options", partial(_with_ip, options=[IPOption_NOP()] * 4)),
    EdgeCase("ipv4_checksum", "ip_checksum", partial(_with_ip, chksum=0xDEAD)),
    EdgeCase("ipv4_first_fragment", "ip_fragment", partial(_with_ip, flags="MF")),
    EdgeCase("ipv4_later_fragment", "ip_fragment", partial(_with_ip, frag=185)),
    EdgeCase("own_source", "bad_source", _own_source),
    EdgeCase("zero_source", "bad_source", partial(_with_ip, src="0.0.0.0")),
    EdgeCase("loopback_source", "bad_source", partial(_with_ip, src="127.0.0.1")),
    EdgeCase("multicast_source", "bad_source", partial(_with_ip, src="224.0.0.1")),
    EdgeCase("broadcast_source", "bad_source", partial(_with_ip, src="255.255.255.255")),
    EdgeCase("other_destination", "not_for_us", partial(_with_ip, dst="192.0.2.99")),
    EdgeCase("tcp", "not_for_us", partial(_with_ip, proto=6)),
    # IPv6
    EdgeCase("ipv6_version", "bad_ip_header", partial(_with_ip6, version=7)),
    EdgeCase("ipv6_longer_than_frame", "truncated", partial(_with_ip6, plen=0xFFFF)),
    EdgeCase("ipv6_fragment", "ip_fragment", partial(_with_extension, header=IPv6ExtHdrFragment)),
    EdgeCase("ipv6_hop_by_hop", "ip_options", partial(_with_extension, header=IPv6ExtHdrHopByHop)),
    EdgeCase("ipv6_routing", "ip_options", partial(_with_extension, header=IPv6ExtHdrRouting)),
    EdgeCase("ipv6_destination_options", "ip_options", partial(_with_extension, header=IPv6ExtHdrDestOpt)),
    EdgeCase("own_source6", "bad_source", _own_source6),
    EdgeCase("unspecified_source6", "bad_source", partial(_with_ip6, src="::")),
    EdgeCase("loopback_source6", "bad_source", partial(_with_ip6, src="::1")),
    EdgeCase("multicast_source6", "bad_source", partial(_with_ip6, src="ff02::1")),
    EdgeCase("mapped_source6", "bad_source", partial(_with_ip6, src="::ffff:203.0.113.66")),
    # UDP
    EdgeCase("udp_length_minus_1", "udp_length", partial(_with_udp, len=27)),
    EdgeCase("udp_length_plus_1", "udp_length", partial(_with_udp, len=29)),
    EdgeCase("udp_length_zero", "udp_length", partial(_with_udp, len=0)),
    EdgeCase("udp_length_max", "udp_length", partial(_with_udp, len=0xFFFF)),
    EdgeCase("udp_checksum", "udp_checksum", partial(_with_udp, chksum=0xDEAD)),
    EdgeCase("udp_checksum6", "udp_checksum", partial(_with_udp6, chksum=0xDEAD)),
    EdgeCase("udp_checksum_missing6", "udp_checksum_missing", partial(_with_udp6, chksum=0)),
    EdgeCase("source_port_zero", "bad_source", partial(_with_udp, sport=0)),
    EdgeCase("other_port", "not_for_us", lambda gate: _with_udp(gate, dport=gate.port ^ 1)),
    # the message
    EdgeCase("half_a_header", "truncated", lambda gate: _saying(gate, Raw(bytes(8)))),
    EdgeCase("type_zero", "message_type", lambda gate: _saying(gate, Plain(packet_type=0) / Raw(bytes(4)))),
    EdgeCase(
        "type_unknown", "message_type", lambda gate: _saying(gate, Plain(packet_type=6) / Raw(bytes(4)))
    ),
    EdgeCase("an_ack", "message_type", lambda gate: _saying(gate, Plain(packet_type=101) / Raw(bytes(28)))),
    EdgeCase("move_too_long", "message_size", lambda gate: _saying(gate, _move() / Raw(b"\0"))),
    EdgeCase(
        "size_lies",
        "message_size",
        lambda gate: _saying(gate, Plain(packet_size=44) / Heartbeat(player_id=ATTACKER_ID)),
    ),
    EdgeCase("chat_empty", "message_size", lambda gate: _saying(gate, _chat(text=b""))),
    EdgeCase("chat_too_long", "message_size", lambda gate: _saying(gate, _chat(text=b"a" * 513))),
    EdgeCase("chat_length_lies", "message_size", lambda gate: _saying(gate, _chat(text_bytes=512))),
    EdgeCase("chat_reserved", "message_reserved", lambda gate: _saying(gate, _chat(reserved=1))),
    EdgeCase("chat_overlong", "bad_utf8", lambda gate: _saying(gate, _chat(text=b"\xc0\xaf"))),
    EdgeCase("chat_surrogate", "bad_utf8", lambda gate: _saying(gate, _chat(text=b"\xed\xa0\x80"))),
    EdgeCase("chat_cut_character", "bad_utf8", lambda gate: _saying(gate, _chat(text=b"gg \xf0\x9f\x90"))),
    EdgeCase("position_nan", "not_finite", lambda gate: _saying(gate, _move(position_y=_NAN))),
    EdgeCase("velocity_infinite", "not_finite", lambda gate: _saying(gate, _move(velocity_z=-_INFINITY))),
    EdgeCase(
        "direction_infinite",
        "not_finite",
        lambda gate: _saying(gate, Plain() / PlayerAttack(player_id=ATTACKER_ID, direction_x=_INFINITY)),
    ),
    EdgeCase(
        "skill_too_short",
        "message_size",
        lambda gate: _saying(gate, Plain(packet_type=5) / Raw(bytes(Skill(player_id=ATTACKER_ID))[:-1])),
    ),
    # Refused because of FOOTHOLD.
    EdgeCase("other_player", "player_mismatch", _impostor),
    # the host side
    EdgeCase("arp_hardware", "bad_arp", partial(_arp, hwtype=6)),
    EdgeCase("arp_from_everybody", "bad_arp", partial(_arp, hwsrc="ff:ff:ff:ff:ff:ff")),
    EdgeCase("arp_own_mac", "bad_source", lambda gate: _arp(gate, hwsrc=gate.mac.hex(":"))),
    EdgeCase("ping_checksum", "bad_icmp", partial(_ping, chksum=0xDEAD)),
    EdgeCase("ping6_checksum", "bad_icmp", partial(_ping6, cksum=0xDEAD)),
    EdgeCase("solicitation_from_afar", "bad_neighbor_discovery", partial(_solicit, hlim=254)),
)
