# SPDX-License-Identifier: BSD-3-Clause
"""The memory between game processes and workers: it outlives both, and is given to whoever comes next."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from pyshim.dataplane.game import (
    RING_BYTES_MIN,
    Left,
    blank_game_file,
    first_position,
    game_file,
    game_gap_file,
    is_huge,
    is_written,
    left_in,
    next_game_file,
    released,
    seal_game_file,
    written_to,
)
from pyshim.errors import UnavailableError
from pyshim.plan import game_file_bytes, game_file_huge_pages

NO_FILE = -1
LEFT_MAX = 4  # files of workers that no process has read to their end, the one that is written among them

_MIB = 1 << 20


@dataclass(slots=True)
class _Written:
    """A file that a worker writes."""

    fd: int
    incarnation: int  # 1, and one more for each that came after another
    first: int  # position at which it begins
    sealed: bool = False


@dataclass(slots=True)
class _Rings:
    """Between a process and a worker."""

    bell: int  # eventfd that wakes the worker
    written: deque[_Written] = field(default_factory=deque)  # the last one is the worker's that is there
    own: int = NO_FILE  # what the last process wrote, sealed
    is_heard: bool = False  # the worker reads it
    given: int = NO_FILE  # what a process will write when it has said that it has mapped it
    read: int = 0  # while none is heard: up to where the last one has read
    next: int = NO_FILE  # what the worker will write when it knows that the process is gone
    next_bell: int = NO_FILE

    @property
    def files(self) -> Iterator[int]:
        """All that there are."""
        return (
            fd for fd in (self.own, self.given, self.next, *(one.fd for one in self.written)) if fd != NO_FILE
        )

    @property
    def read_to(self) -> int:
        """Up to where a process has read what workers wrote."""
        return released(self.own) if self.is_heard else self.read

    @property
    def fds(self) -> tuple[int, ...]:
        """All that are open."""
        fds = (self.own, self.given, self.next, self.bell, self.next_bell, *(one.fd for one in self.written))
        return tuple(fd for fd in fds if fd != NO_FILE)

    def close(self) -> None:
        for fd in self.fds:
            os.close(fd)


@dataclass(frozen=True, slots=True)
class Given:
    """What a process gets of a worker."""

    worker: int
    incarnation: int
    fds: tuple[int, int, int]  # the worker's file, the process's, what wakes the worker


class Files:
    """All of them; those that are not dropped are closed with it."""

    def __init__(
        self,
        workers: int,
        ring_bytes: int,
        available_bytes: Callable[[], int],
        may_be_huge: Callable[[int], bool] = lambda _pages: False,
    ) -> None:
        """Nothing is made yet; `available_bytes`: memory of the host that is free.

        `may_be_huge`: whether so many huge pages may be taken now.
        """
        self._workers = workers
        self._ring_bytes = ring_bytes
        self._available_bytes = available_bytes
        self._may_be_huge = may_be_huge
        self._rings: dict[int, list[_Rings]] = {}
        self._closing: deque[int] = deque()
        self._taken: dict[int, list[_Rings]] = {}  # away, and workers may write to them for a moment more

    def make(self, index: int, name: str) -> None:
        """New files for a place that has none, empty.

        Raises:
            UnavailableError: there is not enough memory, or no descriptor is free.
        """
        self._check_room(2 * self._workers)
        made: list[_Rings] = []
        try:
            for worker in range(self._workers):
                made.append(self._make(f"pollgate-{name}-{worker}"))
        except (UnavailableError, OSError) as problem:
            for rings in made:
                rings.close()
            raise UnavailableError(getattr(problem, "strerror", None) or str(problem)) from problem
        self._rings[index] = made

    def _check_room(self, files: int) -> None:
        """Whether there is memory for so many more, beside those whose pages will be taken in a moment."""
        if self._huge(files):
            return
        coming = sum(
            (not rings.written[-1].sealed) + (rings.given != NO_FILE) + (rings.next != NO_FILE)
            for place in self._rings.values()
            for rings in place
        )
        size = game_file_bytes(self._ring_bytes)
        check_room(files * size, max(0, self._available_bytes() - coming * size))

    def _make(self, name: str) -> _Rings:
        fds: list[int] = []
        try:
            fds.append(os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK))
            fds.append(game_file(f"{name}-out", self._ring_bytes, huge=self._huge()))
        except BaseException:
            for fd in fds:
                os.close(fd)
            raise
        bell, written = fds
        return _Rings(bell, deque([_Written(written, 1, first_position(written))]))

    def _huge(self, files: int = 1) -> bool:
        return self._may_be_huge(files * game_file_huge_pages(self._ring_bytes))

    def pages(self, index: int) -> str:
        """In which its memory is: "huge", "ordinary", or "both"; none: ""."""
        kinds = {is_huge(fd) for rings in self._rings.get(index, ()) for fd in rings.files}
        return "both" if len(kinds) == 2 else "huge" if True in kinds else "ordinary" if kinds else ""

    def drop(self, index: int) -> None:
        """Nobody is given these any more; who has them mapped keeps them, until they are buried."""
        self._taken.setdefault(index, []).extend(self._rings.pop(index, ()))

    def bury(self, index: int) -> Left:
        """No worker has what was dropped of a place any more; returns what was in it and nobody read."""
        left = Left()
        for rings in self._taken.pop(index, ()):
            _go_on(rings)
            left += self._unread(rings, len(rings.written))
            self._closing.extend(rings.fds)
        return left

    def close_one(self) -> None:
        """Of those that were buried: the last one to close a file gives its pages back, which takes time."""
        if self._closing:
            os.close(self._closing.popleft())

    def close(self) -> None:
        """Drop all."""
        for index in tuple(self._rings):
            self.drop(index)
        for taken in self._taken.values():
            for rings in taken:
                rings.close()
        self._taken.clear()
        while self._closing:
            self.close_one()

    def _unread(self, rings: _Rings, files: int) -> Left:
        """What a process has not read of so many of the files, the oldest first."""
        _forget_read(rings)
        read_to = rings.read_to
        parts = (
            left_in(one.fd, self._ring_bytes, max(read_to, one.first)) for one in islice(rings.written, files)
        )
        return sum(parts, Left())

    # ------------------------------------------------------------ the worker process

    def for_worker(self, index: int) -> tuple[int, ...]:
        """What the worker process gets: its own files, what wakes workers, what is heard; by worker."""
        rings = self._rings[index]
        own = tuple(one.own for one in rings if one.is_heard)
        return (*(one.written[-1].fd for one in rings), *(one.bell for one in rings), *own)

    def read(self, index: int) -> tuple[int, ...]:
        """By worker, up to where a process has read; of one that is heard its file says more."""
        return tuple(one.read for one in self._rings[index])

    def seal(self, index: int) -> None:
        """It has mapped them.

        Raises:
            UnavailableError: the kernel refuses.
        """
        for rings in self._rings[index]:
            if not rings.written[-1].sealed:
                seal_game_file(rings.written[-1].fd)
                rings.written[-1].sealed = True

    def renew(self, index: int, name: str, *, attached: bool) -> Left:
        """For the next worker process: a file after each that the last one wrote.

        What a process that is not there has not read of more than a few of them, it will not see: returns
        what that is; it will be told a gap.

        Raises:
            UnavailableError: there is no memory for them, or what the last one left makes no sense.
        """
        left = Left()
        for worker, rings in enumerate(self._rings[index]):
            _go_on(rings)  # the last one may have
            last = rings.written[-1]
            if last.sealed:  # else no worker process was known to have it: it can be taken over as it is
                fd = game_file(f"pollgate-{name}-{worker}-out", self._ring_bytes, last.fd, huge=self._huge())
                rings.written.append(_Written(fd, last.incarnation + 1, first_position(fd)))
            _forget_read(rings)
            if not attached:
                left += self._make_gap(rings, f"pollgate-{name}-{worker}-gap")
        return left

    def _make_gap(self, rings: _Rings, name: str) -> Left:
        """Of too many, in place of the two oldest files, of which the first may be a gap itself."""
        if len(rings.written) <= LEFT_MAX:
            return Left()
        left = self._unread(rings, 2)
        if len(rings.written) <= LEFT_MAX:  # it has read them just now
            return Left()
        old, last, after = islice(rings.written, 3)
        fd = game_gap_file(name, self._ring_bytes, last.fd, after.first, left.records)
        for one in (old, last):
            os.close(one.fd)
            rings.written.popleft()
        rings.written.appendleft(_Written(fd, last.incarnation, first_position(fd), sealed=True))
        rings.read = max(rings.read, rings.written[0].first)
        return left

    def is_behind(self, index: int) -> bool:
        """Whether the process has not read what more workers left than can be kept."""
        return any(len(rings.written) > LEFT_MAX for rings in self._rings[index])

    def end(self, index: int, name: str) -> tuple[int, ...]:
        """A process is gone: what workers are to write from now on, and what is to wake them; by worker.

        Raises:
            UnavailableError: there is no memory for them, or no descriptor is free.
        """
        self._check_room(self._workers)
        try:
            for worker, rings in enumerate(self._rings[index]):
                rings.next_bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
                name_of_it = f"pollgate-{name}-{worker}-out"
                rings.next = blank_game_file(name_of_it, self._ring_bytes, huge=self._huge())
        except OSError as problem:
            raise UnavailableError(problem.strerror or str(problem)) from problem
        made = self._rings[index]
        return (*(one.next for one in made), *(one.next_bell for one in made))

    def ended(self, index: int, name: str, read: tuple[int, ...]) -> Left:
        """Workers have read what the last process wrote, who had read so far, and write other files.

        Returns what the next process will not see of too many of those before: it will be told a gap.

        Raises:
            UnavailableError: the kernel refuses to seal them, or there is no memory for a gap.
        """
        left = Left()
        for worker, (rings, read_to) in enumerate(zip(self._rings[index], read, strict=True)):
            rings.is_heard, rings.read = False, read_to
            _go_on(rings)
            _forget_read(rings)
            left += self._make_gap(rings, f"pollgate-{name}-{worker}-gap")
        self.seal(index)
        return left

    # ------------------------------------------------------------ the process

    def give(self, index: int, name: str) -> None:
        """Files for a process to write, while none is heard; positions go on as the workers say.

        Raises:
            UnavailableError: there is no memory for them.
        """
        self._check_room(self._workers)
        for worker, rings in enumerate(self._rings[index]):
            positions = released(rings.written[-1].fd), max(rings.read, rings.written[0].first)
            _close(rings.given)
            rings.given = NO_FILE
            name_of_it = f"pollgate-{name}-{worker}-in"
            rings.given = next_game_file(
                name_of_it, self._ring_bytes, rings.own, positions, huge=self._huge()
            )
            _close(rings.own)
            rings.own = NO_FILE

    def hear(self, index: int) -> tuple[int, ...]:
        """It has mapped them: nobody else can for writing from now on. What each worker is to read.

        Raises:
            UnavailableError: the kernel refuses, because the process has sealed them itself.
        """
        for rings in self._rings[index]:
            seal_game_file(rings.given)
        for rings in self._rings[index]:
            rings.own, rings.given, rings.is_heard = rings.given, NO_FILE, True
        return tuple(rings.own for rings in self._rings[index])

    def for_process(self, index: int) -> Iterator[Given]:
        """What a process gets that attaches: also files of dead workers that were not read to their end."""
        for worker, rings in enumerate(self._rings[index]):
            _forget_read(rings)
            for written in rings.written:
                yield Given(worker, written.incarnation, (written.fd, rings.given, rings.bell))

    def new_for_process(self, index: int) -> Iterator[Given]:
        """What one gets that was there when the worker process became another."""
        for worker, rings in enumerate(self._rings[index]):
            last = rings.written[-1]
            own = rings.own if rings.is_heard else rings.given
            yield Given(worker, last.incarnation, (last.fd, own, rings.bell))

    def backlog(self, index: int) -> tuple[int, ...]:
        """By worker, bytes in rings to a process that it has not given back, if it tells the truth."""
        return tuple(_backlog(rings, self._ring_bytes) for rings in self._rings.get(index, ()))


def _backlog(rings: _Rings, ring_bytes: int) -> int:
    read_to = max(rings.read_to, rings.written[0].first)
    return min(max(written_to(rings.written[-1].fd) - read_to, 0), len(rings.written) * ring_bytes)


def _forget_read(rings: _Rings) -> None:
    """Close files of dead workers that the process has read to their end."""
    read_to = rings.read_to
    while len(rings.written) > 1 and rings.written[1].first <= read_to:
        os.close(rings.written.popleft().fd)


def _go_on(rings: _Rings) -> None:
    """The worker writes the next file, if it knows that; else it never will."""
    if rings.next == NO_FILE or not is_written(rings.next):
        _close(rings.next)
        _close(rings.next_bell)
    else:
        os.close(rings.bell)
        last, first = rings.written[-1], first_position(rings.next)
        if last.first == first:  # nothing was written there
            os.close(rings.written.pop().fd)
        rings.written.append(_Written(rings.next, last.incarnation + 1, first))
        rings.bell = rings.next_bell
    rings.next = rings.next_bell = NO_FILE


def _close(fd: int) -> None:
    if fd != NO_FILE:
        os.close(fd)


def check_room(needed_bytes: int, available_bytes: int) -> None:
    """Whether so much memory is there: workers and processes take the pages when they map files.

    Raises:
        UnavailableError: it is not.
    """
    if needed_bytes > available_bytes:
        raise UnavailableError(
            f"{-(-needed_bytes // _MIB)} MiB are needed and {available_bytes // _MIB} MiB available"
        )


def make_pair(name: str, ring_bytes: int, available_bytes: int) -> tuple[int, int]:
    """The files of a ring between two processes: the writer's and the reader's, the caller's to close.

    Raises:
        UnavailableError: there is no memory for them, or no descriptor is free.
    """
    check_room(game_file_bytes(ring_bytes) + game_file_bytes(RING_BYTES_MIN), available_bytes)
    try:
        writer = game_file(f"pollgate-{name}", ring_bytes)
        try:
            return writer, game_file(f"pollgate-{name}-read", RING_BYTES_MIN)
        except BaseException:
            os.close(writer)
            raise
    except OSError as problem:
        raise UnavailableError(problem.strerror or str(problem)) from problem
