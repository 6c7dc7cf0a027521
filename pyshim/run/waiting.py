# SPDX-License-Identifier: BSD-3-Clause
"""A worker process that cannot start because something is not there: tried again, ever later, without end.

Once the gateway has served, a device, an address or a resource that is missing may come back, and until then
every session is worth keeping. It is no crash, and no reason to end.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 5.0
REMIND_S = 60.0  # the same reason is told again after this time


@dataclass(frozen=True, slots=True)
class Waiting:
    """The tries in a row that found something missing. A value: time comes in, a new value comes out."""

    tries: int = 0
    reason: str = ""
    told_s: float = 0.0

    def missed(self, reason: str, now_s: float) -> tuple[Waiting, bool]:
        """One more try failed at `now_s`; the new value, and whether to tell the reason."""
        tell = reason != self.reason or now_s - self.told_s >= REMIND_S
        return Waiting(self.tries + 1, reason, now_s if tell else self.told_s), tell

    @property
    def wait_s(self) -> float:
        """How long before the next try: 0.2, 0.4, 0.8 ... 5 s."""
        return float(min(FIRST_WAIT_S * 2 ** min(max(self.tries - 1, 0), 16), LONGEST_WAIT_S))

    @property
    def obstacles(self) -> tuple[str, ...]:
        """What is missing, for whoever asks why the gateway is not ready."""
        return (self.reason,) if self.tries else ()

    def over(self) -> Waiting:
        """It started."""
        return replace(self, tries=0, reason="")
