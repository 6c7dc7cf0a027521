# SPDX-License-Identifier: BSD-3-Clause
"""Bodies of WORLD_STATE by chance, faster than hypothesis draws them, and such with bits that are wrong."""

from __future__ import annotations

from random import Random

from pyshim.protocol.world.record import Place, Record
from pyshim.protocol.world.shapes import CODES, widths
from pyshim.protocol.world.state import (
    Empty,
    Full,
    Games,
    Glimpse,
    Older,
    SlotException,
    Sort,
    Strip,
    WorldState,
)

SHAPES = sorted(CODES)


def record(rng: Random) -> Record:
    if rng.random() < 0.3:
        return Record()
    zigzag = [rng.getrandbits(width) if width else 0 for width in widths(rng.choice(SHAPES))]
    vx, vy, vz, x, y, z = (one // 2 if one % 2 == 0 else -(one + 1) // 2 for one in zigzag)
    return Record((vx, vy, vz), (x, y, z))


def place(rng: Random) -> Place:
    x, y, z = (rng.getrandbits(21) for _ in range(3))
    vx, vy, vz = (rng.getrandbits(16) - (1 << 15) for _ in range(3))
    return Place((x, y, z), (vx, vy, vz))


def exceptions(rng: Random, slot: int) -> list[SlotException]:
    said: list[SlotException] = []
    match rng.randrange(5):
        case 0 | 1:
            said.append(Older(slot, rng.randrange(1, 32), record(rng)))
        case 2:
            sort = rng.choice(list(Sort))
            said.append(Full(slot, rng.getrandbits(20), rng.getrandbits(32), sort, place(rng)))
        case 3:
            return [Empty(slot)]
    if rng.random() < 0.3 or not said:
        said.append(Games(slot, rng.getrandbits(8), rng.randbytes(rng.randrange(33))))
    return said


def strip(rng: Random) -> Strip:
    glimpses = [
        Glimpse(rng.getrandbits(20), rng.getrandbits(8), rng.getrandbits(8)) for _ in range(rng.randrange(5))
    ]
    return Strip(rng.getrandbits(16), rng.getrandbits(16), tuple(glimpses))


def state(rng: Random) -> WorldState:
    slots = rng.sample(range(32), rng.choice((0, 1, 2, 5, 32)))
    base = rng.randrange(32)
    present = sorted(slots[: len(slots) // 2]) if base else []
    said = [one for slot in slots[len(present) :][:6] for one in exceptions(rng, slot)]
    strips = tuple(strip(rng) for _ in range(rng.randrange(3)))
    records = tuple((slot, record(rng)) for slot in present)
    return WorldState(rng.getrandbits(16), rng.getrandbits(8), base, records, tuple(said), strips)


def broken(rng: Random, body: bytes) -> bytes:
    """With some bits turned, cut off, or with more behind it."""
    what = rng.randrange(6)
    if what == 0:
        return body[: rng.randrange(len(body))]
    if what == 1:
        return body + rng.randbytes(rng.randrange(1, 4))
    turned = bytearray(body)
    for _ in range(rng.randrange(1, 4)):
        bit = rng.randrange(8 * len(turned)) if what < 5 else rng.randrange(24, 80)
        turned[bit // 8] ^= 1 << bit % 8
    return bytes(turned)
