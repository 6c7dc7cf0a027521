# SPDX-License-Identifier: BSD-3-Clause
"""Reports of benchmarks as they would be printed, with figures made up to reach each verdict."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pyshim.bench.reports.evidence import Evidence, FoundReport

HOST = {"cpu": "Example CPU", "cpus": 2, "cpus_allowed": "0-1", "cpus_isolated": "none", "governor": None}


def row(name: str, value: float, **other: Any) -> dict[str, Any]:
    """A row; `other` replaces or adds keys."""
    return {
        "name": name,
        "unit": "packets/s",
        "value": value,
        "samples": [value, value],
        "against": "traditional",
        "against_samples": [1.0, 1.0],
        "ratio": {"median": 1.0, "min": 0.9, "max": 1.1},
        "limited_by": "gateway",
        "pairs": 2,
        "seconds": 1.5,
        **other,
    }


def ratio(median: float) -> dict[str, float]:
    return {"median": median, "min": median, "max": median}


def report(bench: str, *rows: dict[str, Any], **other: Any) -> dict[str, Any]:
    """What the benchmark prints."""
    return {
        "bench": bench,
        "version": "0.1.0",
        "host": HOST,
        "complete": True,
        "notes": [],
        "rows": rows,
        **other,
    }


def evidence(*reports: dict[str, Any]) -> Evidence:
    return Evidence(tuple(FoundReport.model_validate_json(json.dumps(made)) for made in reports))


def write(directory: Path, *reports: dict[str, Any]) -> list[Path]:
    """Each as a file."""
    paths = [directory / f"{made['bench']}.json" for made in reports]
    for path, made in zip(paths, reports, strict=True):
        path.write_text(json.dumps(made))
    return paths
