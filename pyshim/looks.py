# SPDX-License-Identifier: BSD-3-Clause
"""An operator looks at a world: what is asked of the worker process, and what it shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct

from pyshim.worker_queue import Refusals, WorkerQueue

ENTITY = Struct("<3I3i3hB32sx")  # struct pg_world_entity of the data plane
_PLAYER = 0


@dataclass(frozen=True, slots=True)
class Look:
    """What is asked."""

    world: int  # index
    player_id: int = 0  # of whom is told who is in the slots; 0: of nobody


@dataclass(frozen=True, slots=True)
class Shown:
    """Somebody in a world."""

    number: int
    identity: int  # of a player: the player_id
    is_player: bool
    position: tuple[int, int, int]  # quanta above the world's lowest corner
    velocity: tuple[int, int, int]  # parts of a quantum per tick: velocity_parts()
    state: bytes = b""  # the game's own


@dataclass(frozen=True, slots=True)
class LookResult:
    """What was shown; with a problem, nothing."""

    problem: str = ""
    tick: int = 0  # of the newest frame in it
    entities: bytes = b""  # ENTITY, one after the other
    seen: tuple[int, ...] | None = None  # numbers of whom the player sees; None: that player is not there

    def shown(self) -> Iterator[Shown]:
        """All of them."""
        for number, identity, sort, x, y, z, vx, vy, vz, length, state in ENTITY.iter_unpack(self.entities):
            yield Shown(number, identity, sort == _PLAYER, (x, y, z), (vx, vy, vz), state[:length])


class LookQueue(WorkerQueue[Look, LookResult]):
    """Looks on their way to the worker process."""

    def __init__(self) -> None:
        """Nobody looks."""
        super().__init__(
            Refusals(
                full=LookResult("too many look at worlds already; try again in a moment"),
                no_worker=LookResult("the worker process is not running; try again in a moment"),
                lost=LookResult("the worker process ended meanwhile; try again in a moment"),
                closed=LookResult("the gateway is ending"),
            )
        )
