# SPDX-License-Identifier: BSD-3-Clause
"""Runs two things in turn and compares them: the only comparison that survives a noisy machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from pyshim.errors import UnavailableError


@dataclass(frozen=True, slots=True)
class Ratio:
    """The ratio of each pair's two figures: median and range over the pairs."""

    median: float
    min: float
    max: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Figures of A and B in the order in which they were measured."""

    ours: tuple[float, ...]
    theirs: tuple[float, ...]
    complete: bool = True  # False: an interrupt came after some of the pairs

    @property
    def ratio(self) -> Ratio:
        """Ours divided by theirs, pair by pair."""
        ratios = [a / b for a, b in zip(self.ours, self.theirs, strict=True)]
        return Ratio(median(ratios), min(ratios), max(ratios))


def compare(
    ours: Callable[[], float],
    theirs: Callable[[], float],
    pairs: int,
    progress: Callable[[int], None] = lambda _: None,
) -> Comparison:
    """Measure `pairs` times each; which one goes first changes with every pair, so that a drift favours none.

    Args:
        ours: measures once and returns the figure; likewise `theirs`, whose figure is above 0.
        pairs: at least 1.
        progress: told the number of pairs done.

    Raises:
        UnavailableError: theirs came to nothing, so that nothing can be compared with it.
        KeyboardInterrupt: before the first pair was whole; later the pairs so far are returned.
    """
    a: list[float] = []
    b: list[float] = []
    try:
        for pair in range(pairs):
            first, second = ((ours, a), (theirs, b))[:: 1 if pair % 2 == 0 else -1]
            for measure, figures in (first, second):
                figures.append(measure())
            if b[-1] <= 0:
                raise UnavailableError(
                    "what it is compared with came to nothing; is this machine busy with something else?"
                )
            progress(pair + 1)
    except KeyboardInterrupt:
        whole = min(len(a), len(b))
        if whole == 0:
            raise
        return Comparison(tuple(a[:whole]), tuple(b[:whole]), complete=False)
    return Comparison(tuple(a), tuple(b))
