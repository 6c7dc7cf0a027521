# SPDX-License-Identifier: BSD-3-Clause
"""Counters of what is named at run time, read by what the statistics page says of itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pyshim._native._pollgate import ffi
from pyshim._native.decode import Clock, Labels, text
from pyshim.counters import COUNTERS, NAMED, Counter
from pyshim.stats import Count, Histogram, Instance, less, total


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the page a counter is: as struct pg_stats_entry."""

    counter: Counter
    offset: int
    worker_stride: int
    index_stride: int
    width: int
    label: str  # of the set that it goes by
    before: int  # from a number to what it was when its slot got its name; 0: names stay
    sum_from: int = 0  # of a histogram: to the sum of what was observed, in cycles; else 0


@dataclass(frozen=True, slots=True)
class Instances:
    """What a page's directory says of everything that is named at run time. It does not change."""

    labels: tuple[str, ...]  # of each set
    names: tuple[tuple[int, int, int], ...]  # of each set: where, how many at most, bytes of each
    places: Mapping[str, tuple[Place, ...]]  # by group


def instances(page: Any) -> Instances:
    """Ask the directory of a page."""
    directory = page.directory
    labels = tuple(text(one.label) for one in directory.set)
    offsets = {
        (counter.group, counter.field): entry.offset
        for counter, entry in zip(COUNTERS, directory.entry, strict=True)
    }
    places: dict[str, list[Place]] = {}
    for counter, entry in zip(COUNTERS, directory.entry, strict=True):
        if entry.set and counter.group in NAMED:
            strides = (entry.offset, entry.worker_stride, entry.index_stride, entry.width)
            named = directory.set[entry.set - 1]
            sum_from = (
                offsets[counter.group, f"{counter.field}_cycles"] - entry.offset
                if counter.kind == "HISTOGRAM"
                else 0
            )
            places.setdefault(counter.group, []).append(
                Place(counter, *strides, text(named.label), named.before, sum_from)
            )
    return Instances(
        labels,
        tuple((one.names, one.most, one.name_bytes) for one in directory.set),
        {group: tuple(found) for group, found in places.items()},
    )


def names_of(page: Any, said: Instances, label: str) -> Iterator[tuple[int, str]]:
    """The slots of a set that have a name, with it."""
    start, most, size = said.names[said.labels.index(label)]
    memory = ffi.buffer(page)
    for slot in range(most):
        name = bytes(memory[start + slot * size : start + (slot + 1) * size]).partition(b"\0")[0]
        if name:
            yield slot, name.decode(errors="replace")


@dataclass(frozen=True, slots=True)
class _Copy:
    """A copy of a page; `labels`: what the elements of an array are called."""

    memory: Any
    workers: int
    labels: Labels
    clock: Clock

    def count(self, place: Place, slot: int, shift: int = 0) -> Count:
        """What stands at a counter's place, or so many bytes behind it."""

        def number(element: int, behind: int = 0) -> int:
            at = place.offset + slot * place.index_stride + element * place.width + behind + shift
            starts = (at + worker * place.worker_stride for worker in self._workers(place))
            return sum(int.from_bytes(self.memory[one : one + place.width], "little") for one in starts)

        counter = place.counter
        if not counter.length:
            return number(0)
        if counter.kind == "HISTOGRAM":
            bounds = self.labels.bounds[counter.values]
            buckets = tuple(number(bucket) for bucket in range(len(bounds)))
            return Histogram(bounds, buckets, self.clock.seconds(number(0, place.sum_from)))
        return {name: number(index) for index, name in self.labels.names[counter.values]}

    def of_each(self, place: Place, slot: int) -> tuple[int, ...]:
        """What each worker says of a counter, of which it has its own."""
        at = place.offset + slot * place.index_stride
        starts = (at + worker * place.worker_stride for worker in range(self.workers))
        return tuple(int.from_bytes(self.memory[one : one + place.width], "little") for one in starts)

    def since(self, place: Place, slot: int) -> Count:
        """What was counted since the slot got its name."""
        now = self.count(place, slot)
        return less(now, self.count(place, slot, place.before)) if place.before else now

    def is_zero(self, place: Place, slot: int, shift: int) -> bool:
        """Whether all counters of a group are, of which this is the first."""
        starts = (place.offset + worker * place.worker_stride for worker in self._workers(place))
        at = slot * place.index_stride + shift
        return not any(any(self.memory[one + at : one + at + place.index_stride]) for one in starts)

    def _workers(self, place: Place) -> range:
        return range(self.workers if place.worker_stride else 1)


def counted(page: Any, said: Instances, labels: Labels, clock: Clock) -> dict[str, tuple[Instance, ...]]:
    """What a copy of the page counts under names."""
    copy = _Copy(ffi.buffer(page), page.worker_count, labels, clock)
    return {
        group: tuple(
            Instance(
                name,
                {place.counter.field: copy.since(place, slot) for place in places},
                {
                    place.counter.field: copy.of_each(place, slot)
                    for place in places
                    if _is_each_workers(place)
                },
            )
            for slot, name in names_of(page, said, places[0].label)
        )
        for group, places in said.places.items()
    }


def _is_each_workers(place: Place) -> bool:
    return place.counter.kind == "GAUGE" and not place.counter.length and place.worker_stride != 0


def retired(page: Any, said: Instances, labels: Labels, clock: Clock) -> dict[str, Instance]:
    """What it counted under names that were given up since, together: of groups whose names can be."""
    copy = _Copy(ffi.buffer(page), page.worker_count, labels, clock)
    return {
        group: Instance("", _retired(copy, places, dict(names_of(page, said, places[0].label)), most))
        for group, places in said.places.items()
        for most in (said.names[said.labels.index(places[0].label)][1],)
        if places[0].before
    }


def _retired(copy: _Copy, places: tuple[Place, ...], named: Mapping[int, str], most: int) -> dict[str, Count]:
    """Of a slot that has a name, what was counted before; of one that has none, all."""
    shifts = ((slot, places[0].before if slot in named else 0) for slot in range(most))
    parts = [one for one in shifts if not copy.is_zero(places[0], *one)] or [(0, places[0].before)]
    return {one.counter.field: total(copy.count(one, *part) for part in parts) for one in places}
