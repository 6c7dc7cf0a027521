# SPDX-License-Identifier: BSD-3-Clause
"""`pollgate bench ndr`: the search finds what a made-up target can do, and the command works for once."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pyshim.bench.ndr import loss_of
from pyshim.bench.rig.ndr_search import PDR_LOSS_RATIO, Effort, Ended, Loss, search
from pyshim.errors import UnavailableError
from pyshim.load.scenario import Trial
from tests.bench.commands import bench
from tests.load.builders import result

CAPACITY_PPS = 1_000_000.0
WIDTH = 0.005
EFFORT = Effort(trial_s=1.0, trials=3, width=WIDTH, limit_s=60.0)


def loses_what_is_above(capacity_pps: float) -> Callable[[float, float], Loss]:
    """A target that serves so many a second and no message more."""

    def measure(rate_pps: float, seconds: float) -> Loss:
        sent = round(rate_pps * seconds)
        return Loss(sent, sent, min(sent, int(capacity_pps * seconds)))

    return measure


def loses_a_share(share: float) -> Callable[[float, float], Loss]:
    def measure(rate_pps: float, seconds: float) -> Loss:
        sent = round(rate_pps * seconds)
        return Loss(sent, sent, sent - round(sent * share))

    return measure


@pytest.mark.parametrize("above", [1.01, 1.2, 40.0])
def test_ndr_and_pdr_of_a_known_capacity_are_found_within_the_width(above: float) -> None:
    found = search(loses_what_is_above(CAPACITY_PPS), CAPACITY_PPS * above, EFFORT)

    assert CAPACITY_PPS * (1 - 2 * WIDTH) <= found.ndr.lower_pps <= CAPACITY_PPS
    assert found.ndr.upper_pps is not None
    assert CAPACITY_PPS < found.ndr.upper_pps <= found.ndr.lower_pps / (1 - 2 * WIDTH)
    most = CAPACITY_PPS / (1 - PDR_LOSS_RATIO)
    assert most * (1 - 2 * WIDTH) <= found.pdr.lower_pps <= most
    assert found.ndr.conditional_pps == pytest.approx(found.ndr.lower_pps)
    assert found.pdr.conditional_pps <= found.pdr.lower_pps


def test_messages_that_could_not_be_sent_count_as_lost() -> None:
    def measure(rate_pps: float, seconds: float) -> Loss:
        intended = round(rate_pps * seconds)
        sent = min(intended, int(CAPACITY_PPS * seconds))
        return Loss(intended, sent, sent)

    found = search(measure, CAPACITY_PPS * 2, EFFORT)

    assert found.ndr.lower_pps <= CAPACITY_PPS


def test_a_target_that_never_loses_has_no_upper_bound() -> None:
    found = search(loses_what_is_above(1e9), CAPACITY_PPS, EFFORT)

    assert found.ndr.lower_pps == pytest.approx(CAPACITY_PPS)
    assert found.ndr.upper_pps is None


def test_small_steady_loss_has_a_pdr_and_a_small_ndr() -> None:
    found = search(loses_a_share(0.002), CAPACITY_PPS, EFFORT)

    assert found.pdr.lower_pps == pytest.approx(CAPACITY_PPS)
    assert found.ndr.lower_pps < 1000


def test_a_target_that_always_loses_is_one_sentence() -> None:
    def nothing(rate_pps: float, seconds: float) -> Loss:
        sent = max(1, round(rate_pps * seconds))
        return Loss(sent, sent, 0)

    with pytest.raises(UnavailableError, match="loses messages even at 1 message/s"):
        search(nothing, CAPACITY_PPS, EFFORT)


def test_a_target_slower_than_one_message_a_second_is_one_sentence() -> None:
    with pytest.raises(UnavailableError, match=r"the target serves 0\.5 messages/s"):
        search(loses_what_is_above(0.5), 0.5, EFFORT)


def test_a_search_whose_time_is_up_tells_how_far_it_came() -> None:
    effort = Effort(trial_s=1.0, trials=3, width=WIDTH, limit_s=1e-9)

    found = search(loses_what_is_above(CAPACITY_PPS), CAPACITY_PPS * 4, effort)

    assert found.ended is Ended.LIMIT
    assert found.trials <= 3
    assert found.ndr.lower_pps <= CAPACITY_PPS


def test_a_search_whose_time_is_up_before_any_bound_says_what_to_do() -> None:
    effort = Effort(trial_s=1.0, trials=3, width=WIDTH, limit_s=1e-9)

    with pytest.raises(UnavailableError, match=r"found no bound within 0 s.*--limit"):
        search(loses_a_share(0.5), CAPACITY_PPS, effort)


def test_an_interrupted_search_tells_how_far_it_came() -> None:
    target = loses_what_is_above(CAPACITY_PPS)
    trials = 0

    def measure(rate_pps: float, seconds: float) -> Loss:
        nonlocal trials
        trials += 1
        if trials > 5:
            raise KeyboardInterrupt
        return target(rate_pps, seconds)

    found = search(measure, CAPACITY_PPS * 4, EFFORT)

    assert found.ended is Ended.INTERRUPT
    assert found.ndr.lower_pps <= CAPACITY_PPS


def test_a_search_that_is_interrupted_at_once_finds_nothing() -> None:
    def measure(rate_pps: float, seconds: float) -> Loss:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(measure, CAPACITY_PPS, EFFORT)


def test_a_missing_mlrsearch_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "MLRsearch", None)

    with pytest.raises(UnavailableError, match="-m pip install MLRsearch"):
        search(loses_what_is_above(CAPACITY_PPS), CAPACITY_PPS, EFFORT)


def test_ndr_prints_a_row_for_each_goal(tmp_path: Path) -> None:
    ended = bench(
        *("ndr", "--json", "--pairs", "1", "--seconds", "0.2", "--width", "0.2", "--players", "64"),
        cwd=tmp_path,
    )

    assert ended.returncode == 0, ended.stderr
    report = json.loads(ended.stdout)
    assert [row["name"] for row in report["rows"]] == ["ndr", "pdr"]
    assert [row["loss_ratio"] for row in report["rows"]] == [0.0, PDR_LOSS_RATIO]
    for row in report["rows"]:
        assert (row["unit"], row["against"], row["device"]) == ("packets/s", "mrr", "net_memif")
        assert row["value"] == row["samples"][0] > 0
        assert row["limited_by"] in ("gateway", "generator", "device", "cpus")
        assert row["generator_ceiling_pps"] > 0
        assert row["upper_pps"] is None or row["upper_pps"] > row["value"]
        assert 0 <= row["conditional_pps"] <= row["value"] * (1 + 1e-9)
        assert row["trials"] > 2
        assert 0 < row["cpu_share"] <= 1


def test_a_width_that_is_none_is_a_usage_error(tmp_path: Path) -> None:
    ended = bench("ndr", "--width", "1", cwd=tmp_path)

    assert ended.returncode == 2
    assert "'1' is not a number above 0 and up to 0.5" in ended.stderr


def test_a_rate_that_the_generator_was_too_slow_for_counts_as_lost() -> None:
    trial = Trial(players=10, seconds=1.0, rate_pps=1000.0)
    in_time = result(trial, offered=1000, sent=1000, acknowledged=1000, elapsed_s=1.005)
    assert loss_of(in_time, 1000.0) == Loss(1000, 1000, 1000)

    made_up_for = result(trial, offered=1000, sent=1000, acknowledged=1000, elapsed_s=1.25)
    assert loss_of(made_up_for, 1000.0) == Loss(1000, 800, 800)

    given_up = result(trial, offered=500, sent=500, acknowledged=500, elapsed_s=1.25)
    assert loss_of(given_up, 1000.0) == Loss(1000, 400, 400)
