# SPDX-License-Identifier: BSD-3-Clause
"""Two looks at something that runs: for as long as was asked, or until it had its CPU at all.

On a machine that others use, a worker may get no time for a fifth of a second. A measurement of that moment
would be of nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from pyshim.system.interruption import sleep

T = TypeVar("T")

PATIENCE_S = 30.0  # beyond the time that was asked for; what has done nothing until then will not
_AGAIN_S = 0.02


def observe(look: Callable[[], T], seconds: float, happened: Callable[[T, T], bool]) -> tuple[T, T]:
    """What `look` shows before and after `seconds`, or so much later that something has happened in between.

    Args:
        look: reads counters.
        seconds: at least so long lies between the two.
        happened: told both; False has it wait for more, at most PATIENCE_S.
    """
    before = look()
    sleep(seconds)
    after = look()
    deadline = time.monotonic() + PATIENCE_S
    while not happened(before, after) and time.monotonic() < deadline:
        sleep(_AGAIN_S)
        after = look()
    return before, after
