# SPDX-License-Identifier: BSD-3-Clause
"""What a run of the kit says: a line for each check, or one JSON object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyshim import __version__
from pyshim.conformance.checks import Outcome, Verdict
from pyshim.conformance.scenario import Scenario

_ORDER = {Outcome.FAIL: 0, Outcome.NOT_REACHED: 1, Outcome.PASS: 2}


def counts(verdicts: Sequence[Verdict]) -> dict[Outcome, int]:
    """How many of each."""
    return {outcome: sum(one.outcome is outcome for one in verdicts) for outcome in Outcome}


def as_text(verdicts: Sequence[Verdict], subject: str) -> str:
    """What failed first, with what was expected, then what was not reached, then what passed."""
    lines = []
    width = max((len(one.check.id) for one in verdicts), default=0)
    for one in sorted(verdicts, key=lambda one: _ORDER[one.outcome]):
        head = f"{one.outcome.upper():<11}  {one.check.id:<{width}}  §{one.check.section:<3}"
        if one.outcome is Outcome.FAIL:
            lines += [
                f"{head} {one.check.expected}.",
                f"{'':<11}  {'':<{width}}  {'':<4} Came: {one.came} (scenario {one.scenario}).",
            ]
        elif one.outcome is Outcome.NOT_REACHED:
            lines.append(f"{head} {one.came}{f' (scenario {one.scenario})' if one.scenario else ''}.")
        else:
            lines.append(f"{head} {one.check.expected}.")
    found = counts(verdicts)
    total = ", ".join(f"{number} {outcome}" for outcome, number in found.items())
    return "\n".join([*lines, f"{subject}: {total}"])


def as_object(verdicts: Sequence[Verdict], subject: str, protocol: int) -> dict[str, Any]:
    """For machines."""
    return {
        "conformance": subject,
        "pollgate": __version__,
        "protocol": protocol,
        "counts": {str(outcome): number for outcome, number in counts(verdicts).items()},
        "checks": [
            {
                "id": one.check.id,
                "section": one.check.section,
                "expected": one.check.expected,
                "verdict": str(one.outcome),
                "came": one.came,
                "scenario": one.scenario,
            }
            for one in verdicts
        ],
    }


def as_table(scenarios: Sequence[Scenario[Any]]) -> str:
    """The checks as a table of a document."""
    lines = ["| check | section | what is expected | scenario |", "|---|---|---|---|"]
    seen = set()
    for scenario in scenarios:
        for check in scenario.checks:
            if check.id not in seen:
                seen.add(check.id)
                lines.append(f"| `{check.id}` | {check.section} | {check.expected} | {scenario.name} |")
    return "\n".join(lines)
