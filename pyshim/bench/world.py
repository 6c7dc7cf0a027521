# SPDX-License-Identifier: BSD-3-Clause
"""`bench world`: what a shared world costs a worker whose players all move, and what they see of it.

A row's figure is the share of one core that a worker needs; beside it stand the bars of each row, and what
cycles are for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pyshim.bench.description import Request
from pyshim.bench.interest import NAMES as INTERESTS
from pyshim.bench.interest import interest_rows
from pyshim.bench.pairs import Ratio
from pyshim.bench.reports.report import GATEWAY, Note, Row
from pyshim.bench.reports.worlds import growth_told
from pyshim.bench.world_rows import NAMES as WORLDS
from pyshim.bench.world_rows import ROWS, WorldRow
from pyshim.views.units import number

if TYPE_CHECKING:
    from pyshim.bench.rig.world_run import WorldRun

BUSY = "% of a core"
NAMES = (*WORLDS, *INTERESTS)
FASTER = 4  # times: the core on whose clock there is time for what is too much for this one
RAW_BYTES = 28  # six f32 and an id
OVERLOADED = (
    "There is no time for all of it on this core. Cycles and shares are of all of it, by the clock of a core "
    f"{FASTER} times as fast; the rest is what is done here."
)


def world(request: Request) -> Iterator[Row | Note]:
    """A row for each world that was asked for.

    Raises:
        PollgateError: the gateway does not run here, or players saw what is not so.
    """
    names: tuple[str, ...] = request.option("rows", tuple)
    rows: list[Row] = []
    for row in ROWS:
        if row.name in names:
            rows.append(_measured(request, row))
            yield rows[-1]
    for name in INTERESTS:
        if name in names:
            yield from interest_rows(request, name)
    if told := growth_told(rows):
        yield Note(told)


def _ticks(request: Request, row: WorldRow) -> int:
    return max(1, round(max(request.seconds, row.least_s) * row.tick_hz))


def _measured(request: Request, row: WorldRow) -> Row:
    from pyshim.bench.rig.world_run import measure_world  # noqa: PLC0415 - with the data plane

    ticks = _ticks(request, row)
    warm_ticks = round(row.settle_s * row.tick_hz)
    runs: list[WorldRun] = []
    beside: list[WorldRun] = []  # as many, or none

    def run_once(seed: int, *, sealed: bool) -> WorldRun:
        served = row.world(seed)
        served = replace(served, unsealed=False) if sealed else served
        run = measure_world(Path(directory), served, warm_ticks, ticks)
        if run.shed == 0 and run.busy < 1:
            return run
        # What is left out costs nothing. So what all of it would take is measured by a slower clock.
        whole = measure_world(Path(directory), replace(served, times_as_fast=FASTER), warm_ticks, ticks)
        return with_costs_of(run, whole)

    with TemporaryDirectory(prefix="pollgate-bench-") as directory:
        try:
            for seed in range(1, request.pairs + 1):
                if row.beside_sealed and seed % 2 == 0:
                    sealed = run_once(seed, sealed=True)
                    runs.append(run_once(seed, sealed=False))
                    beside.append(sealed)
                else:
                    runs.append(run_once(seed, sealed=False))
                    if row.beside_sealed:
                        beside.append(run_once(seed, sealed=True))
                request.progress(f"{row.name}: {seed} of {request.pairs} runs")
        except KeyboardInterrupt:
            whole = len(beside) if row.beside_sealed else len(runs)
            if whole == 0:
                raise
            return _row(request, row, runs[:whole], beside, complete=False)
    return _row(request, row, runs, beside, complete=True)


def with_costs_of(run: WorldRun, whole: WorldRun) -> WorldRun:
    """A run in which there was no time for all, with the cycles of one in which there was."""
    costs = {key: value for key, value in asdict(whole).items() if key == "busy" or key.startswith("cycles")}
    return replace(run, **costs)


def figures(run: WorldRun, tick_hz: int) -> dict[str, float]:
    """All that a run has measured, and what follows from that."""
    return {
        **asdict(run),
        "busy_percent": 100 * run.busy,
        "appears_s": run.appears_p99_s - 1 / tick_hz,
    }


def _row(
    request: Request,
    row: WorldRow,
    runs: Sequence[WorldRun],
    beside: Sequence[WorldRun],
    *,
    complete: bool,
) -> Row:
    found = [figures(run, row.tick_hz) for run in runs]
    busy = tuple(100 * run.busy for run in runs)
    bar = next((bar.limit for bar in row.bars if bar.key == "busy_percent"), 100.0)
    against = tuple(100 * run.busy for run in beside) or (bar,) * len(busy)
    ratios = [ours / theirs for ours, theirs in zip(busy, against, strict=True)]
    each = {field.name: median(getattr(run, field.name) for run in runs) for field in fields(runs[0])}
    return Row(
        name=row.name,
        unit=BUSY,
        value=median(busy),
        samples=busy,
        against="sealed" if beside else f"bar {number(bar)} %",
        against_samples=against,
        ratio=Ratio(median(ratios), min(ratios), max(ratios)),
        limited_by=GATEWAY,
        details={
            **each,
            "players": row.players,
            "place": row.place,
            "tick_hz": row.tick_hz,
            "sealed": not (row.unsealed or row.plain),
            "profile": "plain" if row.plain else "session",
            "told_ratio": each["states"] / (row.players * _ticks(request, row)),
            "cycles_per_packet": each["cycles"],
            "device": "net_null; receiving from a device is not in it",
            "seconds": request.seconds,
            "times_smaller_than_raw": RAW_BYTES / max(each["bytes_per_neighbour"], RAW_BYTES / 1000),
            "shed_ratio": each["shed"] / max(each["shed"] + each["states"], 1),
            "bars": [bar.judged([run[bar.key] for run in found]) for bar in row.bars],
            **_seal(runs, beside),
        },
        note=OVERLOADED if each["shed"] or each["busy"] >= 1 else "",
        complete=complete,
    )


def _seal(runs: Sequence[WorldRun], beside: Sequence[WorldRun]) -> dict[str, float]:
    """What sealing costs of a player's tick, both ways, by pairs."""
    if not beside:
        return {}
    cost = [sealed.cycles - run.cycles for run, sealed in zip(runs, beside, strict=True)]
    return {
        "against_cycles_per_packet": median(run.cycles for run in beside),
        "seal_cycles": median(cost),
        "seal_cycles_min": min(cost),
        "seal_cycles_max": max(cost),
    }
