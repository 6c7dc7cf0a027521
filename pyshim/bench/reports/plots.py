# SPDX-License-Identifier: BSD-3-Clause
"""The figures of a benchmark as SVG. The only file that needs matplotlib, so import it only for plots."""

from __future__ import annotations

import re
from collections.abc import Sequence
from io import StringIO
from statistics import median

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FuncFormatter, NullFormatter

from pyshim.bench.reports.report import GATEWAY, Report, Row

OURS, THEIRS, NOT_OURS = "#0b6e99", "#d0802f", "#b3261e"
_WIDTH_IN = 8.0
_LOG_FROM = 20.0  # a linear axis hides the smaller of two figures that are so many times apart


def plots(report: Report) -> list[tuple[str, str]]:
    """(title, SVG element) of every figure that the report has data for."""
    if not report.rows:
        return []
    made = [(f"Every sample, {unit}", _samples(rows, unit)) for unit, rows in _by_unit(report.rows).items()]
    made.append(("Ratio to what it was measured against", _ratios(report.rows)))
    placed = [row for row in report.rows if _place(row, report.x_axis) is not None]
    if report.x_axis is not None and len(placed) > 1:
        made.append((f"By {report.x_axis}", _line(placed, report.x_axis)))
    return made


def _by_unit(rows: Sequence[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.unit, []).append(row)
    return found


def _place(row: Row, x_axis: str | None) -> float | None:
    value = row.details.get(x_axis) if x_axis is not None else None
    return float(value) if isinstance(value, (int, float)) else None


def _samples(rows: Sequence[Row], unit: str) -> str:
    """Two lines of dots per row: its samples in the order of the pairs, above those of the other side."""
    figure, axes = _figure(len(rows))
    for place, row in enumerate(rows):
        sides = (
            ("this row", row.samples, -0.16, _colour(row)),
            ("against", row.against_samples, 0.16, THEIRS),
        )
        for label, samples, shift, colour in sides:
            heights = [place + shift] * len(samples)
            axes.plot(samples, heights, "o", color=colour, alpha=0.55, markersize=6, label=label)
            axes.plot(
                [median(samples)], [place + shift], "|", color=colour, markersize=15, markeredgewidth=2.5
            )
    _name_rows(axes, [f"{row.name}\nagainst {row.against}" for row in rows])
    every = [sample for row in rows for sample in (*row.samples, *row.against_samples)]
    _scale(axes, every, from_zero=True)
    axes.xaxis.set_major_formatter(EngFormatter())
    axes.set_xlabel(f"{unit}; dot: a sample, bar: the median")
    handles, labels = axes.get_legend_handles_labels()
    first = dict(reversed(list(zip(labels, handles, strict=True))))
    axes.legend(
        [first["this row"], first["against"]],
        ["this row", "against"],
        loc="lower right",
        frameon=False,
        bbox_to_anchor=(1.0, 1.0),
        ncols=2,
    )
    return _svg(figure, f"samples {unit}")


def _ratios(rows: Sequence[Row]) -> str:
    figure, axes = _figure(len(rows))
    for place, row in enumerate(rows):
        ratio, colour = row.ratio, _colour(row)
        axes.plot([ratio.min, ratio.max], [place, place], "-", color=colour, linewidth=3, alpha=0.4)
        axes.plot([ratio.median], [place], "o", color=colour, markersize=8)
        axes.annotate(
            f"{ratio.median:.2f}",
            (ratio.median, place),
            xytext=(0, 8),
            textcoords="offset points",
            ha="center",
        )
    axes.axvline(1.0, color="#777", linewidth=1, linestyle="--")
    _name_rows(axes, [f"{row.name}\nagainst {row.against}" for row in rows])
    _scale(axes, [edge for row in rows for edge in (row.ratio.min, row.ratio.max, 1.0)], from_zero=False)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}×"))
    axes.set_xlabel("dot: median of the pairs' ratios, line: least to most; red: not limited by the gateway")
    return _svg(figure, "ratio")


def _line(rows: Sequence[Row], x_axis: str) -> str:
    figure = Figure(figsize=(_WIDTH_IN, 3.6), layout="constrained")
    axes = figure.add_subplot()
    ordered = sorted(rows, key=lambda row: _place(row, x_axis) or 0.0)
    places = [_place(row, x_axis) or 0.0 for row in ordered]
    for label, colour, sides in (
        ("this row", OURS, [row.samples for row in ordered]),
        ("against", THEIRS, [row.against_samples for row in ordered]),
    ):
        axes.fill_between(places, [min(s) for s in sides], [max(s) for s in sides], color=colour, alpha=0.15)
        axes.plot(places, [median(s) for s in sides], "o-", color=colour, label=label)
    if max(places) > _LOG_FROM * min(places) > 0:
        axes.set_xscale("log")
    axes.set_xticks(places, [f"{place:,g}" if place < 1e6 else f"{place / 1e6:g} M" for place in places])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(EngFormatter())
    axes.set_xlabel(x_axis)
    axes.set_ylabel(ordered[0].unit)
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    return _svg(figure, f"by {x_axis}")


def _figure(rows: int) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(_WIDTH_IN, 1.1 + 0.62 * rows), layout="constrained")
    return figure, figure.add_subplot()


def _colour(row: Row) -> str:
    return OURS if row.limited_by == GATEWAY else NOT_OURS


def _name_rows(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names, fontsize=9)
    axes.set_ylim(len(names) - 0.5, -0.5)  # the first on top
    axes.grid(axis="x", alpha=0.25)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def _scale(axes: Axes, values: Sequence[float], *, from_zero: bool) -> None:
    if min(values) > 0 and max(values) > _LOG_FROM * min(values):
        axes.set_xscale("log")
    elif from_zero:
        axes.set_xlim(0, max(values) * 1.05 or 1.0)
    else:
        axes.margins(x=0.12)


def _svg(figure: Figure, name: str) -> str:
    """The SVG element alone: the same data give the same text, and several of them share one page."""
    text = StringIO()
    # Text stays text: it can be searched and read aloud. A salt of its own keeps ids of figures apart.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name, "font.family": "sans-serif"}):
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    element = text.getvalue()
    return _own_ids(element[element.index("<svg") :], name)


def _own_ids(svg: str, name: str) -> str:
    """Ids such as `figure_1` and what points at them, with the figure's name in front."""
    prefix = re.sub(r"\W+", "-", name)
    return re.sub(r'((?:\bid=")|(?:href="#)|(?:url\(#))', rf"\1{prefix}-", svg)
