# SPDX-License-Identifier: BSD-3-Clause
"""Captures for benchmarks: PLAYER_MOVEs of many players, every checksum right, in random order."""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

PCAP_MAGIC_US = 0xA1B2C3D4
ETHERNET = 1  # link type

GATE_MAC = "02:00:00:00:00:02"
GATE_ADDRESS = "10.0.0.1/8"
GATE_PORT = 8080
PLAYERS_MAX = 1 << 22

_MACS = bytes.fromhex(GATE_MAC.replace(":", "")) + bytes.fromhex("020000000001") + b"\x08\x00"
_GATE = int(IPv4Address(GATE_ADDRESS.partition("/")[0]))
_CLIENTS = int(IPv4Address("10.0.1.0"))  # an address per player
_CLIENT_PORT = 20000

# wire/plain.h: packet_type, packet_size, timestamp; player_id, position, velocity
_MOVE = struct.Struct("<IIQI6f")
_IPV4 = struct.Struct("!BBHHHBBHII")
_UDP = struct.Struct("!HHHH")
_PSEUDO = struct.Struct("!IIBBH")
_RECORD = struct.Struct("<IIII")


@dataclass(frozen=True, slots=True)
class MoveCapture:
    """A capture written by `write_moves`."""

    path: Path
    sessions: int
    frames: int
    frame_bytes: int  # without FCS


def _checksum(data: bytes) -> int:
    """RFC 1071 over an even number of bytes that are not all zero.

    The sum of 16-bit words with the carry added again is the whole as one number modulo 65,535, which
    Python computes in C: 1,000,000 frames take seconds.
    """
    return 0xFFFF - (int.from_bytes(data, "big") % 0xFFFF or 0xFFFF)


def move_frame(player: int) -> bytes:
    """The frame of one player's MOVE over untagged IPv4; `player` below PLAYERS_MAX."""
    source = _CLIENTS + player
    message = _MOVE.pack(1, _MOVE.size, player, player + 1, player, 0.5, player, 1.0, 0.0, -1.0)
    length = _UDP.size + len(message)
    bare = _UDP.pack(_CLIENT_PORT + player % 40000, GATE_PORT, length, 0) + message
    checksum = _checksum(_PSEUDO.pack(source, _GATE, 0, 17, length) + bare) or 0xFFFF
    datagram = bare[:6] + checksum.to_bytes(2, "big") + bare[8:]
    header = _IPV4.pack(0x45, 0, _IPV4.size + length, player & 0xFFFF, 0, 64, 17, 0, source, _GATE)
    return _MACS + header[:10] + _checksum(header).to_bytes(2, "big") + header[12:] + datagram


def write_moves(
    path: Path, sessions: int, *, frames: int | None = None, first_player: int = 0, seed: int = 1
) -> MoveCapture:
    """Write a capture of `sessions` players in an order that no prefetcher can guess.

    Args:
        path: the file to write.
        sessions: how many players there are.
        frames: how many frames, at least `sessions`; the players take turns. Default: one each.
        first_player: number of the first of them: captures of different players share no session.
        seed: the same one gives the same order.
    """
    moves = [move_frame(first_player + player) for player in range(sessions)]
    size = len(moves[0])
    record = _RECORD.pack(0, 0, size, size)  # when it was captured means nothing: it never was
    records = [record + move for move in moves]
    order = [number % sessions for number in range(frames or sessions)]
    random.Random(seed).shuffle(order)
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", PCAP_MAGIC_US, 2, 4, 0, 0, 65535, ETHERNET))
        file.writelines(map(records.__getitem__, order))
    return MoveCapture(path, sessions, len(order), size)
