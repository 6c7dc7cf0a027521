# SPDX-License-Identifier: BSD-3-Clause
"""A clock that stands while this process does not run: frozen, stopped, suspended, or without a CPU."""

from __future__ import annotations

import time
from collections.abc import Callable

FORGIVEN_S = 1.0  # between two readings; the supervisor reads twenty times a second


class RunningClock:
    """Seconds in which this process could have noticed anything.

    What was due while it could not look is not overdue: a worker process that was frozen with it has not
    stalled.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Start with the time of `monotonic`."""
        self._monotonic = monotonic
        self._last_s = monotonic()
        self._lost_s = 0.0

    def now_s(self) -> float:
        """The time. Whatever is more than FORGIVEN_S since the last reading is left out of it."""
        read_s = self._monotonic()
        self._lost_s += max(0.0, read_s - self._last_s - FORGIVEN_S)
        self._last_s = read_s
        return read_s - self._lost_s
