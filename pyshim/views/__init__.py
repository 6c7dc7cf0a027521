# SPDX-License-Identifier: BSD-3-Clause
"""How `pollgate run` shows itself: a live table, a line a second, or one JSON object at the end."""

from __future__ import annotations

import sys

from pyshim.views.lines import JsonView, LineView
from pyshim.views.live import LiveView
from pyshim.views.terminal import draws

__all__ = ["JsonView", "LineView", "LiveView", "choose"]


def choose(*, json: bool) -> LiveView | LineView | JsonView:
    """The view for this standard output: JSON if asked for, live on a terminal, lines into anything else.

    Nothing of a view blocks if `sys.stdout` and `sys.stderr` do not: see pyshim.output.
    """
    if json:
        return JsonView()
    return LiveView() if draws(sys.stdout) else LineView()
