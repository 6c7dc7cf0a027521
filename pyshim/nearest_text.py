# SPDX-License-Identifier: BSD-3-Clause
"""What a terminal or a log that is not in Unicode shows of our sentences: the nearest that it has.

A mark for "the books balance" that becomes a question mark looks like one for "they do not".
"""

from __future__ import annotations

import codecs

NEAREST = "pollgate.nearest"
"""Name of a handler of encoding errors, as `open(errors=…)` takes it."""

_NEAREST = {
    "–": "-",
    "×": "x",
    "…": "...",
    "→": "->",
    "•": "*",
    "·": "*",
    "µ": "u",
    "✓": "ok",
    "✗": "WRONG:",
    "│": "|",
    "─": "-",
}


def _nearest(problem: UnicodeError) -> tuple[str, int]:
    if not isinstance(problem, UnicodeEncodeError):
        raise problem
    lost = problem.object[problem.start : problem.end]
    return "".join(_NEAREST.get(one) or _escaped(one) for one in lost), problem.end


def _escaped(one: str) -> str:
    return one.encode("ascii", "backslashreplace").decode("ascii")


codecs.register_error(NEAREST, _nearest)
