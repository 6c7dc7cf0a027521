# SPDX-License-Identifier: BSD-3-Clause
"""Write the seeds of fuzz_session and fuzz_sealed: what is said about sessions, and in them.

fuzz_fast reads the same bytes as fuzz_sealed: its corpus is a link to that folder.

Run from anywhere, with the `protocol` extra installed: python dpdk_app/tests/make_session_corpus.py
"""

from __future__ import annotations

import struct

from make_corpus import FRAGMENT, RELIABLE, said, write

RIGHT_HEADER, RIGHT_PROOF, SECOND, OPENED, CHALLENGE, BREAK = 4, 8, 16, 32, 64, 128  # of fuzz_session.c


def step(
    payload: bytes = b"", *, player: int = 0, address: int = 1, quarters: int = 0, flags: int = 0
) -> bytes:
    """One datagram as fuzz_session reads it."""
    return struct.pack("<BBBH", flags | player, address, quarters, len(payload)) + payload


def handshake_datagram(kind: int, size: int, version: int = 1) -> bytes:
    """A HELLO or CONFIRM, without what the target puts in."""
    return (bytes([kind]) + bytes(19) + struct.pack("<HH", version, 0) + b"a client's nonce").ljust(
        size, b"\0"
    )


def hello(**where: int) -> bytes:
    """A HELLO of nonce, padding and all."""
    payload = handshake_datagram(1, 40)[:40].ljust(64, b"\0")
    return step(payload, flags=RIGHT_HEADER | where.pop("flags", 0), **where)


def confirm(size: int = 508, version: int = 1, **where: int) -> bytes:
    """A CONFIRM with the cookie of the last HELLO."""
    flags = RIGHT_HEADER | RIGHT_PROOF | where.pop("flags", 0)
    return step(handshake_datagram(3, 64, version)[:40].ljust(size, b"\0"), flags=flags, **where)


def sessions() -> dict[str, bytes]:
    """What is said about sessions, by name."""
    close = step(bytes([6]) + bytes(19) + b"\x01\0\0\0" + bytes(16), flags=OPENED | RIGHT_HEADER)
    path = bytes([8]) + bytes(19) + b"TOKEN..." + bytes(16)
    moved = step(path, address=9, flags=OPENED | RIGHT_HEADER | CHALLENGE)
    connect = hello() + confirm()
    return {
        "hello": hello(),
        "hello-unknown": step(handshake_datagram(1, 40)[:40].ljust(64, b"\0")),
        "hello-revoked": hello(player=3),
        "hello-version": step(handshake_datagram(1, 40, 2)[:40].ljust(64, b"\0"), flags=RIGHT_HEADER),
        "hello-short": step(handshake_datagram(1, 63), flags=RIGHT_HEADER),
        "welcome-to-us": step(handshake_datagram(4, 508), flags=RIGHT_HEADER),
        "connect": connect,
        "connect-1400": hello() + confirm(1400),
        "confirm-short": hello() + confirm(507),
        "confirm-long": hello() + confirm(1401),
        "confirm-version": hello() + confirm(version=2),
        "confirm-elsewhere": hello() + confirm(address=2),
        "confirm-late": hello() + confirm(quarters=17),
        "confirm-unproved": hello() + step(handshake_datagram(3, 508), flags=RIGHT_HEADER),
        "confirm-again": hello() + confirm(1400) + confirm(1400, quarters=1) + confirm(508, quarters=1),
        "confirm-other-worker": connect + hello(quarters=1) + confirm(flags=SECOND),
        "once": hello(player=2) + confirm(player=2) + hello(player=2, quarters=1) + confirm(player=2),
        "expired": hello() + step(quarters=255) + hello() + confirm(),
        "replaced": connect + hello(address=9, quarters=1) + confirm(address=9),
        "closed": connect + close + confirm() + hello(quarters=1) + confirm(),
        "moved": connect + moved + moved,
        "moved-late": connect
        + step(address=9, flags=CHALLENGE)
        + step(path, address=9, quarters=20, flags=OPENED),
        "restarted": connect + step(address=2, flags=BREAK) + confirm() + close,
        "idle": connect + step(address=1, quarters=140, flags=BREAK) + hello() + confirm(),
    }


