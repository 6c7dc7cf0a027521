# SPDX-License-Identifier: BSD-3-Clause
"""Values of a world that are neither text nor a number."""

from __future__ import annotations

from typing import TypeAlias

from pydantic_core import PydanticCustomError

from pyshim.config.section import OWN_ERROR

Corner: TypeAlias = tuple[float, float, float]
Bounds: TypeAlias = tuple[Corner, Corner]

METRES_MAX = 1_000_000.0
BOUNDS_IN_WORDS = (
    "two corners in metres, the lowest first, such as [[-500, -500, -10], [500, 500, 90]], each number from "
    f"-{METRES_MAX:.0f} to {METRES_MAX:.0f}"
)


def parse_bounds(found: object) -> Bounds:
    """Two corners as lists of lists. Raises PydanticCustomError."""
    bounds = bounds_of(found)
    if bounds is None:
        text = f"found {_shown(found)}, allowed: {BOUNDS_IN_WORDS}"
        raise PydanticCustomError(OWN_ERROR, "{text}", {"text": text})
    return bounds


def bounds_of(found: object) -> Bounds | None:
    """The same; None: they are none."""
    corners = [_corner(one) for one in found] if isinstance(found, list | tuple) else []
    match corners:
        case [tuple() as low, tuple() as high]:
            return low, high
    return None


def _corner(found: object) -> Corner | None:
    if not isinstance(found, list | tuple) or len(found) != 3:
        return None
    x, y, z = (_metres(one) for one in found)
    return None if x is None or y is None or z is None else (x, y, z)


def _metres(found: object) -> float | None:
    if not isinstance(found, int | float) or isinstance(found, bool) or not abs(found) <= METRES_MAX:
        return None
    return float(found)


def _shown(found: object) -> str:
    text = str(found)
    return text if len(text) <= 80 else f"{text[:77]}..."
