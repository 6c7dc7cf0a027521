# SPDX-License-Identifier: BSD-3-Clause
"""Write the seeds of the fuzz target of recordings: see make_corpus.py."""

from __future__ import annotations

import struct

from make_corpus import write

PART, ADD, REMOVE, MOVE, BEGIN, STEP, RERANK_BEGIN, RERANK_STEP, SLICES, ENTITY, WHOLE, STATE = range(1, 13)
SIZE = 30000, 30000, 3000
NOBODY = 2**32 - 1
BLOCK = 65536


def entry(kind: int, layout: str = "", *values: int, more: int = 0, world: int = 0) -> bytes:
    """One entry of a journal."""
    return struct.pack("<BBH", kind, world, more) + struct.pack(f"<{layout}", *values)


def part(capacity: int = 64, frames: int = 32, world: int = 0) -> bytes:
    """A part is made at tick 1000."""
    return entry(PART, "II3iII", capacity, frames, *SIZE, 64, 1000, world=world)


def where(x: int = 5, told: int = 256000) -> tuple[int, ...]:
    """A place, moving."""
    return x, 6, 7, told, 8, -8, 0, 0


def move(rank: int, x: int = 5) -> bytes:
    """Somebody moves."""
    return entry(MOVE, "IiiiIhhhH", rank, *where(x))


def add(number: int, rank: int) -> bytes:
    """Somebody comes."""
    return entry(ADD, "II", number, number + 100) + move(rank)


def tick(number: int, *, rerank: bool = False) -> bytes:
    """A frame, in one step."""
    return entry(BEGIN, "III", number, 1, 2, more=int(rerank)) + entry(STEP, "IIII", 999, 0, 2, 0, more=1)


def entity(rank: int, number: int) -> bytes:
    """Somebody of whom nothing was known."""
    return entry(ENTITY, "IIIiiiIhhhH", rank, number, 9, *where())


def slices(count: int) -> bytes:
    """All of them follow."""
    return entry(SLICES, "II3iIIIIII", 64, 32, *SIZE, 64, count, count, 1500, 1400, 1000)


def state(number: int, identity: int, text: bytes, *, longer: int = 0) -> bytes:
    """The game says something of somebody."""
    return entry(STATE, "II", number, identity, more=len(text) + longer) + text.ljust(32, b"\0")


def journals() -> dict[str, bytes]:
    """Lives of parts, and what cannot have been."""
    two = part() + add(1, 0) + add(2, 1)
    life = two + b"".join(tick(1001 + n) for n in range(40))
    rerank = entry(RERANK_BEGIN) + entry(RERANK_STEP, "I", 9999, more=1)
    return {
        "life": life + move(0) + tick(1041),
        "rerank": life + rerank + tick(1041, rerank=True) + move(1) + tick(1042),
        "removed": life + entry(REMOVE, "I", 0) + rerank + tick(1041, rerank=True) + add(3, 1) + tick(1042),
        "slices": move(9)
        + slices(2)
        + entity(0, 7)
        + tick(1501)
        + entity(1, NOBODY)
        + entry(WHOLE)
        + tick(1502),
        "slices-cut": slices(2) + entity(0, 7) + entry(RERANK_BEGIN) + tick(1501) + slices(0) + entry(WHOLE),
        "worlds": part() + part(world=31) + add(1, 0) + tick(1001),
        "block": part() + entry(0) + bytes(BLOCK - len(part()) - 4) + add(1, 0) + tick(1001),
        "states": two
        + state(1, 101, b"oak")
        + tick(1001)
        + state(2, 102, bytes(range(32)))
        + state(1, 101, b"")
        + tick(1002),
        "states-slices": slices(1) + entity(0, 7) + state(7, 9, b"oak") + entry(WHOLE) + tick(1501),
        "states-long": two + state(1, 101, bytes(32), longer=1) + tick(1001),
        "states-nobody": two + state(NOBODY, 1, b"oak") + tick(1001),
        "outside": part() + add(1, 0) + move(0, x=30000),
        "no-rank": part() + move(0),
        "no-end": two + entry(BEGIN, "III", 1001, 1, 2) + tick(1002),
        "huge": part(capacity=2**20, frames=1024),
        "odd": part(capacity=65),
    }


if __name__ == "__main__":
    write("fuzz_journal", journals())
