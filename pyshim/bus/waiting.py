# SPDX-License-Identifier: BSD-3-Clause
"""What waits for a process that does not read its socket now: bounded, whatever others do meanwhile."""

from __future__ import annotations

import os
from collections.abc import Sequence

from pyshim.bus.messages import subject

WAITING_MAX = 16_384  # packets for one process: all topics of all others, and some
DESCRIPTORS_MAX = 256  # with them: rings of all workers, and some of other processes

Packet = tuple[bytes, tuple[int, ...]]


class Waiting:
    """Packets in the order in which they are sent; of those about the same, only the newest."""

    def __init__(self) -> None:
        """None waits."""
        self._packets: dict[bytes | int, Packet] = {}
        self._added = 0
        self._fds = 0

    def __bool__(self) -> bool:
        """Whether one waits."""
        return bool(self._packets)

    def add(self, data: bytes, fds: Sequence[int]) -> bool:
        """Keep one; descriptors stay the caller's. False: too much waits, or no descriptor is free."""
        about = subject(data)
        key = self._added if about is None else about
        if key in self._packets:
            self._drop(key)
        if self._fds + len(fds) > DESCRIPTORS_MAX:
            self._drop_oldest(data)
        if len(self._packets) >= WAITING_MAX or self._fds + len(fds) > DESCRIPTORS_MAX:
            return False
        kept: list[int] = []
        try:
            for fd in fds:
                kept.append(os.dup(fd))  # one by one: those before one that fails are closed
        except OSError:
            _close(kept)
            return False
        self._added += 1
        self._fds += len(kept)
        self._packets[key] = (data, tuple(kept))
        return True

    def first(self) -> Packet:
        """The one that is sent next."""
        return next(iter(self._packets.values()))

    def drop_first(self) -> None:
        """It is sent."""
        self._drop(next(iter(self._packets)))

    def clear(self) -> None:
        """Nothing waits any more."""
        while self._packets:
            self.drop_first()

    def _drop_oldest(self, data: bytes) -> None:
        """Of those with descriptors that say the same: rings of processes that had the same name."""
        for key, (waits, _) in self._packets.items():
            if waits == data:
                self._drop(key)
                return

    def _drop(self, key: bytes | int) -> None:
        _, fds = self._packets.pop(key)
        self._fds -= len(fds)
        _close(fds)


def _close(fds: Sequence[int]) -> None:
    for fd in fds:
        os.close(fd)
