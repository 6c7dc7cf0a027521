# SPDX-License-Identifier: BSD-3-Clause
"""A world that players play: where they walk in it, and by which rules a model judges what they see."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, cast, get_args

from pyshim.config.values import quoted
from pyshim.errors import UsageError

if TYPE_CHECKING:
    from pyshim.config import Config
    from pyshim.config.worlds import WorldConfig

Walk: TypeAlias = Literal["spread", "town", "crowd"]

WALKS: tuple[str, ...] = get_args(Walk)
DEFAULT_MIX = (("move", 997), ("attack", 1), ("chat", 1), ("skill", 1))
DRAIN_S = 6.0  # the model gives everybody five seconds to hear of an event

_SPEED_MPS = 6.0
_SPEED_SHARE = 0.9  # of the greatest speed, so that who walks uphill is not too fast
_IN_RADIUS = 40  # players, where they are spread and no ground is named
_EDGE_M = 10.0  # nobody walks nearer to the end of the world
_SHARE_MAX = 0.5


@dataclass(frozen=True, slots=True)
class World:
    """What players play. Plain values: it travels to the generator's process."""

    name: str
    walk: str
    middle_m: tuple[float, ...]  # of the ground, a square
    ground_m: float  # its side
    radius_m: float
    leave_radius_m: float
    tick_hz: int
    speed_mps: float
    standing: float  # share of players who stand
    hysteresis: float
    hearers: int
    extrapolate_ms: int
    glimpses: int
    budget_kbps: int


@dataclass(frozen=True, slots=True)
class Impairment:
    """What becomes of datagrams in both directions, by chance; shares of all."""

    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    reorder_ms: int = 30  # those are held back for so long at most
    move_ms: int = 0  # every player goes to another UDP port so often; 0: never

    def __post_init__(self) -> None:
        """Refuse what is no network any more."""
        for option, share in (
            ("--loss", self.loss),
            ("--duplicate", self.duplicate),
            ("--reorder", self.reorder),
        ):
            if not 0 <= share <= _SHARE_MAX:
                raise UsageError(f"{option}: found {share * 100:g} %, allowed: 0 to {_SHARE_MAX * 100:g} %")
        if not 1 <= self.reorder_ms <= 1000:
            raise UsageError(f"--reorder-ms: found {self.reorder_ms}, allowed: 1 to 1000")

    @property
    def any(self) -> bool:
        """Whether anything becomes of any."""
        return bool(self.loss or self.duplicate or self.reorder or self.move_ms)


@dataclass(frozen=True, slots=True)
class Walking:
    """How players walk, as the options say it; None: not given."""

    walk: str = "spread"
    ground_m: float | None = None
    speed_mps: float | None = None
    standing: float = 0.0


def world_of(config: Config, name: str, players: int, walking: Walking) -> World:
    """The world of this name in a gateway's configuration, as so many players play it.

    Raises:
        UsageError: there is none, or they cannot walk so in it.
    """
    found = [world for world in config.worlds if world.name == name]
    if not found:
        there = ", ".join(world.name for world in config.worlds) or "none"
        raise UsageError(f"--world: there is no world {quoted(name)} in the configuration; it has {there}")
    (world,) = found
    if walking.walk not in WALKS:
        raise UsageError(f"--walk: found {quoted(walking.walk)}, allowed: {', '.join(WALKS)}")
    if not 0 <= walking.standing <= 1:
        raise UsageError(f"--standing: found {walking.standing * 100:g} %, allowed: 0 to 100 %")
    low, high = world.bounds
    return World(
        name=name,
        walk=cast(Walk, walking.walk),
        middle_m=tuple((a + b) / 2 for a, b in zip(low, high, strict=True)),
        ground_m=_ground_m(world, players, walking.ground_m),
        radius_m=world.radius_m,
        leave_radius_m=world.leave_radius_m,
        tick_hz=world.tick_hz,
        speed_mps=_speed_mps(world, walking.speed_mps),
        standing=walking.standing,
        hysteresis=world.hysteresis,
        hearers=world.hearers,
        extrapolate_ms=world.movement.extrapolate_ms,
        glimpses=world.glimpses,
        budget_kbps=world.budget_kbps,
    )


def _ground_m(world: WorldConfig, players: int, asked_m: float | None) -> float:
    """So large that some tens of players are in radius, or all that there is."""
    low, high = world.bounds
    most_m = min(high[axis] - low[axis] for axis in (0, 1)) - 2 * _EDGE_M
    if asked_m is None:
        return min(most_m, world.radius_m * math.sqrt(math.pi * players / _IN_RADIUS))
    if not 1 <= asked_m <= most_m:
        raise UsageError(f"--ground: found {asked_m:g} m, allowed in this world: 1 to {most_m:g} m")
    return asked_m


def _speed_mps(world: WorldConfig, asked_mps: float | None) -> float:
    most_mps = world.max_speed_mps * _SPEED_SHARE if world.max_speed_mps else math.inf
    if asked_mps is None:
        return min(_SPEED_MPS, most_mps)
    if not 0 < asked_mps <= min(most_mps, 1000):
        raise UsageError(
            f"--speed: found {asked_mps:g} m/s, allowed in this world: above 0 to {min(most_mps, 1000):g} m/s"
        )
    return asked_mps
