# SPDX-License-Identifier: BSD-3-Clause
"""Which game process has which name and index, as a value: nothing here has an effect.

What happens to processes and worker processes comes in; the registry that follows, and what is to be done,
come out. A name keeps its index and its memory when its process dies: the next process of that name goes on,
unless another name needed the place meanwhile. Names that no route has are given up for that, the one that is
away longest first: a studio may name its processes match-8371, match-8372 and so on without end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto

from pyshim.bus.messages import Hello, Reason, RefusedError

NO_FILES = 0


class Phase(Enum):
    """Of a name."""

    AWAY = auto()  # no process has it
    ARRIVING = auto()  # one has, and waits until the workers have mapped its rings
    HERE = auto()


@dataclass(frozen=True, slots=True)
class Place:
    """A name, and the process that has it."""

    name: str
    files: int  # number of its memory files: others have another one; NO_FILES
    routed: bool = False  # a route names it
    phase: Phase = Phase.AWAY
    peer: int = 0  # the connection
    pid: int = 0
    wants_moves: bool = False
    mapped: bool = False  # the worker process has its rings
    used: bool = False  # a process has them, or had: the next one gets others
    heard: bool = False  # the workers read what a process writes or, if it is gone, wrote
    ending: bool = False  # to its end, and write other files from then on, and will say so
    since_s: float = 0.0  # when the process came, or the last one left


# ---------------------------------------------------------------- what is to be done


@dataclass(frozen=True, slots=True)
class MakeFiles:
    """New memory for a place, empty."""

    index: int


class Why(Enum):
    """A place's memory is taken away, by name in metrics."""

    GIVEN_UP = auto()  # with its name
    BROKEN = auto()  # by what its process wrote
    UNMAPPED = auto()  # the next worker process could not map it


@dataclass(frozen=True, slots=True)
class DropFiles:
    """Its memory is not used any more."""

    index: int
    why: Why


@dataclass(frozen=True, slots=True)
class GiveUp:
    """A name is known no more, and its index is another's."""

    index: int
    name: str


@dataclass(frozen=True, slots=True)
class GiveRings:
    """The worker process, if there is one, is to map it."""

    index: int


@dataclass(frozen=True, slots=True)
class Hear:
    """The worker process is to read what the process writes, who has mapped it."""

    index: int


@dataclass(frozen=True, slots=True)
class End:
    """The process is gone: the worker process is to read its words to their end, and to write other files."""

    index: int


@dataclass(frozen=True, slots=True)
class TakeRings:
    """The worker process is to let go of it."""

    index: int


@dataclass(frozen=True, slots=True)
class Presence:
    """The worker process is to know whether somebody is there."""

    index: int


@dataclass(frozen=True, slots=True)
class Welcome:
    """The process is attached: it gets all of its rings."""

    index: int


@dataclass(frozen=True, slots=True)
class Renew:
    """It gets what its rings have new since the worker process is another."""

    index: int


@dataclass(frozen=True, slots=True)
class Refuse:
    """Tell the process of a connection, and end that."""

    peer: int
    reason: Reason
    text: str


@dataclass(frozen=True, slots=True)
class Detach:
    """Tell an attached one, and end its connection."""

    peer: int
    text: str


Do = (
    MakeFiles
    | DropFiles
    | GiveUp
    | GiveRings
    | Hear
    | End
    | TakeRings
    | Presence
    | Welcome
    | Renew
    | Refuse
    | Detach
)


@dataclass(frozen=True, slots=True)
class Step:
    """What follows from an event."""

    registry: Registry
    do: tuple[Do, ...] = ()
    told: tuple[tuple[str, str], ...] = ()  # level and sentence, for the operator


