# SPDX-License-Identifier: BSD-3-Clause
"""What the data plane must know of worlds, and who is in which at first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pyshim.plan import CombatPlan, ListenerPlan, TierPlan, WorldPlan, filled
from pyshim.settings import defaults, numbers

if TYPE_CHECKING:
    from pyshim.config.models import Config
    from pyshim.config.world_values import Corner
    from pyshim.config.worlds import CombatConfig, WorldConfig

PATIENCE_TICKS = 4  # of 2 % of movements, three in a row are lost once in 100,000


def plan_listeners(config: Config) -> Iterator[ListenerPlan]:
    """The UDP ports, each with the world of who connects there."""
    worlds = {world.name: index for index, world in enumerate(config.worlds)}
    for entry in config.listen:
        world = None if entry.world is None else worlds[entry.world]
        yield ListenerPlan(entry.port, entry.profile, entry.admission, world)


def plan_world(world: WorldConfig) -> WorldPlan:
    """A world in whole micrometres."""
    low, high = map(_micrometres, world.bounds)
    return filled(
        WorldPlan,
        numbers("WORLD", world, "worlds"),
        name=world.name,
        low_um=low,
        high_um=high,
        combat=_plan_combat(world.combat),
        tiers=tuple(TierPlan(round(tier.from_m * 1_000_000), tier.every_ticks) for tier in world.tiers),
    )


def least_jitter_ms(tick_hz: int) -> int:
    """So that nobody who says once a tick where they are is put back when some of that was lost."""
    return -(-1000 * PATIENCE_TICKS // tick_hz)


def warn_of_worlds(config: Config) -> Iterator[str]:
    """What works, but players will not like to see."""
    for index, world in enumerate(config.worlds):
        at, movement = f"worlds[{index}].movement", world.movement
        patience_ms = least_jitter_ms(world.tick_hz)
        if movement.jitter_ms < patience_ms:
            yield (
                f"{at}.jitter_ms: {movement.jitter_ms}, less than {PATIENCE_TICKS} ticks of tick_hz: "
                f"{world.tick_hz}: who says once a tick where they are is put back where two movements in a "
                f"row are lost; write {patience_ms} or more"
            )
        if movement.extrapolate_ms > movement.jitter_ms:
            yield (
                f"{at}.extrapolate_ms: {movement.extrapolate_ms}, more than jitter_ms: {movement.jitter_ms}: "
                "who comes back after that is put back to where they were, and not shown to go on; write "
                f"{movement.jitter_ms} or less"
            )


def _plan_combat(combat: CombatConfig | None) -> CombatPlan:
    said = defaults("COMBAT") if combat is None else numbers("COMBAT", combat, "worlds.combat")
    return filled(CombatPlan, said, judged=combat is not None)


def _micrometres(corner: Corner) -> tuple[int, int, int]:
    x, y, z = (round(metres * 1_000_000) for metres in corner)
    return x, y, z
