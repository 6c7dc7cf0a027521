# SPDX-License-Identifier: BSD-3-Clause
"""What is free for rings, and whether they may be in huge pages: a worker process must never go without."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pyshim.errors import UnavailableError
from pyshim.plan import GamePlan, may_take


def or_unavailable(available_bytes: Callable[[], int]) -> Callable[[], int]:
    """The same, of which an OSError is an UnavailableError: for want of descriptors it is not known now."""

    def known() -> int:
        try:
            return available_bytes()
        except OSError as problem:
            raise UnavailableError(f"how much is free cannot be read: {problem.strerror}") from problem

    return known


class HugePages:
    """Those that rings may be in; what a worker process needs is kept until it has taken it."""

    def __init__(self, plan: GamePlan, free: Callable[[], Mapping[int, int]]) -> None:
        """`free`: pages of 2 MB, by node."""
        self._plan = plan
        self._free = free
        self.worker_has_its_own = False  # and so they are not among those that are free

    def may_take(self, pages: int) -> bool:
        """Whether so many more can be taken now."""
        if not self._plan.huge_pages:
            return False
        try:
            free = self._free()
        except OSError:  # for want of descriptors: ordinary pages will do
            return False
        return may_take(free, () if self.worker_has_its_own else self._plan.kept, pages)
