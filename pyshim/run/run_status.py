# SPDX-License-Identifier: BSD-3-Clause
"""What a run is known by from outside at any moment: the snapshot behind metrics, readiness and the view."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from pyshim.dataplane import RunState, StatsPage
from pyshim.stats import Snapshot

if TYPE_CHECKING:
    from pyshim.sessions import SessionTable


class Status:
    """Where every snapshot comes from. Metrics threads read `now`, so it is replaced, never changed."""

    def __init__(
        self,
        page: StatsPage,
        engine: str,
        sessions: SessionTable | None,
        lost: Callable[[], Mapping[str, int]],
    ) -> None:
        """Read from `page`; `lost` tells lines that could not be written, by stream, to any thread."""
        self._page = page
        self._engine = engine
        self._lost = lost
        self._sessions = sessions
        self.issued_at: str | None = None  # where the control API is
        self.now = RunState()
        self.turned_s = time.monotonic()  # when the supervisor's loop last turned

    def age_s(self) -> float:
        """How old what the supervisor knows is; any thread may ask."""
        return time.monotonic() - self.turned_s

    def snapshot(self) -> Snapshot:
        """Everything at this moment; any thread may ask."""
        issued = self._sessions.count() if self._sessions else 0
        state = replace(
            self.now, sessions_issued=issued, supervisor_age_s=self.age_s(), output_lost=self._lost()
        )
        return self._page.snapshot(self._engine, state)
