# SPDX-License-Identifier: BSD-3-Clause
"""Captures for the session profile: sealed MOVEs of many connections that never shook hands.

Keys and secrets come from the number of the connection, so that whoever asks makes the same ones.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from ipaddress import IPv4Address
from pathlib import Path

from pyshim.bench.rig.frames import CLIENT_PORT, CLIENTS, Capture, udp_frame, write_capture
from pyshim.protocol.session_bodies import move_body
from pyshim.protocol.session_crypto import DirectionKey, traffic_keys
from pyshim.protocol.session_wire import (
    AROUND_BYTES,
    DATA_MIN_BYTES,
    WANTS_ANSWER,
    Header,
    Kind,
    Message,
    MessageType,
    Prefix,
)
from pyshim.system.interruption import interruptible

GAME_BODY_BYTES = 24
BURST = 64  # frames that the gateway takes at once


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
    def secret(self) -> bytes:
        """As both ends would have agreed."""
        return _drawn("secret", self.number, 32)


def issued_key(number: int) -> bytes:
    """The key that connection `number` is issued with."""
    return _drawn("key", number, 32)


def _drawn(what: str, number: int, size: int) -> bytes:
    return blake2b(f"{what} {number}".encode(), digest_size=size).digest()


def _move(number: int, counter: int) -> bytes:
    """A player's movement, as it lies in DATA."""
    return Message(MessageType.MOVE, move_body((number, 0.5, counter), (1.0, 0.0, -1.0))).pack()


MOVE_BYTES = len(_move(0, 0))
SEALED_MOVE_BYTES = DATA_MIN_BYTES + MOVE_BYTES  # of the datagram, of which it is the only message


def game_message() -> bytes:
    """A message of the game's own, as long as a movement's."""
    return Message(MessageType.GAME, bytes(GAME_BODY_BYTES)).pack()


def _sealed(connection: Connection, key: DirectionKey, counter: int, message: bytes) -> bytes:
    secret = Prefix(wants=WANTS_ANSWER).pack() + message
    header = Header(Kind.DATA, AROUND_BYTES + len(secret), connection.session, counter)
    return key.seal(counter, header.pack(), secret)


def frame_of(connection: Connection, message: bytes | None = None) -> bytes:
    """Its first packet: a movement, or this message."""
    said = _move(connection.number, 1) if message is None else message
    payload = _sealed(connection, traffic_keys(connection.secret).client_to_gateway, 1, said)
    return udp_frame(int(connection.address), connection.port, payload)


def write_sealed_moves(path: Path, connections: Sequence[Connection], seed: int = 1) -> Capture:
    """Write a packet of every connection, in random order."""
    return _write(path, connections, None, seed)


def write_sealed_game(path: Path, connections: Sequence[Connection], seed: int = 1) -> Capture:
    """The same of messages of the game's own, as long as a movement's."""
    return _write(path, connections, game_message(), seed)


def _write(path: Path, connections: Sequence[Connection], message: bytes | None, seed: int) -> Capture:
    with interruptible():
        frames = [frame_of(connection, message) for connection in connections]
    random.Random(seed).shuffle(frames)
    return write_capture(path, len(connections), frames)
