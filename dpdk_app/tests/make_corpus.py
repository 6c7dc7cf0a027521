# SPDX-License-Identifier: BSD-3-Clause
"""Write the seed corpus of the fuzz targets: one valid frame of each kind, and one of each way to be wrong.

Run from anywhere, with the `protocol` extra installed: python dpdk_app/tests/make_corpus.py
The result is committed; run it again only when a seed is added. The same seeds give the same files.
"""

from __future__ import annotations

import json
import re
import struct
import zlib
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import (
    ICMPv6EchoRequest,
    ICMPv6MLQuery,
    ICMPv6MLQuery2,
    ICMPv6MLReport,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
    IPv6ExtHdrHopByHop,
    RouterAlert,
)
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q, Ether
from scapy.packet import Packet, Raw

from pyshim.messages import MESSAGES

OUR_MAC, PEER_MAC = "02:00:00:00:00:02", "06:00:00:00:00:01"
REPAIR, TO_US, END_BURST, LATER, LIMITED = 1, 2, 4, 8, 32  # flags of a record, see fuzz_frame.c
FAMILY_6, NO_PORT, SECOND_LISTENER = 1, 2, 16  # and of fuzz_datagram.c, beside END_BURST, LATER, LIMITED
CORPUS = Path(__file__).parent / "corpus"
VECTORS = Path(__file__).parents[1] / "wire" / "world_vectors.json"


def message(kind: int, player: int, body: bytes) -> bytes:
    """A plain-profile message of this type, with its header filled in."""
    return struct.pack("<IIQI", kind, 20 + len(body), 0x1122334455667788, player) + body


def session_header(kind: int, length: int) -> bytes:
    """The header of a datagram of the session profile, for slot 1."""
    return struct.pack("<BBHII", kind, 0, length, 1, 0)


def messages() -> dict[str, bytes]:
    """Payloads by name: good ones, and bad ones that differ in one respect."""
    chat = struct.pack("<IBBH", 0, 3, 0, 5)
    nan = struct.pack("<f", float("nan"))
    move = struct.pack("<6f", 1, 2, 3, -1, 0, 0.5)
    return {
        "move": message(1, 7, move),
        "attack": message(2, 7, struct.pack("<II3f", 8, 9, 0, 1, 0)),
        "chat": message(3, 7, chat + b"hello"),
        "chat-utf8": message(3, 7, struct.pack("<IBBH", 8, 3, 0, 9) + "ñ€👾".encode()),
        "chat-longest": message(3, 7, struct.pack("<IBBH", 0, 0, 0, 512) + b"x" * 512),
        "chat-reserved": message(3, 7, struct.pack("<IBBH", 0, 3, 1, 5) + b"hello"),
        "chat-not-utf8": message(3, 7, chat + b"caf\xe9s"),
        "chat-length": message(3, 7, struct.pack("<IBBH", 0, 3, 0, 6) + b"hello"),
        "heartbeat": message(4, 7, b""),
        "skill": message(5, 7, struct.pack("<II", 77, 8)),
        "look": message(6, 7, bytes(172)),
        "look-reserved": message(6, 7, bytes([1, 0, 1]).ljust(1212, b"x")),
        "move-nan": message(1, 7, move[:8] + nan + move[12:]),
        "attack-infinite": message(2, 7, struct.pack("<II3f", 8, 9, float("inf"), 1, 0)),
        "acknowledgement": message(101, 7, move),
        "type-0": message(0, 7, b""),
        "short": message(1, 7, move)[:-1],
        "header-only": message(4, 7, b"")[:16],
        "truncated": b"\x01\x00\x00\x00",
    }


def ethernet() -> Packet:
    """The start of every frame to us."""
    return Ether(dst=OUR_MAC, src=PEER_MAC)


def ipv4(port: int = 8080) -> Packet:
    """IPv4 and UDP from a peer to us."""
    return IP(src="20.0.0.1", dst="10.0.0.1", ttl=57, id=0x1234) / UDP(sport=20001, dport=port)


def ipv6() -> Packet:
    """IPv6 and UDP from a peer to us."""
    return IPv6(src="2001:db8::77", dst="fd00::1", hlim=57) / UDP(sport=20001, dport=8080)


