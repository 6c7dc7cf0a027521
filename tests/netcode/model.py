# SPDX-License-Identifier: BSD-3-Clause
"""netcode 1.02 from its standard alone: connect tokens, packets, a client; without any code of the product.

The only cryptography that is not written here is ChaCha20-Poly1305 (RFC 8439), by `cryptography`.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from ipaddress import ip_address

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

VERSION = b"NETCODE 1.02\0"
SEND_EVERY_S = 0.1
WAIT_S = 60.0  # for whatever must come


class Kind(IntEnum):
    """The types of packets."""

    REQUEST = 0
    DENIED = 1
    CHALLENGE = 2
    RESPONSE = 3
    KEEP_ALIVE = 4
    PAYLOAD = 5
    DISCONNECT = 6


class State(IntEnum):
    """Of a client, as the standard numbers them."""

    RESPONSE_TIMED_OUT = -3
    REQUEST_TIMED_OUT = -2
    DENIED = -1
    DISCONNECTED = 0
    REQUESTING = 1
    RESPONDING = 2
    CONNECTED = 3


# ---------------------------------------------------------------- cryptography


def _rotate(value: int, bits: int) -> int:
    return ((value << bits) | (value >> (32 - bits))) & 0xFFFFFFFF


def _quarter_round(x: list[int], a: int, b: int, c: int, d: int) -> None:
    for to, plus, mixed, bits in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        x[to] = (x[to] + x[plus]) & 0xFFFFFFFF
        x[mixed] = _rotate(x[mixed] ^ x[to], bits)


def hchacha20(key: bytes, nonce: bytes) -> bytes:
    """A key for the rest of a long nonce (draft-irtf-cfrg-xchacha-03 2.2)."""
    x = [*struct.unpack("<4I", b"expand 32-byte k"), *struct.unpack("<8I", key), *struct.unpack("<4I", nonce)]
    for _ in range(10):
        for column in range(4):
            _quarter_round(x, column, 4 + column, 8 + column, 12 + column)
        for column in range(4):
            _quarter_round(x, column, 4 + (column + 1) % 4, 8 + (column + 2) % 4, 12 + (column + 3) % 4)
    return struct.pack("<8I", *x[:4], *x[12:])


def _xchacha(key: bytes, nonce: bytes) -> tuple[ChaCha20Poly1305, bytes]:
    return ChaCha20Poly1305(hchacha20(key, nonce[:16])), bytes(4) + nonce[16:]


# ---------------------------------------------------------------- connect tokens


def _server(text: str) -> bytes:
    host, _, port = text.rpartition(":")
    address = ip_address(host.strip("[]"))
    if address.version == 4:
        return bytes([1]) + address.packed + struct.pack("<H", int(port))
    return (
        bytes([2]) + struct.pack("<8H", *struct.unpack(">8H", address.packed)) + struct.pack("<H", int(port))
    )


def _servers(servers: Sequence[str]) -> bytes:
    return struct.pack("<I", len(servers)) + b"".join(map(_server, servers))


@dataclass(frozen=True)
class Token:
    """A connect token, as its client reads it."""

    protocol_id: int
    created_s: int
    expires_s: int
    nonce: bytes
    private: bytes  # sealed
    timeout_s: int
    servers: tuple[str, ...]
    to_server: bytes
    to_client: bytes

    @classmethod
    def read(cls, data: bytes) -> Token:
        """The public part of 2,048 bytes."""
        assert len(data) == 2048
        assert data[:13] == VERSION
        protocol_id, created_s, expires_s = struct.unpack_from("<QQQ", data, 13)
        timeout_s, count = struct.unpack_from("<iI", data, 1085)
        at, servers = 1093, []
        for _ in range(count):
            kind, length = data[at], {1: 4, 2: 16}[data[at]]
            packed = data[at + 1 : at + 1 + length]
            if kind == 2:
                packed = struct.pack(">8H", *struct.unpack("<8H", packed))
            (port,) = struct.unpack_from("<H", data, at + 1 + length)
            host = ip_address(packed)
            servers.append(f"[{host}]:{port}" if kind == 2 else f"{host}:{port}")
            at += 3 + length
        assert not any(data[at + 64 :])
        return cls(
            protocol_id,
            created_s,
            expires_s,
            data[37:61],
            data[61:1085],
            timeout_s,
            tuple(servers),
            data[at : at + 32],
            data[at + 32 : at + 64],
        )

    def request(self) -> bytes:
        """The packet that asks to connect."""
        return (
            bytes(1)
            + VERSION
            + struct.pack("<QQ", self.protocol_id, self.expires_s)
            + self.nonce
            + self.private
        )


def make_token(
    private_key: bytes,
    servers: Sequence[str],
    *,
    protocol_id: int,
    client_id: int = 1,
    ttl_s: int = 30,
    timeout_s: int = 5,
    user_data: bytes = b"",
    now_s: Callable[[], float] = time.time,
) -> bytes:
    """What a backend gives to a client."""
    created_s = int(now_s())
    expires_s, nonce, keys = created_s + ttl_s, os.urandom(24), os.urandom(64)
    plain = struct.pack("<Qi", client_id, timeout_s) + _servers(servers) + keys + user_data.ljust(256, b"\0")
    cipher, short = _xchacha(private_key, nonce)
    private = cipher.encrypt(
        short, plain.ljust(1008, b"\0"), VERSION + struct.pack("<QQ", protocol_id, expires_s)
    )
    public = VERSION + struct.pack("<QQQ", protocol_id, created_s, expires_s) + nonce + private
    return (public + struct.pack("<i", timeout_s) + _servers(servers) + keys).ljust(2048, b"\0")


def open_private(private_key: bytes, token: Token) -> bytes:
    """The private part, as a gateway opens it."""
    cipher, short = _xchacha(private_key, token.nonce)
    return cipher.decrypt(
        short, token.private, VERSION + struct.pack("<QQ", token.protocol_id, token.expires_s)
    )


# ---------------------------------------------------------------- packets


def seal(kind: int, sequence: int, body: bytes, protocol_id: int, key: bytes) -> bytes:
    """A packet of type 1 or more."""
    count = max(1, (sequence.bit_length() + 7) // 8)
    prefix = bytes([count << 4 | kind])
    sealed = ChaCha20Poly1305(key).encrypt(
        bytes(4) + struct.pack("<Q", sequence), body, VERSION + struct.pack("<Q", protocol_id) + prefix
    )
    return prefix + sequence.to_bytes(count, "little") + sealed


def unseal(packet: bytes, protocol_id: int, key: bytes) -> tuple[Kind, int, bytes]:
    """Kind, sequence and body.

    Raises:
        InvalidTag: it is not for this key.
    """
    count = packet[0] >> 4
    assert 1 <= count <= 8
    sequence = int.from_bytes(packet[1 : 1 + count], "little")
    assert count == 1 or sequence >> 8 * (count - 1), "zeros above it are left out"
    body = ChaCha20Poly1305(key).decrypt(
        bytes(4) + struct.pack("<Q", sequence),
        packet[1 + count :],
        VERSION + struct.pack("<Q", protocol_id) + packet[:1],
    )
    return Kind(packet[0] & 15), sequence, body


# ---------------------------------------------------------------- a client


@dataclass
class Client:
    """A client with a socket of its own, which a test moves on step by step."""

    token: Token
    server: tuple[str, int]
    address: str = "127.0.0.1"
    state: State = State.REQUESTING
    index: int | None = None
    max_clients: int | None = None
    sequence: int = 0
    challenge: bytes = b""
    heard: list[tuple[Kind, int]] = field(default_factory=list)
    payloads: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.bind((self.address, 0))
        self.socket.connect(self.server)
        self.socket.settimeout(0.02)
        self.last_heard_s = self.last_sent_s = -1e9

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, kind: Kind, body: bytes = b"") -> bytes:
        """A sealed packet with the next sequence; returned, to be replayed."""
        packet = seal(kind, self.sequence, body, self.token.protocol_id, self.token.to_server)
        self.sequence += 1
        self.send_raw(packet)
        return packet

    def send_raw(self, packet: bytes) -> None:
        """Whatever it is."""
        self.socket.send(packet)
        self.last_sent_s = time.monotonic()

    def _say(self) -> None:
        if time.monotonic() - self.last_sent_s < SEND_EVERY_S:
            return
        match self.state:
            case State.REQUESTING:
                self.send_raw(self.token.request())
            case State.RESPONDING:
                self.send(Kind.RESPONSE, self.challenge)
            case State.CONNECTED:
                self.send(Kind.KEEP_ALIVE, bytes(8))

    def listen(self) -> Kind | None:
        """Take what comes next, if something comes soon."""
        try:
            packet = self.socket.recv(2048)
        except (TimeoutError, ConnectionRefusedError):
            return None
        try:
            kind, sequence, body = unseal(packet, self.token.protocol_id, self.token.to_client)
        except InvalidTag:
            raise AssertionError(f"a packet that is not for this client: {packet[:16].hex()}") from None
        assert (kind, sequence) not in self.heard, "no sequence is sent twice"
        self.heard.append((kind, sequence))
        self.last_heard_s = time.monotonic()
        self._take(kind, body)
        return kind

    def _take(self, kind: Kind, body: bytes) -> None:
        match kind, self.state:
            case Kind.CHALLENGE, State.REQUESTING:
                assert len(body) == 308
                self.challenge, self.state, self.last_sent_s = body, State.RESPONDING, -1e9
            case Kind.DENIED, State.REQUESTING | State.RESPONDING:
                self.state = State.DENIED
            case Kind.KEEP_ALIVE, State.RESPONDING:
                self.index, self.max_clients = struct.unpack("<II", body)
                self.state = State.CONNECTED
            case Kind.PAYLOAD, State.CONNECTED:
                self.payloads.append(body)
            case Kind.DISCONNECT, State.CONNECTED:
                self.state = State.DISCONNECTED

    def step(self) -> None:
        """Say what is due and listen once."""
        self._say()
        self.listen()

    def until(self, reached: Callable[[], bool]) -> None:
        """Go on until it is so."""
        bound_s = time.monotonic() + WAIT_S
        while not reached():
            assert time.monotonic() < bound_s, f"still {self.state.name}, heard {self.heard[-5:]}"
            self.step()

    def connect(self) -> None:
        """Get in."""
        self.until(lambda: self.state not in (State.REQUESTING, State.RESPONDING))
        assert self.state is State.CONNECTED

    def count(self, kind: Kind) -> int:
        """How many of a kind were heard."""
        return sum(one is kind for one, _ in self.heard)
