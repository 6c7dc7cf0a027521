# SPDX-License-Identifier: BSD-3-Clause
"""How two things are compared."""

from __future__ import annotations

import pytest

from pyshim.bench.pairs import Comparison, Ratio, compare


def test_the_two_take_turns_in_going_first() -> None:
    order: list[str] = []

    def measure(name: str) -> float:
        order.append(name)
        return 1.0

    compare(lambda: measure("ours"), lambda: measure("theirs"), pairs=3)

    assert order == ["ours", "theirs", "theirs", "ours", "ours", "theirs"]


def test_the_ratio_is_of_each_pair_and_not_of_the_medians() -> None:
    # The machine is half as fast during the second pair: both are, so the ratio stays.
    comparison = Comparison(ours=(20.0, 10.0, 18.0), theirs=(25.0, 12.5, 20.0))

    assert comparison.ratio == Ratio(
        median=pytest.approx(0.8), min=pytest.approx(0.8), max=pytest.approx(0.9)
    )


def test_progress_counts_pairs() -> None:
    done: list[int] = []

    compare(lambda: 1.0, lambda: 2.0, pairs=2, progress=done.append)

    assert done == [1, 2]


def test_an_interrupt_gives_the_whole_pairs_before_it() -> None:
    figures = iter([1.0, 2.0, 3.0])

    def measure() -> float:
        try:
            return next(figures)
        except StopIteration:
            raise KeyboardInterrupt from None

    assert compare(measure, measure, pairs=5) == Comparison((1.0,), (2.0,), complete=False)


def test_an_interrupt_before_the_first_whole_pair_is_an_interrupt() -> None:
    def interrupted() -> float:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare(lambda: 1.0, interrupted, pairs=5)