def host_frames() -> dict[str, bytes]:
    """What the host answers, by name."""
    group, multicast = "ff02::1:ff00:1", "33:33:ff:00:00:01"
    solicitation = ICMPv6ND_NS(tgt="fd00::1")
    option = ICMPv6NDOptSrcLLAddr(lladdr=PEER_MAC)
    arp = ARP(op=1, hwsrc=PEER_MAC, psrc="20.0.0.1", hwdst="00:00:00:00:00:00", pdst="10.0.0.1")
    to_group = Ether(dst=multicast, src=PEER_MAC)
    asker, nobody = IPv6(src="2001:db8::77", dst=group, hlim=255), IPv6(src="::", dst=group, hlim=255)
    echo4 = IP(src="20.0.0.1", dst="10.0.0.1") / ICMP(type=8, id=1, seq=1)
    echo6 = IPv6(src="2001:db8::77", dst="fd00::1") / ICMPv6EchoRequest(id=1, seq=1, data=b"abcdefg")
    queried = Ether(dst="33:33:00:00:00:01", src=PEER_MAC)
    querier = IPv6(src="fe80::99", dst="ff02::1", hlim=1) / IPv6ExtHdrHopByHop(options=RouterAlert())
    sources = [f"2001:db8::{n}" for n in range(20)]
    advertisement = ICMPv6ND_NA(tgt="fd00::1", R=0, S=0, O=1) / ICMPv6NDOptDstLLAddr(lladdr=PEER_MAC)
    frames = {
        "arp-virtual": Ether(dst="ff:ff:ff:ff:ff:ff", src=PEER_MAC)
        / ARP(op=1, hwsrc="00:00:5e:00:01:0a", psrc="20.0.0.1", pdst="10.0.0.1"),
        "arp-conflict": ethernet() / ARP(op=2, hwsrc=PEER_MAC, psrc="10.0.0.1", pdst="10.0.0.1"),
        "advertisement-conflict": queried / IPv6(src="fd00::1", dst="ff02::1", hlim=255) / advertisement,
        "mld-general": queried / querier / ICMPv6MLQuery2(mrd=10000),
        "mld-general-1": queried / querier / ICMPv6MLQuery(mrd=1000),
        "mld-group": queried / querier / ICMPv6MLQuery2(mladdr=group, mrd=0x9000),
        "mld-group-1": queried / querier / ICMPv6MLQuery(mladdr=group),
        "mld-sources": queried
        / querier
        / ICMPv6MLQuery2(mladdr=group, sources=sources[:3], sources_number=3),
        "mld-many-sources": queried
        / querier
        / ICMPv6MLQuery2(mladdr=group, sources=sources, sources_number=20),
        "mld-tagged": queried / Dot1Q(vlan=9) / querier / ICMPv6MLQuery2(),
        "mld-report-1": queried / querier / ICMPv6MLReport(mladdr=group),
        "arp": Ether(dst="ff:ff:ff:ff:ff:ff", src=PEER_MAC) / arp,
        "arp-tagged": ethernet() / Dot1Q(vlan=5) / arp,
        "arp-probe": ethernet() / ARP(op=1, hwsrc=PEER_MAC, psrc="0.0.0.0", pdst="10.0.0.1"),
        "arp-other": ethernet() / ARP(op=1, hwsrc=PEER_MAC, psrc="20.0.0.1", pdst="10.0.0.9"),
        "arp-reply": ethernet() / ARP(op=2, hwsrc=PEER_MAC, psrc="20.0.0.1", pdst="10.0.0.1"),
        "echo4": ethernet() / echo4 / Raw(b"abcdefg"),
        "echo4-zeros": ethernet()
        / IP(src="20.0.0.1", dst="10.0.0.1")
        / ICMP(type=8, id=0, seq=0)
        / Raw(bytes(8)),
        "echo4-tagged": ethernet() / Dot1AD(vlan=5) / Dot1Q(vlan=6) / echo4,
        "echo6": ethernet() / echo6,
        "solicitation": to_group / asker / solicitation / option,
        "solicitation-bare": to_group / asker / solicitation,
        "solicitation-tagged": to_group / Dot1Q(vlan=9) / asker / solicitation,
        "solicitation-dad": to_group / nobody / solicitation,
        "solicitation-dad-option": to_group / nobody / solicitation / option,
    }
    return {name: bytes(frame) for name, frame in frames.items()}


