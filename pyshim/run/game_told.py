# SPDX-License-Identifier: BSD-3-Clause
"""What others hear of game processes: the operator, metrics, the statistics page."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from pyshim.bus.between import Between
from pyshim.bus.counted import Counted
from pyshim.bus.files import Files
from pyshim.bus.registry import Phase, Place
from pyshim.stats import GameFigures, GameProcess

TOLD_PER_MINUTE = 60  # sentences of each kind: a process that comes and goes must not fill the log
_MINUTE_S = 60.0
BACKLOG_S = 1.0  # between two looks at how full rings are
_STATES = {Phase.HERE: "attached", Phase.ARRIVING: "arriving", Phase.AWAY: "away"}


class Told:
    """Sentences about processes, so many a minute of each kind: a level, or "refused"."""

    def __init__(self, routed: Iterable[str]) -> None:
        """Nobody listens yet; to these names routes lead."""
        self._routed = frozenset(routed)
        self.operator: Callable[[str, str], None] = lambda _level, _sentence: None
        self._told: dict[str, deque[float]] = {}  # when, by kind

    def __call__(self, kind: str, sentence: str) -> None:
        """Say it, unless too much was said."""
        now_s = time.monotonic()
        told = self._told.setdefault(kind, deque())
        while told and now_s - told[0] >= _MINUTE_S:
            told.popleft()
        if len(told) < TOLD_PER_MINUTE:
            told.append(now_s)
            self.operator("warning" if kind == "refused" else kind, sentence)

    def routes(self, routed: Iterable[str], places: Iterable[Place]) -> None:
        """Routes lead to these names since a reload: say which of them nobody has, and who is left out."""
        before, self._routed = self._routed, frozenset(routed)
        for place in places:
            if place.phase is Phase.AWAY and place.name in self._routed - before:
                text = "no process of that name is attached: what players say to it waits in its ring"
                self("warning", f"game.routes leads to {place.name} now, and {text}")
            elif place.phase is not Phase.AWAY and place.name in before - self._routed:
                text = "it does not get what players say any more"
                self("warning", f"no entry of game.routes leads to game process {place.name} now: {text}")


class Names(Protocol):
    """What processes are called in the statistics page."""

    def name(self, index: int, name: str) -> None:
        """What is counted there is this one's from now on; the name that it has may be given again."""

    def unname(self, index: int) -> None:
        """It is nobody's."""


class Figures:
    """For metrics, which are asked for many times a second."""

    def __init__(self, files: Files, between: Between, counted: Counted, ring_bytes: int) -> None:
        """No ring was looked at yet."""
        self._files = files
        self._between = between
        self._counted = counted
        self._ring_bytes = ring_bytes
        self._backlog: Mapping[int, tuple[int, ...]] = {}
        self._posts: Mapping[tuple[str, str], int] = {}
        self._pages: Mapping[int, str] = {}
        self._looked_s = -BACKLOG_S

    def __call__(self, places: Mapping[int, Place]) -> GameFigures:
        """As they are now, and rings as they were a moment ago."""
        now_s = time.monotonic()
        if now_s - self._looked_s >= BACKLOG_S:
            self._looked_s = now_s
            self._backlog = {index: self._files.backlog(index) for index in places}
            self._posts = self._between.posts()
            self._pages = {index: self._files.pages(index) for index in places}
        since_s = time.time() - now_s
        return GameFigures(
            tuple(
                _process(place, since_s, self._backlog.get(index, ()), self._pages.get(index, ""))
                for index, place in sorted(places.items())
            ),
            self._counted.attached,
            dict(self._counted.detached),
            dict(self._counted.refused),
            dict(self._counted.unread),
            self._ring_bytes,
            self._posts,
        )


def _process(place: Place, since_s: float, backlog: tuple[int, ...], pages: str) -> GameProcess:
    """A place for people; `since_s`: Unix time at which the clock of the registry was 0."""
    since_s = since_s + place.since_s if place.since_s else 0.0
    return GameProcess(place.name, _STATES[place.phase], place.pid, since_s, place.routed, backlog, pages)
