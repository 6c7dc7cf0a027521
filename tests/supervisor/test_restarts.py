# SPDX-License-Identifier: BSD-3-Clause
"""The back-off of restarts, as arithmetic."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pyshim.run.restarts import LONGEST_WAIT_S, Restarts

GAPS = st.lists(st.floats(min_value=0, max_value=100), min_size=1, max_size=60)


def after(gaps: list[float], limit: int = 5, window_s: float = 60) -> Restarts:
    restarts, now_s = Restarts(limit, window_s), 0.0
    for gap in gaps:
        now_s += gap
        restarts = restarts.died(now_s)
    return restarts


def test_a_first_death_is_answered_at_once() -> None:
    assert after([0]).wait_s == 0


def test_waits_double_from_a_tenth_of_a_second() -> None:
    assert [after([0.0] * n).wait_s for n in range(2, 6)] == [0.1, 0.2, 0.4, 0.8]


def test_a_death_long_after_the_others_is_a_first_one() -> None:
    assert after([0, 0, 0, 61]).wait_s == 0


def test_as_many_restarts_as_the_limit_are_allowed_and_no_more() -> None:
    assert not after([1.0] * 5).exhausted
    assert after([1.0] * 6).exhausted


def test_a_limit_of_none_allows_no_restart() -> None:
    assert after([0], limit=0).exhausted


def test_deaths_that_left_the_window_do_not_exhaust() -> None:
    assert not after([13.0] * 50).exhausted


@given(gaps=GAPS)
def test_waits_are_bounded_and_every_death_is_counted(gaps: list[float]) -> None:
    restarts = after(gaps)
    assert 0 <= restarts.wait_s <= LONGEST_WAIT_S
    assert restarts.total == len(gaps)


@given(gaps=GAPS, limit=st.integers(0, 10), window_s=st.floats(1, 100))
def test_exhausted_means_more_deaths_than_the_limit_within_the_window(
    gaps: list[float], limit: int, window_s: float
) -> None:
    times, now_s = [], 0.0
    for gap in gaps:
        now_s += gap
        times.append(now_s)
    within = sum(at > now_s - window_s for at in times)
    assert after(gaps, limit, window_s).exhausted == (within > limit)
