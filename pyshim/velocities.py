# SPDX-License-Identifier: BSD-3-Clause
"""In what a world's velocities are counted (PROTOCOL.md 17)."""

from __future__ import annotations

FINEST = 8  # parts of a quantum per tick
COARSER_BELOW_HZ = (48, 24, 12)  # half as many each: the longer a tick, the more a velocity changes in it


def velocity_parts(tick_hz: int) -> int:
    """So many of a velocity's units are a quantum per tick."""
    return FINEST >> sum(tick_hz < least for least in COARSER_BELOW_HZ)
