# SPDX-License-Identifier: BSD-3-Clause
"""Captures for the session profile: sealed MOVEs of many connections that never shook hands.

Keys and nonces come from the number of the connection, so that whoever asks makes the same ones.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from ipaddress import IPv4Address
from itertools import count
from pathlib import Path

from pyshim.bench.rig.frames import CLIENT_PORT, CLIENTS, Capture, udp_frame, write_capture
from pyshim.protocol.session_crypto import DirectionKey, derive

_HEADER = struct.Struct("<BBHIIII")
_MESSAGE = struct.Struct("<BBH6f")
MOVE_BYTES = _MESSAGE.size  # of the message in a datagram
_DATA = 5
_ACK_NOW = 1
_MOVE = 1
_TAG_BYTES = 16

BURST = 64  # frames; the windows are rewound between two bursts


@dataclass(frozen=True, slots=True)
class Connection:
    """One player of the capture; what both ends know of it."""

    number: int
    session: int

    @property
    def address(self) -> IPv4Address:
        """Where the player sends from."""
        return IPv4Address(CLIENTS + self.number)

    @property
    def port(self) -> int:
        """Likewise."""
        return CLIENT_PORT + self.number % 40000

    @property
    def client_nonce(self) -> bytes:
        """As in the HELLO that was never sent."""
        return _drawn("client nonce", self.number, 16)

    @property
    def server_nonce(self) -> bytes:
        """As in the WELCOME."""
        return _drawn("server nonce", self.number, 16)


def issued_key(number: int) -> bytes:
    """The key that connection `number` is issued with."""
    return _drawn("key", number, 32)


def _drawn(what: str, number: int, size: int) -> bytes:
    return blake2b(f"{what} {number}".encode(), digest_size=size).digest()


def _sealed_move(connection: Connection, key: DirectionKey, counter: int) -> bytes:
    body = _MESSAGE.pack(_MOVE, 0, 24, connection.number, 0.5, counter, 1.0, 0.0, -1.0)
    length = _HEADER.size + len(body) + _TAG_BYTES
    header = _HEADER.pack(_DATA, _ACK_NOW, length, connection.session, counter, 0, 0)
    return key.seal(counter, header, body)


def frames_of(connection: Connection) -> Iterator[bytes]:
    """Its packets, one after the other, for ever."""
    keys = derive(
        issued_key(connection.number), connection.session, connection.client_nonce, connection.server_nonce
    )
    for counter in count(1):
        payload = _sealed_move(connection, keys.client_to_gateway, counter)
        yield udp_frame(int(connection.address), connection.port, payload)


def write_sealed_moves(path: Path, connections: Sequence[Connection], seed: int = 1) -> Capture:
    """Write a packet of every connection in random order, and a second one of some: whole bursts."""
    streams = [frames_of(connection) for connection in connections]
    frames = -(-len(connections) // BURST) * BURST
    order = [number % len(connections) for number in range(frames)]
    random.Random(seed).shuffle(order)
    return write_capture(path, len(connections), [next(streams[number]) for number in order])
