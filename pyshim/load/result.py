# SPDX-License-Identifier: BSD-3-Clause
"""What became of a trial: counts, rates, round trips, and whether the generator was the limit."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from typing import Literal

from hdrh.histogram import HdrHistogram

from pyshim.load.scenario import Trial
from pyshim.load.world_result import WorldCounts

_NANOSECOND = 1e-9
_SIGNIFICANT_DIGITS = 3
_LATENCY_NS_MAX = (1 << 42) - 1  # of the last of PG_LOAD_LATENCY_BUCKETS

UNSENT = ("queue_full", "refused", "not_connected", "held_back")
"""Why a message was not sent, in the order of enum pg_load_unsent."""

LATE_SHARE_MAX = 0.01
OFFERED_SHARE_MIN = 0.99
UNSENT_SHARE_MAX = 0.01
CEILING_FACTOR_MIN = 2.0


@dataclass(frozen=True, slots=True)
class Counts:
    """The generator's counters, during a trial or after it; struct pg_load_counts says what each means."""

    offered: int  # messages that were due
    sent: int
    not_sent: int  # by reason in `unsent`
    acknowledged: int
    lost: int  # sent and never answered; 0 until the trial has ended
    duplicated: int
    reordered: int
    invalid: int
    stray: int
    host: int  # ARP, neighbour discovery and echo that were answered
    late: int  # left more than 1 ms after their time
    worst_lag_s: float
    sent_bytes: int  # of UDP payload
    elapsed_s: float  # from the first message to the end of sending
    busy_cycles: int
    total_cycles: int
    latency_sum_s: float
    latency_max_s: float
    connected: int  # of profile session, as the three below: players who were when the trial began
    connect_s: float  # that it took until all were
    handshakes: int  # connections that were made, also during the trial
    closed: int  # connections, or attempts, that ended
    heard: int  # messages of the game's own that came to players
    replies: int  # of those, which begin with the mark of a message that the player said
    reply_sum_s: float
    reply_max_s: float
    unsent: dict[str, int]  # by reason, every one of UNSENT
    refusals: int  # datagrams that the kernel, the network or the target said to have refused
    refusal: int  # errno of the last; 0: none
    sent_of_type: dict[str, int]
    acknowledged_of_type: dict[str, int]
    world: WorldCounts  # of players who play one


@dataclass(frozen=True, slots=True)
class Latency:
    """Round trips, from when a message was due to its acknowledgement or reply; None when there were none."""

    count: int
    mean_s: float | None
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None
    p99_9_s: float | None
    max_s: float | None
    _histogram: HdrHistogram = field(repr=False, compare=False)

    @classmethod
    def of(cls, recorded: Iterable[tuple[int, int]], sum_s: float, max_s: float) -> Latency:
        """From (nanoseconds, how often) of the generator's buckets, and the exact sum and maximum."""
        histogram = HdrHistogram(1, _LATENCY_NS_MAX, _SIGNIFICANT_DIGITS)
        for value_ns, times in recorded:
            histogram.record_value(value_ns, times)
        count = histogram.get_total_count()
        at = histogram.get_percentile_to_value_dict([50, 95, 99, 99.9]) if count else {}
        # A bucket stands for its highest value, which may be above the greatest that was seen.
        p50, p95, p99, p99_9 = (
            min(at[p] * _NANOSECOND, max_s) if p in at else None for p in (50, 95, 99, 99.9)
        )
        mean_s = sum_s / count if count else None
        return cls(count, mean_s, p50, p95, p99, p99_9, max_s if count else None, histogram)

    def at(self, percentile: float) -> float | None:
        """Seconds within which this share of messages, in percent, was answered."""
        if self.max_s is None:
            return None
        return min(float(self._histogram.get_value_at_percentile(percentile)) * _NANOSECOND, self.max_s)


@dataclass(frozen=True, slots=True)
class Times:
    """How long it took until messages were acknowledged, and until the game behind the gate replied.

    And for how long those in range of players of a world, who have no slot, went unseen.
    """

    acknowledged: Latency
    replied: Latency
    unseen: Latency


