# SPDX-License-Identifier: BSD-3-Clause
"""Captures for benchmarks: PLAYER_MOVEs of many players, every checksum right, in random order."""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from statistics import mode

from pyshim.system.interruption import interruptible

PCAP_MAGIC_US = 0xA1B2C3D4
ETHERNET = 1  # link type

GATE_MAC = "02:00:00:00:00:02"
GATE_ADDRESS = "10.0.0.1/8"
GATE_PORT = 8080
PLAYERS_MAX = 1 << 22

_MACS = bytes.fromhex(GATE_MAC.replace(":", "")) + bytes.fromhex("020000000001") + b"\x08\x00"
_GATE = int(IPv4Address(GATE_ADDRESS.partition("/")[0]))
CLIENTS = int(IPv4Address("10.0.1.0"))  # an address per player
CLIENT_PORT = 20000

# wire/plain.h: packet_type, packet_size, timestamp; player_id, position, velocity
_MOVE = struct.Struct("<IIQI6f")
_IPV4 = struct.Struct("!BBHHHBBHII")
_UDP = struct.Struct("!HHHH")
_PSEUDO = struct.Struct("!IIBBH")
_RECORD = struct.Struct("<IIII")


@dataclass(frozen=True, slots=True)
class Capture:
    """A capture of frames."""

    path: Path
    sessions: int
    frames: int
    frame_bytes: int  # without FCS; of most of them


def _checksum(data: bytes) -> int:
    """RFC 1071 over an even number of bytes that are not all zero.

    The sum of 16-bit words with the carry added again is the whole as one number modulo 65,535, which
    Python computes in C: 1,000,000 frames take seconds.
    """
    return 0xFFFF - (int.from_bytes(data, "big") % 0xFFFF or 0xFFFF)


def move_frame(player: int) -> bytes:
    """The frame of one player's MOVE over untagged IPv4; `player` below PLAYERS_MAX."""
    message = _MOVE.pack(1, _MOVE.size, player, player + 1, player, 0.5, player, 1.0, 0.0, -1.0)
    return udp_frame(CLIENTS + player, CLIENT_PORT + player % 40000, message)


def udp_frame(source: int, port: int, payload: bytes) -> bytes:
    """The frame of a datagram to the gateway over untagged IPv4; `payload` has an even length."""
    length = _UDP.size + len(payload)
    bare = _UDP.pack(port, GATE_PORT, length, 0) + payload
    checksum = _checksum(_PSEUDO.pack(source, _GATE, 0, 17, length) + bare) or 0xFFFF
    datagram = bare[:6] + checksum.to_bytes(2, "big") + bare[8:]
    header = _IPV4.pack(0x45, 0, _IPV4.size + length, source & 0xFFFF, 0, 64, 17, 0, source, _GATE)
    return _MACS + header[:10] + _checksum(header).to_bytes(2, "big") + header[12:] + datagram


def write_moves(
    path: Path, sessions: int, *, frames: int | None = None, first_player: int = 0, seed: int = 1
) -> Capture:
    """Write a capture of `sessions` players in an order that no prefetcher can guess.

    Args:
        path: the file to write.
        sessions: how many players there are.
        frames: how many frames, at least `sessions`; the players take turns. Default: one each.
        first_player: number of the first of them: captures of different players share no session.
        seed: the same one gives the same order.
    """
    with interruptible():
        moves = [move_frame(first_player + player) for player in range(sessions)]
        order = [number % sessions for number in range(frames or sessions)]
        random.Random(seed).shuffle(order)
    return write_capture(path, sessions, list(map(moves.__getitem__, order)))


def write_capture(path: Path, sessions: int, frames: Sequence[bytes]) -> Capture:
    """Write frames of so many sessions in this order."""
    # When one was captured means nothing: it never was.
    records = {size: _RECORD.pack(0, 0, size, size) for size in set(map(len, frames))}
    with interruptible(), path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", PCAP_MAGIC_US, 2, 4, 0, 0, 65535, ETHERNET))
        file.writelines(records[len(frame)] + frame for frame in frames)
    return Capture(path, sessions, len(frames), mode(map(len, frames)))
