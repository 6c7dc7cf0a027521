# SPDX-License-Identifier: BSD-3-Clause
"""What a benchmark found as one HTML file that needs no other: tables, and plots drawn inside it."""

from __future__ import annotations

import os
import sys
from html import escape
from importlib.util import find_spec
from pathlib import Path
from statistics import median

from pyshim.bench.reports.costs import costs
from pyshim.bench.reports.report import GATEWAY, Report, Row, amount, how, limit_mark, remarks, spread
from pyshim.errors import UnavailableError
from pyshim.system.regular_file import write_file

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1c1c1c; background: #fff; max-width: 60rem;
       margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; font-size: .9rem; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid #ddd; text-align: left; vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td:first-child, td:nth-child(5) { white-space: nowrap; }
td.limit { color: #b3261e; font-weight: 600; }
p.remark { border-left: 4px solid #d0802f; padding-left: .8rem; margin: .5rem 0; }
figure { margin: 1.5rem 0; } figcaption { font-weight: 600; } svg { width: 100%; height: auto; }
"""


def refuse_html(path: Path) -> None:
    """Find out before anything is measured whether the page can be written.

    Raises:
        UnavailableError: matplotlib is missing, or the file's directory is not there or not ours to write.
    """
    if find_spec("matplotlib") is None:
        raise UnavailableError(
            "--html needs matplotlib, which is not installed; install it with: "
            f"{sys.executable} -m pip install matplotlib"
        )
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise UnavailableError(
            f"--html: {path} cannot be written; name a file in a directory that you may write"
        )


def write_html(path: Path, report: Report) -> None:
    """Write the page.

    Raises:
        UnavailableError: the file cannot be written.
    """
    try:
        write_file(path, as_html(report).encode())
    except OSError as error:
        raise UnavailableError(f"--html: {path} cannot be written: {error.strerror}") from error


def as_html(report: Report) -> str:
    """The page; the same report gives the same text."""
    from pyshim.bench.reports.plots import plots  # noqa: PLC0415 - needs matplotlib

    title = escape(f"pollgate bench {report.bench}")
    figures = "\n".join(
        f"<figure><figcaption>{escape(name)}</figcaption>\n{svg}</figure>" for name, svg in plots(report)
    )
    notes = "\n".join(f'<p class="remark">{escape(line)}</p>' for line in remarks(report))
    return f"""<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style></head>
<body>
<h1>{title}</h1>
{notes}
{_rows(report)}
{_costs(report)}
{figures}
<h2>How each row was measured</h2>
{_methods(report)}
<h2>Machine</h2>
{_machine(report)}
</body>
</html>
"""


def _rows(report: Report) -> str:
    heads = ("row", "unit", "median", "min … max", "against", "median", "ratio", "min … max", "limited by")
    return _table(heads, [_cells(row) for row in report.rows], numbers=frozenset({2, 3, 5, 6, 7}))


def _cells(row: Row) -> list[str]:
    return [
        row.name,
        row.unit,
        amount(row.value, row.unit),
        spread(row.samples, row.unit),
        row.against,
        amount(median(row.against_samples), row.unit),
        f"{row.ratio.median:.2f}",
        f"{row.ratio.min:.2f} … {row.ratio.max:.2f}",
        limit_mark(row),
    ]


def _costs(report: Report) -> str:
    table = costs(report.rows)
    return _table(tuple(table[0]), table[1:], frozenset(range(1, len(table[0])))) if table else ""


def _methods(report: Report) -> str:
    return _table(("row", "how"), [[row.name, how(row)] for row in report.rows])


def _machine(report: Report) -> str:
    return _table(("fact", "here"), [[name, _told(value)] for name, value in report.host.items()])


def _told(value: str | int | bool | None) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "not visible" if value is None else str(value)


def _table(heads: tuple[str, ...], rows: list[list[str]], numbers: frozenset[int] = frozenset()) -> str:
    def cell(tag: str, index: int, text: str) -> str:
        kinds = ["n"] if index in numbers else []
        if tag == "td" and heads[index] == "limited by" and text != GATEWAY:
            kinds.append("limit")
        attribute = f' class="{" ".join(kinds)}"' if kinds else ""
        return f"<{tag}{attribute}>{escape(text)}</{tag}>"

    def line(tag: str, texts: list[str]) -> str:
        return "<tr>" + "".join(cell(tag, index, text) for index, text in enumerate(texts)) + "</tr>"

    return "\n".join(["<table>", line("th", list(heads)), *(line("td", row) for row in rows), "</table>"])
