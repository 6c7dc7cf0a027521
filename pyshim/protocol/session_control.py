# SPDX-License-Identifier: BSD-3-Clause
"""Bodies of what the ends of the `session` profile say to each other and no game hears: limits, refusals,
what a crash left, the number for another network.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from pyshim.protocol.session_wire import LIMITS_MAX, expect

_LIMIT = struct.Struct("<BBHI")
_LIMITS = struct.Struct("<HH")
_BUSY = struct.Struct("<IBBH")
_RESTARTED = struct.Struct("<H4H32s4H")
_NUMBER = struct.Struct("<III")
_COUNTER_MASK = 0xFFFFFFFF
BUSY_BYTES = _BUSY.size
RESTARTED_BYTES = _RESTARTED.size


@dataclass(frozen=True, slots=True)
class Limit:
    """So many of a type of message at once, and so many a minute; type 0: datagrams."""

    type: int
    burst: int
    per_minute: int


def pack_limits(limits: Iterable[Limit]) -> bytes:
    """Entries of WELCOME or LIMITS."""
    return b"".join(_LIMIT.pack(limit.type, 0, limit.burst, limit.per_minute) for limit in limits)


def read_limits(entries: bytes) -> tuple[Limit, ...]:
    """Entries of WELCOME or LIMITS.

    Raises:
        WireError: there are too many, or one of them cannot be.
    """
    expect(len(entries) <= LIMITS_MAX * _LIMIT.size, f"{len(entries)} bytes of limits")
    limits = []
    for kind, reserved, burst, per_minute in _LIMIT.iter_unpack(entries):
        expect(reserved == 0, "reserved byte of a limit")
        limits.append(Limit(kind, burst, per_minute))
    return tuple(limits)


def read_limits_message(body: bytes) -> tuple[int, tuple[Limit, ...]]:
    """Version and entries of LIMITS.

    Raises:
        WireError: it has another length.
    """
    expect(len(body) >= _LIMITS.size, f"{len(body)} bytes of LIMITS")
    version, number = _LIMITS.unpack_from(body)
    expect(len(body) == _LIMITS.size + number * _LIMIT.size, f"{len(body)} bytes of {number} limits")
    return version, read_limits(body[_LIMITS.size :])


@dataclass(frozen=True, slots=True)
class Busy:
    """A datagram was not taken, and why."""

    counter: int
    reason: int
    type: int
    retry_ms: int

    def pack(self) -> bytes:
        """Its body."""
        return _BUSY.pack(self.counter, self.reason, self.type, self.retry_ms)


def read_busy(body: bytes) -> Busy:
    """The body of a BUSY, which was checked."""
    return Busy(*_BUSY.unpack(body))


@dataclass(frozen=True, slots=True)
class Restarted:
    """What the gateway knows of a connection after a crash."""

    epoch: int
    next_in: tuple[int, ...]  # of each channel: all before it were delivered
    seen: int  # of channel 3: bit n: next_in[3] + n was delivered
    next_out: tuple[int, ...]  # of each channel: the next id that it uses

    def pack(self) -> bytes:
        """Its body."""
        return _RESTARTED.pack(self.epoch, *self.next_in, self.seen.to_bytes(32, "little"), *self.next_out)


def read_restarted(body: bytes) -> Restarted:
    """The body of a RESTARTED, which was checked."""
    epoch, *others = _RESTARTED.unpack(body)
    return Restarted(epoch, tuple(others[:4]), int.from_bytes(others[4], "little"), tuple(others[5:]))


@dataclass(frozen=True, slots=True)
class Number:
    """A number under which a connection is seen, and what is added to the counter of the header under it."""

    session: int  # 0: none
    offset: tuple[int, int] = (0, 0)  # from the client, from the gateway

    def pack(self) -> bytes:
        """The body of a NUMBER."""
        return _NUMBER.pack(self.session, *self.offset)

    def shown(self, counter: int, *, to_gateway: bool) -> int:
        """What the header has of a counter."""
        return (counter + self.offset[0 if to_gateway else 1]) & _COUNTER_MASK

    def counter(self, shown: int, *, to_gateway: bool) -> int:
        """The counter of what the header has."""
        return (shown - self.offset[0 if to_gateway else 1]) & _COUNTER_MASK


def read_number(body: bytes) -> Number:
    """The body of a NUMBER, which was checked."""
    session, from_client, from_gateway = _NUMBER.unpack(body)
    return Number(session, (from_client, from_gateway))
