# SPDX-License-Identifier: BSD-3-Clause
"""Every metric that pollgate exports, as a table: name, type, labels, unit, meaning, and where it is read.

What the data plane counts is a line of `stats/counters.def`, and a family follows from it; here stands in
which order, and what is more than a counter. Label values come from the snapshot, which names every worker,
port, pool, message type and drop reason from the start: no series appears late, and none is ever named after
a client.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby

from pyshim import __version__
from pyshim.counters import NAMED, POOLS, PORTS, WORKERS, of
from pyshim.metrics.counted import PREFIX, counted
from pyshim.metrics.family import Family, Kind, Sample, Scalar, as_json
from pyshim.stats import Snapshot, count


def values(snapshot: Snapshot) -> dict[str, object]:
    """Every metric by name, in JSON's types."""
    return as_json(FAMILIES, snapshot)


# ---------------------------------------------------------------- how families read a snapshot


def _one(get: Callable[[Snapshot], Scalar]) -> Callable[[Snapshot], Iterator[Sample]]:
    def read(snapshot: Snapshot) -> Iterator[Sample]:
        yield (), get(snapshot)

    return read


def _sessions(snapshot: Snapshot) -> Iterator[Sample]:
    yield ("active",), sum(worker.sessions_active for worker in snapshot.workers)
    yield ("issued",), snapshot.sessions_issued
    yield ("connected",), sum(worker.connected for worker in snapshot.workers)


def _pools(snapshot: Snapshot) -> Iterator[Sample]:
    for pool in snapshot.pools:
        yield (pool.name, "available"), pool.available
        yield (pool.name, "in_use"), pool.size - pool.available


def _link_up(snapshot: Snapshot) -> Iterator[Sample]:
    return (((port.name,), int(port.link_up)) for port in snapshot.ports if port.link_up is not None)


def _offloads(snapshot: Snapshot) -> Iterator[Sample]:
    for port in snapshot.ports:
        for name in _OFFLOADS:
            yield (port.name, name), int(name in port.offloads)


def _heartbeat_age_s(snapshot: Snapshot) -> Iterator[Sample]:
    # A loop that never turned is infinitely late: `age > 2` fires for it as it does for one that stopped.
    for worker in snapshot.workers:
        age = worker.heartbeat_age_s
        yield (str(worker.index),), math.inf if age is None else age


def _in_worlds(what: str) -> Callable[[Snapshot], Iterator[Sample]]:
    def read(snapshot: Snapshot) -> Iterator[Sample]:
        for world in snapshot.instances.get("WORLD_COUNT", ()):
            for worker, number in enumerate(world.by_worker[what]):
                yield (str(worker), world.name), number

    return read


def _game_processes(snapshot: Snapshot) -> Iterator[Sample]:
    if snapshot.game is not None:
        states = [process.state for process in snapshot.game.processes]
        yield from (((state,), states.count(state)) for state in ("attached", "arriving", "away"))


def _game_process_attached(snapshot: Snapshot) -> Iterator[Sample]:
    if snapshot.game is not None:
        for process in snapshot.game.processes:
            yield (process.name,), int(process.state == "attached")


def _game_ring_used(snapshot: Snapshot) -> Iterator[Sample]:
    if snapshot.game is not None:
        for process in snapshot.game.processes:
            for worker, unread in enumerate(process.backlog):
                yield (process.name, str(worker)), unread / snapshot.game.ring_bytes


def _game_messages_retired(snapshot: Snapshot) -> Iterator[Sample]:
    if snapshot.game is not None and (counts := snapshot.retired.get("PROCESS_COUNT")) is not None:
        delivered, lost = count(counts, "delivered"), count(counts, "lost")
        assert isinstance(delivered, int)
        assert isinstance(lost, Mapping)
        yield from ((("delivered",), delivered), (("lost",), sum(lost.values())))


def _by_reason(counts: Mapping[str, int]) -> Iterator[Sample]:
    return (((reason,), count) for reason, count in counts.items())


def _build_info(snapshot: Snapshot) -> Iterator[Sample]:
    yield (__version__, snapshot.isa), 1


def _engine_info(snapshot: Snapshot) -> Iterator[Sample]:
    yield (snapshot.engine,), 1


_OFFLOADS = ("rx_checksum", "tx_checksum", "rss")  # as in PortSnapshot.offloads

# Of metrics that say more, or less, than their fields do.
_READ: dict[str, Callable[[Snapshot], Iterable[Sample]]] = {
    "sessions": _sessions,
    "mempool_objects": _pools,
    "port_link_up": _link_up,
}


def _counted(*groups: str) -> Iterator[Family]:
    """The metrics of some groups of counters."""
    for metric, fields in groupby(of(*groups), lambda one: one.metric):
        if metric:
            yield counted(tuple(fields), _READ.get(metric))


def _counter(
    name: str,
    labels: tuple[str, ...],
    unit: str,
    meaning: str,
    read: Callable[[Snapshot], Iterable[Sample]],
) -> Family:
    return Family(f"{PREFIX}{name}_total", Kind.COUNTER, labels, unit, meaning, read)


