# SPDX-License-Identifier: BSD-3-Clause
"""Rows of `bench world`: who is near whom, by the world's interest and by what a user would pick instead."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING

from pyshim.bench.description import Request
from pyshim.bench.pairs import Ratio
from pyshim.bench.reports.bars import Bar
from pyshim.bench.reports.report import GATEWAY, Row
from pyshim.bench.world_rows import WorldRow

if TYPE_CHECKING:
    from pyshim.bench.rig.interest_run import InterestRun

MILLISECONDS = "ms a tick"
NAMES = ("interest-spread-50000", "interest-town-50000")
PER_TICK = 10.0  # times
PER_QUERY = {"spread": 1.5, "town": 4.0}
WITHOUT_TREE = "Without the k-d tree: scipy is not installed; pip install scipy."


def _times(value: float) -> str:
    return f"{value:.1f} ×"


def interest_rows(request: Request, name: str) -> list[Row]:
    """What a world does in each tick, and the same for everybody at once, each beside the best of the others.

    Raises:
        PollgateError: it does not run, or a way found others than it should.
    """
    from pyshim.bench.rig.interest_run import measure_interest  # noqa: PLC0415 - with the data plane

    _, place, players = name.split("-")
    run = measure_interest(WorldRow(name, place, int(players)).world(seed=1), request.pairs)
    request.progress(f"{name}: {request.pairs} pairs")
    per_query = PER_QUERY[place]
    return [
        _row(name, run, run.in_turn, PER_TICK, run.missing),
        _row(f"{name}-everybody", run, run.everybody, per_query, run.missing_everybody),
    ]


def best_of(ways: dict[str, Sequence[float]]) -> tuple[str, Sequence[float]]:
    """The way with the least median; who was not there has none."""
    there = {name: seconds for name, seconds in ways.items() if seconds}
    best = min(there, key=lambda name: median(there[name]))
    return best, there[best]


def _row(name: str, run: InterestRun, ours: Sequence[float], times: float, missing: float) -> Row:
    ways = {"brute": run.brute, "grid": run.grid, "tree": run.tree}
    best, theirs = best_of(ways)
    ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
    bar = Bar("times_best", "times as fast as the best of the others", times, _times, at_least=True)
    return Row(
        name=name,
        unit=MILLISECONDS,
        value=1e3 * median(ours),
        samples=tuple(1e3 * seconds for seconds in ours),
        against={"brute": "brute force", "grid": "plain grid", "tree": "scipy cKDTree"}[best],
        against_samples=tuple(1e3 * seconds for seconds in theirs),
        ratio=Ratio(median(ratios), min(ratios), max(ratios)),
        limited_by=GATEWAY,
        details={
            **{f"{way}_ms": 1e3 * median(seconds) for way, seconds in ways.items() if seconds},
            "missing_ratio": missing,
            "bars": [bar.judged([1 / ratio for ratio in ratios])],
        },
        note="" if run.tree else WITHOUT_TREE,
    )


def ways(rows: Sequence[Row]) -> list[list[str]]:
    """A heading and a line per row: what every way took, and who is not shown; [] when no row has them."""
    lines = [
        [
            row.name,
            f"{row.value:.1f}",
            *(
                f"{found:.1f}" if isinstance(found := row.details.get(f"{way}_ms"), float) else "-"
                for way in ("brute", "grid", "tree")
            ),
            f"{100 * float(str(row.details['missing_ratio'])):.1f} %",
        ]
        for row in rows
        if "missing_ratio" in row.details
    ]
    heading = ["ms a tick", "world", "brute force", "plain grid", "cKDTree", "nearest not shown"]
    return [heading, *lines] if lines else []
