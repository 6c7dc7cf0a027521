# SPDX-License-Identifier: BSD-3-Clause
"""Writes the demo's input: a capture of a few thousand players, their neighbours, and some who mean harm.

    python -m pyshim.protocol.capture OUT.pcap [--players 4000] [--packets 20000] [--seed 1] ...

The same arguments give the same bytes. Players are built with `struct`, because there are many of them, and a
sample is built again by scapy to prove it; edge cases come from `pyshim.protocol.edge_cases`, which is all
scapy.
"""

from __future__ import annotations

import argparse
import os
import random
import struct
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from itertools import cycle
from math import hypot
from pathlib import Path
from types import MappingProxyType

from pyshim.errors import ExitCode, InternalError, PollgateError, UnavailableError

try:
    from pyshim.protocol.edge_cases import FOOTHOLD, HOSTILE, NEIGHBORLY, Gate
    from pyshim.protocol.plain import MESSAGES, MessageType, Plain
except ModuleNotFoundError as missing:
    if __name__ != "__main__" or missing.name != "scapy":
        raise
    print(f"the capture generator needs scapy: {sys.executable} -m pip install scapy", file=sys.stderr)
    sys.exit(ExitCode.UNAVAILABLE)

MOVES_PER_S = 20  # of each player
WORLD_M = 2000.0
WALK_M_PER_S = (1.5, 6.0)
NEIGHBORLY_SHARE = 0.005  # ARP, echo, neighbour solicitation
IPV6_SHARE = 0.15
VLAN_SHARE = 0.06
QINQ_SHARE = 0.01
MIX = MappingProxyType(  # of every thousand messages
    {
        MessageType.PLAYER_MOVE: 850,
        MessageType.HEARTBEAT: 50,
        MessageType.PLAYER_ATTACK: 40,
        MessageType.SKILL: 30,
        MessageType.CHAT_MESSAGE: 30,
    }
)
SAYINGS = (
    "gg",
    "need healer",
    "wer kommt mit?",
    "на помощь!",
    "左から来るぞ",
    "🐉🐉🐉",
    "see you at the old bridge",
)

EPOCH_US = 1_700_000_000_000_000  # when the capture begins; fixed, so that its bytes are
VERIFY_EVERY = 500  # players' frames that scapy builds again
PCAP_HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)  # microseconds, Ethernet
FRAME_MIN_BYTES = 60


@dataclass(frozen=True, slots=True)
class Scene:
    """What to write. `hostile` is a share of the packets."""

    gate: Gate
    players: int
    packets: int
    seed: int
    hostile: float


@dataclass(slots=True)
class Player:
    """Someone who walks from waypoint to waypoint (random waypoint model), seen from one address."""

    player_id: int
    link: bytes  # Ethernet header with tags and EtherType
    source: bytes  # 4 or 16 bytes
    port: int
    x: float
    y: float
    to_x: float
    to_y: float
    speed_m_per_s: float
    seen_us: int
    identification: int = 0

    def walk(self, now_us: int, rng: random.Random) -> bytes:
        """Move up to `now_us`; position and velocity as six floats."""
        left_m = self.speed_m_per_s * (now_us - self.seen_us) / 1e6
        self.seen_us = now_us
        distance = hypot(self.to_x - self.x, self.to_y - self.y)
        if distance <= left_m:
            self.x, self.y = self.to_x, self.to_y
            self.to_x, self.to_y = rng.uniform(0, WORLD_M), rng.uniform(0, WORLD_M)
            self.speed_m_per_s = rng.uniform(*WALK_M_PER_S)
            distance, left_m = hypot(self.to_x - self.x, self.to_y - self.y), 0.0
        if distance == 0.0:
            return struct.pack("<6f", self.x, self.y, 0.0, 0.0, 0.0, 0.0)
        along_x, along_y = (self.to_x - self.x) / distance, (self.to_y - self.y) / distance
        self.x += along_x * left_m
        self.y += along_y * left_m
        speed = self.speed_m_per_s
        return struct.pack("<6f", self.x, self.y, 0.0, along_x * speed, along_y * speed, 0.0)


def checksum(data: bytes) -> int:
    """RFC 1071 over data whose checksum field is zero.

    A 16-bit one's complement sum is the number modulo 65535, which Python computes in one step.
    """
    padded = data if len(data) % 2 == 0 else data + b"\0"
    return 0xFFFF - (int.from_bytes(padded, "big") % 0xFFFF or 0xFFFF)


