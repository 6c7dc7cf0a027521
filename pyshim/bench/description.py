# SPDX-License-Identifier: BSD-3-Clause
"""What a benchmark is: a name, what it measures, and a function that yields its rows one after the other."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from pyshim.bench.pairs import Comparison, compare
from pyshim.bench.reports.report import Note, Row
from pyshim.errors import InternalError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Extra:
    """An option that one benchmark has beside the common ones: `--name TEXT`."""

    name: str  # as on the command line, without dashes in front
    default: str
    metavar: str
    help: str
    parse: Callable[[str], object]  # raises ValueError with what is allowed
    flag: bool = False  # takes no text: `--name` is parsed as "yes", its absence as the default


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked a benchmark for."""

    pairs: int  # how often each of two things is measured
    seconds: float  # how long each measurement lasts
    progress: Callable[[str], None] = lambda _: None  # told what is being done, a line at a time
    extra: Mapping[str, object] = field(default_factory=dict)  # parsed extra options by name

    def option(self, name: str, kind: type[T]) -> T:
        """An extra option's parsed value."""
        value = self.extra[name]
        if not isinstance(value, kind):
            raise InternalError(f"the option --{name} was parsed into something else than a {kind.__name__}")
        return value

    def compare(self, row: str, ours: Callable[[], float], theirs: Callable[[], float]) -> Comparison:
        """Measure two things in turn as often as was asked for, and say so meanwhile."""
        return compare(
            ours, theirs, self.pairs, lambda done: self.progress(f"{row}: {done} of {self.pairs} pairs")
        )


@dataclass(frozen=True, slots=True)
class Bench:
    """One benchmark; the command line, the report and the plots know no more of it than this."""

    name: str
    measures: str  # one sentence
    rows: Callable[[Request], Iterator[Row | Note]]  # what was yielded counts, even if the rest never comes
    x_axis: str | None = None  # the key of a row's details that orders the rows along a line
    extras: tuple[Extra, ...] = ()
    in_rounds: bool = False  # rows are measured together, so an interrupt leaves several of them incomplete


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """A parser of numbers such as `1000`, for `Extra.parse`."""

    def parse(text: str) -> int:
        if not (text.isdecimal() and least <= int(text) <= most):
            raise ValueError(f"{text!r} is not a whole number from {least:,} to {most:,}")
        return int(text)

    return parse


def number(above: float, most: float) -> Callable[[str], float]:
    """A parser of numbers such as `0.5`, for `Extra.parse`."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not above < value <= most:
            raise ValueError(f"{text!r} is not a number above {above:g} and up to {most:g}")
        return value

    return parse


def whole_numbers(least: int, most: int) -> Callable[[str], tuple[int, ...]]:
    """A parser of lists such as `1000,10000`, for `Extra.parse`."""

    def parse(text: str) -> tuple[int, ...]:
        parts = [part.strip() for part in text.split(",")]
        if not all(part.isdecimal() and least <= int(part) <= most for part in parts):
            raise ValueError(
                f"{text!r} is not a list of whole numbers from {least:,} to {most:,}, such as {least},{most}"
            )
        return tuple(dict.fromkeys(int(part) for part in parts))

    return parse


def words_of(*allowed: str) -> Callable[[str], tuple[str, ...]]:
    """A parser of lists of some words of several, for `Extra.parse`."""

    def parse(text: str) -> tuple[str, ...]:
        parts = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
        if wrong := [part for part in parts if part not in allowed]:
            raise ValueError(f"{wrong[0]!r} is not one of {', '.join(allowed)}")
        return parts

    return parse


def one_of(*allowed: str) -> Callable[[str], str]:
    """A parser of one word of several, for `Extra.parse`."""

    def parse(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"{text!r} is not one of {', '.join(allowed)}")
        return text

    return parse
