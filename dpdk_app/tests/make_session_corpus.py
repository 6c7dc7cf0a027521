# SPDX-License-Identifier: BSD-3-Clause
"""Write the seeds of fuzz_session and fuzz_sealed: what is said about sessions, and in them.

fuzz_fast reads the same bytes as fuzz_sealed: its corpus is a link to that folder.

Run from anywhere, with the `protocol` extra installed: python dpdk_app/tests/make_session_corpus.py
"""

from __future__ import annotations

import struct

from make_corpus import FRAGMENT, PIECE_BYTES, RELIABLE, said, write

RIGHT_HEADER, RIGHT_PROOF, SECOND, OPENED, CHALLENGE, BREAK = 4, 8, 16, 32, 64, 128  # of fuzz_session.c


def step(
    payload: bytes = b"", *, player: int = 0, address: int = 1, quarters: int = 0, flags: int = 0
) -> bytes:
    """One datagram as fuzz_session reads it."""
    return struct.pack("<BBBH", flags | player, address, quarters, len(payload)) + payload


def handshake_datagram(kind: int, size: int, version: int = 2) -> bytes:
    """A HELLO or CONFIRM, without what the target puts in."""
    return (bytes([kind]) + bytes(11) + struct.pack("<HH", version, 0) + b"a client's nonce").ljust(
        size, b"\0"
    )


def sealed_step(kind: int, body: bytes, **where: int) -> bytes:
    """A datagram that was sealed and opened, with room for its tag."""
    flags = OPENED | RIGHT_HEADER | where.pop("flags", 0)
    return step(bytes([kind]) + bytes(11) + body + bytes(16), flags=flags, **where)


def hello(version: int = 2, **where: int) -> bytes:
    """A HELLO of nonce, padding and all."""
    flags = RIGHT_HEADER | where.pop("flags", 0)
    return step(handshake_datagram(1, 72, version), flags=flags, **where)


def confirm(size: int = 508, version: int = 2, **where: int) -> bytes:
    """A CONFIRM with the cookie of the last HELLO."""
    flags = RIGHT_HEADER | RIGHT_PROOF | where.pop("flags", 0)
    return step(handshake_datagram(3, size, version), flags=flags, **where)


def sessions() -> dict[str, bytes]:
    """What is said about sessions, by name."""
    close = sealed_step(6, b"\x01" + bytes(7))
    moved = sealed_step(8, b"TOKEN...", address=9, flags=CHALLENGE)
    connect = hello() + confirm()
    return {
        "hello": hello(),
        "hello-unknown": step(handshake_datagram(1, 72)),
        "hello-revoked": hello(player=3),
        "hello-version": hello(version=1),
        "hello-short": step(handshake_datagram(1, 71), flags=RIGHT_HEADER),
        "welcome-to-us": step(handshake_datagram(4, 508), flags=RIGHT_HEADER),
        "connect": connect,
        "connect-1400": hello() + confirm(1400),
        "confirm-short": hello() + confirm(507),
        "confirm-long": hello() + confirm(1401),
        "confirm-version": hello() + confirm(version=1),
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
        + sealed_step(8, b"TOKEN...", address=9, quarters=20),
        "restarted": connect + step(address=2, flags=BREAK) + confirm() + close,
        "idle": connect + step(address=1, quarters=140, flags=BREAK) + hello() + confirm(),
    }


RENAMED, BEFORE = 0x80, 0x40  # of a kind: under the spare from now on, under the number before
SEAL, HANDSHAKE, END, PASS, EGRESS, NEW_PROCESS = 4, 8, 16, 32, 64, 128  # of fuzz_sealed.c
AT_ONCE = 1  # what a DATA wants


def packet(
    payload: bytes, *, player: int = 0, address: int = 0, tens_of_ms: int = 0, flags: int = END
) -> bytes:
    """One datagram as fuzz_sealed reads it."""
    return struct.pack("<BBBH", flags | player, address, tens_of_ms, len(payload)) + payload


def sealed(body: bytes, *, kind: int = 5, flags: int = AT_ONCE, ack: int = 1, again: int = 0) -> bytes:
    """What is to be sealed, and how."""
    return bytes([kind, flags, ack, again]) + body