def game_frames() -> dict[str, bytes]:
    """Game datagrams, by name: each message, each layer, each way to be wrong."""
    payload = messages()
    move, heartbeat = Raw(payload["move"]), Raw(payload["heartbeat"])
    no_checksum = IP(src="20.0.0.1", dst="10.0.0.1") / UDP(sport=1, dport=8080, chksum=0)
    bad_checksum = IP(src="20.0.0.1", dst="10.0.0.1") / UDP(sport=1, dport=8080, chksum=0x1111)
    udp = UDP(sport=20001, dport=8080)
    frames = {f"v4-{name}": ethernet() / ipv4() / Raw(data) for name, data in payload.items()}
    frames |= {f"v6-{name}": ethernet() / ipv6() / Raw(payload[name]) for name in ("move", "chat", "skill")}
    frames |= {
        "second-listener": ethernet() / ipv4(8081) / heartbeat,
        "session-hello": ethernet() / ipv4(8081) / Raw(session_header(1, 72) + struct.pack("<HH56x", 2, 0)),
        "session-confirm": ethernet() / ipv4(8081) / Raw(session_header(3, 508) + bytes(496)),
        "session-data": ethernet() / ipv4(8081) / Raw(session_header(5, 68) + bytes(56)),
        "session-welcome": ethernet() / ipv4(8081) / Raw(session_header(4, 508) + bytes(496)),
        "no-listener": ethernet() / ipv4(9) / heartbeat,
        "tagged": ethernet() / Dot1Q(vlan=5) / ipv4() / move,
        "tagged-twice": ethernet() / Dot1AD(vlan=5) / Dot1Q(vlan=6) / ipv6() / move,
        "tagged-thrice": ethernet() / Dot1AD(vlan=5) / Dot1Q(vlan=6) / Dot1Q(vlan=7) / ipv4() / move,
        "no-udp-checksum": ethernet() / no_checksum / heartbeat,
        "bad-udp-checksum": ethernet() / bad_checksum / heartbeat,
        "fragment": ethernet() / IP(src="20.0.0.1", dst="10.0.0.1", flags="MF") / udp / move,
        "options": ethernet()
        / IP(src="20.0.0.1", dst="10.0.0.1", options=[b"\x07\x07\x04\0\0\0\0\0"])
        / udp
        / move,
        "our-second-address": ethernet() / IP(src="172.16.0.2", dst="10.0.0.1") / udp / move,
        "broadcast-source": ethernet() / IP(src="10.0.0.255", dst="10.0.0.1") / udp / move,
        "loopback-source": ethernet() / IP(src="127.0.0.1", dst="10.0.0.1") / udp / move,
        "padded": ethernet() / ipv4() / Raw(payload["heartbeat"]) / Raw(b""),
    }
    built = {name: bytes(frame) for name, frame in frames.items()}
    built["padded"] += bytes(20)
    built["802.3"] = built["v4-move"][:12] + b"\x00\x40" + built["v4-move"][14:]
    built["truncated"] = built["v4-move"][:33]
    return built


def record(frame: bytes, flags: int = 0) -> bytes:
    """One frame as fuzz_frame reads it."""
    return struct.pack("<BH", flags, len(frame)) + frame


def bursts(frames: dict[str, bytes]) -> dict[str, bytes]:
    """Several frames in one input: one burst, several, and with time between them."""
    some = [
        frames[name] for name in ("v4-move", "v6-move", "echo4", "arp", "v4-heartbeat", "tagged", "fragment")
    ]
    peers = [
        bytes(ethernet() / IP(src=f"20.0.0.{n}", dst="10.0.0.1") / UDP(sport=n, dport=8080))
        + messages()["heartbeat"]
        for n in range(1, 12)
    ]
    twice = frames["v4-move"]
    return {
        "burst-mixed": b"".join(record(frame) for frame in some),
        "burst-each": b"".join(record(frame, END_BURST) for frame in some),
        "burst-full-table": b"".join(record(frame, REPAIR) for frame in peers),
        "burst-same-peer": record(twice) * 3,
        "burst-later": record(twice, END_BURST) + record(twice, LATER),
        "burst-limited": record(twice, LIMITED) + record(twice) * 12 + record(frames["tagged"]),
    }