def _cast(scene: Scene, rng: random.Random) -> list[Player]:
    """The players, behind a few routers, some of them sharing an address."""
    # The benchmark networks of RFC 2544 and RFC 5180 stand for the internet.
    net4, net6 = int(IPv4Address("198.18.0.0")), int(IPv6Address("2001:2::"))
    cast = []
    for index in range(scene.players):
        v6 = rng.random() < IPV6_SHARE
        router = bytes.fromhex("0200000001") + bytes([rng.randrange(4)])
        tagged = rng.random()
        tags = b""
        if tagged < QINQ_SHARE:
            tags = struct.pack("!HHHH", 0x88A8, rng.randrange(100, 104), 0x8100, rng.randrange(1, 4095))
        elif tagged < QINQ_SHARE + VLAN_SHARE:
            tags = struct.pack("!HH", 0x8100, rng.randrange(10, 20))
        household = index // 2  # two players behind one address: only the port tells them apart
        source = (
            IPv6Address(net6 + (household << 64) + 1).packed
            if v6
            else IPv4Address(net4 + 1 + household % 0x1FFFE).packed
        )
        cast.append(
            Player(
                player_id=index + 1,
                link=scene.gate.mac + router + tags + (b"\x86\xdd" if v6 else b"\x08\x00"),
                source=source,
                port=20000 + index % 40000,
                x=rng.uniform(0, WORLD_M),
                y=rng.uniform(0, WORLD_M),
                to_x=rng.uniform(0, WORLD_M),
                to_y=rng.uniform(0, WORLD_M),
                speed_m_per_s=rng.uniform(*WALK_M_PER_S),
                seen_us=0,
                identification=rng.randrange(0x10000),
            )
        )
    return cast


def _message(player: Player, kind: MessageType, now_us: int, scene: Scene, rng: random.Random) -> bytes:
    body = struct.pack("<I", player.player_id)
    target = rng.randint(1, scene.players)
    if kind is MessageType.PLAYER_MOVE:
        body += player.walk(now_us, rng)
    elif kind is MessageType.PLAYER_ATTACK:
        direction = (rng.uniform(-1, 1), rng.uniform(-1, 1), rng.uniform(-1, 1))
        body += struct.pack("<II3f", target, rng.randint(1, 12), *direction)
    elif kind is MessageType.CHAT_MESSAGE:
        text = rng.choice(SAYINGS).encode()
        body += struct.pack("<IBBH", rng.choice((0, 0, target)), rng.randrange(3), 0, len(text)) + text
    elif kind is MessageType.SKILL:
        body += struct.pack("<II", rng.randint(1, 40), target)
    return struct.pack("<IIQ", kind, 16 + len(body), now_us) + body


def _frame(player: Player, message: bytes, gate: Gate) -> bytes:
    length = 8 + len(message)
    ports = struct.pack("!HHH", player.port, gate.port, length)
    if len(player.source) == 4:
        destination = gate.address.packed
        pseudo = player.source + destination + struct.pack("!BBH", 0, 17, length)
        player.identification = (player.identification + 1) & 0xFFFF
        head = struct.pack("!BBHHHBB", 0x45, 0, 20 + length, player.identification, 0x4000, 57, 17)
        total = checksum(head + player.source + destination)
        ip = head + total.to_bytes(2, "big") + player.source + destination
    else:
        destination = gate.address6.packed
        pseudo = player.source + destination + struct.pack("!II", length, 17)
        ip = struct.pack("!IHBB", 6 << 28, length, 17, 57) + player.source + destination
    udp = checksum(pseudo + ports + message) or 0xFFFF
    return player.link + ip + ports + udp.to_bytes(2, "big") + message


def _verify(frame: bytes, link_bytes: int, kind: MessageType) -> None:
    """Let scapy take a frame apart and build it again without any length or checksum."""
    from scapy.layers.inet import IP, UDP  # noqa: PLC0415 - only a sample needs it
    from scapy.layers.inet6 import IPv6  # noqa: PLC0415

    v6 = frame[link_bytes] >> 4 == 6
    packet = (IPv6 if v6 else IP)(frame[link_bytes:])
    message = Plain(bytes(packet[UDP].payload))
    for layer, fields in ((packet, ("plen",) if v6 else ("len", "chksum")), (packet[UDP], ("len", "chksum"))):
        for field in fields:
            delattr(layer, field)
    message.packet_size = None
    packet[UDP].remove_payload()
    if not message.haslayer(MESSAGES[kind]) or bytes(packet / message) != frame[link_bytes:]:
        raise InternalError(f"a {kind.name} frame differs from what scapy builds: {frame.hex()}")


