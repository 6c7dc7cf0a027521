# SPDX-License-Identifier: BSD-3-Clause
"""A recording done again by the data plane's own code: does the same come out, and who was where?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pyshim.dataplane.library import ffi, lib
from pyshim.errors import UnavailableError, UsageError
from pyshim.recording.files import RecordedWorld, Recording
from pyshim.velocities import velocity_parts

MEMORY_BYTES_MAX = 8 << 30
_PLAYER = 0

Vector = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Difference:
    """A frame that is not what was published then."""

    tick: int
    at: datetime
    rank: int  # first of a slice of entities that differs


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame that was published, done again."""

    world: int
    worker: int
    tick: int
    at: datetime
    entities: int
    differs_from: int | None  # rank; None: it is the same


@dataclass(frozen=True, slots=True)
class Entity:
    """Somebody in a frame."""

    identity: int  # of a player: the player_id
    is_player: bool
    position_m: Vector
    velocity_mps: Vector
    state: bytes  # the game's own


class Replay:
    """What one worker wrote down, done again frame by frame."""

    def __init__(self, recording: Recording, worker: int) -> None:
        """Begin; the caller closes it before the recording.

        Raises:
            UnavailableError: there is no memory.
        """
        self._worlds = recording.header.worlds
        self._path = recording.path
        self._worker = worker
        self._journal = recording.journal(worker)
        self._bytes: Any = ffi.from_buffer(self._journal) if len(self._journal) else ffi.new("uint8_t[1]")
        self._native: Any = lib.pg_replay_open(self._bytes, len(self._journal), MEMORY_BYTES_MAX)
        if self._native == ffi.NULL:
            raise UnavailableError("there is no memory left to replay a recording")

    def frames(self) -> Iterator[Frame]:
        """One after the other, of all worlds.

        Raises:
            UsageError: the recording says what no worker can have done.
            UnavailableError: it takes more memory than MEMORY_BYTES_MAX.
        """
        frame: Any = ffi.new("struct pg_replay_frame *")
        while (step := lib.pg_replay_next(self._native, frame)) == lib.PG_REPLAY_FRAME:
            if frame.world >= len(self._worlds):
                raise self._broken()
            yield Frame(
                frame.world,
                self._worker,
                frame.tick,
                _moment(frame.at_us),
                frame.entities,
                frame.differs_from if frame.differs else None,
            )
        if step == lib.PG_REPLAY_MEMORY:
            raise UnavailableError(
                f"{self._path}: to replay this recording takes more than {MEMORY_BYTES_MAX >> 30} GiB"
            )
        if step == lib.PG_REPLAY_BROKEN:
            raise self._broken()

    def _broken(self) -> UsageError:
        return UsageError(
            f"{self._path}: the recording of worker {self._worker} says what no worker can have done; it was "
            "changed, or is of another version"
        )

    def entities(self, frame: Frame) -> Iterator[Entity]:
        """Who is in the newest frame of its world."""
        world = self._worlds[frame.world]
        room: Any = ffi.new("struct pg_world_entity[]", max(1, frame.entities))
        for index in range(lib.pg_replay_entities(self._native, frame.world, room, frame.entities)):
            yield _entity(room[index], world)

    def close(self) -> None:
        """Give all memory back, and the view of the file."""
        lib.pg_replay_close(self._native)
        ffi.release(self._bytes)
        self._journal.release()


def _entity(found: Any, world: RecordedWorld) -> Entity:
    per_tick = world.quantum_m / velocity_parts(world.tick_hz) * world.tick_hz
    low, position, velocity = world.low_m, found.position, found.velocity
    return Entity(
        found.identity,
        found.sort == _PLAYER,
        (
            low[0] + position[0] * world.quantum_m,
            low[1] + position[1] * world.quantum_m,
            low[2] + position[2] * world.quantum_m,
        ),
        (velocity[0] * per_tick, velocity[1] * per_tick, velocity[2] * per_tick),
        bytes(found.state[0 : found.state_bytes]),
    )


def _moment(us: int) -> datetime:
    try:
        return datetime.fromtimestamp(us / 1e6, UTC)
    except (OverflowError, ValueError, OSError):  # a file may say anything
        return datetime.fromtimestamp(0, UTC)