def datagram(payload: bytes, peer: int = 1, flags: int = 0) -> bytes:
    """One datagram as fuzz_datagram reads it."""
    return struct.pack("<BBH", flags, peer, len(payload)) + payload


def datagrams() -> dict[str, bytes]:
    """Messages as sockets give them, by name: alone, and in bursts with and without time between them."""
    payload = messages()
    move, heartbeat = payload["move"], payload["heartbeat"]
    return {name: datagram(data) for name, data in payload.items()} | {
        "v6": datagram(move, flags=FAMILY_6),
        "no-source-port": datagram(move, flags=NO_PORT),
        "too-long": datagram(move.ljust(1473, b"\0")),
        "longest": datagram(move.ljust(1472, b"\0")),
        "burst-mixed": b"".join(datagram(data) for data in payload.values()),
        "burst-full-table": b"".join(datagram(heartbeat, peer) for peer in range(12)),
        "burst-limited": b"".join(datagram(heartbeat, 1, SECOND_LISTENER) for _ in range(13)),
        "burst-first-limited": datagram(move, flags=LIMITED) + datagram(move) * 12,
        "burst-later": datagram(move, flags=END_BURST) + datagram(message(1, 8, move[20:]), flags=LATER),
    }


TEXTS = {
    "ascii": b"the quick brown fox jumps over the lazy dog",
    "latin": "Größe".encode(),
    "cyrillic": "привет, как дела?".encode(),
    "kanji": "こんにちは世界".encode(),
    "emoji": "gg 👾🎮".encode(),
    "mixed": "aé€👾aé€👾".encode(),
    "overlong-2": b"\xc0\x80",
    "overlong-3": b"\xe0\x9f\xbf",
    "overlong-4": b"\xf0\x8f\xbf\xbf",
    "surrogate": b"\xed\xa0\x80",
    "beyond": b"\xf4\x90\x80\x80",
    "cut": b"12345678\xe2\x82",
    "continuation": b"12345678\x80",
}


def write(target: str, seeds: dict[str, bytes]) -> None:
    """Replace the corpus of one target, but for what the fuzzer itself found: that has a hash for a name."""
    directory = CORPUS / target
    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.iterdir():
        if not re.fullmatch("[0-9a-f]{40}", old.name):
            old.unlink()
    for name, data in seeds.items():
        (directory / name).write_bytes(data)


CLIENT, LITTLE_MEMORY, SMALL_DATAGRAMS, LAST_IDS = 1, 2, 4, 8  # settings of fuzz_opened.c, and its steps
TAKE, TOLD, SAY, FILL, WAIT, OVER = range(6)
COMPRESSED, RELIABLE, FRAGMENT = 1, 2, 4  # flags of a message of the session profile
PIECE_BYTES = 458  # of a body in a fragment, but for the last


def said(kind: int, body: bytes, flags: int = 0, number: int = 0, channel: int = 0) -> bytes:
    """A message of the session profile."""
    identity = struct.pack("<H", number) if flags & RELIABLE else b""
    return struct.pack("<BBH", kind, flags | channel << 4, len(body)) + identity + body


def opened(*messages: bytes) -> bytes:
    """A step of fuzz_opened.c: these messages arrive in one datagram."""
    return struct.pack("<BH", TAKE, len(b"".join(messages))) + b"".join(messages)


def squeezed(body: bytes) -> bytes:
    """A body as a compressed one."""
    return struct.pack("<I", len(body)) + zlib.compress(body)


def queued(kind: int, length: int, how: int) -> bytes:
    """A step: a message to send. `how`: bit 0 reliable, bits 1-2 channel, then priority."""
    return struct.pack("<BBBH", SAY, kind, how, length)


def listed(*, events: bool) -> Iterator[tuple[int, bytes]]:
    """Every type of wire/messages.def that comes this way, with as many zeros as its shortest body has."""
    for one in MESSAGES:
        if one.body is not None and events and one.event is not None:
            yield one.event, bytes(one.body.least_bytes + (4 if one.kind == "RELAYED" else 0))
        elif one.body is not None and not events and one.is_request:
            yield one.number, bytes(one.body.least_bytes)


