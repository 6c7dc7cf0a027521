# SPDX-License-Identifier: BSD-3-Clause
"""`bench players`: crowds at the pace of games, over memif: what is answered, and how soon.

A row's figure is what was acknowledged; it is compared with what was asked for, so a ratio of 1 means that
every message was sent in time and answered.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from pyshim.bench.description import Request
from pyshim.bench.pairs import Comparison
from pyshim.bench.reports.report import GATEWAY, Note, Row
from pyshim.bench.rig.memif import MemifPair, memif_pair
from pyshim.bench.rig.placement import Placement, choose_placement
from pyshim.bench.rig.served import Played
from pyshim.load.scenario import LADDER, Crowd, Step, Trial

PACED = (500_000, 1_000_000)
PACED_PLAYERS = 5_000
WARM_UP_S = 0.1
WARM_UP_WINDOW = 64
DRAIN_S = 0.05

AGAINST = "asked"
GENERATOR = "generator"
CPUS = "cpus"


@dataclass(frozen=True, slots=True)
class Pace:
    """One row's load."""

    name: str
    players: int
    rate_pps: float  # of all players


def paces(*, ladder: bool) -> tuple[Pace, ...]:
    """The rows: the ladder's last step or all of it, and the fixed rates."""
    steps: tuple[Step, ...] = LADDER if ladder else LADDER[-1:]
    climbed = (Pace(f"ladder-{step}", step.players, step.players * step.rate_pps) for step in steps)
    fixed = (Pace(f"paced-{rate}", PACED_PLAYERS, float(rate)) for rate in PACED)
    return (*climbed, *fixed)


def players(request: Request) -> Iterator[Row | Note]:
    """A row per pace.

    Raises:
        PollgateError: the gateway or the generator does not run here, or there is no answer.
    """
    placement = choose_placement()
    wanted = paces(ladder=request.option("ladder", bool))
    with memif_pair(Crowd(players=max(pace.players for pace in wanted)), placement) as pair:
        if placement.shared:
            yield Note(placement.note)
        for pace in wanted:
            yield _row(pace, pair, placement, request)


def _row(pace: Pace, pair: MemifPair, placement: Placement, request: Request) -> Row:
    played: list[Played] = []
    complete = True
    try:
        # Every player has a session before anything counts.
        _play(pair, Trial(pace.players, WARM_UP_S, window=WARM_UP_WINDOW, drain_s=DRAIN_S))
        for number in range(request.pairs):
            played.append(_play(pair, Trial(pace.players, request.seconds, pace.rate_pps, drain_s=DRAIN_S)))
            request.progress(f"{pace.name}: {number + 1} of {request.pairs}")
    except KeyboardInterrupt:
        if not played:
            raise
        complete = False
    measured = Comparison(
        tuple(one.packets_per_s for one in played), (pace.rate_pps,) * len(played), complete=complete
    )
    limited_by, notes = _limit(played, placement)
    return Row.of(
        pace.name,
        measured,
        AGAINST,
        limited_by=limited_by,
        details={**pair.details(), **_details(pace, played)},
        note=notes,
    )


def _play(pair: MemifPair, trial: Trial) -> Played:
    return pair.served.play(pair.generator, trial)


def _limit(played: list[Played], placement: Placement) -> tuple[str, str]:
    if placement.shared:
        return CPUS, ""
    # What is paced is about latency: a message that left late is the generator's, whatever made it late.
    reasons = [why for one in played if (why := one.result.limits + one.result.delays)]
    if 2 * len(reasons) <= len(played):
        return GATEWAY, ""
    return GENERATOR, f"Limited by the generator: {'; '.join(reasons[len(reasons) // 2])}."


def _details(pace: Pace, played: list[Played]) -> dict[str, object]:
    def middle(values: list[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return median(known) if known else None

    latencies = [one.result.latency for one in played]
    return {
        "players": pace.players,
        "flows": pace.players,
        "rate_pps": pace.rate_pps,
        "lost": sum(one.result.lost for one in played),
        "not_sent": sum(one.result.not_sent for one in played),
        "loss_ratio": median(one.result.loss_ratio for one in played),
        "latency_p50_s": middle([latency.p50_s for latency in latencies]),
        "latency_p99_s": middle([latency.p99_s for latency in latencies]),
        "latency_p99_9_s": middle([latency.p99_9_s for latency in latencies]),
        "latency_max_s": max((latency.max_s or 0.0 for latency in latencies), default=0.0),
        "cpu_share": median(one.busy for one in played),
        "cpu_s_per_packet": median(one.cpu_s_per_packet for one in played),
        "generator_ceiling_pps": median(one.result.ceiling_pps for one in played),
    }
