# SPDX-License-Identifier: BSD-3-Clause
"""The recording in the supervisor: written when a worker process dies, at the end, and when asked for."""

from __future__ import annotations

import threading
from queue import Empty, SimpleQueue

from pyshim.errors import PollgateError
from pyshim.recording.files import Saved
from pyshim.recording.keeping import RecordingMemory

_WAIT_S = 30.0  # at the end, for a file that is being written


def _told(saved: Saved) -> str:
    return f"{saved.path} ({saved.size_bytes >> 10} KiB, sha256 {saved.sha256})"


class RecordingKeeper:
    """What is told of it goes to the operator; without a memory nothing is recorded and nothing done."""

    def __init__(self, memory: RecordingMemory | None, seconds: float) -> None:
        """`memory` stays the caller's; a file has so many seconds of it."""
        self._memory = memory
        self.seconds = seconds
        self._told: SimpleQueue[tuple[str, str]] = SimpleQueue()
        self._writing: threading.Thread | None = None

    @property
    def fd(self) -> int | None:
        """Of the memory, for worker processes."""
        return None if self._memory is None else self._memory.fd

    def save(self, why: str) -> Saved:
        """Write it now; any thread may ask.

        Raises:
            PollgateError: it cannot be written.
        """
        assert self._memory is not None, "asked of who records"
        return self._memory.save(why, self.seconds)

    @property
    def records(self) -> bool:
        """Whether there is anything to save."""
        return self._memory is not None

    def worker_died(self) -> None:
        """Write what led to it, while the next worker process starts."""
        if self._memory is None or self._is_writing():
            return
        self._writing = threading.Thread(target=self._save_crash, name="recording", daemon=True)
        self._writing.start()

    def _is_writing(self) -> bool:
        return self._writing is not None and self._writing.is_alive()

    def _save_crash(self) -> None:
        assert self._memory is not None
        try:
            saved = self._memory.save("a worker process died", self.seconds, crash=True)
        except PollgateError as problem:
            self._told.put(("error", str(problem)))
        else:
            self._told.put(("info", f"what led to it is in {_told(saved)}"))

    def finish(self) -> None:
        """The run has ended: write the last seconds."""
        if self._memory is None:
            return
        if self._writing is not None:
            self._writing.join(_WAIT_S)
        try:
            saved = self.save("the gateway ended")
        except PollgateError as problem:
            self._told.put(("error", str(problem)))
        else:
            self._told.put(("info", f"the recording is in {_told(saved)}"))

    def news(self) -> list[tuple[str, str]]:
        """What there is to tell the operator: a level and a sentence each."""
        told = []
        while True:
            try:
                told.append(self._told.get_nowait())
            except Empty:
                return told
