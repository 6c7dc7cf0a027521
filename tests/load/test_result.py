# SPDX-License-Identifier: BSD-3-Clause
"""Percentiles, rates, and when a figure is the generator's own."""

from __future__ import annotations

import errno
import itertools
import math
import random
from bisect import bisect_left
from contextlib import closing

import pytest
from hdrh.histogram import HdrHistogram

from pyshim._native._pollgate import lib
from pyshim.load.native import Page
from pyshim.load.result import UNSENT, Latency, refused_by
from pyshim.load.scenario import Step, Trial
from tests.load.builders import NO_LATENCY, result

PERCENTILES = (50, 90, 95, 99, 99.9, 99.99, 100)
BOUNDS = [lib.pg_load_latency_ns(bucket) for bucket in range(lib.PG_LOAD_LATENCY_BUCKETS)]


def unsent(**counts: int) -> dict[str, int]:
    return dict.fromkeys(UNSENT, 0) | counts


def distributions() -> dict[str, list[int]]:
    """Round trips in ns whose percentiles are known."""
    draw = random.Random(1)
    return {
        "one value": [123_456] * 1000,
        "each of 1 … 10,000 ns": list(range(1, 10_001)),
        "1 … 10,000 µs": [n * 1000 for n in range(1, 10_001)],
        "exponential, 50 µs": [round(draw.expovariate(1 / 50_000)) for _ in range(20_000)],
        "mostly fast, some of seconds": [800] * 9_985 + [3_000_000_000] * 15,
        "an hour": [3_600 * 10**9, 1],
    }


def through_the_buckets(values_ns: list[int]) -> Latency:
    """As the generator counts them: into the buckets of its page."""
    with closing(Page.create()) as page:
        for value in values_ns:
            page.native.counts.latency[bisect_left(BOUNDS, value)] += 1
        return Latency.of(page.recorded(), sum(values_ns) * 1e-9, max(values_ns) * 1e-9)


def test_buckets_grow_and_none_is_wider_than_a_thousandth_of_its_value() -> None:
    assert BOUNDS[:2048] == list(range(2048))
    for below, bound in itertools.pairwise(BOUNDS[:-1]):
        assert below < bound
        assert bound - below <= max(1, (below + 1) / 1000)


@pytest.mark.parametrize("name", distributions())
def test_percentiles_are_those_of_an_hdr_histogram_of_the_same_values(name: str) -> None:
    values = distributions()[name]
    hdr = HdrHistogram(1, (1 << 42) - 1, 3)
    for value in values:
        hdr.record_value(value)
    latency = through_the_buckets(values)
    assert latency.count == len(values)
    for percentile in PERCENTILES:
        expected = min(hdr.get_value_at_percentile(percentile), max(values))
        assert latency.at(percentile) == pytest.approx(expected * 1e-9, rel=1e-12)


@pytest.mark.parametrize("name", distributions())
def test_percentiles_are_right_to_a_thousandth(name: str) -> None:
    values = sorted(distributions()[name])
    latency = through_the_buckets(values)
    named = {
        50: latency.p50_s,
        95: latency.p95_s,
        99: latency.p99_s,
        99.9: latency.p99_9_s,
    }
    for percentile, found in named.items():
        true_ns = values[max(1, math.floor(percentile * len(values) / 100 + 0.5)) - 1]
        assert found == pytest.approx(true_ns * 1e-9, rel=1e-3, abs=1e-12)
    assert latency.max_s == pytest.approx(values[-1] * 1e-9)
    assert latency.mean_s == pytest.approx(sum(values) * 1e-9 / len(values))


def test_no_percentile_is_above_the_maximum() -> None:
    latency = Latency.of([(BOUNDS[5000], 1)], 1.0, (BOUNDS[4999] + 1) * 1e-9)
    assert latency.at(100) == latency.p50_s == latency.max_s


def test_without_an_answer_there_is_no_latency() -> None:
    assert NO_LATENCY.count == 0
    assert NO_LATENCY.at(50) is NO_LATENCY.mean_s is NO_LATENCY.max_s is NO_LATENCY.p99_9_s is None


