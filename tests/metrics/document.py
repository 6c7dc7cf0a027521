# SPDX-License-Identifier: BSD-3-Clause
"""The table of METRICS.md: `python -m tests.metrics.document` writes it anew."""

from __future__ import annotations

import re
from pathlib import Path

from pyshim.metrics import FAMILIES

DOCUMENT = Path(__file__).resolve().parents[2] / "pyshim" / "METRICS.md"
ROW = re.compile(r"^\| `pollgate_.*$", re.MULTILINE)


def rows() -> list[str]:
    """What the table has to say."""
    return [
        f"| `{one.name}` | {one.kind} | {', '.join(one.labels) or '–'} | {one.unit} | {one.meaning} |"
        for one in FAMILIES
    ]


def written(document: str) -> str:
    """The document with that table instead of its own."""
    found = list(ROW.finditer(document))
    return document[: found[0].start()] + "\n".join(rows()) + document[found[-1].end() :]


if __name__ == "__main__":
    DOCUMENT.write_text(written(DOCUMENT.read_text()))
