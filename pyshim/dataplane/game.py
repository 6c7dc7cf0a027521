# SPDX-License-Identifier: BSD-3-Clause
"""Memory between workers and game processes, as the supervisor makes it."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import Any

from pyshim.dataplane.library import check, ffi, lib, new_error
from pyshim.plan import HUGE_PAGE_BYTES

RING_BYTES_MIN = 4096

_RELEASED_AT = 0  # in struct bus_file: how far its owner has read the other's ring
_MAGIC_AT = 256  # stored last when a ring is made
_FIRST_AT = 272
_BEGUN_AT = 512  # messages that its writer began, ever
_TALLIES_AT = 560  # two, of which the later one says up to where a worker has written
_TALLY = struct.Struct("<QQ")  # position, count
_NUMBER_BYTES = 8
_MESSAGES_MAX = (1 << 32) - 1  # of a gap


def game_file(name: str, ring_bytes: int, before: int = -1, *, huge: bool = False) -> int:
    """A new file with a ring, the caller's to close; `before`: that of a dead worker, whose place it takes.

    `huge`: in huge pages, if so many are free.

    Raises:
        UnavailableError: there is no memory for it, or the one before says what cannot be.
    """
    error = new_error()
    return _made(lib.pg_game_file(name.encode(), ring_bytes, huge, before, error), error)


def blank_game_file(name: str, ring_bytes: int, *, huge: bool = False) -> int:
    """A new file, the caller's to close, in which a worker goes on when a process is gone.

    Raises:
        UnavailableError: there is no memory for it.
    """
    error = new_error()
    return _made(lib.pg_game_blank_file(name.encode(), ring_bytes, huge, error), error)


def next_game_file(
    name: str, ring_bytes: int, before: int, positions: tuple[int, int], *, huge: bool = False
) -> int:
    """A new file for a process that goes on at these positions, written and read; the caller's to close.

    `before` is that of the process before it, or -1; nothing in it is believed.

    Raises:
        UnavailableError: there is no memory for it.
    """
    error = new_error()
    fd = lib.pg_game_next_file(name.encode(), ring_bytes, huge, before, *positions, error)
    return _made(fd, error)


def _made(fd: int, error: Any) -> int:
    if fd < 0:
        check(error.code, error)
    os.set_inheritable(fd, False)
    return fd


def game_gap_file(name: str, ring_bytes: int, before: int, end: int, messages: int) -> int:
    """A file in place of several of dead workers: a gap.

    `before` is the last of them, `end` where the next one begins.

    Raises:
        UnavailableError: there is no memory for it.
    """
    error = new_error()
    counted = min(messages, _MESSAGES_MAX)
    return _made(lib.pg_game_gap_file(name.encode(), ring_bytes, False, before, end, counted, error), error)


@dataclass(frozen=True, slots=True)
class Left:
    """What a process has not read of a worker's file."""

    records: int = 0
    messages: int = 0  # of players

    def __add__(self, other: Left) -> Left:
        """Of both."""
        return Left(self.records + other.records, self.messages + other.messages)


def left_in(fd: int, ring_bytes: int, read_to: int) -> Left:
    """What lies there from a position on; as far as it can be told, because the process says the position."""
    found: Any = ffi.new("struct pg_game_left *")
    lib.pg_game_left(fd, ring_bytes, read_to, found, new_error())
    return Left(found.records, found.messages)


def seal_game_file(fd: int) -> None:
    """Its writer has mapped it: nobody else can for writing from now on.

    Raises:
        UnavailableError: the kernel refuses it.
    """
    error = new_error()
    check(lib.pg_game_seal(fd, error), error)


def released(fd: int) -> int:
    """How far the owner of this file has read the other's ring: a position, if it tells the truth."""
    return _number(fd, _RELEASED_AT)


def is_huge(fd: int) -> bool:
    """Whether a file is in huge pages."""
    return os.fstat(fd).st_blksize >= HUGE_PAGE_BYTES


def first_position(fd: int) -> int:
    """Where the ring of a file begins."""
    return _number(fd, _FIRST_AT)


def is_written(fd: int) -> bool:
    """Whether a worker has gone on in a file that was blank."""
    return _number(fd, _MAGIC_AT) != 0


def written_to(fd: int) -> int:
    """How far the worker that writes a file has, as it told when it last showed what it wrote."""
    tallies = os.pread(fd, 2 * _TALLY.size, _TALLIES_AT)
    return max(int(position) for position, _ in _TALLY.iter_unpack(tallies))


def begun(fd: int) -> int:
    """How many messages the writer of a file has begun, as it says itself."""
    return _number(fd, _BEGUN_AT)


def _number(fd: int, at: int) -> int:
    return int.from_bytes(os.pread(fd, _NUMBER_BYTES, at), "little")
