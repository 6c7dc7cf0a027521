# SPDX-License-Identifier: BSD-3-Clause
"""The memory in which workers write down what they do to the worlds, and its way into a file."""

from __future__ import annotations

import mmap
import os
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from pyshim import __version__
from pyshim.dataplane.library import ffi, lib
from pyshim.plan import Plan
from pyshim.recording.files import Header, RecordedWorld, Saved, cannot, check_path, write_recording
from pyshim.system.memory_file import memory_file

_MICROMETRES = 1_000_000
_CRASH = ".crash"


class RecordingMemory:
    """The supervisor's: it outlives every worker process. Any thread may save it, one at a time."""

    def __init__(self, plan: Plan, path: Path) -> None:
        """Make it, for the workers of this plan, and look whether there can be a file at `path`.

        Raises:
            UnavailableError: there is not enough memory, or no file can be made there.
        """
        check_path(path)
        self.fd = memory_file("pollgate-recording", plan.recording_bytes)
        self._plan = plan
        self._path = path
        self._lock = threading.Lock()
        self._map = mmap.mmap(self.fd, plan.recording_bytes, prot=mmap.PROT_READ)
        self._native: Any = ffi.from_buffer(self._map)

    def save(self, why: str, seconds: float, *, crash: bool = False) -> Saved:
        """Write the last seconds to the file; a crash has one of its own.

        Raises:
            UnavailableError: it cannot be written; what was there before stays.
        """
        path = self._path.with_name(self._path.name + _CRASH) if crash else self._path
        began = time.monotonic()
        with self._lock:
            journals = [bytes(part) for part in self._journals(round(seconds * 1e6))]
            header = Header(
                version=__version__,
                saved=datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                why=why,
                worlds=tuple(self._worlds()),
                workers=tuple(map(len, journals)),
            )
            try:
                size, sha256 = write_recording(path, header, journals)
            except OSError as problem:
                raise cannot(path, problem) from problem
        return Saved(path, size, sha256, time.monotonic() - began)

    def _journals(self, last_us: int) -> Iterator[memoryview]:
        workers = len(self._plan.workers)
        room: Any = ffi.new("uint8_t[]", self._plan.recording_bytes // workers)
        begin: Any = ffi.new("size_t *")
        for worker in range(workers):
            length = lib.pg_recording_read(
                self._native, self._plan.recording_bytes, workers, worker, last_us, room, begin
            )
            yield memoryview(ffi.buffer(room))[begin[0] : begin[0] + length]

    def _worlds(self) -> Iterator[RecordedWorld]:
        for world in self._plan.worlds:
            x, y, z = (one / _MICROMETRES for one in world.low_um)
            quantum_m = world.others["quantum_um"] / _MICROMETRES
            yield RecordedWorld(world.name, (x, y, z), quantum_m, world.others["tick_hz"])

    def close(self) -> None:
        """Unmap and close; the memory lives on in whoever else has it."""
        with self._lock:
            ffi.release(self._native)
            self._map.close()
            os.close(self.fd)

    def __enter__(self) -> Self:
        """Nothing more to do: it is open from its making."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()
