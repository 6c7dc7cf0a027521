# SPDX-License-Identifier: BSD-3-Clause
"""The JSON files that benchmarks wrote, read back: what a verdict may rest on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pyshim.bench.pairs import Ratio
from pyshim.errors import UsageError
from pyshim.host.machine import Facts
from pyshim.system.regular_file import read_regular

_PCI_ADDRESS = re.compile(r"(?i)\b[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]\b")


class FoundRow(BaseModel):
    """A row as the report printed it; its details are keys beside the named ones."""

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)

    name: str
    unit: str
    value: float
    samples: tuple[float, ...] = Field(min_length=1)
    against: str
    ratio: Ratio
    limited_by: str
    note: str = ""

    def number(self, key: str) -> float | None:
        """A detail that is a number; None when the row has none of this name."""
        found = (self.model_extra or {}).get(key)
        return float(found) if isinstance(found, (int, float)) and not isinstance(found, bool) else None

    def text(self, key: str) -> str | None:
        """A detail that is a text."""
        found = (self.model_extra or {}).get(key)
        return found if isinstance(found, str) else None

    @property
    def on_nic(self) -> bool:
        """Whether the device that the row tells of is a real one, named by its PCI address."""
        return _PCI_ADDRESS.search(self.text("device") or "") is not None


class FoundReport(BaseModel):
    """One file."""

    model_config = ConfigDict(extra="allow", frozen=True)

    bench: str
    version: str
    host: Facts
    complete: bool = True
    notes: tuple[str, ...] = ()
    rows: tuple[FoundRow, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that was measured, one report per benchmark."""

    reports: tuple[FoundReport, ...] = ()

    def report(self, bench: str) -> FoundReport | None:
        """The report of a benchmark; None when it was not run."""
        return next((report for report in self.reports if report.bench == bench), None)

    def rows(self, bench: str, names: Sequence[str]) -> list[FoundRow]:
        """Those of the named rows that were measured, in the order of the names."""
        report = self.report(bench)
        found = {row.name: row for row in report.rows} if report else {}
        return [found[name] for name in names if name in found]

    def row(self, bench: str, *names: str) -> FoundRow | None:
        """The first of the named rows that was measured."""
        return next(iter(self.rows(bench, names)), None)


def read_evidence(files: Iterable[Path], missing: Callable[[Path], None] = lambda _: None) -> Evidence:
    """Read what benchmarks printed with --json.

    Args:
        files: their paths.
        missing: told of a file that is not there; what it would hold was not measured.

    Raises:
        UsageError: a file cannot be read or is none of them, or two are of the same benchmark.
    """
    reports: dict[str, tuple[Path, FoundReport]] = {}
    for path in files:
        if not path.exists():
            missing(path)
            continue
        report = _read(path)
        if report.bench in reports:
            raise UsageError(
                f"{reports[report.bench][0]} and {path} are both of bench {report.bench}; name one of them"
            )
        reports[report.bench] = (path, report)
    return Evidence(tuple(report for _, report in reports.values()))


def _read(path: Path) -> FoundReport:
    try:
        return FoundReport.model_validate_json(read_regular(path))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise UsageError(
            f"{path}: not what a benchmark prints with --json: {where}: {first['msg']}; measure it again"
        ) from error
