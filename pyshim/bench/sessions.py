# SPDX-License-Identifier: BSD-3-Clause
"""`bench sessions`: what a larger table of players costs, and nothing else.

Both sides of a pair replay captures with the same number of frames in random order, because every frame has
a packet buffer of its own and more buffers are colder. One side's frames are of N players, the other's
of 1,000.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from pyshim.bench.description import Request
from pyshim.bench.reports.report import Note, Row
from pyshim.bench.rig.frames import PLAYERS_MAX, write_moves
from pyshim.bench.rig.processes import Stage
from pyshim.bench.rig.replay import DEFAULT_CAPACITY, Setting, needed_bytes, prepare
from pyshim.host.memory import gather_memory

SESSIONS = (1_000, 10_000, 100_000, 1_000_000)
SESSIONS_MAX = PLAYERS_MAX
BASE = 1_000  # what each is measured against

_SPARE_BYTES = 256 << 20  # for the two sides' processes and the captures in the page cache
_ITSELF = "Both sides are the same: how far its ratio is from 1 is the noise of the others."


def sessions(request: Request) -> Iterator[Row | Note]:
    """A row per number of sessions; a note in place of one that does not fit into memory.

    Raises:
        PollgateError: the gateway does not run here.
    """
    numbers: tuple[int, ...] = request.option("sessions", tuple)
    for number in numbers:
        capacity = max(DEFAULT_CAPACITY, number)
        left_out = does_not_fit(number, capacity, gather_memory().available_bytes)
        if left_out is not None:
            yield left_out
            continue
        with TemporaryDirectory(prefix="pollgate-bench-") as directory:
            yield _row(Path(directory), number, capacity, request)


def does_not_fit(number: int, capacity: int, available_bytes: int) -> Note | None:
    """Why a row must be left out, if it must."""
    needed = needed_bytes(number, capacity) + _SPARE_BYTES
    if needed <= available_bytes:
        return None
    return Note(
        f"sessions-{number} was left out: {needed >> 20:,} MiB of memory needed for {number:,} replayed "
        f"frames and their sessions, {available_bytes >> 20:,} MiB available."
    )


def _row(directory: Path, number: int, capacity: int, request: Request) -> Row:
    name = f"sessions-{number}"
    request.progress(f"{name}: writing {number:,} frames")
    setting = Setting(capacity)
    many = prepare(directory, name, [write_moves(directory / "many.pcap", number)], setting)
    few = prepare(directory, "few", [write_moves(directory / "few.pcap", BASE, frames=number)], setting)
    # A pair begins with the side that the one before ended with: that gateway, slow to start, stays.
    with Stage() as stage:
        measured = request.compare(
            name, lambda: many.measure(request.seconds, stage), lambda: few.measure(request.seconds, stage)
        )
    return Row.of(
        name,
        measured,
        f"sessions-{BASE}",
        details={
            **many.details(),
            "session_capacity": capacity,
            "against_cycles_per_packet": few.cycles_per_packet,
            "cycles_growth": many.cycles_per_packet - few.cycles_per_packet,
        },
        note=_ITSELF if number == BASE else "",
    )
