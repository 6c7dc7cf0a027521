# SPDX-License-Identifier: BSD-3-Clause
"""What a gate must answer to a frame, decided by plain Python and built by scapy.

Written from the protocol document alone, for a reader and not for speed; it shares no code with the data
plane.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)

from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import ICMPv6EchoReply, ICMPv6ND_NA, ICMPv6NDOptDstLLAddr, IPv6
from scapy.packet import Packet, Raw

from tests.oracle_checks import (
    MESSAGE_KINDS,
    DropError,
    check_message,
    has_router_alert,
    is_station,
    neighbor_options,
    ones_complement_sum,
    require,
    solicited_node,
)

Interface = IPv4Interface | IPv6Interface
Address = IPv4Address | IPv6Address

FRAME_MAX_BYTES = 1518 + 8  # with two tags; the FCS is not part of a received frame
FRAME_MIN_BYTES = 60
OUTER_TPIDS = (0x8100, 0x88A8, 0x9100)
INNER_TPID = 0x8100

ALL_NODES = IPv6Address("ff02::1")
ALL_NODES_MAC = bytes.fromhex("333300000001")
ECN_BITS = 0x03  # RFC 3168: of the type of service and the traffic class
DO_NOT_FRAGMENT = 0b010  # of the three flags
V4_MAPPED = IPv6Network("::ffff:0:0/96")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one frame: handled as `kind`, mostly with a `reply`, or dropped for a reason."""

    reply: bytes | None = None
    kind: str | None = None
    drop: str | None = None


@dataclass(frozen=True, slots=True)
class SourceLimit:
    """Datagrams per second and source address of a listener; 0 is unlimited."""

    source_pps: int = 0
    source_burst: int = 64


BURSTS_APART_S = 0.26
"""Between bursts that `SourceLimit(10, …)` judges: no sum of up to four of these is a whole number of tokens.

A message at the very moment of a new token is taken or not as the clock's ticks are rounded.
"""


@dataclass(slots=True)
class _Bucket:
    """A token bucket: full at first sight, `rate` tokens a second, never more than `burst`."""

    rate: int
    burst: int
    tokens: Fraction
    at: Fraction

    def take(self, now: Fraction) -> bool:
        self.tokens = min(Fraction(self.burst), self.tokens + (now - self.at) * self.rate)
        self.at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


@dataclass(slots=True)
class _Session:
    player_id: int
    last_seen_s: float


@dataclass(frozen=True, slots=True)
class _Link:
    """The Ethernet part of a frame that is for us."""

    to_group: bool  # broadcast or multicast
    source: bytes
    tags: bytes  # as they came, without the final EtherType
    ether_type: int
    payload: bytes
    received: int  # bytes of the whole frame

    @property
    def header_bytes(self) -> int:
        return 14 + len(self.tags)


@dataclass(frozen=True, slots=True)
class _Network:
    """The IP part of a frame that is for us."""

    header: bytes
    source: Address
    destination: Address
    payload: bytes

    @property
    def version(self) -> int:
        return self.source.version

    @property
    def hop_limit(self) -> int:
        return self.header[7]

    def pseudo_header(self, protocol: int) -> bytes:
        tail = (
            struct.pack("!BBH", 0, protocol, len(self.payload))
            if self.version == 4
            else struct.pack("!II", len(self.payload), protocol)
        )
        return self.source.packed + self.destination.packed + tail


