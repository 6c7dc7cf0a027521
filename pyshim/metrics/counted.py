# SPDX-License-Identifier: BSD-3-Clause
"""The metric that follows from a counter of the data plane, which may be of several fields."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from pyshim.counters import POOLS, PORTS, WORKERS, Counter
from pyshim.metrics.family import Family, Kind, Sample
from pyshim.stats import Record, Snapshot, count

PREFIX: Final = "pollgate_"

Reader = Callable[[Snapshot], Iterable[Sample]]


def counted(fields: tuple[Counter, ...], read: Reader | None = None) -> Family:
    """The metric of these fields, of which the first says what it means. `read`: instead of what they say."""
    first = fields[0]
    counter = first.kind.startswith("COUNTER")
    return Family(
        f"{PREFIX}{first.metric}{'_total' if counter else ''}",
        Kind.COUNTER if counter else Kind(first.kind.lower()),
        tuple(name for name, _ in first.labels),
        first.unit,
        first.meaning,
        read or (lambda snapshot: _samples(fields, snapshot)),
    )


def _samples(fields: tuple[Counter, ...], snapshot: Snapshot) -> Iterator[Sample]:
    samples = [
        (labels, value)
        for owner, record in _records(fields[0].group, snapshot)
        for one in fields
        for labels, value in _of_record(one, owner, record)
    ]
    # Of a counter that nothing increments yet: who reads it shall not take 0 for an observation.
    hidden = fields[0].kind == "COUNTER_IF_ANY" and not any(value for _, value in samples)
    return iter([] if hidden else samples)


def _of_record(one: Counter, owner: str, record: Record) -> Iterator[Sample]:
    value = count(record, one.field)
    if isinstance(value, Mapping):
        for name, number in value.items():
            yield _labels(one, owner, name), number
    else:
        yield _labels(one, owner, ""), value


def _labels(one: Counter, owner: str, element: str) -> tuple[str, ...]:
    """The owner's label is the first, that of an array's element has no value of its own."""
    return (owner, *(value or element for _, value in one.labels[1:]))


def _records(group: str, snapshot: Snapshot) -> Iterator[tuple[str, Record]]:
    if group == "PORT_COUNT":
        yield from ((port.name, port.counts) for port in snapshot.ports)
    elif group == "MESSAGE":
        yield from ((str(worker.index), worker.messages) for worker in snapshot.workers)
    elif group in PORTS:
        yield from ((port.name, port) for port in snapshot.ports)
    elif group in POOLS:
        yield from ((pool.name, pool) for pool in snapshot.pools)
    elif group in WORKERS:
        yield from ((str(worker.index), worker) for worker in snapshot.workers)
    else:
        yield from ((instance.name, instance) for instance in snapshot.instances.get(group, ()))