def test_rates_are_per_second_of_sending_and_the_ceiling_is_that_of_a_busy_generator() -> None:
    found = result(elapsed_s=2.0)
    assert (found.offered_pps, found.sent_pps, found.acknowledged_pps) == (500, 500, 500)
    assert found.busy == pytest.approx(0.1)
    assert found.ceiling_pps == pytest.approx(10_000)


def test_a_generator_that_kept_up_limits_nothing() -> None:
    assert result().limits == ()
    assert (result().limited_by_generator, result().limited_by) == (False, "none")
    lossy = result(acknowledged=900, lost=100)
    assert (lossy.loss_ratio, lossy.limits, lossy.limited_by) == (0.1, (), "target")


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (
            result(late=11, worst_lag_s=0.0125, busy_cycles=600_000_000),
            "1.1% of the messages left more than 1 ms late, the worst 12.5",
        ),
        (result(offered=980, sent=980), "came to 980 of the 1,000 messages"),
        (
            result(sent=980, not_sent=20, unsent=unsent(queue_full=20)),
            "2.0% of the messages could not be sent: the send queue was full",
        ),
        (result(Trial(1, 1.0, window=8), busy_cycles=600_000_000), "sent 1,000 of at most 1,667 messages/s"),
    ],
)
def test_a_generator_that_did_not_keep_up_is_named_with_the_reason(found: object, sentence: str) -> None:
    assert len(found.limits) == 1  # type: ignore[attr-defined]
    assert sentence in found.limits[0]  # type: ignore[attr-defined]
    assert found.limited_by == "generator"  # type: ignore[attr-defined]


@pytest.mark.parametrize("reason", ["refused", "not_connected", "held_back"])
def test_what_is_not_sent_for_another_reason_than_a_full_queue_is_the_targets(reason: str) -> None:
    found = result(sent=980, acknowledged=980, not_sent=20, unsent=unsent(**{reason: 20}))
    assert (found.limits, found.limited_by) == ((), "target")


def test_an_errno_of_a_refusal_is_half_a_sentence() -> None:
    assert result().refused_by is None
    assert result(refusals=3, refusal=errno.ECONNREFUSED).refused_by is not None
    said = [refused_by(code) for code in (errno.ECONNREFUSED, errno.ENETUNREACH, errno.EPERM, errno.EINVAL)]
    assert [text.split()[0] for text in said] == ["nobody", "no", "a", "the"]
    assert "(Network is unreachable)" in said[1]


def test_an_idle_generator_that_sends_late_is_no_limit_and_says_that_it_waited() -> None:
    late = result(Trial(10, 3.0, 150.0), offered=450, sent=450, acknowledged=450, elapsed_s=3.0, late=40)
    assert (late.limits, late.limited_by) == ((), "none")
    (delay,) = late.delays
    assert delay.startswith("8.9% of the messages left more than 1 ms late")
    assert "wait for its CPU" in delay
    assert result().delays == ()


def test_a_generator_that_is_late_because_it_has_no_more_says_so_once() -> None:
    assert result(late=11, busy_cycles=600_000_000).delays == ()


def test_a_windowed_trial_with_a_high_ceiling_is_limited_by_its_target() -> None:
    assert result(Trial(1, 1.0, window=8)).limited_by == "target"


def test_a_trial_that_was_cut_short_is_judged_by_the_time_until_then() -> None:
    trial = Step(100, 10).ramp(2.0)
    assert result(trial, cut_short=True, elapsed_s=1.0, offered=250, sent=250).limits == ()
    assert result(trial, cut_short=True, elapsed_s=2.0, offered=250, sent=250).limits != ()


def test_one_message_too_few_is_rounding_and_no_limit() -> None:
    assert result(Trial(1, 1.0, 2.0), offered=1, sent=1).limits == ()


def test_nothing_at_all_has_no_rates() -> None:
    nothing = result(offered=0, sent=0, acknowledged=0, elapsed_s=0.0, busy_cycles=0, total_cycles=0)
    assert (nothing.sent_pps, nothing.ceiling_pps, nothing.loss_ratio, nothing.busy) == (0, 0, 0, 0)
