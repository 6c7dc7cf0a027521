# SPDX-License-Identifier: BSD-3-Clause
"""What a benchmark found: as one JSON object for machines, as a table for people."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pyshim import __version__
from pyshim.bench.pairs import Ratio


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
    limited_by: str  # "gateway", "generator" or "device": what bounded the figure
    details: Mapping[str, object] = field(default_factory=dict)


def host_facts() -> dict[str, object]:
    """What a reader needs to know of the machine."""
    model = next(
        (line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith("model name")), "unknown"
    )
    return {
        "cpu": model,
        "cpus": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def _cpuinfo() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return []


def as_json(bench: str, rows: Sequence[Row]) -> str:
    """The object of the contract: {bench, version, host, rows}; a row's details are keys of the row."""
    return json.dumps(
        {
            "bench": bench,
            "version": __version__,
            "host": host_facts(),
            "rows": [{**_without_details(row), **row.details} for row in rows],
        },
        indent=2,
    )


def _without_details(row: Row) -> dict[str, object]:
    return {key: value for key, value in asdict(row).items() if key != "details"}


def as_table(bench: str, rows: Sequence[Row]) -> RenderableType:
    """Median and spread of each row, and how it was measured."""
    table = Table(title=f"bench {bench}: million packets per second", title_justify="left")
    table.add_column("row")
    for heading in ("pollgate", rows[0].against, "ratio", "min … max", "cycles/packet"):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(
            row.name,
            f"{row.value / 1e6:.2f}",
            f"{median(row.against_samples) / 1e6:.2f}",
            f"{row.ratio.median:.2f}",
            f"{row.ratio.min:.2f} … {row.ratio.max:.2f}",
            f"{row.details.get('cycles_per_packet', 0):.0f}",
        )
    host = host_facts()
    notes = (
        f"{host['cpu']}, {host['cpus']} CPUs; medians of {len(rows[0].samples)} pairs measured in turn; "
        f"{rows[0].details.get('frame_bytes')}-byte frames on {rows[0].details.get('device')}; "
        f"limited by {rows[0].limited_by}"
    )
    return Group(table, Text(notes, style="dim"))
