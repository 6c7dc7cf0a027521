# SPDX-License-Identifier: BSD-3-Clause
"""What players of a world saw and heard, and what the model says to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


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
        if not self.checked:
            yield "nobody was told of anybody: nothing could be checked"
