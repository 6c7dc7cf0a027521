# SPDX-License-Identifier: BSD-3-Clause
"""What is checked: each check's name, its place in PROTOCOL.md and its sentence; and what came of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class Outcome(StrEnum):
    """What came of a check."""

    PASS = "pass"
    FAIL = "fail"
    NOT_REACHED = "not reached"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that the document says and a datagram can show."""

    id: str
    section: str
    expected: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one check."""

    check: Check
    outcome: Outcome
    scenario: str  # in which it was decided; of one that was not reached: "", or those that could have
    came: str  # one sentence; of one that was not reached: why


@dataclass(slots=True)
class Verdicts:
    """What was decided in one scenario. The first failure of a check stands."""

    scenario: str
    decides: tuple[Check, ...]  # beside what is checked of every datagram
    passed: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    stopped: str = ""  # why it ended before its end
    heard: int = 0  # datagrams

    def judge(self, check: Check, holds: bool, came: str) -> bool:
        """Note what came of a check; returns whether it holds."""
        if not holds:
            self.failed.setdefault(check.id, came)
        elif check.id not in self.passed:
            self.passed[check.id] = came
        return holds


def settle(checks: Sequence[Check], played: Iterable[Verdicts]) -> list[Verdict]:
    """One verdict for each check, in the order of `checks`, from all scenarios that were played."""
    books = list(played)
    return [_settle(check, books) for check in checks]


def _settle(check: Check, books: list[Verdicts]) -> Verdict:
    for book in books:
        if check.id in book.failed:
            return Verdict(check, Outcome.FAIL, book.scenario, book.failed[check.id])
    for book in books:
        if check.id in book.passed:
            return Verdict(check, Outcome.PASS, book.scenario, book.passed[check.id])
    mine = [book for book in books if check in book.decides]
    why = next((book.stopped for book in mine if book.stopped), "nothing that was said decides it")
    return Verdict(check, Outcome.NOT_REACHED, ", ".join(book.scenario for book in mine), why)
