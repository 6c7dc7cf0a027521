# SPDX-License-Identifier: BSD-3-Clause
"""When to tell the operator that what players say does not reach a game process, and that it does again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from pyshim.stats import Snapshot, by_label
from pyshim.views import units

QUIET_S = 30.0  # without a loss: it keeps up again

_WHY = {
    "full": (
        "does not keep up: its ring is full, and what players say to it is lost, {lost} so far; a larger "
        "game.ring_kib helps for a moment, a faster game, or a route to several processes, for good"
    ),
    "away": (
        "is away and its ring is full: what players say to it is lost, {lost} so far; start one of that "
        "name, or lead game.routes elsewhere"
    ),
    "too_long": (
        "does not get what is longer than a quarter of its ring, {lost} so far; a larger game.ring_kib has "
        "room for it"
    ),
}
_AGAIN = {
    "full": "keeps up again",
    "away": "gets what players say again",
    "too_long": "gets all that players say again",
}
_Key = tuple[str, str]  # process, reason


@dataclass(frozen=True, slots=True)
class _Trouble:
    """Of a process, for a reason, since it was told."""

    before: int  # what was lost until then
    since_s: float
    last_s: float  # when the last message was seen to be lost


@dataclass(frozen=True, slots=True)
class KeepingUp:
    """What was lost of each process at the last look, and who is in trouble. Immutable."""

    lost: Mapping[_Key, int] = field(default_factory=dict)
    troubles: Mapping[_Key, _Trouble] = field(default_factory=dict)

    def look(self, snapshot: Snapshot) -> tuple[Self, list[tuple[str, str]]]:
        """The sentences that are due with their levels, and what to look with the next time."""
        now_s, told = snapshot.taken_at_s, []
        lost = dict(_lost(snapshot))
        # Of a name that was given up there are none any more, and of the next one of that name fewer.
        troubles = {key: one for key, one in self.troubles.items() if one.before <= lost.get(key, -1)}
        for (process, reason), number in lost.items():
            key = process, reason
            before, trouble = self.lost.get(key, 0), troubles.get(key)
            grew = number > before
            if trouble is None and grew:
                troubles[key] = _Trouble(before, now_s, now_s)
                sentence = _WHY[reason].format(lost=_messages(number - before))
                told.append(("warning", f"game process {process} {sentence}"))
            elif trouble is not None and grew:
                troubles[key] = replace(trouble, last_s=now_s)
            elif trouble is not None and now_s - trouble.last_s >= QUIET_S:
                del troubles[key]
                span = units.uptime(trouble.last_s - trouble.since_s)
                many = _messages(number - trouble.before)
                told.append(("info", f"game process {process} {_AGAIN[reason]}: lost were {many} in {span}"))
        return type(self)(lost, troubles), told


def _lost(snapshot: Snapshot) -> Iterator[tuple[_Key, int]]:
    for one in snapshot.instances.get("PROCESS_COUNT", ()):
        for reason, number in by_label(one, "lost").items():
            if reason in _WHY:
                yield (one.name, reason), number


def _messages(number: int) -> str:
    return "1 message" if number == 1 else f"{units.count(number)} messages"