SEAL, HANDSHAKE, END, PASS, EGRESS, NEW_PROCESS = 4, 8, 16, 32, 64, 128  # of fuzz_sealed.c
ACK_NOW = 1  # flag of a header


def packet(
    payload: bytes, *, player: int = 0, address: int = 0, tens_of_ms: int = 0, flags: int = END
) -> bytes:
    """One datagram as fuzz_sealed reads it."""
    return struct.pack("<BBBH", flags | player, address, tens_of_ms, len(payload)) + payload


def sealed(body: bytes, *, kind: int = 5, flags: int = ACK_NOW, ack: int = 1, again: int = 0) -> bytes:
    """What is to be sealed, and how."""
    return bytes([kind, flags, ack, again]) + body


def datagrams_of_sessions() -> dict[str, bytes]:
    """Sealed and other datagrams for the whole pipeline, by name."""
    seal = SEAL | END
    move = said(1, struct.pack("<6f", 1, 2, 3, -1, 0, 0.5))
    heartbeat, to_other = said(4, b""), struct.pack("<IBBH", 2, 1, 0, 5) + b"hello"
    chat = said(3, to_other, RELIABLE)
    piece = said(7, struct.pack("<HHI", 0, 2, 1) + b"half", RELIABLE | FRAGMENT)
    rest = said(7, struct.pack("<HH", 1, 2) + b"another", RELIABLE | FRAGMENT, 1)
    hello = handshake_datagram(1, 64)
    join = packet(handshake_datagram(1, 40).ljust(64, b"\0"), player=2, flags=HANDSHAKE | END)
    join += packet(handshake_datagram(3, 508)[:40].ljust(508, b"\0"), player=2, flags=HANDSHAKE | END)
    return {
        "move": packet(sealed(move), flags=seal),
        "move-quiet": packet(sealed(move, flags=0), flags=seal) + packet(b"", tens_of_ms=5, flags=PASS),
        "fifty": packet(sealed(heartbeat * 50), flags=seal),
        "fifty-one": packet(sealed(heartbeat * 51), flags=seal),
        "replayed": packet(sealed(move), flags=seal) + packet(sealed(move, again=1), flags=seal),
        "twice-in-a-burst": packet(sealed(move), flags=SEAL) + packet(sealed(move, again=1), flags=seal),
        "chat-to-other": packet(sealed(chat), flags=seal) + packet(b"", tens_of_ms=2, flags=EGRESS | PASS),
        "chat-unacknowledged": packet(sealed(chat), flags=seal)
        + b"".join(packet(b"", tens_of_ms=50, flags=PASS) for _ in range(6)),
        "fragments": packet(sealed(piece), flags=seal) + packet(sealed(rest), flags=seal),
        "fragment-out-of-order": packet(sealed(rest), flags=seal) + packet(sealed(piece), flags=seal),
        "offence": packet(sealed(piece), flags=seal)
        + packet(sealed(rest.replace(b"\1\0\2", b"\0\0\2")), flags=seal),
        "close": packet(sealed(b"\1\0\0\0", kind=6, flags=0), flags=seal) + packet(sealed(move), flags=seal),
        "close-in-a-burst": packet(sealed(b"\1\0\0\0", kind=6, flags=0), flags=SEAL)
        + packet(sealed(move), flags=seal),
        "path-response": packet(sealed(bytes(8), kind=8, flags=0), flags=seal),
        "moved": packet(sealed(move), address=80, flags=seal)
        + packet(sealed(b"TOKEN...", kind=8, flags=0), address=80, flags=seal)
        + packet(sealed(move), address=80, flags=seal),
        "revoked": packet(handshake_datagram(1, 64), player=3, flags=HANDSHAKE | END),
        "restarted": packet(sealed(chat), flags=seal) + packet(sealed(move), flags=NEW_PROCESS | seal),
        "idle": packet(b"", tens_of_ms=255, flags=PASS) * 13 + packet(sealed(move), flags=seal),
        "join": join,
        "not-sealed": packet(bytes([5, 0, 36, 0]) + bytes(32)),
        "hello": packet(hello),
        "all-kinds": b"".join(packet(sealed(b"", kind=kind, flags=0), flags=SEAL) for kind in range(11)),
    }


def main() -> None:
    """Write them all."""
    write("fuzz_session", sessions())
    write("fuzz_sealed", datagrams_of_sessions())


if __name__ == "__main__":
    main()
