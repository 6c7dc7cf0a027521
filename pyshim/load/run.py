# SPDX-License-Identifier: BSD-3-Clause
"""Plays a load from its first step to its last, or to Ctrl-C: what was played until then is kept."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Literal, Protocol, TypeAlias

from pyshim.errors import PollgateError, UnavailableError, UsageError
from pyshim.load.generator import Generator
from pyshim.load.result import UNSENT, Counts, Result, refused_by
from pyshim.load.scenario import Crowd, Device, Sockets, Step, Target, Trial
from pyshim.load.tickets import Ticket

Name: TypeAlias = Literal["rate", "steps", "ladder", "window"]

_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Round:
    """One trial of a load, and what it is called."""

    trial: Trial
    rate_pps: float | None  # of each player; None: windowed
    ramp: bool = False

    def __str__(self) -> str:
        """`1,000×30`, `ramp 1,000×30`, or `1,000, window 8`."""
        if self.rate_pps is None:
            return f"{self.trial.players:,}, window {self.trial.window:,}"
        return f"{'ramp ' if self.ramp else ''}{self.trial.players:,}×{self.rate_pps:g}"


@dataclass(frozen=True, slots=True)
class Load:
    """All that a command line asks for."""

    name: Name
    crowd: Crowd
    target: Target
    via: Sockets | Device
    rounds: tuple[Round, ...]
    drain_s: float
    tickets: tuple[Ticket, ...] = ()  # a player each, of profile session; (): profile plain


@dataclass(frozen=True, slots=True)
class Played:
    """A round that has ended."""

    round: Round
    result: Result


class View(Protocol):
    """What shows the progress."""

    def begin(self, index: int) -> None:
        """Round `index` begins."""

    def watch(self, counts: Counts) -> None:
        """It has come so far."""

    def end(self, result: Result) -> None:
        """It has ended."""


@dataclass(slots=True)
class Outcome:
    """What a load came to, in full or until it was ended."""

    played: list[Played]
    signal: int | None = None  # that ended it early
    failure: PollgateError | None = None  # that ended it early, after something had been played


def paced_rounds(steps: tuple[Step, ...], seconds: float, ramp_s: float, drain_s: float) -> tuple[Round, ...]:
    """A round per step; before them one that grows to the first step's rate, when `ramp_s` is not 0.

    Raises:
        UsageError: a step is over before its first message is due.
    """
    rounds = []
    if ramp_s:
        rounds.append(Round(steps[0].ramp(ramp_s, drain_s=drain_s), steps[0].rate_pps, ramp=True))
    for step in steps:
        trial = step.trial(seconds, drain_s=drain_s)
        if trial.asked(seconds) < 1:
            raise UsageError(
                f"{step} for {seconds:g} s comes to less than one message; play longer or at a higher rate"
            )
        rounds.append(Round(trial, step.rate_pps))
    return tuple(rounds)


def play(load: Load, view: View) -> Outcome:
    """Play every round.

    Raises:
        PollgateError: before anything was acknowledged.
    """
    outcome = Outcome([])
    opened = Generator(load.crowd, load.target, load.via, tickets=load.tickets)
    with opened as generator, _stopped_by_signals(generator, outcome):
        for index, each in enumerate(load.rounds):
            view.begin(index)
            try:
                result = generator.run(each.trial, view.watch)
            except PollgateError as problem:
                if not outcome.played:
                    raise
                outcome.failure = problem
                break
            view.end(result)
            outcome.played.append(Played(each, result))
            if outcome.signal is not None:
                break
            _check_answered(load.target, outcome.played)
    return outcome


def _check_answered(target: Target, played: list[Played]) -> None:
    """A target that has said nothing so far will not begin to: end with the reason, not a table of losses."""
    results = [each.result for each in played]
    sent, not_sent = sum(result.sent for result in results), sum(result.not_sent for result in results)
    if any(result.acknowledged for result in results) or not sent + not_sent:
        return
    if not sent:
        raise UnavailableError(
            f"none of {not_sent:,} messages to {target} could be sent: {_why_none(results)}"
        )
    raise UnavailableError(
        f"{target} answered none of {sent:,} messages; is the gateway running, does it listen there with "
        "profile: plain (profile: session takes none of these: give --tickets or --issue), does a firewall "
        "drop it? If they arrive, the gateway says why it drops them; udp_checksum: `ethtool -K INTERFACE tx "
        "off` on this side's veth"
    )


def _why_none(results: Sequence[Result]) -> str:
    """The reason for which most were not sent."""
    match max(UNSENT, key=lambda reason: sum(result.unsent[reason] for result in results)):
        case "refused":
            return refused_by(results[-1].refusal)
        case "not_connected":
            return "its players' connections had ended; does the gateway still run?"
        case "held_back":
            return "the gateway acknowledges nothing; does it still run?"
        case _:
            link = "is the device's link up, and does anyone receive at its other end?"
            return f"the send queue stayed full; {link}"


@contextmanager
def _stopped_by_signals(generator: Generator, outcome: Outcome) -> Iterator[None]:
    """While open, Ctrl-C and its kin end the running round and nothing else."""

    def stop(number: int, frame: FrameType | None) -> None:
        outcome.signal = outcome.signal or number
        generator.stop()

    before = {number: signal.signal(number, stop) for number in _STOPPING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
