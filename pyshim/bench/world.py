# SPDX-License-Identifier: BSD-3-Clause
"""`bench world`: what a shared world costs a worker whose players all move, and what they see of it.

A row's figure is the share of one core that a worker needs; beside it stand the bars of each row, and what
cycles are for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pyshim.bench.description import Request
from pyshim.bench.pairs import Ratio
from pyshim.bench.reports.bars import Bar
from pyshim.bench.reports.report import GATEWAY, Note, Row
from pyshim.views.units import duration, number

if TYPE_CHECKING:
    from pyshim.bench.rig.world_run import World, WorldRun

BUSY = "% of a core"
SETTLE_S = 5.0  # until everybody was ranked by place once
GROWTH_ALL, GROWTH_LARGE = 2.0, 1.3
GROWTH_FROM = 50_000
RAW_BYTES = 28  # six f32 and an id


def _percent(value: float) -> str:
    return f"{value:.1f} %"


def _bytes(value: float) -> str:
    return f"{value:.2f} B"


def _kbps(value: float) -> str:
    return f"{value / 1000:.0f} kbit/s"


def _busy(percent: float) -> Bar:
    return Bar("busy_percent", "a core at this rate", percent, _percent)


def _bytes_each(most: float) -> Bar:
    return Bar("bytes_per_neighbour", "bytes a neighbour and update", most, _bytes)


_TICK = Bar("tick_p99_s", "tick, p99", 0.002, duration)
_APPEARS = Bar("appears_s", "movement to its appearance beyond a tick, p99", 0.002, duration)
_HANDLING = Bar("handling_p99_s", "movement's handling, p99", 0.0001, duration)
_HOLD = Bar("hold_p99_s", "a step's hold on the receive ring, p99", 0.00005, duration)
_SLICES = (_HANDLING, _HOLD)


@dataclass(frozen=True, slots=True)
class WorldRow:
    """A row: what is served, and what it is held to."""

    name: str
    place: str
    players: int
    bars: tuple[Bar, ...] = ()
    tick_hz: int = 60
    standing_percent: int = 0
    ordered: bool = False
    round_trip_ticks: int = 6
    lost_per_mille: int = 20
    glimpses: int = 12
    cell_m: int = 16
    settle_s: float = SETTLE_S
    least_s: float = 0.0  # measured for no less

    def world(self, seed: int) -> World:
        """The world, with other players for each seed."""
        from pyshim.bench.rig.world_run import Place, World  # noqa: PLC0415 - with the data plane

        return World(
            players=self.players,
            place=Place(self.place),
            tick_hz=self.tick_hz,
            standing_percent=self.standing_percent,
            ordered=self.ordered,
            round_trip_ticks=self.round_trip_ticks,
            lost_per_mille=self.lost_per_mille,
            glimpses=self.glimpses,
            cell_m=self.cell_m,
            seed=seed,
        )


ROWS = (
    WorldRow("spread-5000", "spread", 5_000, (_busy(15), _TICK, _APPEARS, *_SLICES)),
    WorldRow("town-5000", "town", 5_000, (_busy(15), _TICK, _APPEARS, _bytes_each(2.2), *_SLICES)),
    WorldRow(
        "crowd-5000",
        "crowd",
        5_000,
        (
            _busy(18),
            Bar("staleness_p99_s", "unseen in range for, p99", 6.0, duration),
            Bar("bits_per_s", "sent to a player", 120_000, _kbps),
            _APPEARS,
            *_SLICES,
        ),
        glimpses=24,
        cell_m=4,
        settle_s=12.0,
        least_s=10.0,
    ),
    WorldRow("spread-10000", "spread", 10_000, (_busy(40), *_SLICES)),
    WorldRow("spread-15000", "spread", 15_000, (_busy(60), *_SLICES)),
    WorldRow("spread-20000", "spread", 20_000, _SLICES),
    WorldRow("spread-50000", "spread", 50_000, (_busy(75), *_SLICES), tick_hz=20),
    WorldRow("spread-200000", "spread", 200_000, (_busy(60), *_SLICES), tick_hz=5, settle_s=6.0),
    WorldRow("town-5000-standing", "town", 5_000, (_bytes_each(1.0),), standing_percent=70),
    WorldRow(
        "town-5000-far",
        "town",
        5_000,
        (_bytes_each(3.0),),
        round_trip_ticks=18,
        lost_per_mille=100,
    ),
    WorldRow("town-5000-ordered", "town", 5_000, ordered=True),
)
NAMES = tuple(row.name for row in ROWS)
_GROWTH = ("spread-5000", "spread-10000", "spread-15000", "spread-20000", "spread-50000", "spread-200000")


def world(request: Request) -> Iterator[Row | Note]:
    """A row for each world that was asked for.

    Raises:
        PollgateError: the gateway does not run here, or players saw what is not so.
    """
    names: tuple[str, ...] = request.option("rows", tuple)
    cycles: dict[str, float] = {}
    for row in ROWS:
        if row.name in names:
            runs, complete = _measured(request, row)
            cycles[row.name] = median(run.cycles for run in runs)
            yield _row(request, row, runs, complete=complete)
    if growth := _growth(cycles):
        yield Note(growth)


def _measured(request: Request, row: WorldRow) -> tuple[Sequence[WorldRun], bool]:
    from pyshim.bench.rig.world_run import measure_world  # noqa: PLC0415 - with the data plane

    runs: list[WorldRun] = []
    ticks = max(1, round(max(request.seconds, row.least_s) * row.tick_hz))
    with TemporaryDirectory(prefix="pollgate-bench-") as directory:
        try:
            for seed in range(1, request.pairs + 1):
                warm_ticks = round(row.settle_s * row.tick_hz)
                runs.append(measure_world(Path(directory), row.world(seed), warm_ticks, ticks))
                request.progress(f"{row.name}: {seed} of {request.pairs} runs")
        except KeyboardInterrupt:
            if not runs:
                raise
            return runs, False
    return runs, True


def figures(run: WorldRun, tick_hz: int) -> dict[str, float]:
    """All that a run has measured, and what follows from that."""
    return {
        **asdict(run),
        "busy_percent": 100 * run.busy,
        "appears_s": run.appears_p99_s - 1 / tick_hz,
    }


def _row(request: Request, row: WorldRow, runs: Sequence[WorldRun], *, complete: bool) -> Row:
    found = [figures(run, row.tick_hz) for run in runs]
    busy = tuple(run["busy_percent"] for run in found)
    bar = next((bar.limit for bar in row.bars if bar.key == "busy_percent"), 100.0)
    each = {field.name: median(getattr(run, field.name) for run in runs) for field in fields(runs[0])}
    return Row(
        name=row.name,
        unit=BUSY,
        value=median(busy),
        samples=busy,
        against=f"bar {number(bar)} %",
        against_samples=(bar,) * len(busy),
        ratio=Ratio(median(busy) / bar, min(busy) / bar, max(busy) / bar),
        limited_by=GATEWAY,
        details={
            **each,
            "players": row.players,
            "tick_hz": row.tick_hz,
            "cycles_per_packet": each["cycles"],
            "device": "net_null; receiving from a device is not in it",
            "seconds": request.seconds,
            "times_smaller_than_raw": RAW_BYTES / each["bytes_per_neighbour"],
            "bars": [bar.judged([run[bar.key] for run in found]) for bar in row.bars],
        },
        complete=complete,
    )


def _growth(cycles: dict[str, float]) -> str:
    """How the cost of a player grows with their number; empty: there are too few rows."""
    measured = [name for name in _GROWTH if name in cycles]
    if len(measured) < 2:
        return ""
    large = [name for name in measured if int(name.rpartition("-")[2]) >= GROWTH_FROM]
    text = _growth_between(cycles, measured[0], measured[-1], GROWTH_ALL)
    if len(large) >= 2:
        text += "; " + _growth_between(cycles, large[0], large[-1], GROWTH_LARGE)
    return text + "."


def _growth_between(cycles: dict[str, float], few: str, many: str, bar: float) -> str:
    grown = cycles[many] / cycles[few]
    holds = "holds" if grown <= bar else "does NOT hold"
    return f"Cycles of a player in a tick, {many} over {few}: {grown:.2f}; bar {bar:g}, {holds}"


def stages(rows: Sequence[Row]) -> list[list[str]]:
    """A heading and a line per row of where the cycles go; [] when no row has them."""
    keys = [
        key
        for row in rows[:1]
        for key in row.details
        if key.startswith("cycles_") and key != "cycles_per_packet"
    ]
    if not keys or "cycles_moves" not in keys:
        return []
    lines = [[row.name, *(f"{row.details[key]:.0f}" for key in ("cycles", *keys))] for row in rows]
    return [["row", "all", *(key.removeprefix("cycles_") for key in keys)], *lines]
