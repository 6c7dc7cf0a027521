# SPDX-License-Identifier: BSD-3-Clause
"""From process to process: who writes to whom, who has which topic, and what each of them is told of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pyshim.bus import messages
from pyshim.bus.messages import Reason, RefusedError, Role
from pyshim.bus.pairs import TOPICS_MAX, Pairs, Topics
from pyshim.bus.registry import Phase, Place
from pyshim.errors import UnavailableError

Say = Callable[[int, bytes, tuple[int, ...]], None]


class Between:
    """Rings and topics of the processes of a run; they say the rest to each other without the supervisor."""

    def __init__(self, ring_bytes: int, available_bytes: Callable[[], int], say: Say) -> None:
        """`say`: a packet, with descriptors, to a connection."""
        self._pairs = Pairs(ring_bytes, available_bytes)
        self._topics = Topics()
        self._say = say

    def close(self) -> None:
        """Let go of all rings."""
        self._pairs.close()

    def posts(self) -> dict[tuple[str, str], int]:
        """Messages that were posted, by writer and reader, as writers say."""
        return self._pairs.posts()

    def came(self, place: Place, places: Sequence[Place]) -> None:
        """A process is attached: it is told what the others are to it."""
        here = {other.name: other.peer for other in places if other.phase is Phase.HERE}
        for other, topic in self._topics.but(place.name):
            self._say(place.peer, messages.readers(topic, other, on=True), ())
        for writer, peer, rings in self._pairs.come(place.name):
            for files in rings or ():
                self._say(place.peer, messages.pair(Role.READS, writer), files)
            if here.get(writer) != peer:  # who has it open is gone
                continue
            if rings is None:
                self._say(peer, messages.pair(Role.ENDS, place.name), ())
            else:
                self._say(peer, messages.pair(Role.RENEWS, place.name), rings[-1][1:])

    def left(self, place: Place, places: Sequence[Place]) -> None:
        """It is away: nobody publishes to it any more; what was posted to it waits."""
        for topic in self._topics.of.get(place.name, ()):
            self._tell_readers(place.name, topic, places, on=False)
        self._topics = self._topics.without(place.name)

    def forget(self, name: str, places: Sequence[Place]) -> None:
        """A name is given up, and with it what others wrote to it or had of it."""
        self._pairs.forget(name)
        for place in places:
            if place.phase is Phase.HERE:
                self._say(place.peer, messages.pair(Role.ENDS, name), ())

    def open(self, own: Place, name: str, reader: Place | None) -> None:
        """A process wants to write to the one of that name, if there is one."""
        if reader is None or reader.name == own.name:
            text = (
                f"there is no game process {name}" if reader is None else "a process does not write to itself"
            )
            self._say(own.peer, messages.nobody(text), ())
            return
        peer = reader.peer if reader.phase is Phase.HERE else 0
        try:
            files, new = self._pairs.open(own.name, name, own.peer, peer)
        except UnavailableError as problem:
            text = f"there is no memory for a ring to {name}: {problem}"
            self._say(own.peer, messages.nobody(text), ())
            return
        if new and peer:
            self._say(peer, messages.pair(Role.READS, own.name), files)
        self._say(own.peer, messages.pair(Role.WRITES, name), files)

    def subscribe(self, own: Place, topic: int, places: Sequence[Place], *, on: bool) -> None:
        """A process subscribes to a topic, or ends that.

        Raises:
            RefusedError: it has too many.
        """
        topics = self._topics.say(own.name, topic, on=on)
        if topics is None:
            raise RefusedError(Reason.MALFORMED, f"more than {TOPICS_MAX} topics, which no process can have")
        if topics.of.get(own.name) != self._topics.of.get(own.name, frozenset()):
            self._topics = topics
            self._tell_readers(own.name, topic, places, on=on)

    def _tell_readers(self, name: str, topic: int, places: Sequence[Place], *, on: bool) -> None:
        for place in places:
            if place.phase is Phase.HERE and place.name != name:
                self._say(place.peer, messages.readers(topic, name, on=on), ())
