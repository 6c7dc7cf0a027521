# SPDX-License-Identifier: BSD-3-Clause
"""Bodies of WORLD_STATE that no gateway sends, by what is wrong with them."""

from __future__ import annotations

import struct

from pyshim.protocol.world.bits import BitWriter

HEAD = struct.Struct("<HBBIBB")


def of_bits(*fields: tuple[int, int], exceptions: int = 0, present: int = 0, base: int = 0) -> bytes:
    bits = BitWriter()
    for value, width in fields:
        bits.put(value, width)
    return HEAD.pack(0, 0, base, present, exceptions, 0) + bits.written()


REFUSED = {
    "a head that is cut off": HEAD.pack(0, 0, 0, 0, 0, 0)[:-1],
    "a common baseline of 32 ticks": of_bits(base=32),
    "records without a common baseline": of_bits((0, 1), present=1),
    "a record that is not there": of_bits(base=1, present=1),
    "an exception that is not there": of_bits(exceptions=1),
    "padding that is not zeros": of_bits((0, 1), (1, 1), base=1, present=1),
    "an age of 0": of_bits((0, 5), (0, 2), (0, 5), (0, 1), exceptions=1),
    "a sort that there is not": of_bits((0, 5), (1, 2), (0, 52), (2, 2), (0, 111), exceptions=1),
    "33 bytes of the game's": of_bits((0, 5), (3, 2), (0, 8), (33, 6), (0, 264), exceptions=1),
    "a game's state of nobody": of_bits((1, 5), (2, 2), (1, 5), (3, 2), (0, 14), exceptions=2),
    "a slot that is emptied twice": of_bits((1, 5), (2, 2), (1, 5), (2, 2), exceptions=2),
    "a record of a slot that is emptied": of_bits((0, 1), (0, 5), (2, 2), exceptions=1, present=1, base=1),
    "two states of the game's": of_bits((1, 5), (3, 2), (0, 14), (1, 5), (3, 2), (0, 14), exceptions=2),
    "emptied behind the game's state": of_bits((1, 5), (3, 2), (0, 14), (1, 5), (2, 2), exceptions=2),
}