def _slots(scene: Scene, rng: random.Random) -> dict[int, Iterator[bytes]]:
    """Which packets are no player's: index → where its frame comes from."""
    hostile = min(round(scene.packets * scene.hostile), scene.packets - 1)
    neighborly = min(
        scene.packets - 1 - hostile, max(len(NEIGHBORLY), round(scene.packets * NEIGHBORLY_SHARE))
    )
    chosen = rng.sample(range(1, scene.packets), hostile + neighborly)
    bad = cycle([case.build(scene.gate) for case in HOSTILE])
    good = cycle([case.build(scene.gate) for case in NEIGHBORLY])
    slots: dict[int, Iterator[bytes]] = {at: bad if n < hostile else good for n, at in enumerate(chosen)}
    if hostile:
        slots[0] = iter([FOOTHOLD.build(scene.gate)])
    return slots


def frames(scene: Scene) -> Iterator[tuple[int, bytes]]:
    """The packets of a scene in order, each with its time in µs since the beginning.

    Every kind of hostile packet appears when `packets * hostile` is at least `len(HOSTILE)`.

    Raises:
        InternalError: scapy builds one of the sampled frames otherwise.
    """
    rng = random.Random(scene.seed)
    cast = _cast(scene, rng)
    slots = _slots(scene, rng)
    kinds, weights = tuple(MIX), tuple(MIX.values())
    interval_us = 1e6 / (MOVES_PER_S * scene.players)
    turn: list[Player] = []
    for index in range(scene.packets):
        now_us = round(index * interval_us)
        if index in slots:
            yield now_us, next(slots[index])
            continue
        if not turn:
            turn = rng.sample(cast, len(cast))
        player = turn.pop()
        kind = rng.choices(kinds, weights)[0]
        frame = _frame(player, _message(player, kind, now_us, scene, rng), scene.gate)
        if index % VERIFY_EVERY == 0:
            _verify(frame, len(player.link), kind)
        yield now_us, frame.ljust(FRAME_MIN_BYTES, b"\0")


def write(path: Path, scene: Scene) -> int:
    """Write a scene as a classic pcap file; under a temporary name first, so that nobody reads half of one.

    Returns:
        Bytes written.

    Raises:
        UnavailableError: the file cannot be written.
        InternalError: scapy builds one of the sampled frames otherwise.
    """
    parts = [PCAP_HEADER]
    for at_us, frame in frames(scene):
        seconds, micros = divmod(EPOCH_US + at_us, 1_000_000)
        parts.append(struct.pack("<IIII", seconds, micros, len(frame), len(frame)) + frame)
    data = b"".join(parts)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise UnavailableError(f"{path}: cannot write the capture: {error.strerror}") from error
    return len(data)


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not a share, allowed are 0 to 1")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is too few, at least 1 is needed")
    return value


def _port(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 0xFFFF:
        raise argparse.ArgumentTypeError(f"{text} is no UDP port, allowed are 1 to 65535")
    return value


def _mac(text: str) -> bytes:
    try:
        mac = bytes.fromhex(text.replace(":", ""))
    except ValueError:
        mac = b""
    if len(mac) != 6 or mac[0] & 1:
        raise argparse.ArgumentTypeError(f"{text} is no unicast MAC address, expected e.g. 02:00:00:00:00:02")
    return mac


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pyshim.protocol.capture", description="Write the demo capture."
    )
    parser.add_argument("out", type=Path, metavar="OUT.pcap")
    parser.add_argument("--players", type=_count, default=4000)
    parser.add_argument("--packets", type=_count, default=20000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hostile", type=_share, default=0.02, help="share of packets that must be refused")
    parser.add_argument("--mac", type=_mac, default="02:00:00:00:00:02", help="the gate's")
    parser.add_argument("--address", type=IPv4Address, default="10.0.0.1", help="the gate's")
    parser.add_argument("--address6", type=IPv6Address, default="fd00::1", help="the gate's")
    parser.add_argument("--port", type=_port, default=8080, help="the gate's, for UDP")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and write; the exit code."""
    args = _parser().parse_args(arguments)
    gate = Gate(mac=args.mac, address=args.address, address6=args.address6, port=args.port)
    scene = Scene(gate, args.players, args.packets, args.seed, args.hostile)
    try:
        size = write(args.out, scene)
    except PollgateError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(f"{args.out}: {args.packets} packets of {args.players} players, {size / 1e6:.1f} MB")
    return ExitCode.DONE


if __name__ == "__main__":
    sys.exit(main())