@dataclass(frozen=True, slots=True)
class Registry:
    """A value: events are its methods."""

    processes: int  # names that there can be
    places: Mapping[int, Place] = field(default_factory=dict)
    made: int = 0  # memory files, ever

    # ------------------------------------------------------------ names

    def index_of(self, name: str) -> int | None:
        """The index of a name that is known."""
        return next((index for index, place in self.places.items() if place.name == name), None)

    def named(self, name: str) -> Place | None:
        """The place of a name that is known."""
        return next((place for place in self.places.values() if place.name == name), None)

    def held_by(self, peer: int) -> int | None:
        """The index of the name that a connection has."""
        held = (index for index, place in self.places.items() if place.phase is not Phase.AWAY)
        return next((index for index in held if self.places[index].peer == peer), None)

    def indexes(self, names: Iterable[str]) -> dict[str, int]:
        """Of names that are known."""
        known = {place.name: index for index, place in self.places.items()}
        return {name: known[name] for name in names}

    def route(self, names: Iterable[str]) -> Step:
        """Routes name these, and no others.

        Raises:
            RefusedError: there is no room for one of them.
        """
        wanted = tuple(names)
        marked = {index: replace(one, routed=one.name in wanted) for index, one in self.places.items()}
        step = Step(replace(self, places=marked))
        for name in wanted:
            if step.registry.index_of(name) is None:
                opened = step.registry._open(name, routed=True)
                step = Step(opened.registry, (*step.do, *opened.do), (*step.told, *opened.told))
        return step

    def _open(self, name: str, *, routed: bool) -> Step:
        """A place for a new name: one that is free, or that of a name which is given up.

        Raises:
            RefusedError: there is none.
        """
        free = next((index for index in range(self.processes) if index not in self.places), None)
        given_up = Step(self) if free is not None else self._give_up_one(name)
        if free is None:
            (free,) = (what.index for what in given_up.do if isinstance(what, GiveUp))
        place = Place(name, self.made + 1, routed)
        registry = replace(self, places={**self.places, free: place}, made=self.made + 1)
        return Step(registry, (*given_up.do, MakeFiles(free), GiveRings(free)), given_up.told)

    def _give_up_one(self, name: str) -> Step:
        """Of the names that no route has and no process, the one that is away longest."""
        away = {
            index: place
            for index, place in self.places.items()
            if place.phase is Phase.AWAY and not place.routed
        }
        if not away:
            raise RefusedError(
                Reason.FULL,
                f"there is no room for {name}: game.processes allows {self.processes} names, and these are "
                f"attached or in routes: {', '.join(place.name for place in self.places.values())}",
            )
        index = min(away, key=lambda one: away[one].since_s)
        gone = away[index].name
        told = f"the name {gone} of a game process that is away is given up: {name} has its place"
        do = (TakeRings(index), DropFiles(index, Why.GIVEN_UP), GiveUp(index, gone))
        return Step(self, do, (("info", told),))

    # ------------------------------------------------------------ processes

    def hello(self, peer: int, pid: int, hello: Hello, now_s: float) -> Step:
        """A process wants a name."""
        index = self.index_of(hello.name)
        step = Step(self)
        if index is None:
            try:
                step = self._open(hello.name, routed=False)
            except RefusedError as refused:
                return Step(self, (Refuse(peer, refused.reason, str(refused)),))
            index = step.registry.index_of(hello.name)
            assert index is not None
        place = step.registry.places[index]
        if place.phase is not Phase.AWAY:
            text = f"the name {hello.name} is taken by process {place.pid}, which lives"
            return Step(self, (Refuse(peer, Reason.TAKEN, text),))
        arriving = replace(
            place,
            phase=Phase.ARRIVING,
            peer=peer,
            pid=pid,
            wants_moves=hello.wants_moves,
            since_s=now_s,
        )
        registry = step.registry._with(index, arriving)
        if arriving.files == NO_FILES:  # there was no memory for them
            return Step(registry._anew(index), (MakeFiles(index), GiveRings(index)))
        if arriving.mapped:
            return registry._arrived(index, step.do)
        return Step(registry, step.do, step.told)

    def _arrived(self, index: int, do: tuple[Do, ...] = ()) -> Step:
        """It is here as soon as the workers are done with the one before it."""
        place = self.places[index]
        if not place.mapped or place.used:
            return Step(self, do)
        none = (
            "" if place.routed else "; no entry of game.routes leads to it: it does not get what players say"
        )
        told = (("info", f"game process {place.name} (process {place.pid}) has attached{none}"),)
        registry = self._with(index, replace(place, phase=Phase.HERE, used=True))
        return Step(registry, (*do, Welcome(index), Presence(index)), told)

    def heard(self, name: str) -> Step:
        """The process of a name is here and has mapped what it writes."""
        index = self.index_of(name)
        assert index is not None
        return Step(self._with(index, replace(self.places[index], heard=True)), (Hear(index),))

    def _end(self, index: int, do: tuple[Do, ...] = ()) -> Step:
        """A process that is gone: what it wrote is read to its end, and what workers write is not for it."""
        place = self.places[index]
        if not place.used or not place.mapped or place.ending:
            return Step(self, do)
        return Step(self._with(index, replace(place, ending=True)), (*do, End(index)))

    def gone(self, peer: int, how: str, now_s: float, level: str = "info") -> Step:
        """A connection has ended; `how`, as the end of "game process arena ..."; told with this level."""
        index = self.held_by(peer)
        if index is None:
            return Step(self)
        place = self.places[index]
        away = replace(place, phase=Phase.AWAY, peer=0, pid=0, since_s=now_s)
        if place.phase is Phase.ARRIVING:
            return Step(self._with(index, away))
        who = f"game process {place.name} (process {place.pid})"
        waits = "; what players say to it waits in its ring" if place.routed else ""
        told = (level, f"{who} {how}{waits}")
        return replace(self._with(index, away)._end(index, (Presence(index),)), told=(told,))

    def unwelcome(self, index: int, why: str, now_s: float) -> Step:
        """There is no memory for what a process would write that was about to be here."""
        place = self.places[index]
        text = f"there is no memory for the rings of game process {place.name}: {why}"
        away = replace(place, phase=Phase.AWAY, peer=0, pid=0, used=False, since_s=now_s)
        return Step(self._with(index, away), (Refuse(place.peer, Reason.MEMORY, text),), (("warning", text),))

    def unmade(self, index: int, why: str) -> Step:
        """The memory of a place is not to be had; the next process of its name asks again."""
        place = self.places[index]
        text = f"there is no memory for the rings of game process {place.name}: {why}"
        do = () if place.phase is Phase.AWAY else (Refuse(place.peer, Reason.MEMORY, text),)
        none = replace(_without_files(place), phase=Phase.AWAY, peer=0, pid=0)
        return Step(self._with(index, none), do, (("warning", text),))

    # ------------------------------------------------------------ the worker process

    def mapped(self, index: int, files: int) -> Step:
        """The worker process has these files."""
        place = self.places.get(index)
        if place is None or place.files != files:
            return Step(self)
        registry = self._with(index, replace(place, mapped=True))
        if place.phase is Phase.HERE:
            return Step(registry, (Renew(index),))
        if place.used:
            return registry._end(index)
        return registry._arrived(index) if place.phase is Phase.ARRIVING else Step(registry)

    def ended(self, index: int, files: int) -> Step:
        """What the last process wrote has been read to its end, and the next one has other files."""
        place = self.places.get(index)
        if place is None or place.files != files or not place.ending:
            return Step(self)
        registry = self._with(index, replace(place, used=False, heard=False, ending=False))
        return registry._arrived(index) if place.phase is Phase.ARRIVING else Step(registry)

    def unmappable(self, index: int, files: int, why: str, now_s: float) -> Step:
        """It could not."""
        place = self.places.get(index)
        if place is None or place.files != files:
            return Step(self)
        text = f"the workers cannot map the rings of game process {place.name}: {why}"
        do: tuple[Do, ...] = ()
        match place.phase:
            case Phase.ARRIVING:
                do = (Refuse(place.peer, Reason.MEMORY, text),)
            case Phase.HERE:
                do = (Detach(place.peer, text),)
        away = replace(_without_files(place), phase=Phase.AWAY, peer=0, pid=0, since_s=now_s)
        return Step(self._with(index, away), (*do, DropFiles(index, Why.UNMAPPED)), (("warning", text),))

    def broken(self, index: int, why: str, now_s: float) -> Step:
        """A worker gave a process up for what its ring said; whoever comes after it is not to blame."""
        place = self.places.get(index)
        if place is None:
            return Step(self)
        if place.phase is not Phase.HERE:
            text = (
                f"what game process {place.name} left is given up, and the next one gets other memory: {why}"
            )
            return Step(self._anew(index), _other_files(index), (("warning", text),))
        told = (("warning", f"game process {place.name} (process {place.pid}) is detached: {why}"),)
        away = replace(place, phase=Phase.AWAY, peer=0, pid=0, since_s=now_s)
        detach = Detach(place.peer, f"{place.name} is detached: {why}")
        return Step(self._with(index, away)._anew(index), (detach, *_other_files(index)), told)

    def worker_gone(self) -> Registry:
        """There is no worker process."""
        without = {index: replace(place, mapped=False, ending=False) for index, place in self.places.items()}
        return replace(self, places=without)

    # ------------------------------------------------------------

    def _anew(self, index: int) -> Registry:
        place = replace(_without_files(self.places[index]), files=self.made + 1)
        return replace(self._with(index, place), made=self.made + 1)

    def _with(self, index: int, place: Place) -> Registry:
        return replace(self, places={**self.places, index: place})


def _without_files(place: Place) -> Place:
    return replace(place, files=NO_FILES, mapped=False, used=False, heard=False, ending=False)


def _other_files(index: int) -> tuple[Do, ...]:
    """Other files in place of those that were spoiled."""
    return (TakeRings(index), DropFiles(index, Why.BROKEN), MakeFiles(index), GiveRings(index))
