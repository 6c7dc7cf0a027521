# SPDX-License-Identifier: BSD-3-Clause
"""The highest rates at which nothing is lost (NDR) and at which little is (PDR), found by MLRsearch.

This is the pure part: rates in, trials through a function, rates out.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from pyshim.errors import UnavailableError

MIN_PPS = 1.0
PDR_LOSS_RATIO = 0.005
# Of the trials at one rate, this share may be worse than the goal: a virtual machine is stopped now and then
# for a few milliseconds, and such a trial says nothing of the gateway.
EXCEED_RATIO = 0.5
SHORT_TRIALS = 4  # the search begins with trials of this fraction of their length, and with 2 coarser widths
COARSER_SEARCHES = 2
WIDER = 2  # a rate that turned out too low or high is left in steps that double

_TOO_LOSSY = (
    f"the target loses messages even at {MIN_PPS:g} message/s; there is no rate to be found ({{problem}})"
)
_NO_END = (
    "the search for NDR and PDR found no bound within {limit_s:.0f} s: what is lost changes from trial to "
    "trial; give it a quieter machine, or more time with --limit"
)


@dataclass(frozen=True, slots=True)
class Loss:
    """What became of one trial's messages."""

    intended: int  # that should have been sent
    sent: int
    acknowledged: int


@dataclass(frozen=True, slots=True)
class Effort:
    """How much time a search may take."""

    trial_s: float  # the length of a trial that decides
    trials: int  # how many of them decide about one rate
    width: float  # the two rates between which the answer lies are this close, relative to the higher one
    limit_s: float  # the search ends after this time, as far as it has come


@dataclass(frozen=True, slots=True)
class Throughput:
    """What was found for one goal."""

    loss_ratio: float  # the goal
    lower_pps: float  # the highest rate that met it
    upper_pps: float | None  # the lowest that did not; None: none was too high
    conditional_pps: float  # what came back at the lower one: lower_pps without its loss


class Ended(Enum):
    """How a search came to its end."""

    FOUND = "found"  # both answers are as precise as was asked for
    LIMIT = "limit"  # time was up
    INTERRUPT = "interrupt"


@dataclass(frozen=True, slots=True)
class Search:
    """Both goals, and how they were reached."""

    ndr: Throughput
    pdr: Throughput
    trials: int
    seconds: float
    ended: Ended


def search(measure: Callable[[float, float], Loss], max_pps: float, effort: Effort) -> Search:
    """Find NDR and PDR.

    When time is up, or at an interrupt, the bounds are those of the trials until then, if these gave any.

    Args:
        measure: plays one trial at a rate in messages/s for a time in seconds.
        max_pps: no trial is faster.
        effort: how precise, and how long it may take.

    Raises:
        UnavailableError: MLRsearch is not installed, the target loses messages at 1 message/s, or time was up
            before there was any bound.
        KeyboardInterrupt: before there was any bound.
    """
    if max_pps <= MIN_PPS:
        raise UnavailableError(
            f"the target serves {max_pps:.2g} messages/s; there is nothing to search below {MIN_PPS:g}"
        )
    library = _library()
    goals = [_goal(library, loss, effort) for loss in (0.0, PDR_LOSS_RATIO)]
    config = library.Config(
        goals=goals,
        min_load=MIN_PPS,
        max_load=max_pps,
        search_duration_max=effort.limit_s,
        warmup_duration=None,
    )
    controller = library.MultipleLossRatioSearch(config=config)
    measurer = _measurer(library, measure)
    begun = time.monotonic()
    ended = Ended.FOUND
    try:
        controller.search(measurer, debug=lambda _: None)
    except RuntimeError as problem:
        if time.monotonic() - begun < effort.limit_s:
            raise UnavailableError(_TOO_LOSSY.format(problem=problem)) from problem
        ended = Ended.LIMIT
    except KeyboardInterrupt:
        ended = Ended.INTERRUPT
    found = [_throughput(library, controller, goal) for goal in goals]
    ndr, pdr = found
    if ndr is None or pdr is None:
        if ended is Ended.INTERRUPT:
            raise KeyboardInterrupt
        raise UnavailableError(_NO_END.format(limit_s=effort.limit_s))
    return Search(ndr, pdr, measurer.trials, time.monotonic() - begun, ended)


def _measurer(library: Any, measure: Callable[[float, float], Loss]) -> Any:
    class Measurer(library.AbstractMeasurer):  # type: ignore[misc]
        trials = 0

        def measure(self, intended_duration: float, intended_load: float) -> Any:
            self.trials += 1
            loss = measure(intended_load, intended_duration)
            return library.MeasurementResult(
                intended_duration=intended_duration,
                intended_load=intended_load,
                intended_count=loss.intended,
                offered_count=loss.sent,
                forwarding_count=loss.acknowledged,
            )

    return Measurer()


def _library() -> Any:
    try:
        import MLRsearch  # noqa: PLC0415 - an optional extra
    except ImportError as problem:
        raise UnavailableError(
            f"the package MLRsearch is not installed; {sys.executable} -m pip install MLRsearch"
        ) from problem
    return MLRsearch


def _goal(library: Any, loss_ratio: float, effort: Effort) -> Any:
    return library.SearchGoal(
        loss_ratio=loss_ratio,
        exceed_ratio=EXCEED_RATIO,
        relative_width=effort.width,
        initial_trial_duration=effort.trial_s / SHORT_TRIALS,
        final_trial_duration=effort.trial_s,
        duration_sum=effort.trial_s * effort.trials,
        preceding_targets=COARSER_SEARCHES,
        expansion_coefficient=WIDER,
        fail_fast=True,
    )


def _throughput(library: Any, controller: Any, goal: Any) -> Throughput | None:
    """The bounds of a goal; of a search that has not ended, those that its coarser stages found."""
    target = controller.scaling.goal_to_final_target[goal]
    while target is not None:
        bounds = controller.database.get_relevant_bounds(target=target)
        result = library.GoalResult.from_bounds(bounds=bounds)
        lower, upper = result.relevant_lower_bound, result.relevant_upper_bound
        if lower is not None:
            return Throughput(
                loss_ratio=goal.loss_ratio,
                lower_pps=float(lower),
                upper_pps=None if upper is None else float(upper),
                conditional_pps=float(result.conditional_throughput),
            )
        target = target.preceding
    return None