def datagrams_of_sessions() -> dict[str, bytes]:
    """Sealed and other datagrams for the whole pipeline, by name."""
    seal = SEAL | END
    move = said(1, struct.pack("<6f", 1, 2, 3, -1, 0, 0.5))
    heartbeat, to_other = said(4, b""), struct.pack("<IBBH", 2, 1, 0, 5) + b"hello"
    chat = said(3, to_other, RELIABLE)
    piece = said(7, struct.pack("<HHI", 0, 2, 1) + bytes(PIECE_BYTES - 4), RELIABLE | FRAGMENT)
    rest = said(7, struct.pack("<HH", 1, 2) + b"another", RELIABLE | FRAGMENT, 1)
    close = sealed(b"\1" + bytes(7), kind=6, flags=0)
    join = packet(handshake_datagram(1, 72), player=2, flags=HANDSHAKE | END)
    join += packet(handshake_datagram(3, 508), player=2, flags=HANDSHAKE | END)
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
        "close": packet(close, flags=seal) + packet(sealed(move), flags=seal),
        "close-in-a-burst": packet(close, flags=SEAL) + packet(sealed(move), flags=seal),
        "join-and-leave": join
        + packet(sealed(move), player=2, flags=seal)
        + packet(close, player=2, flags=seal)
        + join,
        "lost": packet(sealed(move), player=2, flags=seal),
        "ping": packet(sealed(said(12, b"ping")), flags=seal),
        "unknown-type": packet(sealed(said(99, b"whatever") + move), flags=seal),
        "over-the-limit": b"".join(packet(sealed(said(4, b"") * 50), flags=seal) for _ in range(3)),
        "wants": b"".join(packet(sealed(heartbeat, flags=flags), flags=seal) for flags in (2, 0, 16)),
        "probe-twice": packet(sealed(bytes(40), kind=11, flags=0), flags=seal) * 2,
        "probe": packet(sealed(bytes(988), kind=11, flags=0), flags=seal),
        "path-response": packet(sealed(bytes(8), kind=8, flags=0), flags=seal),
        "moved": packet(sealed(move), address=80, flags=seal)
        + packet(sealed(b"TOKEN...", kind=8, flags=0), address=80, flags=seal)
        + packet(sealed(move), address=80, flags=seal),
        "revoked": packet(handshake_datagram(1, 72), player=3, flags=HANDSHAKE | END),
        "restarted": packet(sealed(chat), flags=seal) + packet(sealed(move), flags=NEW_PROCESS | seal),
        "idle": packet(b"", tens_of_ms=255, flags=PASS) * 13 + packet(sealed(move), flags=seal),
        "join": join,
        "not-sealed": packet(bytes([5, 0, 40, 0]) + bytes(36)),
        "hello": packet(handshake_datagram(1, 72)),
        "renamed": packet(sealed(move, kind=5 | RENAMED), flags=seal)
        + packet(sealed(move, kind=5 | BEFORE), flags=seal)
        + packet(b"", tens_of_ms=2, flags=EGRESS | PASS)
        + packet(sealed(move, kind=5 | RENAMED, ack=2), flags=seal)
        + packet(b"", tens_of_ms=255, flags=PASS) * 2
        + packet(sealed(move, kind=5 | BEFORE), flags=seal)
        + packet(close, flags=seal)
        + packet(sealed(move), flags=seal),
        "renamed-in-a-burst": packet(sealed(move), flags=SEAL)
        + packet(sealed(move, kind=5 | RENAMED), flags=SEAL)
        + packet(sealed(move, kind=5 | BEFORE), flags=SEAL)
        + packet(sealed(move), flags=seal),
        "renamed-elsewhere": packet(sealed(chat, kind=5 | RENAMED), address=80, flags=seal)
        + packet(sealed(b"TOKEN...", kind=8, flags=0), address=80, flags=seal)
        + packet(sealed(move), address=80, flags=seal),
        "renamed-restarted": packet(sealed(move, kind=5 | RENAMED), flags=seal)
        + packet(sealed(move), flags=NEW_PROCESS | seal)
        + packet(b"", tens_of_ms=2, flags=EGRESS | PASS)
        + packet(sealed(move, kind=5 | RENAMED), flags=seal),
        "all-kinds": b"".join(packet(sealed(b"", kind=kind, flags=0), flags=SEAL) for kind in range(13)),
    }


def main() -> None:
    """Write them all."""
    write("fuzz_session", sessions())
    write("fuzz_sealed", datagrams_of_sessions())


if __name__ == "__main__":
    main()
