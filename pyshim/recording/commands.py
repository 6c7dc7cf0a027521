# SPDX-License-Identifier: BSD-3-Clause
"""`pollgate replay`: do again what a recording says, compare, and tell where somebody was."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from pyshim.errors import UsageError
from pyshim.recording.files import Header, Recording
from pyshim.recording.replaying import Entity, Frame, Replay


@dataclass(slots=True)
class Part:
    """What came of one worker's part of one world."""

    world: str
    worker: int
    frames: int = 0
    entities: int = 0  # in the last frame
    first: datetime | None = None
    last: datetime | None = None
    differing: int = 0  # frames
    difference: dict[str, Any] | None = field(default=None)  # the first one

    def take(self, frame: Frame) -> None:
        """One more frame."""
        self.frames += 1
        self.entities = frame.entities
        self.first = self.first or frame.at
        self.last = frame.at
        if frame.differs_from is not None:
            self.differing += 1
            self.difference = self.difference or {
                "tick": frame.tick,
                "at": told(frame.at),
                "rank": frame.differs_from,
            }


def told(moment: datetime) -> str:
    """As people and machines read it."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def replay(path: Path, *, as_json: bool, player: int | None) -> bool:
    """Print what comes of it; whether the file and all frames are as they were.

    Raises:
        UsageError: it is no recording, or nobody of that number is in it.
        UnavailableError: it takes too much memory.
    """
    with closing(Recording(path)) as recording:
        is_as_written = _compare(recording)
        if player is not None:
            _print_player(recording, player, as_json=as_json)
            return is_as_written
        parts = list(_parts(recording))
        said = recording.said_sha256()
    if as_json:
        print(json.dumps(_object(path, recording.header, said, parts)))
    else:
        _print_parts(recording.header, said, parts)
    return is_as_written and not any(part.differing for part in parts)


def _compare(recording: Recording) -> bool:
    """Whether the file is as it was written, as far as it says."""
    said, found = recording.said_sha256(), recording.found_sha256()
    if said in {None, found}:
        return True
    print(
        f"{recording.path}: the recording was changed since it was written: it says that its sha256 is "
        f"{said}, and that is {found}",
        file=sys.stderr,
    )
    return False


def _parts(recording: Recording) -> Iterator[Part]:
    for worker in range(len(recording.header.workers)):
        found = {index: Part(world.name, worker) for index, world in enumerate(recording.header.worlds)}
        with closing(Replay(recording, worker)) as again:
            for frame in again.frames():
                found[frame.world].take(frame)
        yield from found.values()


def _object(path: Path, header: Header, sha256: str | None, parts: list[Part]) -> dict[str, Any]:
    return {
        "file": str(path),
        "sha256": sha256,
        "version": header.version,
        "saved": header.saved,
        "why": header.why,
        "parts": [
            {
                "world": part.world,
                "worker": part.worker,
                "frames": part.frames,
                "from": part.first and told(part.first),
                "to": part.last and told(part.last),
                "entities": part.entities,
                "differing": part.differing,
                "difference": part.difference,
            }
            for part in parts
        ],
    }


def _print_parts(header: Header, sha256: str | None, parts: list[Part]) -> None:
    print(f"recorded by pollgate {header.version}, saved {header.saved}: {header.why}")
    print(f"sha256 {sha256}" if sha256 else "it has no sum of its own, as recordings of before")
    for part in parts:
        who = f"world {part.world}, worker {part.worker}"
        if part.first is None or part.last is None:
            print(f"{who}: no frame whose making is in the recording")
            continue
        span = f"{part.frames} frames from {told(part.first)} to {told(part.last)}"
        span += f", {part.entities} at the end"
        if part.difference is None:
            print(f"{who}: {span}; all as they were published")
        else:
            first = "tick {tick} at {at}, from rank {rank} on".format(**part.difference)
            print(f"{who}: {span}; {part.differing} are not what was published, the first of {first}")


_COLUMNS = ("time", "world", "x_m", "y_m", "z_m", "vx_mps", "vy_mps", "vz_mps", "state")


def _print_player(recording: Recording, player: int, *, as_json: bool) -> None:
    rows = sorted(_rows_of(recording, player), key=lambda row: row[:1])
    if not rows:
        raise UsageError(f"{recording.path}: no player {player} is in this recording")
    if not as_json:
        print(" ".join(_COLUMNS))
    for row in rows:
        if as_json:
            print(json.dumps(dict(zip(_COLUMNS, row, strict=True))))
        else:
            sys.stdout.write(" ".join(str(one) or "-" for one in row) + "\n")


def _rows_of(recording: Recording, player: int) -> Iterator[tuple[Any, ...]]:
    for worker in range(len(recording.header.workers)):
        with closing(Replay(recording, worker)) as again:
            for frame in again.frames():
                for entity in again.entities(frame):
                    if entity.is_player and entity.identity == player:
                        yield _row(frame, recording.header.worlds[frame.world].name, entity)


def _row(frame: Frame, world: str, entity: Entity) -> tuple[Any, ...]:
    numbers = (round(one, 4) for one in (*entity.position_m, *entity.velocity_mps))
    return (told(frame.at), world, *numbers, entity.state.hex())
