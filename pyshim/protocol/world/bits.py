# SPDX-License-Identifier: BSD-3-Clause
"""Numbers one after the other in a row of bits: the lowest bit first, in bytes and in each number."""

from __future__ import annotations

from pyshim.protocol.session_wire import expect


class BitReader:
    """Takes numbers from the front."""

    def __init__(self, data: bytes) -> None:
        """From the first bit of `data`."""
        self._bits = int.from_bytes(data, "little")
        self._left = 8 * len(data)
        self._taken = 0

    def take(self, count: int) -> int:
        """The next number.

        Raises:
            WireError: there are not so many bits.
        """
        expect(count <= self._left, "a WORLD_STATE that is cut off")
        found = self._bits & (1 << count) - 1
        self._bits >>= count
        self._left -= count
        self._taken += count
        return found

    def take_signed(self, count: int) -> int:
        """The next number, in two's complement."""
        found = self.take(count)
        return found - (found >> count - 1 << count)

    def align(self) -> None:
        """Go to the next whole byte.

        Raises:
            WireError: a bit before it is not 0.
        """
        expect(self.take(-self._taken % 8) == 0, "padding of a WORLD_STATE that is not zeros")

    def end(self) -> None:
        """Be at the end.

        Raises:
            WireError: there are more bytes.
        """
        expect(self._left == 0, f"{self._left // 8} bytes behind a WORLD_STATE")


class BitWriter:
    """Puts numbers one behind the other."""

    def __init__(self) -> None:
        """Nothing is written yet."""
        self._bits = 0
        self._count = 0

    def put(self, number: int, count: int) -> None:
        """Write the lowest `count` bits of a number, which may be negative."""
        self._bits |= (number & (1 << count) - 1) << self._count
        self._count += count

    def align(self) -> None:
        """Fill the byte with zeros."""
        self._count += -self._count % 8

    def written(self) -> bytes:
        """All of it, in whole bytes."""
        self.align()
        return self._bits.to_bytes(self._count // 8, "little")
