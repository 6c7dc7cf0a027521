# SPDX-License-Identifier: BSD-3-Clause
"""Can this stream be drawn on, or does it take lines only?"""

from __future__ import annotations

import os
from typing import IO

_WITHOUT_CURSOR = ("", "dumb", "unknown")  # what TERM says of a terminal of which nothing can be asked


def draws(stream: IO[str]) -> bool:
    """Whether it is a terminal whose cursor moves; one that calls itself dumb gets lines, like a pipe."""
    return stream.isatty() and os.environ.get("TERM", "").lower() not in _WITHOUT_CURSOR
