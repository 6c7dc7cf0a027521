# SPDX-License-Identifier: BSD-3-Clause
"""How much memory worlds take: what is kept of who is there, and of the cells that they are in.

The data plane's pg_worlds_size() reckons it to the byte, and a test holds both near each other; this
needs no data plane. The kernel takes pages as they are touched, so all of it is an upper bound.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyshim.errors import ExitCode, Problem
from pyshim.plan import Plan, WorldPlan

if TYPE_CHECKING:
    from pyshim.host import HostFacts

_MIB = 1 << 20
_AGES = 32  # of baselines
_REWIND_S = 1
_FRAMES_MIN = 64
_FRAME_BYTES = 18  # of one of those who are there: a position and a velocity
_RECORD_BYTES = 2 * 8  # of this frame and the one before, against each age
_ENTITY_BYTES = 122 + 76 + 32 + 64  # in tables of a part, its grid, its sweep, and of who looks at it
_MARK_BYTES = 1  # each worker's
_GAMES_BYTES = 24  # an entity of a game process
_PLACE_BYTES = 4  # and where it is found; two for each, and a power of two
_PLACES_MIN = 64
_NUMBERS = 1 << 20  # each is given once before one is given again
_NUMBER_BYTES = 4 + 4 + 48  # who has it, and the game's own state of those
_PLAYER_BYTES = 128 + 960 + 33  # what a session has in a world, and what it was told
_PLAIN_PLAYER_BYTES = 128
_CELL_BYTES = 2 * 4
_GLIMPSE_CELL_BYTES = 2 * 4 + 20 + 1304  # of the sweep; what those in it are told of who is further away
_GLIMPSE_CELLS_MAX = 65536
_GLIMPSE_SHIFT_MIN = 9
_WORKER_BYTES = 262_464 + 65_536  # what waits for a look through a world, who is found by that
_WORKER_WORLD_BYTES = 30_000 + 4 * 2048 + 4 * 1025 + 5 * 576 * 12
_RANKS_PER_LINE = 64
_HOLES_MIN = 256


def worlds_bytes(plan: Plan) -> int:
    """Of all workers, when each world has at some time had everybody in it."""
    if not plan.worlds:
        return 0
    people = sum(_people_bytes(plan, world) + _NUMBERS * _NUMBER_BYTES for world in plan.worlds)
    return people + _sessions_bytes(plan) + len(plan.workers) * _places_bytes(plan)


def worlds_problem(plan: Plan, host: HostFacts) -> Problem | None:
    """Why there is too little memory for everybody in the dearest of the worlds; None: there is enough."""
    if not plan.worlds:
        return None
    dearest = max(plan.worlds, key=lambda world: _people_bytes(plan, world))
    needed = _people_bytes(plan, dearest) + _sessions_bytes(plan) + len(plan.workers) * _places_bytes(plan)
    available = host.memory.available_bytes - plan.recording_bytes
    if needed <= available:
        return None
    beside = f" beside the recording's {plan.recording_bytes // _MIB} MiB" if plan.recording_bytes else ""
    players = plan.issued_capacity + _plain(plan)
    return Problem(
        "worlds",
        f"{players} players in world {dearest.name} take {_mib(needed)} MiB{beside}, "
        f"{host.memory.available_bytes // _MIB} MiB available; lower sessions.capacity or entities, make "
        "cell_m or radius_m larger, or free memory",
        ExitCode.UNAVAILABLE,
    )


def _people_bytes(plan: Plan, world: WorldPlan) -> int:
    """Of whoever can be in a world at once, in whichever worker's part."""
    entities = world.others["entities"]
    places = _PLACES_MIN
    while places < 2 * entities:
        places *= 2
    each = _FRAME_BYTES * _frames(world) + _RECORD_BYTES * (_AGES - 1) + _ENTITY_BYTES
    each += _MARK_BYTES * len(plan.workers)
    return each * _ranks(plan, world) + _GAMES_BYTES * entities + _PLACE_BYTES * places


def _sessions_bytes(plan: Plan) -> int:
    return _PLAYER_BYTES * plan.issued_capacity + _PLAIN_PLAYER_BYTES * _plain(plan)


def _plain(plan: Plan) -> int:
    """Sessions of profile plain that can be in a world."""
    in_world = (one.profile == "plain" and one.world is not None for one in plan.listeners)
    return plan.session_capacity if any(in_world) else 0


def _places_bytes(plan: Plan) -> int:
    """What each worker has of all worlds, however many are in them."""
    return _WORKER_BYTES + sum(map(_cells_bytes, plan.worlds)) + _WORKER_WORLD_BYTES * len(plan.worlds)


def _ranks(plan: Plan, world: WorldPlan) -> int:
    """With those of who left, until the next re-rank."""
    players, entities = plan.issued_capacity + _plain(plan), world.others["entities"]
    wanted = players + players // 4 + entities + entities // 2 + _HOLES_MIN
    return min(wanted, _NUMBERS) // _RANKS_PER_LINE * _RANKS_PER_LINE


def _frames(world: WorldPlan) -> int:
    """A power of two: as far back as attacks are judged, as baselines are old, and half a second more."""
    hz, frames = world.others["tick_hz"], _FRAMES_MIN
    while frames < hz * _REWIND_S + _AGES + hz // 2:
        frames *= 2
    return frames


def _cells_bytes(world: WorldPlan) -> int:
    others = world.others
    quantum_um = others["quantum_um"]
    size = [
        (high - low) // quantum_um + 1 for low, high in zip(world.low_um[:2], world.high_um[:2], strict=True)
    ]
    cell_um, shift = others["cell_um"], 0
    while 2 * (quantum_um << shift) ** 2 <= cell_um**2:
        shift += 1
    glimpse_shift = _GLIMPSE_SHIFT_MIN
    while (
        1 << glimpse_shift < others["radius_um"] // quantum_um
        or _cells(size, glimpse_shift) > _GLIMPSE_CELLS_MAX
    ):
        glimpse_shift += 1
    return _CELL_BYTES * _cells(size, shift) + _GLIMPSE_CELL_BYTES * _cells(size, glimpse_shift)


def _cells(size: list[int], shift: int) -> int:
    x, y = size
    return ((x - 1 >> shift) + 1) * ((y - 1 >> shift) + 1)


def _mib(size_bytes: int) -> int:
    return -(-size_bytes // _MIB)
