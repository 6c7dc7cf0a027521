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
ROW = re.compile(r"^\| `pollgate_.*$", re.MULTILINE)
REASON = re.compile(r"^\| `[a-z0-9_]+` \|.*$", re.MULTILINE)


def rows() -> list[str]:
    """What the table of metrics has to say."""
    return [
        f"| `{one.name}` | {one.kind} | {', '.join(one.labels) or '–'} | {one.unit} | {one.meaning} |"
        for one in FAMILIES
    ]


def reasons() -> list[str]:
    """What the table of drop reasons has to say."""
    return [f"| `{name}` | {why} |" for _, name, why in entries("stats/reasons.def", "DROP")]


def written(document: str) -> str:
    """METRICS.md with that table instead of its own."""
    return _with_rows(document, ROW, rows())


def _with_rows(document: str, row: re.Pattern[str], instead: Sequence[str]) -> str:
    found = list(row.finditer(document))
    return document[: found[0].start()] + "\n".join(instead) + document[found[-1].end() :]


if __name__ == "__main__":
    DOCUMENT.write_text(written(DOCUMENT.read_text()))
    REASONS.write_text(_with_rows(REASONS.read_text(), REASON, reasons()))
