# SPDX-License-Identifier: BSD-3-Clause
"""Bars that a row is held to beside its figure, and whether each holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from pyshim.bench.reports.report import Row


@dataclass(frozen=True, slots=True)
class Bar:
    """What a figure may be at most, or at least."""

    key: str  # of the figure among those of a run
    what: str
    limit: float
    shown: Callable[[float], str]
    at_least: bool = False

    def judged(self, figures: Sequence[float]) -> dict[str, object]:
        """The bar beside what was measured: a detail of a row, for machines and for the table."""
        found = median(figures)
        return {
            "figure": self.key,
            "what": self.what,
            "bar": self.limit,
            "at_least": self.at_least,
            "found": found,
            "best": max(figures) if self.at_least else min(figures),
            "worst": min(figures) if self.at_least else max(figures),
            "holds": found >= self.limit if self.at_least else found <= self.limit,
            "text": [
                f"{'≥' if self.at_least else '≤'} {self.shown(self.limit)}",
                self.shown(found),
                f"{self.shown(min(figures))} … {self.shown(max(figures))}",
            ],
        }


def bars(rows: Sequence[Row]) -> list[list[str]]:
    """A heading and a line per bar of all rows; [] when no row has any."""
    lines = [
        [row.name if index == 0 else "", *_line(judged)]
        for row in rows
        for index, judged in enumerate(_bars_of(row))
    ]
    return [["row", "what", "bar", "median", "min … max", "holds"], *lines] if lines else []


def _bars_of(row: Row) -> Sequence[Mapping[str, Any]]:
    found = row.details.get("bars")
    return found if isinstance(found, list | tuple) else ()


def _line(judged: Mapping[str, Any]) -> list[str]:
    bar, found, spread = judged["text"]
    return [str(judged["what"]), bar, found, spread, "yes" if judged["holds"] else "NO"]
