# SPDX-License-Identifier: BSD-3-Clause
"""Rings from one game process to another, and who has which topic."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from pyshim.bus.files import make_pair
from pyshim.dataplane.game import begun

TOPICS_MAX = 256  # of a process


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


class Pairs:
    """The rings between processes, by names of writer and reader: the next processes of these names go on."""

    def __init__(self, ring_bytes: int, available_bytes: Callable[[], int]) -> None:
        """There is none yet."""
        self._ring_bytes = ring_bytes
        self._available_bytes = available_bytes
        self._files: dict[tuple[str, str], tuple[int, int]] = {}

    def open(self, writer: str, reader: str) -> tuple[tuple[int, int], bool]:
        """The files of writer and reader, and whether they are new.

        Raises:
            UnavailableError: there is no memory for them.
        """
        known = self._files.get((writer, reader))
        if known is not None:
            return known, False
        name = f"{writer}-{reader}"[:200]
        made = make_pair(name, self._ring_bytes, self._available_bytes())
        self._files[writer, reader] = made
        return made, True

    def to(self, reader: str) -> Iterator[tuple[str, tuple[int, int]]]:
        """Who writes to a process, and the files."""
        return ((writer, files) for (writer, to), files in self._files.items() if to == reader)

    def posts(self) -> dict[tuple[str, str], int]:
        """Messages that were posted, by writer and reader, as writers say."""
        return {pair: begun(writer) for pair, (writer, _) in self._files.items()}

    def forget(self, name: str) -> None:
        """Close those that a name writes or reads; who has them mapped keeps them."""
        for pair in [pair for pair in self._files if name in pair]:
            for fd in self._files.pop(pair):
                os.close(fd)

    def close(self) -> None:
        """Close all."""
        for files in self._files.values():
            for fd in files:
                os.close(fd)
        self._files.clear()
