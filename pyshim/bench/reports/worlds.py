# SPDX-License-Identifier: BSD-3-Clause
"""What rows of worlds have beside bars: where cycles go, which steps are long, how cost grows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyshim.bench.reports.report import Row
from pyshim.views.units import number

GROWTH_ALL, GROWTH_LARGE = 2.0, 1.3
GROWTH_FROM = 50_000  # players, of the second
_STAGES = ("moves", "publish", "grid", "records", "look", "send", "tidy", "egress", "said", "asked")


def stages(rows: Sequence[Row]) -> list[list[str]]:
    """A heading and a line per row: what the cycles of a player in a tick are for; [] when none has them."""
    lines = [
        [
            row.name,
            *(f"{row.details[key]:.0f}" for key in ("cycles", *(f"cycles_{name}" for name in _STAGES))),
        ]
        for row in _worlds(rows)
    ]
    return [["cycles", "all", *_STAGES], *lines] if lines else []


def steps(rows: Sequence[Row]) -> list[list[str]]:
    """A heading and a line per row: how long steps of each stage take, p99; [] when none has them."""
    lines = [
        [row.name, *(f"{1e6 * _figure(row, f'step_{name}_p99_s'):.0f}" for name in _STAGES)]
        for row in _worlds(rows)
    ]
    return [["steps, p99 µs", *_STAGES], *lines] if lines else []


def growth(rows: Sequence[Row]) -> list[list[str]]:
    """A heading and a line per number of players: what each of them costs; [] when there are too few rows."""
    measured = _growing(rows)
    if len(measured) < 2:
        return []
    first = _figure(measured[0], "cycles")
    lines = [
        [
            number(_figure(row, "players")),
            number(_figure(row, "tick_hz")),
            f"{_figure(row, 'cycles'):.0f}",
            f"{_figure(row, 'cycles') / first:.2f}",
        ]
        for row in measured
    ]
    return [["players", "ticks/s", "cycles of a player in a tick", "of the first"], *lines]


def growth_told(rows: Sequence[Row]) -> str:
    """The same as a sentence, with its bars; empty: there are too few rows."""
    measured = _growing(rows)
    if len(measured) < 2:
        return ""
    large = [row for row in measured if _figure(row, "players") >= GROWTH_FROM]
    text = _growth_between(measured[0], measured[-1], GROWTH_ALL)
    if len(large) >= 2:
        text += "; " + _growth_between(large[0], large[-1], GROWTH_LARGE)
    return text + "."


def _growth_between(few: Row, many: Row, bar: float) -> str:
    grown = _figure(many, "cycles") / _figure(few, "cycles")
    holds = "holds" if grown <= bar else "does NOT hold"
    return f"Cycles of a player in a tick, {many.name} over {few.name}: {grown:.2f}; bar {bar:g}, {holds}"


def _worlds(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if "cycles_moves" in row.details]


def _growing(rows: Sequence[Row]) -> list[Row]:
    """Those that differ in nothing but players and ticks."""
    return sorted(
        (row for row in _worlds(rows) if row.name == f"spread-{row.details['players']}"),
        key=lambda row: _figure(row, "players"),
    )


def _figure(row: Row, key: str) -> float:
    value: Any = row.details[key]
    return float(value)