class Oracle:
    """A gate on one port. Keeps sessions and buckets; frames are judged in the order they are given.

    Times are seconds on any clock that does not go back.
    """

    def __init__(
        self,
        mac: str,
        addresses: Iterable[Interface],
        listeners: Iterable[int],
        capacity: int = 65536,
        *,
        idle_timeout_s: float = 30.0,
        host_reply_pps: int = 1000,
        host_reply_burst: int = 128,
        limits: Mapping[int, SourceLimit] | None = None,
    ) -> None:
        self._mac = bytes.fromhex(mac.replace(":", ""))
        interfaces = tuple(addresses)
        self._ours: frozenset[Address] = frozenset(interface.ip for interface in interfaces)
        self._groups = frozenset(solicited_node(own) for own in self._ours if isinstance(own, IPv6Address))
        self._directed_broadcasts = frozenset(
            interface.network.broadcast_address
            for interface in interfaces
            if isinstance(interface, IPv4Interface) and interface.network.prefixlen < 31
        )
        self._listeners = frozenset(listeners)
        self._limits = dict(limits or {})
        self._capacity = capacity
        self._idle_timeout_s = idle_timeout_s
        self._host_reply_pps = host_reply_pps
        # ARP and neighbour discovery do not wait behind a flood of echo requests.
        self._neighbor_bucket, self._echo_bucket = (
            _Bucket(host_reply_pps, host_reply_burst, Fraction(host_reply_burst), Fraction(0))
            for _ in range(2)
        )
        self._source_buckets: dict[tuple[int, Address], _Bucket] = {}
        self._sessions: dict[tuple[Address, int, int], _Session] = {}

    @property
    def sessions(self) -> int:
        """How many sessions are live."""
        return len(self._sessions)

    def expire(self, now_s: float) -> int:
        """Free the sessions that were silent for the idle time; how many."""
        idle = [k for k, s in self._sessions.items() if now_s - s.last_seen_s > self._idle_timeout_s]
        for key in idle:
            del self._sessions[key]
        return len(idle)

    def answer(self, frame: bytes, now_s: float) -> Verdict:
        """Judge one frame that arrives at `now_s`."""
        try:
            link = self._ethernet(frame)
            if link.ether_type == 0x0806:
                return self._arp(link, now_s)
            if link.ether_type == 0x0800:
                return self._dispatch(frame, link, self._ipv4(link), now_s)
            require(link.ether_type == 0x86DD, "not_for_us")
            return self._dispatch(frame, link, self._ipv6(link), now_s)
        except DropError as refusal:
            return Verdict(drop=refusal.args[0])

    # ---- layers, outside in

    def _ethernet(self, frame: bytes) -> _Link:
        require(len(frame) >= 14, "truncated")
        require(len(frame) <= FRAME_MAX_BYTES, "too_long")
        destination, source = frame[:6], frame[6:12]
        require(destination == self._mac or bool(destination[0] & 1), "not_for_us")
        require(not source[0] & 1 and source not in {bytes(6), self._mac}, "bad_source")
        end = 14
        if int.from_bytes(frame[12:14], "big") in OUTER_TPIDS:
            end = 18
            if int.from_bytes(frame[16:18], "big") == INNER_TPID:
                end = 22
        require(len(frame) >= end, "truncated")
        ether_type = int.from_bytes(frame[end - 2 : end], "big")
        require(ether_type >= 0x0600, "not_ethernet_ii")
        to_group = bool(destination[0] & 1)
        return _Link(to_group, source, frame[12 : end - 2], ether_type, frame[end:], len(frame))

    def _ipv4(self, link: _Link) -> _Network:
        data = link.payload
        require(len(data) >= 20, "truncated")
        require(data[0] >> 4 == 4 and data[0] & 15 >= 5, "bad_ip_header")
        require(data[0] & 15 == 5, "ip_options")
        total = int.from_bytes(data[2:4], "big")
        require(total >= 20, "bad_ip_header")
        require(total <= len(data), "truncated")
        require(ones_complement_sum(data[:20]) == 0xFFFF, "ip_checksum")
        source, destination = IPv4Address(data[12:16]), IPv4Address(data[16:20])
        require(destination in self._ours, "not_for_us")
        require(source not in self._ours and source not in self._directed_broadcasts, "bad_source")
        require(source not in IPv4Network("0.0.0.0/8") and not source.is_loopback, "bad_source")
        require(source < IPv4Address("224.0.0.0"), "bad_source")
        require(not link.to_group, "group_frame")
        require(int.from_bytes(data[6:8], "big") & 0x3FFF == 0, "ip_fragment")
        return _Network(data[:20], source, destination, data[20:total])

    def _ipv6(self, link: _Link) -> _Network:
        data = link.payload
        require(len(data) >= 40, "truncated")
        require(data[0] >> 4 == 6, "bad_ip_header")
        length = int.from_bytes(data[4:6], "big")
        require(length <= len(data) - 40, "truncated")
        payload = data[40 : 40 + length]
        source, destination = IPv6Address(data[8:24]), IPv6Address(data[24:40])
        next_header = data[6]
        icmpv6 = next_header in {0, 58}  # with a router alert in front, or without
        to_group = icmpv6 and destination in {*self._groups, ALL_NODES}
        require(destination in self._ours or to_group, "not_for_us")
        # RFC 4862: a solicitation may come from ::, which is judged once its checksum is known to be right.
        require(not source.is_unspecified or icmpv6, "bad_source")
        require(source not in self._ours or icmpv6, "bad_source")
        require(not source.is_loopback, "bad_source")
        require(not source.is_multicast and source not in V4_MAPPED, "bad_source")
        require(destination.is_multicast or not link.to_group, "group_frame")
        return _Network(data[:40], source, destination, payload)

    def _dispatch(self, frame: bytes, link: _Link, net: _Network, now_s: float) -> Verdict:
        if net.version == 4:
            protocol = net.header[9]
            if protocol == 1:
                return self._icmp(frame, link, net, now_s)
        else:
            protocol = net.header[6]
            require(protocol != 44, "ip_fragment")
            require(protocol not in {43, 60}, "ip_options")
            if protocol == 0:
                return self._hop_by_hop(net, now_s)
            if protocol == 58:
                return self._icmpv6(frame, link, net, now_s)
        require(protocol == 17, "not_for_us")
        return self._udp(frame, link, net, now_s)

    def _udp(self, frame: bytes, link: _Link, net: _Network, now_s: float) -> Verdict:
        require(len(net.payload) >= 8, "truncated")
        source_port, port, length, checksum = struct.unpack_from("!4H", net.payload)
        require(length == len(net.payload), "udp_length")
        require(port in self._listeners, "not_for_us")
        require(source_port != 0, "bad_source")
        if checksum == 0:
            require(net.version == 4, "udp_checksum_missing")
        else:
            require(ones_complement_sum(net.pseudo_header(17) + net.payload) == 0xFFFF, "udp_checksum")
        message = net.payload[8:]
        packet_type = check_message(message)
        self._limit(port, net.source, now_s)
        self._admit((net.source, source_port, port), int.from_bytes(message[16:20], "little"), now_s)
        answer = struct.pack("<I", packet_type + 100) + message[4:]
        udp = UDP(sport=port, dport=source_port, chksum=0 if checksum == 0 else None) / Raw(answer)
        return Verdict(reply=self._reply(frame, link, net, udp), kind=MESSAGE_KINDS[packet_type])

    # ---- the game

    def _limit(self, port: int, source: Address, now_s: float) -> None:
        limit = self._limits.get(port, SourceLimit())
        if limit.source_pps == 0:
            return
        now = Fraction(now_s)
        bucket = self._source_buckets.setdefault(
            (port, source), _Bucket(limit.source_pps, limit.source_burst, Fraction(limit.source_burst), now)
        )
        require(bucket.take(now), "source_rate_limited")

    def _admit(self, key: tuple[Address, int, int], player_id: int, now_s: float) -> None:
        session = self._sessions.get(key)
        if session is None:
            require(len(self._sessions) < self._capacity, "table_full")
            self._sessions[key] = _Session(player_id, now_s)
            return
        require(session.player_id == player_id, "player_mismatch")
        session.last_seen_s = now_s

    # ---- being a host

    def _host_token(self, bucket: _Bucket, now_s: float) -> None:
        require(self._host_reply_pps > 0 and bucket.take(Fraction(now_s)), "host_rate_limited")

    def _arp(self, link: _Link, now_s: float) -> Verdict:
        require(len(link.payload) >= 28, "truncated")
        hardware, protocol, hlen, plen, operation, sha, spa, _, tpa = struct.unpack_from(
            "!HHBBH6s4s6s4s", link.payload
        )
        require((hardware, protocol, hlen, plen) == (1, 0x0800, 6, 4), "bad_arp")
        sender, target = IPv4Address(spa), IPv4Address(tpa)
        require(operation == 1 or (operation == 2 and sender in self._ours), "not_for_us")
        require(is_station(sha), "bad_arp")
        require(sender == IPv4Address("0.0.0.0") or sender not in IPv4Network("0.0.0.0/8"), "bad_arp")
        require(not sender.is_loopback and sender < IPv4Address("224.0.0.0"), "bad_arp")
        require(sender not in self._directed_broadcasts, "bad_arp")
        require(sha != self._mac, "bad_source")
        require(sender not in self._ours, "address_conflict")
        require(target in self._ours, "not_for_us")
        self._host_token(self._neighbor_bucket, now_s)
        head = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 2)
        body = head + self._mac + target.packed + sha + spa
        frame = self._link_header(link, sha) + body + link.payload[28:]
        return Verdict(reply=frame[: _answer_bytes(link, 28)], kind="arp")

    def _icmp(self, frame: bytes, link: _Link, net: _Network, now_s: float) -> Verdict:
        require(len(net.payload) >= 8, "truncated")
        require(ones_complement_sum(net.payload) == 0xFFFF, "bad_icmp")
        require(net.payload[:2] == b"\x08\x00", "not_for_us")
        self._host_token(self._echo_bucket, now_s)
        identifier, sequence = struct.unpack_from("!HH", net.payload, 4)
        echo = ICMP(type=0, code=0, id=identifier, seq=sequence) / Raw(net.payload[8:])
        return Verdict(reply=self._reply(frame, link, net, echo), kind="icmp_echo")

    def _icmpv6(self, frame: bytes, link: _Link, net: _Network, now_s: float) -> Verdict:
        require(len(net.payload) >= 4, "truncated")
        require(ones_complement_sum(net.pseudo_header(58) + net.payload) == 0xFFFF, "bad_icmp")
        kind, code = net.payload[:2]
        if kind == 135:
            return self._neighbor_solicitation(link, net, now_s)
        require(not net.source.is_unspecified, "bad_source")
        if kind == 136:
            self._neighbor_advertisement(link, net)
        require(net.source not in self._ours, "bad_source")
        require((kind, code) == (128, 0) and net.destination in self._ours, "not_for_us")
        require(len(net.payload) >= 8, "truncated")
        self._host_token(self._echo_bucket, now_s)
        identifier, sequence = struct.unpack_from("!HH", net.payload, 4)
        echo = ICMPv6EchoReply(id=identifier, seq=sequence, data=net.payload[8:])
        return Verdict(reply=self._reply(frame, link, net, echo), kind="icmpv6_echo")

    def _neighbor_solicitation(self, link: _Link, net: _Network, now_s: float) -> Verdict:
        reason = "bad_neighbor_discovery"
        message = net.payload
        require(net.hop_limit == 255 and message[1] == 0 and len(message) >= 24, reason)
        target = IPv6Address(message[8:24])
        require(not target.is_multicast, reason)
        options = neighbor_options(message[24:])
        asker = options.get(1, link.source)
        if net.source.is_unspecified:
            require(net.destination in self._groups and 1 not in options, reason)
        require(is_station(asker), reason)
        require(asker != self._mac, "bad_source")
        require(net.source not in self._ours, "address_conflict")
        require(target in self._ours, "not_for_us")
        self._host_token(self._neighbor_bucket, now_s)
        probe = net.source.is_unspecified
        ip = IPv6(src=str(target), dst=str(ALL_NODES if probe else net.source), hlim=255)
        mac = self._mac.hex(":")
        advertisement = ICMPv6ND_NA(R=0, S=0 if probe else 1, O=1, tgt=str(target)) / ICMPv6NDOptDstLLAddr(
            lladdr=mac
        )
        header = self._link_header(link, ALL_NODES_MAC if probe else asker)
        return Verdict(reply=header + bytes(ip / advertisement), kind="neighbor_solicitation")

    def _neighbor_advertisement(self, link: _Link, net: _Network) -> None:
        """RFC 4861 7.1.2; never answered."""
        reason = "bad_neighbor_discovery"
        message = net.payload
        require(net.hop_limit == 255 and message[1] == 0 and len(message) >= 24, reason)
        target = IPv6Address(message[8:24])
        require(not target.is_multicast, reason)
        require(not (net.destination.is_multicast and message[4] & 0x40), reason)
        mac = neighbor_options(message[24:]).get(2, link.source)
        require(target in self._ours, "not_for_us")
        require(is_station(mac), reason)
        require(mac != self._mac, "bad_source")
        require(False, "address_conflict")

    def _hop_by_hop(self, net: _Network, now_s: float) -> Verdict:
        """A query for multicast listeners (RFC 3810 6.2); its report comes later."""
        header = net.payload
        require(len(header) >= 8 and header[0] == 58, "ip_options")
        length = 8 * (header[1] + 1)
        require(length <= len(header) and has_router_alert(header[2:length]), "ip_options")
        net = replace(net, payload=header[length:])
        message = net.payload
        require(len(message) >= 4, "truncated")
        require(ones_complement_sum(net.pseudo_header(58) + message) == 0xFFFF, "bad_icmp")
        require(message[0] not in {131, 132, 143}, "not_for_us")
        require(message[0] == 130, "ip_options")
        require(net.source not in self._ours, "bad_source")
        require(net.hop_limit == 1 and net.source.is_link_local, "bad_mld")
        require(len(message) == 24 or len(message) >= 28, "bad_mld")
        group = IPv6Address(message[8:24])
        require(group.is_unspecified or group in self._groups, "not_for_us")
        if len(message) >= 28:
            require(len(message) >= 28 + 16 * int.from_bytes(message[26:28], "big"), "bad_mld")
        self._host_token(self._neighbor_bucket, now_s)
        return Verdict(kind="mld_query")

    # ---- answers

    def _link_header(self, link: _Link, destination: bytes) -> bytes:
        return destination + self._mac + link.tags + link.ether_type.to_bytes(2, "big")

    def _reply(self, frame: bytes, link: _Link, net: _Network, payload: Packet) -> bytes:
        """The answer in the shape of the request: what is not said here stays as it came."""
        if net.version == 4:
            identification, fragment = struct.unpack_from("!HH", net.header, 4)
            ip: Packet = IP(
                tos=net.header[1] & ~ECN_BITS,
                id=identification,
                flags=fragment >> 13 & DO_NOT_FRAGMENT,
                ttl=64,
                proto=net.header[9],
                src=str(net.destination),
                dst=str(net.source),
            )
        else:
            first_word = int.from_bytes(net.header[:4], "big")
            ip = IPv6(
                tc=first_word >> 20 & 0xFF & ~ECN_BITS,
                fl=first_word & 0xFFFFF,
                nh=net.header[6],
                hlim=64,
                src=str(net.destination),
                dst=str(net.source),
            )
        answer = self._link_header(link, link.source) + bytes(ip / payload)
        datagram_bytes = len(answer) - link.header_bytes
        return (answer + frame[len(answer) :])[: _answer_bytes(link, datagram_bytes)]


def _answer_bytes(link: _Link, payload_bytes: int) -> int:
    """Trailing bytes go, but a frame that came padded to the Ethernet minimum stays padded."""
    return min(link.received, max(FRAME_MIN_BYTES, link.header_bytes + payload_bytes))
