# SPDX-License-Identifier: BSD-3-Clause
"""Rings from one game process to another, and who has which topic."""

from __future__ import annotations

import fcntl
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from pyshim.bus.files import make_pair
from pyshim.dataplane.game import RING_BYTES_MIN, begun, next_game_file, released
from pyshim.errors import UnavailableError

TOPICS_MAX = 256  # of a process
LEFT_MAX = 4  # files of earlier writers that a reader who is away has not read


@dataclass(frozen=True, slots=True)
class Topics:
    """Who has which topic, by name. A value: what is said comes in, a new one comes out."""

    of: Mapping[str, frozenset[int]] = field(default_factory=dict)

    def say(self, name: str, topic: int, *, on: bool) -> Topics | None:
        """A process subscribes or ends that; None: it has too many."""
        had = self.of.get(name, frozenset())
        has = had | {topic} if on else had - {topic}
        return None if len(has) > TOPICS_MAX else replace(self, of={**self.of, name: has})

    def without(self, name: str) -> Topics:
        """A process is gone, and with it what it wanted to hear."""
        return replace(self, of={other: topics for other, topics in self.of.items() if other != name})

    def but(self, name: str) -> Iterator[tuple[str, int]]:
        """What others have."""
        return ((other, topic) for other, topics in self.of.items() for topic in topics if other != name)


@dataclass(slots=True)
class _Pair:
    """A ring, and for whom it was made: connections, 0 for nobody."""

    files: tuple[int, int]  # the writer's, the reader's
    writer: int
    reader: int
    posted: int = 0  # in files that are no longer used
    left: deque[tuple[int, int]] = field(default_factory=deque)  # by earlier writers: file, read to here

    def close(self) -> None:
        for fd in (*self.files, *(fd for fd, _ in self.left)):
            os.close(fd)


class Pairs:
    """The rings between processes, by names of writer and reader.

    What was written is kept for the next reader. Whoever had a name before has no part in what its next
    process writes: that gets other files.
    """

    def __init__(self, ring_bytes: int, available_bytes: Callable[[], int]) -> None:
        """There is none yet."""
        self._ring_bytes = ring_bytes
        self._available_bytes = available_bytes
        self._pairs: dict[tuple[str, str], _Pair] = {}

    def open(self, writer: str, reader: str, by: int, to: int) -> tuple[tuple[int, int], bool]:
        """The files of writer and reader, and whether they are new; `by` and `to`: their connections now.

        Raises:
            UnavailableError: there is no memory for them.
        """
        known = self._pairs.get((writer, reader))
        if known is not None and known.writer == by and to in {0, known.reader}:
            return known.files, False
        files = make_pair(_name(writer, reader), self._ring_bytes, self._available_bytes())
        for fd in files:  # neither of the two seals them against the other
            fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SEAL)
        made = self._pairs[writer, reader] = _Pair(files, by, to)
        if known is not None:
            _go_on(made, known, is_read=to != 0)
        return files, True

    def come(self, reader: str) -> Iterator[tuple[str, int, tuple[tuple[int, int], ...] | None]]:
        """A reader's next process is there: who writes to it, with which connection, and what it gets.

        In place of the files there is None where there is no memory: such a ring is given up.
        """
        for (writer, to), pair in tuple(self._pairs.items()):
            if to != reader:
                continue
            try:
                given = self._renew_reader(writer, reader, pair)
            except (UnavailableError, OSError):
                self._pairs.pop((writer, reader)).close()
                yield writer, pair.writer, None
                continue
            yield writer, pair.writer, (*given, pair.files)
            for files in given:
                _close(files)

    def _renew_reader(self, writer: str, reader: str, pair: _Pair) -> tuple[tuple[int, int], ...]:
        """Others for the reader to write; returns, with such, what earlier writers left: to be closed."""
        name = _name(writer, reader)
        own = _read_to(name, released(pair.files[1]))
        os.close(pair.files[1])
        pair.files = pair.files[0], own
        given: list[tuple[int, int]] = []
        try:
            while pair.left:
                fd, read_to = pair.left[0]
                given.append((fd, _read_to(name, read_to)))
                pair.left.popleft()
        except BaseException:
            for files in given:
                _close(files)
            raise
        return tuple(given)

    def posts(self) -> dict[tuple[str, str], int]:
        """Messages that were posted, by writer and reader, as writers say."""
        return {names: pair.posted + begun(pair.files[0]) for names, pair in self._pairs.items()}

    def forget(self, name: str) -> None:
        """Close those that a name writes or reads; who has them mapped keeps them."""
        for names in [names for names in self._pairs if name in names]:
            self._pairs.pop(names).close()

    def close(self) -> None:
        """Close all."""
        for pair in self._pairs.values():
            pair.close()
        self._pairs.clear()


def _go_on(pair: _Pair, before: _Pair, *, is_read: bool) -> None:
    """In place of another; who reads that has it mapped, and otherwise its next process gets it."""
    pair.posted = before.posted + begun(before.files[0])
    pair.left = before.left
    if is_read:
        os.close(before.files[0])
    else:
        pair.left.append((before.files[0], released(before.files[1])))
    os.close(before.files[1])
    while len(pair.left) > LEFT_MAX:
        os.close(pair.left.popleft()[0])


def _read_to(name: str, position: int) -> int:
    """A reader's file; its last owner says the position, and a wrong one spoils what that reads."""
    fd = next_game_file(f"pollgate-{name}-read", RING_BYTES_MIN, -1, (0, position & ~7))
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SEAL)
    return fd


def _name(writer: str, reader: str) -> str:
    return f"{writer}-{reader}"[:200]


def _close(files: tuple[int, int]) -> None:
    for fd in files:
        os.close(fd)