def _gauge(
    name: str,
    labels: tuple[str, ...],
    unit: str,
    meaning: str,
    read: Callable[[Snapshot], Iterable[Sample]],
) -> Family:
    return Family(PREFIX + name, Kind.GAUGE, labels, unit, meaning, read)


FAMILIES: tuple[Family, ...] = (
    # ports: what went over the wire
    *_counted(*PORTS),
    _gauge(
        "port_offload_enabled",
        ("port", "offload"),
        "0 or 1",
        "1 where the device does it: verify checksums, compute checksums (those of UDP, of IPv4 headers, or "
        "both; the rest is done here), spread flows over queues.",
        _offloads,
    ),
    # what else is counted by names that are known at run time
    *_counted(*NAMED),
    # where received packets ended, and what left; sessions, connections and what is said in them; time
    *_counted(*WORKERS),
    _gauge(
        "worker_world_players",
        ("worker", "world"),
        "players",
        "Players who are somewhere in a world, by the worker whose sessions they are.",
        _in_worlds("players"),
    ),
    _gauge(
        "worker_world_entities",
        ("worker", "world"),
        "entities",
        "What game processes have in a world, by the worker that has it.",
        _in_worlds("entities"),
    ),
    _gauge(
        "worker_heartbeat_age_seconds",
        ("worker",),
        "seconds",
        "Time since the poll loop last turned; +Inf before its first turn.",
        _heartbeat_age_s,
    ),
    _counter(
        "worker_restarts",
        (),
        "restarts",
        "Times that the worker process was started again after it died or stalled.",
        _one(lambda snapshot: snapshot.worker_restarts),
    ),
    _counter(
        "worker_reopenings",
        (),
        "reopenings",
        "Times that the worker process was replaced, with all sessions, to open a device again.",
        _one(lambda snapshot: snapshot.worker_reopenings),
    ),
    # game processes
    _gauge(
        "game_processes",
        ("state",),
        "processes",
        "Names of game processes: attached; arriving, while workers map their rings; or away.",
        _game_processes,
    ),
    _gauge(
        "game_ring_used_ratio",
        ("process", "worker"),
        "ratio",
        "Share of the ring from a worker to a game process that the process has not given back, as it was in "
        "the last second: near 1 messages are about to be lost. Above 1 with what dead workers left to it.",
        _game_ring_used,
    ),
    _gauge(
        "game_process_attached",
        ("process",),
        "0 or 1",
        "1 while a process of that name is attached.",
        _game_process_attached,
    ),
    _counter(
        "game_posts",
        ("writer", "reader"),
        "messages",
        "Messages from one game process to another, posts and those of topics, as the writer's own memory "
        "tells; those to a process that is away wait until their ring is full.",
        lambda snapshot: snapshot.game.posts.items() if snapshot.game else (),
    ),
    _counter(
        "game_attachments",
        (),
        "attachments",
        "Processes that attached to the game bus.",
        lambda snapshot: [((), snapshot.game.attachments)] if snapshot.game else (),
    ),
    _counter(
        "game_detachments",
        ("reason",),
        "detachments",
        "Game processes whose attachment ended: gone by themselves, or detached because a worker found their "
        "ring broken, they said what none may say, or did not read their socket.",
        lambda snapshot: _by_reason(snapshot.game.detachments) if snapshot.game else (),
    ),
    _counter(
        "game_unread_messages",
        ("reason",),
        "messages",
        "Of game_messages_delivered, those that no process read: their ring was taken away with its name, "
        "for what its process wrote there, or because workers could not map it; or more workers died than "
        "what they leave is kept of.",
        lambda snapshot: _by_reason(snapshot.game.unread) if snapshot.game else (),
    ),
    _counter(
        "game_retired_messages",
        ("result",),
        "messages",
        "Messages of players to game processes whose names were given up for others since: with the names "
        "they have left game_messages_offered, and delivered or lost.",
        _game_messages_retired,
    ),
    _counter(
        "game_refusals",
        ("reason",),
        "refusals",
        "Processes that wanted to attach to the game bus and were refused.",
        lambda snapshot: _by_reason(snapshot.game.refusals) if snapshot.game else (),
    ),
    # the supervisor
    _gauge(
        "supervisor_age_seconds",
        (),
        "seconds",
        "Time since the supervisor's loop last turned: what it says of the workers is as old.",
        _one(lambda snapshot: snapshot.supervisor_age_s),
    ),
    _counter(
        "output_lost_lines",
        ("stream",),
        "lines",
        "Lines for standard output or standard error that could not be written and were dropped.",
        lambda snapshot: (((stream,), lines) for stream, lines in snapshot.output_lost.items()),
    ),
    # memory, configuration, build
    *_counted(*POOLS),
    _gauge(
        "config_last_reload_successful",
        (),
        "0 or 1",
        "1 while the configuration in use is the one last asked for, 0 after a refused reload.",
        _one(lambda snapshot: int(snapshot.config_reload_successful)),
    ),
    _gauge(
        "build_info",
        ("version", "isa"),
        "1",
        "Always 1; the labels say what runs. isa is empty before the first worker started.",
        _build_info,
    ),
    _gauge(
        "engine_info", ("engine",), "1", "Always 1; the label says what brings the packets.", _engine_info
    ),
)
