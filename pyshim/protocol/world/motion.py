# SPDX-License-Identifier: BSD-3-Clause
"""Where somebody was in the last frames, and where to show him between two of them or after the last."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pyshim.protocol.world.record import Place

KEPT_TICKS: Final = 64  # a state that comes late by some ticks may be a baseline, or have one, of AGES before
_RISE: Final = 1 / 256  # of the way to a later arrival, for each body: so fast may a path become slower
_INTERVAL_GAIN: Final = 1 / 16
_INTERVAL_MAX_TICKS: Final = 32.0
_OWN_GAIN: Final = 1 / 8


class History:
    """The places of one entity by frame, of the last KEPT_TICKS."""

    __slots__ = ("_newest", "_places", "interval_ticks")

    def __init__(self) -> None:
        """Nothing is known."""
        self._places: list[tuple[int, Place] | None] = [None] * KEPT_TICKS
        self._newest: int | None = None
        self.interval_ticks = 1.0  # between frames that tell of it: who is far is told of seldom

    def put(self, tick: int, place: Place) -> None:
        """Keep a place, unless there is a newer one where it would stand."""
        there = self._places[tick % KEPT_TICKS]
        if there is None or there[0] <= tick:
            self._places[tick % KEPT_TICKS] = (tick, place)
        if self._newest is None or tick > self._newest:
            if self._newest is not None:
                self.interval_ticks += (_gap(tick, self._newest) - self.interval_ticks) * _OWN_GAIN
            self._newest = tick

    def get(self, tick: int) -> Place | None:
        """The place in exactly this frame."""
        there = self._places[tick % KEPT_TICKS]
        return there[1] if there is not None and there[0] == tick else None

    def _kept(self) -> Iterator[tuple[int, Place]]:
        return (one for one in self._places if one is not None)

    def at(self, tick: float, extrapolate_ticks: float, parts: int) -> Shown:
        """Where to show the entity at a time between frames; something is known of it.

        `parts`: so many of a velocity's units are a quantum per tick.
        """
        before = max((one for one in self._kept() if one[0] <= tick), default=None, key=lambda one: one[0])
        after = min((one for one in self._kept() if one[0] > tick), default=None, key=lambda one: one[0])
        if before is None:
            assert after is not None
            return Shown(_floats(after[1]), after[1], after[0] - tick)
        if after is None:
            return _extrapolated(before[1], tick - before[0], extrapolate_ticks, parts)
        share = (tick - before[0]) / (after[0] - before[0])
        x, y, z = (
            of + (to - of) * share for of, to in zip(before[1].position, after[1].position, strict=True)
        )
        return Shown((x, y, z), before[1], 0.0)


@dataclass(frozen=True, slots=True)
class Shown:
    """A place between frames."""

    position: tuple[float, float, float]  # quanta
    place: Place  # of the frame before
    beyond_ticks: float  # from the nearest frame that is known; 0.0: it is between two


def _gap(tick: int, before: int) -> float:
    return min(float(tick - before), _INTERVAL_MAX_TICKS)


def _floats(place: Place) -> tuple[float, float, float]:
    x, y, z = map(float, place.position)
    return x, y, z


def _extrapolated(place: Place, ticks: float, most_ticks: float, parts: int) -> Shown:
    """He goes on as he went, for so long at most."""
    way = min(ticks, most_ticks) / parts
    x, y, z = (at + speed * way for at, speed in zip(place.position, place.velocity, strict=True))
    return Shown((x, y, z), place, ticks)


class TickClock:
    """Which frame comes now, by when those before came: the gateway's clock by the fastest datagrams."""

    __slots__ = ("_newest", "_origin_s", "interval_ticks", "tick_hz")

    def __init__(self, tick_hz: int) -> None:
        """No frame has come."""
        self.tick_hz = tick_hz
        self._newest: int | None = None
        self._origin_s = 0.0  # when frame 0 came
        self.interval_ticks = 1.0  # between frames that come

    @property
    def runs(self) -> bool:
        """Whether a frame has come."""
        return self._newest is not None

    def came(self, tick: int, now_s: float) -> None:
        """A frame came, the first or one that is newer than all before."""
        origin_s = now_s - tick / self.tick_hz
        if self._newest is None or origin_s < self._origin_s:
            self._origin_s = origin_s
        else:
            self._origin_s += (origin_s - self._origin_s) * _RISE
        if self._newest is not None:
            self.interval_ticks += (_gap(tick, self._newest) - self.interval_ticks) * _INTERVAL_GAIN
        self._newest = tick

    def at(self, now_s: float) -> float:
        """The frame that comes at a time, as a fraction."""
        return (now_s - self._origin_s) * self.tick_hz
