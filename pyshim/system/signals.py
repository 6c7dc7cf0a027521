# SPDX-License-Identifier: BSD-3-Clause
"""Signals as something to select on, so that one event loop handles them in order with everything else."""

from __future__ import annotations

import signal
import socket
from types import FrameType
from typing import Any, Self

HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Signals:
    """While open, the handled signals do nothing but make `fileno` readable. For the main thread."""

    def __init__(self) -> None:
        """Nothing changes before the block is entered."""
        self._mine, self._pythons = socket.socketpair()
        self._before: dict[signal.Signals, Any] = {}
        self._before_fd = -1

    def __enter__(self) -> Self:
        """Take the signals over."""
        for end in (self._mine, self._pythons):
            end.setblocking(False)
        self._before_fd = signal.set_wakeup_fd(self._pythons.fileno(), warn_on_full_buffer=False)
        self._before = {number: signal.signal(number, _nothing) for number in HANDLED}
        return self

    def __exit__(self, *_: object) -> None:
        """Give them back as they were."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._before_fd)
        self._mine.close()
        self._pythons.close()

    def fileno(self) -> int:
        """Readable when a signal has arrived."""
        return self._mine.fileno()

    def arrived(self) -> list[int]:
        """Numbers of the signals since the last call, in order; not only of the handled ones."""
        try:
            return list(self._mine.recv(4096))
        except BlockingIOError:
            return []


def _nothing(number: int, frame: FrameType | None) -> None:
    """A signal needs a Python handler to reach the wake-up descriptor; the event loop does the work."""
