# SPDX-License-Identifier: BSD-3-Clause
"""When a dead worker process is started again: at once, then ever later, and at some point not any more."""

from __future__ import annotations

from dataclasses import dataclass, replace

FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 5.0


@dataclass(frozen=True, slots=True)
class Restarts:
    """The deaths so far and what follows from them. A value: time comes in, a new value comes out."""

    limit: int  # restarts allowed within the window
    window_s: float
    recent: tuple[float, ...] = ()  # times of the deaths within the window, oldest first
    total: int = 0  # deaths ever

    def died(self, now_s: float) -> Restarts:
        """One more death at `now_s`; times must not go back."""
        since = now_s - self.window_s
        recent = (*(at for at in self.recent if at > since), now_s)
        return replace(self, recent=recent, total=self.total + 1)

    def excused(self) -> Restarts:
        """One more death, which nothing follows from."""
        return replace(self, total=self.total + 1)

    @property
    def exhausted(self) -> bool:
        """Whether there were more deaths within the window than restarts are allowed."""
        return len(self.recent) > self.limit

    @property
    def wait_s(self) -> float:
        """How long before the next start: nothing after a single death, then 0.1, 0.2, 0.4 ... 5 s."""
        if len(self.recent) <= 1:
            return 0.0
        doublings = min(len(self.recent) - 2, 16)  # a float holds it, whatever the limit
        return float(min(FIRST_WAIT_S * 2**doublings, LONGEST_WAIT_S))
