# SPDX-License-Identifier: BSD-3-Clause
"""What hosts on the card's wire do: many messages, pings of many sizes, frames with wrong checksums."""

from __future__ import annotations

import itertools
import socket
import struct
from collections.abc import Iterable, Sequence

from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from tests.network.namespace import (
    GATE4,
    GATE6,
    PLAYERS4,
    PLAYERS6,
    PLAYERS_INTERFACE,
    PLAYERS_MAC,
    Namespace,
)
from tests.network.players import MOVE, PORT, Player, acknowledgement, heartbeat, message
from tests.vm.guest import CARD_MAC

ANSWER_TIMEOUT_S = 60.0  # a bound on what must come
ECHO_REQUEST, ECHO_REPLY = 8, 0
ECHO6_REQUEST, ECHO6_REPLY = 128, 129


def move(player: int, step: int) -> bytes:
    return message(MOVE, struct.pack("<I6f", player, float(step), 2.0, 3.0, 0.5, 0.0, -0.5), step)


def acknowledged_moves(players: Sequence[Player], rounds: int) -> int:
    """How many MOVEs were answered, byte for byte, until the first that was not; a round of all at a time."""
    count = 0
    for step in range(rounds):
        sent = {player: move(player.id, step) for player in players}
        try:
            for player, one in sent.items():
                player.socket.settimeout(ANSWER_TIMEOUT_S)
                player.send(one)
            for player, one in sent.items():
                if player.receive() != acknowledgement(one):
                    return count
                count += 1
        except OSError:  # no answer, or not even a neighbour
            return count
    return count


def echoes(namespace: Namespace, address: str, sizes: Iterable[int]) -> list[int]:
    """The sizes of those ICMP payloads that did not come back unchanged."""
    v6 = ":" in address
    request, reply = (ECHO6_REQUEST, ECHO6_REPLY) if v6 else (ECHO_REQUEST, ECHO_REPLY)
    family = (socket.AF_INET6, socket.IPPROTO_ICMPV6) if v6 else (socket.AF_INET, socket.IPPROTO_ICMP)
    raw = namespace.call(lambda: socket.socket(family[0], socket.SOCK_RAW, family[1]))
    lost = []
    with raw:
        raw.settimeout(ANSWER_TIMEOUT_S)
        raw.connect((address, 0))
        for size in sizes:
            data = bytes(itertools.islice(itertools.cycle(range(251)), size))
            body = struct.pack("!HH", 0x5047, size) + data
            head = struct.pack("!BBH", request, 0, 0)
            raw.send(head[:2] + struct.pack("!H", ones_complement(head + body)) + body)
            try:
                while True:
                    answer = raw.recv(65536)
                    if not v6:
                        answer = answer[(answer[0] & 15) * 4 :]
                    if answer[0] == reply and answer[4:8] == body[:4]:
                        break
            except TimeoutError:
                return [*lost, size]  # nor would the others come
            if answer[4:] != body:
                lost.append(size)
    return lost


def ones_complement(data: bytes) -> int:
    """The checksum of RFC 1071."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data[: len(data) & ~1])) + (
        data[-1] << 8 if len(data) & 1 else 0
    )
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def refused_frames() -> dict[str, tuple[str, bytes]]:
    """Frames with a wrong checksum: what is wrong with them, the reason that counts them, the frame."""
    udp = {"sport": 999, "dport": PORT}
    wrong = 0xBEEF
    ipv4, ipv6 = IP(src=PLAYERS4, dst=GATE4), IPv6(src=PLAYERS6, dst=GATE6)
    game = Raw(heartbeat(999))
    header = ipv4.copy()
    header.chksum = wrong
    packets = {
        "IPv4 header": ("ip_checksum", header / UDP(**udp) / game),
        "UDP over IPv4": ("udp_checksum", ipv4 / UDP(**udp, chksum=wrong) / game),
        "UDP over IPv6": ("udp_checksum", ipv6 / UDP(**udp, chksum=wrong) / game),
        "no UDP checksum over IPv6": ("udp_checksum_missing", ipv6 / UDP(**udp, chksum=0) / game),
        "ICMP": ("bad_icmp", ipv4 / ICMP(chksum=wrong) / Raw(b"echo")),
        "ICMPv6": ("bad_icmp", ipv6 / ICMPv6EchoRequest(cksum=wrong, data=b"echo")),
    }
    ether = Ether(src=PLAYERS_MAC, dst=CARD_MAC)
    return {name: (reason, bytes(ether / packet)) for name, (reason, packet) in packets.items()}


def inject(namespace: Namespace, frame: bytes) -> None:
    """Put one frame on the wire as it is."""
    raw = namespace.call(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
    with raw:
        raw.bind((PLAYERS_INTERFACE, 0))
        raw.send(frame)