@dataclass(frozen=True, slots=True)
class Result(Counts):
    """A trial that has ended: offered = sent + not_sent, and sent = acknowledged + lost."""

    trial: Trial
    tsc_hz: int
    latency: Latency
    replied: Latency
    unseen: Latency
    cut_short: bool  # it was stopped: the figures are those of the time until then

    @classmethod
    def of(cls, trial: Trial, counts: Counts, times: Times, *, tsc_hz: int, cut_short: bool) -> Result:
        """Put together what the generator counted."""
        values = {each.name: getattr(counts, each.name) for each in fields(Counts)}
        return cls(
            **values,
            trial=trial,
            tsc_hz=tsc_hz,
            latency=times.acknowledged,
            replied=times.replied,
            unseen=times.unseen,
            cut_short=cut_short,
        )

    @property
    def offered_pps(self) -> float:
        """Messages per second that were due."""
        return _per(self.offered, self.elapsed_s)

    @property
    def sent_pps(self) -> float:
        """Messages per second that left."""
        return _per(self.sent, self.elapsed_s)

    @property
    def acknowledged_pps(self) -> float:
        """Acknowledgements per second of sending."""
        return _per(self.acknowledged, self.elapsed_s)

    @property
    def loss_ratio(self) -> float:
        """Share of the sent messages that were not answered."""
        return _per(self.lost, self.sent)

    @property
    def busy(self) -> float:
        """Share of the time in which the generator had something to do."""
        return _per(self.busy_cycles, self.total_cycles)

    @property
    def ceiling_pps(self) -> float:
        """Messages per second that this generator could have sent, had it been busy all the time."""
        return _per(self.sent * self.tsc_hz, self.busy_cycles)

    @property
    def limits(self) -> tuple[str, ...]:
        """Why figures are the generator's and not the target's, a sentence each; () when they are not."""
        return tuple(self._limits())

    def _limits(self) -> Iterator[str]:
        if self.trial.window:
            if 0 < self.ceiling_pps < CEILING_FACTOR_MIN * self.sent_pps:
                yield (
                    f"the generator sent {self.sent_pps:,.0f} of at most {self.ceiling_pps:,.0f} messages/s; "
                    "its ceiling must be twice as high for a figure to be the target's"
                )
        else:
            if self._left_late and self._worked_hard:
                yield self._lateness
            asked = self.trial.asked(self.elapsed_s)
            if self.offered < OFFERED_SHARE_MIN * asked - 1:
                yield f"the generator came to {self.offered:,} of the {asked:,.0f} messages that were asked"
        full = self.unsent["queue_full"]
        if full > UNSENT_SHARE_MAX * self.offered:
            yield f"{_per(full, self.offered):.1%} of the messages could not be sent: the send queue was full"

    @property
    def refused_by(self) -> str | None:
        """What refused datagrams, as the beginning of a sentence; None when nothing did, or nobody knows."""
        return refused_by(self.refusal) if self.refusals else None

    @property
    def delays(self) -> tuple[str, ...]:
        """Why round trips are partly the generator's, though its rate was not: it waited for its CPU."""
        if self.trial.window or not self._left_late or self._worked_hard:
            return ()
        return (f"{self._lateness}, though it was {self.busy:.1%} busy: it had to wait for its CPU",)

    @property
    def _left_late(self) -> bool:
        return self.late > LATE_SHARE_MAX * self.sent

    @property
    def _worked_hard(self) -> bool:
        """An idle generator that sends late is not short of speed."""
        return self.ceiling_pps < CEILING_FACTOR_MIN * self.sent_pps

    @property
    def _lateness(self) -> str:
        return (
            f"{_per(self.late, self.sent):.1%} of the messages left more than 1 ms late, the worst "
            f"{self.worst_lag_s * 1e3:,.1f} ms"
        )

    @property
    def limited_by_generator(self) -> bool:
        """Whether the figures say more about the generator than about the target."""
        return bool(self.limits)

    @property
    def limited_by(self) -> Literal["generator", "target", "none"]:
        """`generator`; or `target` when it answered less than it was sent, or set the pace; or `none`."""
        if self.limited_by_generator:
            return "generator"
        unsent = self.not_sent > UNSENT_SHARE_MAX * self.offered  # and not for want of room in a queue
        return "target" if self.lost or self.trial.window or unsent else "none"


def refused_by(code: int) -> str:
    """What it means that a datagram was refused with an errno, as the beginning of a sentence."""
    why = os.strerror(code)
    match code:
        case errno.ECONNREFUSED:
            return "nobody listens there (ICMP port unreachable)"
        case errno.ENETUNREACH | errno.EHOSTUNREACH:
            return f"no way leads there ({why})"
        case errno.EPERM:
            return f"a firewall of this host lets nothing out to there ({why})"
        case _:
            return f"the kernel does not send there ({why})"


def _per(value: float, whole: float) -> float:
    return value / whole if whole > 0 else 0.0