def conversations() -> dict[str, bytes]:
    """Steps of deliveries: what arrives, what is sent, and what becomes of it."""
    fill, later = struct.pack("<BH", FILL, 1400), struct.pack("<BH", WAIT, 150)
    acknowledged = struct.pack("<BBI", TOLD, 0, 0xFFFFFFFF)
    move = said(1, struct.pack("<6f", 1, 2, 3, -1, 0, 0.5))
    text = struct.pack("<IBBH", 0, 3, 0, 200) + b"la " * 66 + b"la"
    pieces = [
        said(7, struct.pack("<HH", i, 4) + bytes([i]) * PIECE_BYTES, RELIABLE | FRAGMENT, i) for i in range(4)
    ]
    noise = squeezed(b"".join(blake2b(bytes([n])).digest() for n in range(12)) + bytes(900))
    halves = [noise[:PIECE_BYTES], noise[PIECE_BYTES:]]
    packed = [
        said(7, struct.pack("<HH", i, 2) + half, RELIABLE | FRAGMENT | COMPRESSED, i)
        for i, half in enumerate(halves)
    ]
    bulk = {i: said(7, bytes([0, 0, 0, 0, i]), RELIABLE, i, 1) for i in range(6)}
    loose = {i: said(7, bytes([0, 0, 0, 0, i]), RELIABLE, i, 3) for i in range(6)}
    return {
        "move": bytes([0]) + opened(move),
        "several": bytes([0])
        + opened(move, said(4, b""), said(5, bytes(8)), said(2, bytes(20)), said(3, text)),
        "compressed": bytes([0])
        + opened(said(3, squeezed(text), COMPRESSED), said(7, squeezed(bytes(900)), COMPRESSED)),
        "disorder": bytes([0])
        + opened(bulk[3], bulk[1])
        + opened(bulk[1], bulk[2], bulk[0])
        + opened(bulk[5]),
        "unordered": bytes([0])
        + opened(loose[3], loose[1])
        + opened(loose[1], loose[2], loose[0])
        + opened(loose[5]),
        "pieces": bytes([0]) + opened(pieces[2], pieces[0]) + opened(pieces[3]) + opened(pieces[1]),
        "pieces-missing": bytes([0]) + opened(pieces[0]) + opened(said(7, bytes(8), RELIABLE, 1)),
        "pieces-compressed": bytes([0]) + opened(packed[1]) + opened(packed[0]),
        "bomb": bytes([0]) + opened(said(7, squeezed(bytes(70000)), COMPRESSED)),
        "listed": bytes([0]) + b"".join(opened(said(number, body)) for number, body in listed(events=False)),
        "listed-events": bytes([CLIENT])
        + b"".join(opened(said(number, body)) for number, body in listed(events=True)),
        "client": bytes([CLIENT])
        + opened(said(203, bytes(4) + text), said(206, b"sword"), said(202, bytes(24)), said(205, bytes(12))),
        "wrap": bytes([LAST_IDS])
        + b"".join(opened(said(7, bytes(5), RELIABLE, (65500 + i) % 65536)) for i in range(40)),
        "window": bytes([LITTLE_MEMORY])
        + b"".join(opened(said(7, bytes(50), RELIABLE, i)) for i in range(40, 0, -1)),
        "send": bytes([0])
        + queued(206, 300, 1)
        + queued(203, 50, 8)
        + queued(207, 20, 16)
        + fill
        + acknowledged,
        "send-long": bytes([SMALL_DATAGRAMS]) + queued(206, 5000, 1) + fill * 12 + acknowledged,
        "give-up": bytes([0]) + queued(205, 8, 3) + (fill + later * 6) * 6 + fill,
        "queue-full": bytes([LITTLE_MEMORY])
        + queued(206, 1000, 1) * 6
        + fill * 3
        + bytes([OVER])
        + queued(206, 9, 0),
    }


STRANGER, CHALLENGED, CONNECTED = range(3)  # who sends in fuzz_netcode.c


