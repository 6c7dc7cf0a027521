# SPDX-License-Identifier: BSD-3-Clause
"""How a worker process ended, and what that stands for."""

from __future__ import annotations

from dataclasses import dataclass

from pyshim.eal.messages import crash_error, explain, last_meaningful
from pyshim.errors import ExitCode, InternalError, PollgateError, UnavailableError
from pyshim.plan import Plan
from pyshim.run.control import Failed
from pyshim.run.worker_life import Death


@dataclass(frozen=True, slots=True)
class End:
    """All that is known of it."""

    how: str  # the end of "the worker process ..."
    log: tuple[str, ...]  # its last lines
    failure: Failed | None  # what it said itself
    condemned: str | None  # why the supervisor ended it
    short_of_memory: bool

    def as_death(self, plan: Plan, *, in_order: bool, starting: bool) -> Death:
        """What its life goes on from."""
        return Death(
            self.how,
            in_order=in_order,
            problem=self.failure.message if self.failure is not None else None,
            missing=self._missing(plan) if self.failure is not None or starting else None,
            short_of_memory=self.condemned is None and self.short_of_memory,
            last_line=last_meaningful(self.log),
        )

    def _missing(self, plan: Plan) -> str | None:
        """What was not there, if that is why it ended."""
        problem = _story(self, plan)
        return str(problem) if isinstance(problem, UnavailableError) else None


def start_failure(end: End, plan: Plan) -> PollgateError:
    """What its end stands for, if it came before it served."""
    if end.failure is None and end.short_of_memory:
        return UnavailableError(
            "the kernel killed the worker process before it served, because memory is short; free some, "
            "or raise the limit of its container (systemd: MemoryMax=)"
        )
    return _story(end, plan)


def _story(end: End, plan: Plan) -> PollgateError:
    if end.failure is not None:
        kind = UnavailableError if end.failure.exit_code == ExitCode.UNAVAILABLE else InternalError
        return kind(explain(end.failure.message, end.log, plan))
    story = f"{end.condemned} and {end.how}" if end.condemned is not None else end.how
    return crash_error(f"the worker process {story} before it served", end.log, plan)
