# SPDX-License-Identifier: BSD-3-Clause
"""The tables of documents that are made from lists: `python -m tests.metrics.document` writes them anew.

They are the metrics of METRICS.md, and the drop reasons of the data plane's README.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from pyshim.metrics import FAMILIES
from tests.definitions import entries

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "pyshim" / "METRICS.md"
REASONS = ROOT / "dpdk_app" / "README.md"
METRICS_HEAD = "| metric | type | labels | unit | meaning |\n|---|---|---|---|---|\n"
REASONS_HEAD = "| reason | |\n|---|---|\n"


def rows() -> list[str]:
    """What the table of metrics has to say."""
    return [
        f"| `{one.name}` | {one.kind} | {', '.join(one.labels) or '–'} | {one.unit} | {one.meaning} |"
        for one in FAMILIES
    ]


def reasons() -> list[str]:
    """What the table of drop reasons has to say."""
    return [f"| `{name}` | {why} |" for _, name, why in entries("stats/reasons.def", "DROP")]


def table(document: str, head: str) -> list[str]:
    """The rows of the one table with this head."""
    _, _, below = _parts(document, head)
    return below.splitlines()


def written(document: str) -> str:
    """METRICS.md with the table of metrics instead of its own."""
    return _with_rows(document, METRICS_HEAD, rows())


def _parts(document: str, head: str) -> tuple[str, str, str]:
    """What stands above a table's rows, behind them, and the rows."""
    assert document.count(head) == 1, f"there is not one table with this head: {head}"
    above, _, rest = document.partition(head)
    found = re.match(r"(?:\|.*\n)*", rest)
    assert found is not None
    return above + head, rest[found.end() :], found.group()


def _with_rows(document: str, head: str, instead: Sequence[str]) -> str:
    above, behind, _ = _parts(document, head)
    return above + "".join(f"{row}\n" for row in instead) + behind


if __name__ == "__main__":
    DOCUMENT.write_text(written(DOCUMENT.read_text()))
    REASONS.write_text(_with_rows(REASONS.read_text(), REASONS_HEAD, reasons()))
