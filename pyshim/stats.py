# SPDX-License-Identifier: BSD-3-Clause
"""What the data plane counted, as one immutable value per reading.

A snapshot is taken by `pyshim.dataplane.StatsPage.snapshot` in one C call; everything that shows figures
(metrics, live table, summary, benchmarks) works from it and from nothing else.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts per bucket, not cumulative; `bounds` are inclusive upper bounds, the last may be infinite."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total: float  # sum of the observed values, in the unit of the bounds


Count = int | Mapping[str, int] | Histogram
_NONE: Mapping[str, Count] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class PortCounts:
    """Packets that poll loops moved; bytes are without FCS."""

    rx_packets: int
    rx_bytes: int
    tx_packets: int
    tx_bytes: int
    others: Mapping[str, Count] = field(default_factory=lambda: _NONE)  # by name: that no view asks for


@dataclass(frozen=True, slots=True)
class MessageSnapshot:
    """What is said in sessions of the session profile; of each mapping, every key is present."""

    received: Mapping[str, int]  # by type, of those that players send
    sent: Mapping[str, int]  # by type, of those that they get
    lost: Mapping[str, int]  # by reason
    duplicates: int
    skipped: int  # of players: not understood
    over_limit: int  # of players, not reliable: lost
    refused: dict[str, int]  # of players, by reason: each time
    resent: int
    compress_in: Mapping[str, int]  # bytes before, by type
    compress_out: Mapping[str, int]  # and after
    expand_in: int  # bytes
    expand_out: int
    memory_used: int  # bytes, a gauge
    others: Mapping[str, Count] = field(default_factory=lambda: _NONE)  # by name: that no view asks for


@dataclass(frozen=True, slots=True)
class WorkerSnapshot:
    """One poll loop.

    At every quiet moment `received + handed_in = Σ handled + Σ dropped + to_kernel + forwarded + handed_out`.
    """

    index: int
    heartbeat_age_s: float | None  # None before the first turn of the loop
    policy_generation: int
    received: int
    handled: Mapping[str, int]  # by message type; every type is present
    dropped: Mapping[str, int]  # by reason; every reason is present
    to_kernel: int
    forwarded: int
    handed_out: int  # received here, given to the worker whose session they are of
    handed_in: int  # received by another worker
    unanswered: int  # handled, and no packet left for it at once
    tx_originated: int
    tx_offered: int
    tx_sent: int
    tx_dropped: Mapping[str, int]  # by reason; every reason is present
    cycles_busy: int
    cycles_idle: int
    cycles_off_cpu: int  # others had its CPU
    sessions_active: int
    sessions_admitted: int
    sessions_expired: int
    sessions_recovered: int
    connected: int  # connections of profile session, now
    connections: int  # that were made
    closed: Mapping[str, int]  # by reason; every reason is present
    denied: Mapping[str, int]  # by reason; every reason is present
    path_changes: int
    key_updates: int
    number_changes: int
    messages: MessageSnapshot
    rx_burst: Histogram  # packets
    handling: Histogram  # seconds
    ports: tuple[PortCounts, ...]  # by index of the plan's ports
    others: Mapping[str, Count] = field(default_factory=lambda: _NONE)  # by name: that no view asks for

    @property
    def players(self) -> int:
        """Who is in now, of every profile: plain sessions are found by address, all others connect."""
        return self.sessions_active + self.connected

    @property
    def fallen_silent(self) -> int:
        """Whose session was freed, or connection closed, because nothing came any more."""
        return self.sessions_expired + self.closed.get("idle", 0)


@dataclass(frozen=True, slots=True)
class AddressConflict:
    """Another host that uses an address of ours."""

    address: str
    mac: str
    seen: int  # how often any was, over the run


@dataclass(frozen=True, slots=True)
class PortSnapshot:
    """A device's own view, summed over worker processes."""

    name: str
    counts: PortCounts  # summed over workers
    rx_missed: int
    rx_errors: int
    rx_nombuf: int
    link_up: bool | None  # None: nobody can tell
    link_mbps: int  # 0: unknown
    queues: int
    offloads: frozenset[str]  # of "rx_checksum", "tx_checksum", "rss"
    mac: str
    conflict: AddressConflict | None = None  # the last one seen
    others: Mapping[str, Count] = field(default_factory=lambda: _NONE)  # by name: that no view asks for


