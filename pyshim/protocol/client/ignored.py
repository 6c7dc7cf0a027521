# SPDX-License-Identifier: BSD-3-Clause
"""What came to a client and changed nothing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Ignored:
    """Datagrams that changed nothing, by why: they may be forged, so that is all that comes of them."""

    malformed: int = 0
    replayed: int = 0
    forged: int = 0
    unexpected: int = 0
    no_room: int = 0
    skipped: int = 0  # messages that were not understood
