# SPDX-License-Identifier: BSD-3-Clause
"""What a benchmark found: as one JSON object for machines, as a table for people."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Self

from rich.box import SIMPLE
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pyshim.bench.pairs import Comparison, Ratio
from pyshim.host.machine import Facts, machine_line
from pyshim.views.units import number, rate

GATEWAY = "gateway"


@dataclass(frozen=True, slots=True)
class Row:
    """One figure, and what it was measured against."""

    name: str
    unit: str
    value: float  # median of samples
    samples: tuple[float, ...]
    against: str
    against_samples: tuple[float, ...]  # same unit, same order
    ratio: Ratio
    limited_by: (
        str  # what bounded the figure: "gateway", "generator", "device", or "cpus" when there are too few
    )
    details: Mapping[str, object] = field(default_factory=dict)
    note: str = ""  # what a reader must know to read the row right; sentences
    complete: bool = True  # False: an interrupt came after some of the pairs

    @classmethod
    def of(  # noqa: PLR0913 - what a comparison does not know of its row
        cls,
        name: str,
        measured: Comparison,
        against: str,
        *,
        unit: str = "packets/s",
        limited_by: str = GATEWAY,
        details: Mapping[str, object] | None = None,
        note: str = "",
    ) -> Self:
        """The row of a comparison."""
        return cls(
            name=name,
            unit=unit,
            value=median(measured.ours),
            samples=measured.ours,
            against=against,
            against_samples=measured.theirs,
            ratio=measured.ratio,
            limited_by=limited_by,
            details=details or {},
            note=note,
            complete=measured.complete,
        )


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence about the whole: a row that was left out, and why."""

    text: str


@dataclass(frozen=True, slots=True)
class Report:
    """All that one run of a benchmark found."""

    bench: str
    version: str
    host: Facts
    complete: bool  # False: interrupted, the rows are those measured until then
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    x_axis: str | None = None  # see Bench


def as_json(report: Report) -> str:
    """The object of the contract: {bench, version, host, complete, notes, rows}; details are a row's keys."""
    return json.dumps(
        {
            "bench": report.bench,
            "version": report.version,
            "host": report.host,
            "complete": report.complete,
            "notes": report.notes,
            "rows": [{**_without_details(row), **row.details} for row in report.rows],
        },
        indent=2,
    )


def _without_details(row: Row) -> dict[str, object]:
    return {key: value for key, value in asdict(row).items() if key != "details"}


def amount(value: float, unit: str) -> str:
    """`12.3 M` of a rate, `4.21` of anything else."""
    return rate(value) if unit.startswith(("packets/s", "datagrams/s", "messages/s")) else number(value)


def spread(samples: tuple[float, ...], unit: str) -> str:
    """`11.8 … 12.6 M`."""
    least, most = amount(min(samples), unit), amount(max(samples), unit)
    if least[-2:] == most[-2:] and least[-1].isalpha():
        least = least[:-2]
    return f"{least} … {most}"


def limit_mark(row: Row) -> str:
    """What bounded the row's figure, so that nobody takes another's limit for the gateway's."""
    return row.limited_by if row.limited_by == GATEWAY else f"{row.limited_by} (not the gateway)"


def remarks(report: Report) -> list[str]:
    """Everything beside the figures that a reader must know, a line each."""
    lines = [] if report.complete else ["Incomplete: it ended early; these are the results so far."]
    if not report.rows:
        lines.append("Nothing was measured.")
    lines += report.notes
    notes: dict[str, list[str]] = {}
    for row in report.rows:
        if row.note:
            notes.setdefault(row.note, []).append(row.name)
    return lines + [f"{', '.join(rows)}: {note}" for note, rows in notes.items()]


def how(row: Row) -> str:
    """How a row was measured, as far as its details say."""
    told = [
        (f"{row.details.get('frame_bytes')}-byte frames", "frame_bytes"),
        (f"device {row.details.get('device')}", "device"),
        (f"workers on CPUs {_listed(row.details.get('worker_cpus'))}", "worker_cpus"),
        ("huge pages" if row.details.get("huge_pages") else "no huge pages", "huge_pages"),
        (f"{len(row.samples)} × {row.details.get('seconds')} s of each in turn", "seconds"),
    ]
    return ", ".join(text for text, key in told if key in row.details)


def _listed(cpus: object) -> str:
    return ",".join(map(str, cpus)) if isinstance(cpus, (list, tuple)) else str(cpus)


def as_table(report: Report, beside: Sequence[Sequence[Sequence[str]]] = ()) -> RenderableType:
    """Median and spread of each row, what it was measured against, and what bounded it.

    Args:
        report: what was found.
        beside: further tables, each a heading and lines, or nothing; see `pyshim.bench.reports.costs`.
    """
    lines = [*remarks(report), *dict.fromkeys(how(row) for row in report.rows), machine_line(report.host)]
    notes = Text("\n".join(lines), style="dim")
    if not report.rows:
        return notes
    with_cycles = any("cycles_per_packet" in row.details for row in report.rows)
    units = ", ".join(dict.fromkeys(row.unit for row in report.rows))
    table = Table(title=f"bench {report.bench}: {units}", title_justify="left", box=SIMPLE, padding=(0, 1))
    table.add_column("row\nagainst", no_wrap=True)
    for heading in ("median", "min … max", "ratio", *(["cycles"] if with_cycles else [])):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("limit", no_wrap=True)
    for row in report.rows:
        both = (row.samples, row.against_samples)
        table.add_row(
            f"{row.name}\n{row.against}",
            "\n".join(amount(median(samples), row.unit) for samples in both),
            "\n".join(spread(samples, row.unit) for samples in both),
            f"{row.ratio.median:.2f}\n{row.ratio.min:.2f} … {row.ratio.max:.2f}",
            *([_cycles(row)] if with_cycles else []),
            row.limited_by if row.limited_by == GATEWAY else Text(f"{row.limited_by},\nnot ours", "bold red"),
        )
    return Group(table, *(_plain_table(each) for each in beside if each), notes)


def _plain_table(lines: Sequence[Sequence[str]]) -> Table:
    """A heading and its lines; figures to the right."""
    table = Table(box=SIMPLE, padding=(0, 1))
    for index, heading in enumerate(lines[0]):
        table.add_column(heading, justify="right" if index else "left", no_wrap=True)
    for line in lines[1:]:
        table.add_row(*line)
    return table


def _cycles(row: Row) -> str:
    """Cycles per packet of a row, and of the other side where the row tells."""
    found = (row.details.get(key) for key in ("cycles_per_packet", "against_cycles_per_packet"))
    return "\n".join(number(float(value)) for value in found if isinstance(value, (int, float)))
