# SPDX-License-Identifier: BSD-3-Clause
"""The worlds of `bench world`, and what each is held to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyshim.bench.reports.bars import Bar
from pyshim.views.units import duration

if TYPE_CHECKING:
    from pyshim.bench.rig.world_run import World

SETTLE_S = 5.0  # until everybody was ranked by place once
LARGE_SETTLE_S = 10.0  # likewise, at few ticks a second


def _percent(value: float) -> str:
    return f"{value:.1f} %"


def _bytes(value: float) -> str:
    return f"{value:.2f} B"


def _kbps(value: float) -> str:
    return f"{value / 1000:.0f} kbit/s"


def _busy(percent: float) -> Bar:
    return Bar("busy_percent", "a core at this rate", percent, _percent)


def _bytes_each(most: float) -> Bar:
    return Bar("bytes_per_neighbour", "bytes a neighbour and update", most, _bytes)


_TICK = Bar("tick_p99_s", "tick, p99", 0.002, duration)
_APPEARS = Bar("appears_s", "movement to its appearance beyond a tick, p99", 0.002, duration)
_HANDLING = Bar("handling_p99_s", "movement's handling, p99", 0.0001, duration)
_HOLD = Bar("hold_p99_s", "a step's hold on the receive ring, p99", 0.00005, duration)
_SLICES = (_HANDLING, _HOLD)
_ROUND_TRIP_S = (0.100, 0.170)  # least and most, of a player
_FAR_S = (0.300, 0.370)


@dataclass(frozen=True, slots=True)
class WorldRow:
    """A row: what is served, and what it is held to."""

    name: str
    place: str
    players: int
    bars: tuple[Bar, ...] = ()
    tick_hz: int = 60
    standing_percent: int = 0
    ordered: bool = False
    jitter: bool = False
    attack_per_mille: int = 0
    asked_per_tick: int = 0
    unsealed: bool = False
    plain: bool = False
    beside_sealed: bool = False  # measured in turn with the same, sealed
    round_trip_s: tuple[float, float] = _ROUND_TRIP_S
    lost_per_mille: int = 20
    glimpses: int = 12
    cell_m: int = 16  # as the default
    settle_s: float = SETTLE_S
    least_s: float = 0.0  # measured for no less

    def world(self, seed: int) -> World:
        """The world, with other players for each seed."""
        from pyshim.bench.rig.world_run import Place, World  # noqa: PLC0415 - with the data plane

        least, most = (max(1, round(trip_s * self.tick_hz)) for trip_s in self.round_trip_s)
        return World(
            players=self.players,
            place=Place(self.place),
            tick_hz=self.tick_hz,
            standing_percent=self.standing_percent,
            ordered=self.ordered,
            jitter=self.jitter,
            attack_per_mille=self.attack_per_mille,
            asked_per_tick=self.asked_per_tick,
            unsealed=self.unsealed,
            plain=self.plain,
            round_trip_ticks=least,
            round_trip_spread=most - least,
            lost_per_mille=self.lost_per_mille,
            glimpses=self.glimpses,
            cell_m=self.cell_m,
            seed=seed,
        )


ROWS = (
    WorldRow("spread-5000", "spread", 5_000, (_busy(15), _TICK, _APPEARS, *_SLICES)),
    WorldRow("town-5000", "town", 5_000, (_busy(15), _TICK, _APPEARS, _bytes_each(2.2), *_SLICES)),
    WorldRow(
        "crowd-5000",
        "crowd",
        5_000,
        (
            _busy(18),
            Bar("staleness_p99_s", "unseen in range for, p99", 6.0, duration),
            Bar("bits_per_s", "sent to a player", 120_000, _kbps),
            _APPEARS,
            *_SLICES,
        ),
        glimpses=24,
        cell_m=4,
        settle_s=12.0,
        least_s=10.0,
    ),
    WorldRow("spread-10000", "spread", 10_000, (_busy(40), *_SLICES)),
    WorldRow("spread-15000", "spread", 15_000, (_busy(60), *_SLICES)),
    WorldRow("spread-20000", "spread", 20_000, _SLICES),
    WorldRow("spread-50000", "spread", 50_000, (_busy(75), *_SLICES), tick_hz=20, settle_s=8.0),
    WorldRow("spread-200000", "spread", 200_000, _SLICES, tick_hz=5, settle_s=LARGE_SETTLE_S),
    WorldRow(
        "spread-200000-unsealed",
        "spread",
        200_000,
        tick_hz=5,
        settle_s=LARGE_SETTLE_S,
        unsealed=True,
    ),
    WorldRow(
        "spread-200000-plain",
        "spread",
        200_000,
        (_busy(60),),
        tick_hz=5,
        settle_s=LARGE_SETTLE_S,
        plain=True,
    ),
    WorldRow("town-5000-standing", "town", 5_000, (_bytes_each(1.0),), standing_percent=70),
    WorldRow(
        "town-5000-far",
        "town",
        5_000,
        (_bytes_each(3.0),),
        round_trip_s=_FAR_S,
        lost_per_mille=100,
    ),
    WorldRow("town-5000-ordered", "town", 5_000, ordered=True),
    WorldRow("town-5000-jitter", "town", 5_000, jitter=True),
    WorldRow("town-5000-combat", "town", 5_000, _SLICES, attack_per_mille=5, asked_per_tick=10),
    WorldRow("town-5000-unsealed", "town", 5_000, unsealed=True, beside_sealed=True),
)
NAMES = tuple(row.name for row in ROWS)
