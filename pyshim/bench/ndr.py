# SPDX-License-Identifier: BSD-3-Clause
"""`bench ndr`: the highest rates that the gateway serves without loss (NDR) and with 0.5 % of it (PDR).

Over memif, against a generator on DPDK, searched by MLRsearch. First comes the rate that is received when
messages are sent as fast as they can be (MRR): it bounds the search, and is what both are compared with.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from pyshim.bench.description import Request
from pyshim.bench.pairs import Comparison
from pyshim.bench.reports.report import GATEWAY, Note, Row
from pyshim.bench.rig.memif import MemifPair, memif_pair
from pyshim.bench.rig.ndr_search import Effort, Ended, Loss, Throughput, search
from pyshim.bench.rig.placement import Placement, choose_placement
from pyshim.bench.rig.served import BUSY_ENOUGH, Played
from pyshim.load.result import CEILING_FACTOR_MIN, Result
from pyshim.load.scenario import Crowd, Trial

PLAYERS = 512
WARM_UP_S = 0.1
WARM_UP_WINDOW = 64
DRAIN_S = 0.05
FLOOD_PPS = 100e6  # more than any core sends
OVERRUN_MAX = 0.01  # of a trial's time: what a generator stopped for a moment may make up for
HARDLY_BUSY = 0.5  # below it, a core that had its CPU could not have been too slow
ABOVE_MRR = 1.2  # nothing above it is tried: an overloaded gateway may serve less than one that is just not

AGAINST = "mrr"
GENERATOR = "generator"
DEVICE = "device"
CPUS = "cpus"

_CUT_SHORT = (
    "The search was cut short, so the answers are less precise than they should be: each lies between the "
    "figure and its upper_pps."
)


def ndr(request: Request) -> Iterator[Row | Note]:
    """A row for NDR and one for PDR.

    `request.pairs` is how many trials of `request.seconds` decide about one rate.

    Raises:
        PollgateError: the gateway, the generator or MLRsearch does not run here, or there is no answer.
        KeyboardInterrupt: after the rows of the trials so far.
    """
    placement = choose_placement()
    players = request.option("players", int)
    effort = Effort(
        trial_s=request.seconds,
        trials=request.pairs,
        width=request.option("width", float),
        limit_s=request.option("limit", float),
    )
    with memif_pair(Crowd(players=players, mix=(("move", 1),)), placement) as pair:
        trials = _Trials(pair, players, request)
        mrr_pps = trials.flood(request.seconds)
        found = search(trials.measure, mrr_pps * ABOVE_MRR, effort)
    yield Note(
        f"{found.trials} trials in {found.seconds:.0f} s, none above {ABOVE_MRR:g} × MRR; {effort.trials} of "
        f"{effort.trial_s:g} s decide about a rate, of which half may be worse than the goal."
    )
    if found.ended is not Ended.FOUND:
        yield Note(_CUT_SHORT)
    if placement.shared:
        yield Note(placement.note)
    for name, goal in (("ndr", found.ndr), ("pdr", found.pdr)):
        row = _row(name, goal, trials.nearest(goal.lower_pps), mrr_pps, placement)
        row = replace(row, complete=found.ended is not Ended.INTERRUPT)
        common = {"players": players, "flows": players, "width": effort.width, "trials": found.trials}
        common |= {"pairs": effort.trials, "limit_s": effort.limit_s}
        yield replace(row, details={**pair.details(), **common, **row.details})
    if found.ended is Ended.INTERRUPT:
        raise KeyboardInterrupt


class _Trials:
    """Trials against the gateway, remembered by rate."""

    def __init__(self, pair: MemifPair, players: int, request: Request) -> None:
        self._pair, self._players, self._request = pair, players, request
        self._played: dict[float, Played] = {}

    def flood(self, seconds: float) -> float:
        """MRR: what is answered when messages leave as fast as they can.

        Raises:
            UnavailableError: nothing is.
        """
        self._play(Trial(self._players, WARM_UP_S, window=WARM_UP_WINDOW, drain_s=DRAIN_S))
        played = self._play(Trial(self._players, seconds, FLOOD_PPS, drain_s=DRAIN_S))
        self._request.progress(f"mrr: {played.packets_per_s:,.0f} packets/s")
        return played.packets_per_s

    def measure(self, rate_pps: float, seconds: float) -> Loss:
        """One trial of the search."""
        seconds = max(seconds, 1 / rate_pps)  # at the lowest rate one message is due, too
        played = self._play(Trial(self._players, seconds, rate_pps, drain_s=DRAIN_S))
        self._played[rate_pps] = played
        result = played.result
        loss = loss_of(result, rate_pps)
        lost = loss.intended - loss.acknowledged
        self._request.progress(f"{rate_pps:,.0f} packets/s for {seconds:g} s: {lost:,} lost")
        return loss

    def nearest(self, rate_pps: float) -> Played:
        """The last trial at a rate, or at the one that is nearest to it."""
        return self._played[min(self._played, key=lambda played: abs(played - rate_pps))]

    def _play(self, trial: Trial) -> Played:
        return self._pair.served.play(self._pair.generator, trial)


def loss_of(result: Result, rate_pps: float) -> Loss:
    """What became of a trial at a rate. What a generator that fell behind sent after the time is lost, too.

    Otherwise a rate would count as served that was never sent.
    """
    intended_s = result.trial.seconds
    if result.elapsed_s <= intended_s * (1 + OVERRUN_MAX):
        return Loss(result.offered, result.sent, result.acknowledged)
    in_time = intended_s / result.elapsed_s
    return Loss(round(rate_pps * intended_s), int(result.sent * in_time), int(result.acknowledged * in_time))


def limit(rate_pps: float, played: Played) -> tuple[str, str]:
    """What bounded a rate, and a sentence about it when that was not the gateway alone."""
    result = played.result
    if result.limits:
        return GENERATOR, f"Limited by the generator: {'; '.join(result.limits)}."
    if played.busy >= BUSY_ENOUGH:
        return GATEWAY, ""
    if result.ceiling_pps < CEILING_FACTOR_MIN * rate_pps:
        return GENERATOR, (
            f"Limited by the generator, which can send {result.ceiling_pps / rate_pps:.1f} times as much, "
            f"while the gateway's core was {played.busy:.0%} busy."
        )
    if played.busy < HARDLY_BUSY:
        return DEVICE, (
            f"The gateway's core was {played.busy:.0%} busy: what is lost at higher rates did not fit into "
            "the device's rings while one of the two sides did not have its CPU."
        )
    return GATEWAY, ""


def _row(name: str, goal: Throughput, played: Played, mrr_pps: float, placement: Placement) -> Row:
    limited_by, why = (CPUS, "") if placement.shared else limit(goal.lower_pps, played)
    notes = [why]
    if goal.upper_pps is None:
        notes.append("No rate was too high: the true figure is above the highest that was tried.")
    latency = played.result.latency
    return Row.of(
        name,
        Comparison((goal.lower_pps,), (mrr_pps,)),
        AGAINST,
        limited_by=limited_by,
        details={
            "loss_ratio": goal.loss_ratio,
            "upper_pps": goal.upper_pps,
            "conditional_pps": goal.conditional_pps,
            "generator_ceiling_pps": played.result.ceiling_pps,
            "cpu_share": played.busy,
            "latency_p50_s": latency.p50_s,
            "latency_p99_s": latency.p99_s,
        },
        note=" ".join(filter(None, notes)),
    )
