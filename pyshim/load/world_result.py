# SPDX-License-Identifier: BSD-3-Clause
"""What players of a world saw and heard, and what the model says to it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

_NANOSECOND = 1e-9
_LOOK_TICKS = 16  # as in the model: so many in a row
_JUDGED_TICKS = 4 * _LOOK_TICKS  # who has been there for twice as many, and until it is the player's turn


@dataclass(frozen=True, slots=True)
class WorldCounts:
    """The model's counters; struct pg_load_world_counts says what each means."""

    states: int
    state_bytes: int
    skipped: int
    checked: int
    strangers: int
    unchecked: int
    wrong: int
    aged: int
    entered: int
    left: int
    looks: int
    due: int
    missing: int
    beyond: int
    corrections: int
    worlds: int
    glimpses: int
    glimpses_unknown: int
    glimpses_wrong: int
    glimpses_beyond: int
    unseen: int
    unseen_late: int
    unseen_sum_ns: int
    unseen_max_ns: int
    events_said: int
    events_due: int
    events_heard: int
    events_lost: int
    events_duplicated: int
    events_stray: int
    events_disordered: int
    events_doubtful: int
    events_given_up: int
    moved: int
    dropped: int
    doubled: int
    delayed: int

    @property
    def unseen_sum_s(self) -> float:
        """Of all times for which somebody went unseen."""
        return self.unseen_sum_ns * _NANOSECOND

    @property
    def unseen_max_s(self) -> float:
        """The longest of them."""
        return self.unseen_max_ns * _NANOSECOND

    @property
    def faults(self) -> tuple[str, ...]:
        """What must not be, a sentence each; () when all is as it should be."""
        return tuple(self._faults())

    def _faults(self) -> Iterator[str]:
        if self.wrong:
            yield f"{self.wrong:,} of {self.checked:,} places were told where nobody was"
        if self.missing:
            yield f"{self.missing:,} of {self.due:,} who had to be in sight were not"
        if self.beyond:
            yield f"{self.beyond:,} were in sight beyond the leave radius"
        if self.glimpses_wrong:
            yield f"{self.glimpses_wrong:,} of {self.glimpses:,} glimpses were of where nobody was"
        if self.glimpses_beyond:
            yield f"{self.glimpses_beyond:,} of {self.glimpses:,} glimpses were of beyond the radius"
        if self.unseen_late:
            yield (
                f"{self.unseen_late:,} of {self.unseen:,} times somebody in range and without a slot went "
                "unseen for longer than may be"
            )
        if self.events_lost > self.events_given_up:
            yield (
                f"{self.events_lost:,} of {self.events_due:,} events were not heard, and the gateway said so "
                f"of {self.events_given_up:,}"
            )
        if self.events_duplicated:
            yield f"{self.events_duplicated:,} events were heard twice"
        if self.events_stray:
            yield f"{self.events_stray:,} events were heard by who was not meant"
        if self.events_disordered:
            yield f"{self.events_disordered:,} events were heard before an earlier one"
        if not self.checked and not self.looks:
            yield "nobody was told of anybody: nothing could be checked"

    def warnings(self, tick_hz: int) -> tuple[str, ...]:
        """What could not be judged in a world of so many ticks a second, a sentence each; () when all was."""
        return tuple(self._warnings(tick_hz))

    def _warnings(self, tick_hz: int) -> Iterator[str]:
        if not self.looks:
            yield (
                "nobody was there for long enough to be judged by whom they have in sight: at "
                f"{tick_hz} Hz that takes up to {math.ceil(_JUDGED_TICKS / tick_hz)} s"
            )
        elif self.checked and not self.due:
            yield (
                "nobody was surely near enough to anybody to be judged by whom they have in sight: "
                f"at {tick_hz} Hz that is who stays so for {_LOOK_TICKS / tick_hz:g} s; let them walk slower"
            )
