# SPDX-License-Identifier: BSD-3-Clause
"""Captures for benchmarks: one PLAYER_MOVE per session, every checksum right, in random order."""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

PCAP_MAGIC_US = 0xA1B2C3D4
ETHERNET = 1  # link type

GATE_MAC = "02:00:00:00:00:02"
GATE_ADDRESS = "10.0.0.1/16"
GATE_PORT = 8080
_CLIENT_MAC = bytes.fromhex("020000000001")
_CLIENTS = int(IPv4Address("10.0.1.0"))
_CLIENT_PORT = 20000

# wire/plain.h: packet_type, packet_size, timestamp; player_id, position, velocity
_MOVE = struct.Struct("<IIQI6f")
_IPV4 = struct.Struct("!BBHHHBBHII")
_UDP = struct.Struct("!HHHH")


@dataclass(frozen=True, slots=True)
class MoveCapture:
    """A capture written by `write_moves`."""

    path: Path
    sessions: int
    frame_bytes: int  # without FCS


def _checksum(data: bytes) -> int:
    """RFC 1071 over an even number of bytes."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def move_frame(player: int) -> bytes:
    """The frame of one player's MOVE over untagged IPv4; `player` below 60,000."""
    source, destination = _CLIENTS + player, int(IPv4Address(GATE_ADDRESS.partition("/")[0]))
    message = _MOVE.pack(1, _MOVE.size, player, player + 1, player, 0.5, player, 1.0, 0.0, -1.0)
    length = _UDP.size + len(message)
    pseudo = struct.pack("!IIBBH", source, destination, 0, 17, length)
    bare = _UDP.pack(_CLIENT_PORT + player % 40000, GATE_PORT, length, 0) + message
    checksum = _checksum(pseudo + bare) or 0xFFFF
    datagram = bare[:6] + checksum.to_bytes(2, "big") + bare[8:]
    header = _IPV4.pack(0x45, 0, _IPV4.size + length, player & 0xFFFF, 0, 64, 17, 0, source, destination)
    header = header[:10] + _checksum(header).to_bytes(2, "big") + header[12:]
    return bytes.fromhex(GATE_MAC.replace(":", "")) + _CLIENT_MAC + b"\x08\x00" + header + datagram


def write_moves(path: Path, sessions: int, seed: int = 1) -> MoveCapture:
    """Write a capture of `sessions` players, one frame each, in an order that no prefetcher can guess."""
    order = list(range(sessions))
    random.Random(seed).shuffle(order)
    frames = [move_frame(player) for player in order]
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", PCAP_MAGIC_US, 2, 4, 0, 0, 65535, ETHERNET))
        for number, frame in enumerate(frames):
            file.write(struct.pack("<IIII", number // 1_000_000, number % 1_000_000, len(frame), len(frame)))
            file.write(frame)
    return MoveCapture(path, sessions, len(frames[0]))
