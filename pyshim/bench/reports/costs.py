# SPDX-License-Identifier: BSD-3-Clause
"""What a packet cost and how long it took: what rows of several benchmarks have beside their rate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pyshim.bench.reports.report import Row
from pyshim.views.units import duration, number, share


def _gigabytes(bytes_per_s: float) -> str:
    return f"{bytes_per_s / 1e9:.2f} GB/s"


@dataclass(frozen=True, slots=True)
class _Column:
    key: str  # of a row's details
    heading: str
    shown: Callable[[float], str]


_COLUMNS = (
    _Column("loss_ratio", "lost", share),
    _Column("cpu_s_per_packet", "CPU/packet", duration),
    _Column("cpu_share_at_rate", "core at rate", share),
    _Column("latency_p50_s", "p50", duration),
    _Column("latency_p99_s", "p99", duration),
    _Column("latency_p99_9_s", "p99.9", duration),
    _Column("latency_max_s", "max", duration),
    _Column("memory_bandwidth_bytes_per_s", "copied", _gigabytes),
)


def costs(rows: Sequence[Row]) -> list[list[str]]:
    """A heading and a line per row, of the columns that any row has a figure for; [] when there are none."""
    columns = [
        column
        for column in _COLUMNS
        if any(isinstance(row.details.get(column.key), float | int) for row in rows)
    ]
    if not columns:
        return []
    lines = [[row.name, *(_cell(row, column) for column in columns)] for row in rows]
    return [["row", *(column.heading for column in columns)], *lines]


def _cell(row: Row, column: _Column) -> str:
    value = row.details.get(column.key)
    return column.shown(float(value)) if isinstance(value, float | int) else number(None)