@dataclass(frozen=True, slots=True)
class PoolSnapshot:
    """One mbuf pool."""

    name: str
    available: int
    size: int
    others: Mapping[str, Count] = field(default_factory=lambda: _NONE)  # by name: that no view asks for


@dataclass(frozen=True, slots=True)
class Instance:
    """What is counted of one of several things that are named at run time; summed over workers."""

    name: str
    others: Mapping[str, Count]
    by_worker: Mapping[str, tuple[int, ...]] = field(default_factory=dict)  # of gauges that each worker has


Record = PortCounts | MessageSnapshot | WorkerSnapshot | PortSnapshot | PoolSnapshot | Instance


def count(record: Record, name: str) -> Count:
    """What a record says under a counter's name, whether or not it has an attribute for it."""
    if name in record.others:
        return record.others[name]
    value: Count = getattr(record, name)
    return value


def by_label(record: Record, name: str) -> Mapping[str, int]:
    """What a record says under the name of an array of counters."""
    value = count(record, name)
    assert isinstance(value, Mapping)
    return value


def total(counts: Iterable[Count]) -> Count:
    """The sum of what several say under one name: of an array, by element."""
    first, *others = counts
    for other in others:
        match first, other:
            case int(), int():
                first = first + other
            case Mapping(), Mapping():
                first = {name: number + other[name] for name, number in first.items()}
            case Histogram(), Histogram():
                summed = tuple(map(operator.add, first.counts, other.counts))
                first = Histogram(first.bounds, summed, first.total + other.total)
            case _:
                raise TypeError(f"{first!r} and {other!r} are no counts of one name")
    return first


def less(now: Count, before: Count) -> Count:
    """What was counted since."""
    match now, before:
        case int(), int():
            return now - before
        case Mapping(), Mapping():
            return {name: number - before[name] for name, number in now.items()}
        case Histogram(), Histogram():
            since = tuple(map(operator.sub, now.counts, before.counts))
            return Histogram(now.bounds, since, now.total - before.total)
    raise TypeError(f"{now!r} and {before!r} are no counts of one name")


@dataclass(frozen=True, slots=True)
class GameProcess:
    """A name of the game bus, and the process that has it."""

    name: str
    state: str  # "attached", "arriving": the workers are mapping its rings, "away"
    pid: int  # 0: away
    since_s: float  # Unix time at which it came or went; of a name that nobody had yet, 0
    routed: bool = False  # a route leads to it
    backlog: tuple[
        int, ...
    ] = ()  # by worker, bytes in the ring to it that it has not given back; for a second
    pages: str = ""  # in which its memory is: "huge", "ordinary", "both"; it has none: ""


@dataclass(frozen=True, slots=True)
class GameFigures:
    """The game processes as the supervisor knows them; of each mapping, every key is present."""

    processes: tuple[GameProcess, ...] = ()
    attachments: int = 0  # ever
    detachments: Mapping[str, int] = field(default_factory=dict)  # by reason
    refusals: Mapping[str, int] = field(default_factory=dict)  # by reason
    unread: Mapping[str, int] = field(default_factory=dict)  # messages, by reason
    ring_bytes: int = 0  # of each ring
    posts: Mapping[tuple[str, str], int] = field(default_factory=dict)  # by writer and reader


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything at one moment."""

    taken_at_s: float  # time.monotonic()
    tsc_hz: int  # 0 before the first worker process measured it
    engine: str  # "dpdk", "io_uring" or "epoll"
    isa: str  # "v2", "v3", "v4"; "" before start
    worker_restarts: int
    worker_reopenings: int  # replaced in order, because a device had to be opened again
    workers_running: bool  # the worker process is up and every loop has turned
    obstacles: tuple[str, ...]  # why a port does not serve though the workers run, a sentence each
    config_reload_successful: bool
    sessions_issued: int  # that stand, connected or not
    supervisor_age_s: float  # since the supervisor's loop last turned: what it knows is as old
    output_lost: Mapping[str, int]  # lines that could not be written, by stream
    workers: tuple[WorkerSnapshot, ...]
    ports: tuple[PortSnapshot, ...]
    pools: tuple[PoolSnapshot, ...]
    # By group of counters, of those that have no record of their own above.
    instances: Mapping[str, tuple[Instance, ...]] = field(default_factory=dict)
    # By group, together: what was counted under names that were given up since.
    retired: Mapping[str, Instance] = field(default_factory=dict)
    game: GameFigures | None = None  # None: there is no game
