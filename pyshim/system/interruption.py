# SPDX-License-Identifier: BSD-3-Clause
"""Interrupts that come where a command waits, and nowhere else.

Python raises KeyboardInterrupt between any two steps of a program. Between the start of a process and the
moment when somebody has noted it, that process is left for ever; inside a finaliser, the interrupt itself is
lost. So it is held back, but for the blocks that say that they may be left anywhere: where time passes.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_NUMBERS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """The handler of Ctrl-C and SIGTERM while `interrupts_held` lasts."""

    def __init__(self) -> None:
        """None has come."""
        self.came = False
        self._open = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """An interrupt has come."""
        self.came = True
        if self._open:
            self._interrupt()

    def open(self) -> None:
        """From here on it may be raised anywhere; one that came before is raised now."""
        self._open = True
        if self.came:
            self._interrupt()

    def close(self) -> None:
        """It is held back again."""
        self._open = False

    def _interrupt(self) -> None:
        self._open = False  # whoever cleans up now is not interrupted in that
        raise KeyboardInterrupt


@contextmanager
def interrupts_held() -> Iterator[Interruption]:
    """Ctrl-C and SIGTERM raise KeyboardInterrupt in `interruptible` blocks alone, and in each after them."""
    held = Interruption()
    before = {number: signal.signal(number, held) for number in _NUMBERS}
    try:
        yield held
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Interruptible:
    """A block that can be left anywhere: it waits, or computes, and has nothing to give back.

    Where interrupts are not held, it changes nothing.
    """

    def __enter__(self) -> None:
        """Raise an interrupt that came before, too: it may have been lost on its way."""
        handler = signal.getsignal(signal.SIGINT)
        self._held = handler if isinstance(handler, Interruption) else None
        if self._held is not None and threading.current_thread() is threading.main_thread():
            self._held.open()

    def __exit__(self, *_: object) -> None:
        """Hold interrupts again."""
        if self._held is not None and threading.current_thread() is threading.main_thread():
            self._held.close()


def interruptible() -> Interruptible:
    """`with interruptible(): time.sleep(1)`."""
    return Interruptible()


def sleep(seconds: float) -> None:
    """Let time pass; an interrupt ends that at once."""
    with interruptible():
        time.sleep(seconds)
