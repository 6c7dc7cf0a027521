# SPDX-License-Identifier: BSD-3-Clause
"""What configurations that were written for an earlier version of pollgate say, and what became of it."""

from __future__ import annotations

from typing import Any

from pydantic import Field

# Defaults that were others: a program that wrote them out asked for nothing, and still does.
FORMER_DEFAULTS = {"connections_burst": 100, "resend_min_ms": 100}


def former(meaning: str, **limits: Any) -> Any:
    """A key that does nothing any more. Files that have it are still read; who has it in one is told
    (`planner/former.py`)."""
    return Field(default=None, description=meaning, json_schema_extra={"deprecated": True}, **limits)


def asks_for_nothing(key: str, value: object, default: object) -> bool:
    """Whether a value is what stands for a key that is not written, or once stood for it."""
    return value == default or value == FORMER_DEFAULTS.get(key, default)