def netcode() -> dict[str, bytes]:
    """What comes to the netcode profile: requests, packets that are sealed first, headers that cannot be."""
    vectors = json.loads((CORPUS.parents[1] / "wire" / "netcode_vectors.json").read_text())
    request = bytes.fromhex(vectors["tokens"][0]["request"])
    keep_alive = bytes.fromhex(vectors["packets"][0]["packet"])
    response = next(bytes.fromhex(one["packet"]) for one in vectors["packets"] if one["kind"] == "response")
    sealed = bytes([CONNECTED, 1])
    return {
        "request": bytes([STRANGER, 0]) + request,
        "request-short": bytes([STRANGER, 0]) + request[:-1],
        "request-again": bytes([CHALLENGED, 0]) + request,
        "request-connected": bytes([CONNECTED, 0]) + request,
        "keep-alive": bytes([CONNECTED, 0]) + keep_alive,
        "response": bytes([CHALLENGED, 0]) + response,
        "sealed-response": bytes([CHALLENGED, 1, 3]) + bytes(308),
        "sealed-keep-alive": sealed + bytes([4]) + bytes(8),
        "sealed-payload": sealed + bytes([5]) + b"payload",
        "sealed-payload-longest": sealed + bytes([5]) + bytes(1200),
        "sealed-disconnect": sealed + bytes([6]),
        "sealed-skips": sealed + bytes([0xF4]) + bytes(8),
        "sealed-empty": sealed + bytes([5]),
    }


RAW, DATA, OTHER, WAIT, SAY, RECONNECT, MOVE, KINDS = range(8)  # steps of client/tests/fuzz_client.c


def sealed(*messages: bytes, kind: int = DATA) -> bytes:
    """A step of fuzz_client.c: the gateway seals these in a datagram."""
    body = b"".join(messages)
    return struct.pack("<BH", kind, len(body)) + body


def _told_of_a_world(epoch: int) -> list[bytes]:
    """A WORLD, and all WORLD_STATEs of the vectors that fit behind it."""
    world = struct.pack("<4BI3i3IH", epoch, 60, 12, 32, 10_000, -1000, 0, 0, 6400, 7200, 1, 4) + b"town"
    bodies = [bytes.fromhex(one["body"]) for one in json.loads(VECTORS.read_text())["bodies"]]
    number = {one.upper: one.number for one in MESSAGES}
    told = [body[:2] + bytes([epoch]) + body[3:] for body in bodies if len(body) < 60]
    return [said(number["WORLD"], world), *(said(number["WORLD_STATE"], body) for body in told[:16])]


