# SPDX-License-Identifier: BSD-3-Clause
"""Standard output and standard error that never block, end or delay whoever has something to say.

A terminal that was stopped, a pipe that nobody reads and a full disk hold up a thread that only writes. What
waits for it is bounded; what finds no room is dropped, counted, and told of once writing is possible again.
"""

from __future__ import annotations

import io
import os
import select
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self, TextIO

from pyshim.errors import ExitCode, PollgateError, UnavailableError
from pyshim.nearest_text import NEAREST

BYTES_MAX = 1 << 20  # that may wait for one descriptor; a piece that finds it empty may be longer
CHUNK_BYTES = select.PIPE_BUF  # one write: a pipe that takes them shows that its reader is alive
PATIENCE_S = 2.0  # without any progress, at the end of a command
JSON_PATIENCE_S = 10.0  # the one object is what the command was run for
SETTLE_LIMIT_S = 120.0  # for a reader that is alive but slow
_RETRY_S = 1.0  # a descriptor that somebody made non-blocking is looked at so often


class Outlet:
    """One descriptor, and the thread that writes to it. Any thread may put something in; nobody waits."""

    def __init__(self, fd: int, name: str, notices: Outlet | None = None) -> None:
        """Write to `fd`, called `name` in sentences; what is told of it goes to `notices`, or to itself."""
        self.name = name
        self._fd = fd
        self._notices = notices or self
        self._changed = threading.Condition()
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0  # what is being written included
        self._written_bytes = 0
        self._lost = 0
        self._untold = 0
        self._failure: OSError | None = None  # of the last write
        self._cut = False  # whether that left a line without its end
        self._given_up_at: int | None = None  # bytes written when the last wait for its reader was in vain
        self._thread: threading.Thread | None = None

    def put(self, piece: bytes) -> bool:
        """Have a piece written, whole or not at all; False when there is no room for it."""
        with self._changed:
            if not self._has_room(piece):
                self._lose(piece)
                return False
            self._append(piece)
            return True

    def count_lost(self, lines: int) -> None:
        """Lines that were not even put in, because too much was waiting."""
        with self._changed:
            self._lost += lines
            self._untold += lines

    @property
    def lost(self) -> int:
        """Lines that were not written."""
        return self._lost

    @property
    def backlog(self) -> int:
        """Pieces that are not written yet."""
        with self._changed:
            return len(self._waiting)

    @property
    def failure(self) -> OSError | None:
        """Why the last piece could not be written; None when it was."""
        return self._failure

    def settle(self, patience_s: float, limit_s: float = SETTLE_LIMIT_S) -> bool:
        """Wait until nothing is left to write; False when nothing moved for so long, or it took too long."""
        with self._changed:
            seen, since = self._written_bytes, time.monotonic()
            until = since + limit_s
            while self._waiting:
                now = time.monotonic()
                if self._written_bytes != seen:
                    seen, since = self._written_bytes, now
                if now - since >= patience_s or now >= until or self._given_up_at == seen:
                    self._given_up_at = seen
                    return False
                self._changed.wait(min(since + patience_s, until) - now)
            return True

    # ------------------------------------------------------------ under the lock

    def _has_room(self, piece: bytes) -> bool:
        return not self._waiting_bytes or self._waiting_bytes + len(piece) <= BYTES_MAX

    def _append(self, piece: bytes) -> None:
        if self._thread is None and not self._begin():
            self._write_at_once(piece)
            return
        self._waiting.append(piece)
        self._waiting_bytes += len(piece)
        self._changed.notify_all()

    def _begin(self) -> bool:
        """Start the thread; False when the kernel starts none, which is what has to be said then."""
        thread = threading.Thread(target=self._write_all, name=f"output {self._fd}", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            return False
        self._thread = thread
        return True

    def _write_at_once(self, piece: bytes) -> None:
        """Without a thread: what finds no room in the pipe is lost."""
        _, writable, _ = select.select((), (self._fd,), (), 0)
        if not writable or self._write(piece[:CHUNK_BYTES]) is not None:
            self._lose(piece)
        elif rest := piece[CHUNK_BYTES:]:
            self._write_at_once(rest)

    def _notice(self, sentence: str) -> bool:
        """A line about lost lines; False when there is no room for it, which is not counted."""
        piece = f"{sentence}\n".encode()
        with self._changed:
            if room := self._has_room(piece):
                self._append(piece)
            return room

    def _lose(self, piece: bytes) -> None:
        lines = max(1, piece.count(b"\n"))
        self._lost += lines
        self._untold += lines

    # ------------------------------------------------------------ the thread

    def _write_all(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    self._changed.wait()
                piece = self._waiting[0]
            failure = self._write(b"\n" + piece if self._cut else piece)
            with self._changed:
                self._waiting.popleft()
                self._waiting_bytes -= len(piece)
                if failure is not None:
                    self._lose(piece)
                began, self._failure = self._failure is None and failure is not None, failure
                untold = self._untold if failure is None else 0
                self._changed.notify_all()
            if began and self._notices is not self:
                self._notices._notice(f"warning: {self._why()}: what is said there is dropped and counted")
            elif untold:
                self._tell_lost(untold)

    def _write(self, piece: bytes) -> OSError | None:
        """Write one piece; what stopped it, if anything did."""
        left = memoryview(piece)
        while left:
            try:
                written = os.write(self._fd, left[:CHUNK_BYTES])
            except BlockingIOError:
                _await_room(self._fd)
                continue
            except OSError as failure:
                self._cut = self._cut or len(left) < len(piece)
                return failure
            left = left[written:]
            with self._changed:
                self._written_bytes += written
                self._changed.notify_all()
        self._cut = False
        return None

    def _why(self) -> str:
        if isinstance(self._failure, BrokenPipeError):
            return f"nobody reads {self.name} any more"
        reason = self._failure.strerror if self._failure else None
        return f"{self.name} cannot be written ({reason})"

    def _tell_lost(self, lines: int) -> None:
        """That they were lost; if that finds no room either, it is told later."""
        plural = "line" if lines == 1 else "lines"
        if self._notices._notice(f"warning: {lines} {plural} of {self.name} could not be written"):
            with self._changed:
                self._untold -= lines


class Stream(io.TextIOBase):
    """Text for an outlet, as `print`, `logging` and rich write it: handed on line by line, or at a flush."""

    def __init__(self, outlet: Outlet, like: TextIO | None) -> None:
        """Encode as `like` does, a standard stream."""
        self.outlet = outlet
        self._like = like
        self._encoding = getattr(like, "encoding", None) or "utf-8"
        self._begun = threading.local()  # text of this thread that is no whole line yet

    @property
    def encoding(self) -> str:  # type: ignore[override]  # typeshed has an attribute here
        """What rich and click look at."""
        return self._encoding

    def writable(self) -> bool:
        """Always."""
        return True

    def isatty(self) -> bool:
        """Whether a person may be watching."""
        return self._like is not None and self._like.isatty()

    def fileno(self) -> int:
        """The descriptor behind it, for whoever asks what kind it is."""
        if self._like is None:
            raise OSError("no descriptor")
        return self._like.fileno()

    def write(self, text: str) -> int:
        """Take text; never waits and never fails."""
        begun: str = getattr(self._begun, "text", "") + text
        self._begun.text = begun
        if begun.endswith("\n"):
            self.flush()
        return len(text)

    def flush(self) -> None:
        """Hand on what was begun."""
        begun: str = getattr(self._begun, "text", "")
        if begun:
            self._begun.text = ""
            self.outlet.put(begun.encode(self._encoding, NEAREST))


class OutputError(UnavailableError):
    """What a command had to say did not reach its reader."""


class ReaderGoneError(PollgateError):
    """Nobody reads standard output any more: the command ends, and has not failed."""

    exit_code = ExitCode.DONE


class Output:
    """Both standard streams of a command that goes on whatever becomes of them; a context manager.

    While open, everything that writes to `sys.stdout` or `sys.stderr`, whatever its thread, writes here.
    """

    def __init__(self, *, tell: bool = True) -> None:
        """Take over what `sys.stderr` is, if it is such a stream already.

        What is lost of standard output is told on standard error, or with `tell` false by `deliver` alone.
        """
        self.err = sys.stderr if isinstance(sys.stderr, Stream) else standard_error()
        outlet = Outlet(1, "standard output", self.err.outlet if tell else None)
        self.out = Stream(outlet, sys.__stdout__)

    def lost(self) -> Mapping[str, int]:
        """Lines that could not be written, by stream; any thread may ask."""
        return {"stdout": self.out.outlet.lost, "stderr": self.err.outlet.lost}

    def deliver(self) -> None:
        """Wait until the reader of standard output has all of it, as long as that reader is alive.

        Raises:
            OutputError: the reader does not take it, or it cannot be written.
        """
        outlet = self.out.outlet
        if not outlet.settle(JSON_PATIENCE_S):
            raise OutputError(
                f"nobody has read from standard output for {JSON_PATIENCE_S:.0f} s: the JSON object is lost"
            )
        if outlet.failure is not None and not isinstance(outlet.failure, BrokenPipeError):
            raise OutputError(_unwritable(outlet.failure))

    def __enter__(self) -> Self:
        """Replace the standard streams."""
        self._before = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = self.out, self.err
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give a reader that is alive the time to take what is left."""
        sys.stdout, sys.stderr = self._before
        self.out.outlet.settle(PATIENCE_S)
        self.err.outlet.settle(PATIENCE_S)


class _CheckedFile(io.FileIO):
    """Standard output that fails with a sentence, once; what comes after that is dropped."""

    _failed = False

    def write(self, data: Any) -> int:
        """Write some of it.

        Raises:
            ReaderGoneError: it is a pipe, and nobody reads it any more.
            OutputError: it cannot be written.
        """
        while not self._failed:
            try:
                written = super().write(data)
            except BrokenPipeError:
                self._failed = True
                raise ReaderGoneError from None
            except OSError as problem:
                self._failed = True
                raise OutputError(_unwritable(problem)) from problem
            if written is not None:
                return written
            _await_room(self.fileno())
        return memoryview(data).nbytes


def standard_output() -> TextIO:
    """Standard output of a command that has nothing to do but to say something: it waits for its reader."""
    like = sys.__stdout__
    file = io.BufferedWriter(_CheckedFile(1, "wb", closefd=False))
    encoding = getattr(like, "encoding", None) or "utf-8"
    return io.TextIOWrapper(file, encoding, NEAREST, line_buffering=file.isatty())


def open_standard_streams() -> None:
    """Before anything is opened: a standard descriptor that was closed must not become some other file."""
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # takes the lowest that is free


def standard_error() -> Stream:
    """Standard error as a stream that never blocks."""
    return Stream(Outlet(2, "standard error"), sys.__stderr__)


def backlog(stream: object) -> int:
    """Pieces that wait for the reader of a stream; 0 for any that is not one of ours."""
    return stream.outlet.backlog if isinstance(stream, Stream) else 0


def settle(stream: object, patience_s: float) -> bool:
    """Wait until a stream has written everything; False when its reader does not take it."""
    return stream.outlet.settle(patience_s) if isinstance(stream, Stream) else True


def count_lost(stream: object, lines: int) -> None:
    """Count lines that were not written because too much waits already."""
    if isinstance(stream, Stream):
        stream.outlet.count_lost(lines)


def _unwritable(problem: OSError) -> str:
    return f"standard output cannot be written: {problem.strerror or problem}"


def _await_room(fd: int) -> None:
    """Of a descriptor that somebody made non-blocking."""
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    poll.poll(_RETRY_S * 1000)
