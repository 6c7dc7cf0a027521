# SPDX-License-Identifier: BSD-3-Clause
"""Counters of what is named at run time, read by what the statistics page says of itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pyshim._native._pollgate import ffi
from pyshim._native.decode import text
from pyshim.counters import COUNTERS, NAMED, Counter
from pyshim.stats import Count, Instance


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the page a counter is: as struct pg_stats_entry."""

    counter: Counter
    offset: int
    worker_stride: int
    index_stride: int
    width: int
    label: str  # of the set that it goes by


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
    places: dict[str, list[Place]] = {}
    for counter, entry in zip(COUNTERS, directory.entry, strict=True):
        if entry.set and counter.group in NAMED:
            strides = (entry.offset, entry.worker_stride, entry.index_stride, entry.width)
            places.setdefault(counter.group, []).append(Place(counter, *strides, labels[entry.set - 1]))
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


def counted(
    page: Any, said: Instances, elements: Mapping[str, tuple[tuple[int, str], ...]]
) -> dict[str, tuple[Instance, ...]]:
    """What a copy of the page counts; `elements`: what those of an array are called, by Counter.values."""
    memory = ffi.buffer(page)

    def number(place: Place, slot: int, element: int) -> int:
        at = place.offset + slot * place.index_stride + element * place.width
        workers = range(page.worker_count if place.worker_stride else 1)
        starts = (at + worker * place.worker_stride for worker in workers)
        return sum(int.from_bytes(memory[start : start + place.width], "little") for start in starts)

    def count(place: Place, slot: int) -> Count:
        if not place.counter.length:
            return number(place, slot, 0)
        return {name: number(place, slot, index) for index, name in elements[place.counter.values]}

    return {
        group: tuple(
            Instance(name, {place.counter.field: count(place, slot) for place in places})
            for slot, name in names_of(page, said, places[0].label)
        )
        for group, places in said.places.items()
    }