def gateways() -> dict[str, bytes]:
    """What a gateway says to a client, by name."""
    sender = struct.pack("<I", 8)
    text = sender + struct.pack("<IBBH", 7, 0, 0, 2) + b"hi"
    bulk = sender + struct.pack("<I", 7) + bytes(600)
    chat = [said(203, text, RELIABLE, number) for number in range(2)]
    halves = [
        said(207, struct.pack("<HH", n, 2) + bulk[n * PIECE_BYTES :][:PIECE_BYTES], FRAGMENT | RELIABLE, n, 2)
        for n in range(2)
    ]
    return {
        "chat": sealed(said(203, text)),
        "chat-reliable": sealed(*chat),
        "chat-twice": sealed(chat[0]) * 2,
        "chat-gap": sealed(chat[1]) + sealed(chat[0]),
        "attack": sealed(said(202, sender + struct.pack("<II3f", 7, 9, 0, 1, 0))),
        "skill": sealed(said(205, sender + struct.pack("<II", 77, 7))),
        "inventory": sealed(said(206, b"a sword")),
        "compressed": sealed(said(207, squeezed(bulk), COMPRESSED | RELIABLE)),
        "fragments": sealed(halves[0]) + sealed(halves[1]),
        "close": sealed(b"\x09" + bytes(7), kind=OTHER),
        "path-challenge": sealed(b"8 bytes.", kind=OTHER + KINDS),
        "probe": sealed(bytes(100), kind=OTHER + 4 * KINDS),
        "raw": sealed(bytes(20), kind=RAW),
        "reset": sealed(session_header(10, 28) + bytes(16), kind=RAW),
        "denied": sealed(session_header(9, 48) + bytes(36), kind=RAW),
        "limits": sealed(said(8, struct.pack("<HHBBHI", 1, 1, 7, 0, 8, 60), RELIABLE, 0, 3)),
        "busy": bytes([SAY, 1, 9]) + sealed(said(9, struct.pack("<IBBH", 2, 1, 7, 500))),
        "busy-forgotten": bytes([SAY, 1, 9]) + sealed(said(9, struct.pack("<IBBH", 2, 6, 7, 0))),
        "restarted": bytes([SAY, 1, 9]) + sealed(said(10, struct.pack("<H4H32x4H", 1, *[0] * 4, *[9] * 4))),
        "number": sealed(said(11, struct.pack("<III", 9, 5, 6), RELIABLE, 0, 3)),
        "moved": bytes([MOVE]) + sealed(chat[0]) + bytes([WAIT, 250, WAIT, 100]) + sealed(chat[1]),
        "moved-twice": bytes([MOVE, MOVE])
        + sealed(said(11, struct.pack("<III", 9, 5, 6), RELIABLE, 0, 3))
        + bytes([MOVE, SAY, 1, 9])
        + sealed(chat[0]),
        "ping": sealed(said(12, b"ping") + said(13, b"pong")),
        "world": sealed(*_told_of_a_world(3)),
        "worlds": sealed(*_told_of_a_world(3)) + sealed(*_told_of_a_world(4)),
        "unknown-type": sealed(said(99, b"whatever", RELIABLE) + said(203, text)),
        "answer-at-once": sealed(chat[0], kind=DATA + 22 * KINDS),
        "say": bytes([SAY, 1, 0, SAY, 0x45, 255, WAIT, 200, WAIT, 200, WAIT, 250]),
        "reconnect": bytes([SAY, 0x41, 9, RECONNECT, 0, 0, 0]) + sealed(chat[0]),
        "limits-at-first": bytes([RECONNECT, 2, 16, 0])
        + struct.pack("<BBHIBBHI", 7, 0, 8, 60, 0, 0, 256, 6000)
        + bytes([SAY, 1, 9, WAIT, 250]),
        "limits-that-cannot-be": bytes([RECONNECT, 2, 16, 0])
        + struct.pack("<BBHIBBHI", 7, 1, 8, 60, 7, 0, 8, 60)
        + bytes([SAY, 1, 9]),
    }


STATE, BEGIN = 0, 2  # steps of client/tests/fuzz_world.c


def worlds() -> dict[str, bytes]:
    """What wire/world_vectors.json has, as rows of steps, by name."""

    def step(body: str) -> bytes:
        data = bytes.fromhex(body)
        return bytes([STATE, len(data)]) + data

    found = json.loads(VECTORS.read_text())
    said = [one for kind in ("bodies", "refused") for one in found[kind] if len(one["body"]) < 512]
    begun = [
        (row, bytes([BEGIN, 6, row["epoch"] + 1, 60]) + row["tick"].to_bytes(4, "little"))
        for row in found["rows"]
    ]
    epoch = bytes([BEGIN, 6, 1, 60]) + bytes(4)
    return {one["name"].replace(" ", "-"): epoch + step(one["body"]) for one in said} | {
        row["name"].replace(" ", "-"): before
        + b"".join(_with_epoch(step(one["body"]), row["epoch"] + 1) for one in row["steps"])
        for row, before in begun
    }


def _with_epoch(step: bytes, epoch: int) -> bytes:
    return step[:4] + bytes([epoch]) + step[5:]


def main() -> None:
    """Write every corpus."""
    host, game = host_frames(), game_frames()
    everything = game | host
    write("fuzz_plain", messages())
    write("fuzz_utf8", TEXTS)
    write("fuzz_netcode", netcode())
    write("fuzz_host", {name: bytes([0]) + frame for name, frame in host.items()})
    write("fuzz_datagram", datagrams())
    write("fuzz_opened", conversations())
    write("fuzz_client", gateways())
    write("fuzz_world", worlds())
    write("fuzz_frame", {name: record(frame) for name, frame in everything.items()} | bursts(everything))


if __name__ == "__main__":
    main()
