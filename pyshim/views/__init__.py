# SPDX-License-Identifier: BSD-3-Clause
"""How `pollgate run` shows itself: a live table, a line a second, or one JSON object at the end."""

from __future__ import annotations

import sys

from pyshim.views.lines import JsonView, LineView
from pyshim.views.live import LiveView

__all__ = ["JsonView", "LineView", "LiveView", "choose"]


def choose(*, json: bool) -> LiveView | LineView | JsonView:
    """The view for this standard output: JSON if asked for, live on a terminal, lines into anything else."""
    if json:
        return JsonView()
    return LiveView() if sys.stdout.isatty() else LineView()
