# SPDX-License-Identifier: BSD-3-Clause
"""Every metric that pollgate exports, as a table: name, type, labels, unit, meaning, and where it is read.

Label values come from the snapshot, which names every worker, port, pool, message type and drop reason from
the start: no series appears late, and none is ever named after a client.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping

from pyshim import __version__
from pyshim.metrics.family import Family, Kind, Sample, Scalar, Value, as_json
from pyshim.stats import PortSnapshot, Snapshot, WorkerSnapshot

PREFIX = "pollgate_"


def values(snapshot: Snapshot) -> dict[str, object]:
    """Every metric by name, in JSON's types."""
    return as_json(FAMILIES, snapshot)


# ---------------------------------------------------------------- how families read a snapshot


def _per_worker(get: Callable[[WorkerSnapshot], Value]) -> Callable[[Snapshot], Iterator[Sample]]:
    def read(snapshot: Snapshot) -> Iterator[Sample]:
        return (((str(worker.index),), get(worker)) for worker in snapshot.workers)

    return read


def _once_there_are_any(get: Callable[[WorkerSnapshot], int]) -> Callable[[Snapshot], Iterator[Sample]]:
    """Of a counter that nothing increments yet: who reads it shall not take 0 for an observation."""

    def read(snapshot: Snapshot) -> Iterator[Sample]:
        counts = [((str(worker.index),), get(worker)) for worker in snapshot.workers]
        return iter(counts if any(count for _, count in counts) else [])

    return read


def _per_worker_and(
    get: Callable[[WorkerSnapshot], Mapping[str, int]],
) -> Callable[[Snapshot], Iterator[Sample]]:
    def read(snapshot: Snapshot) -> Iterator[Sample]:
        for worker in snapshot.workers:
            for name, count in get(worker).items():
                yield (str(worker.index), name), count

    return read


def _per_port(get: Callable[[PortSnapshot], int]) -> Callable[[Snapshot], Iterator[Sample]]:
    def read(snapshot: Snapshot) -> Iterator[Sample]:
        return (((port.name,), get(port)) for port in snapshot.ports)

    return read


def _per_port_and(get: Callable[[PortSnapshot], Mapping[str, int]]) -> Callable[[Snapshot], Iterator[Sample]]:
    def read(snapshot: Snapshot) -> Iterator[Sample]:
        for port in snapshot.ports:
            for name, count in get(port).items():
                yield (port.name, name), count

    return read


def _one(get: Callable[[Snapshot], Scalar]) -> Callable[[Snapshot], Iterator[Sample]]:
    def read(snapshot: Snapshot) -> Iterator[Sample]:
        yield (), get(snapshot)

    return read


def _sessions(snapshot: Snapshot) -> Iterator[Sample]:
    yield ("active",), sum(worker.sessions_active for worker in snapshot.workers)
    yield ("issued",), snapshot.sessions_issued
    yield ("connected",), sum(worker.connected for worker in snapshot.workers)


def _compression(snapshot: Snapshot) -> Iterator[Sample]:
    for worker in snapshot.workers:
        stages = {"before": worker.messages.compress_in, "after": worker.messages.compress_out}
        for stage, by_type in stages.items():
            for name, count in by_type.items():
                yield (str(worker.index), name, stage), count


def _pools(snapshot: Snapshot) -> Iterator[Sample]:
    for pool in snapshot.pools:
        yield (pool.name, "available"), pool.available
        yield (pool.name, "in_use"), pool.size - pool.available


def _heartbeat_age_s(worker: WorkerSnapshot) -> float:
    # A loop that never turned is infinitely late: `age > 2` fires for it as it does for one that stopped.
    return math.inf if worker.heartbeat_age_s is None else worker.heartbeat_age_s


def _build_info(snapshot: Snapshot) -> Iterator[Sample]:
    yield (__version__, snapshot.isa), 1


def _engine_info(snapshot: Snapshot) -> Iterator[Sample]:
    yield (snapshot.engine,), 1


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


_PORT = ("port",)
_WORKER = ("worker",)
_OFFLOADS = ("rx_checksum", "tx_checksum", "rss")  # as in PortSnapshot.offloads

FAMILIES: tuple[Family, ...] = (
    # ports: what went over the wire
    _counter(
        "port_receive_packets",
        _PORT,
        "packets",
        "Packets that poll loops took from the port.",
        _per_port(lambda port: port.counts.rx_packets),
    ),
    _counter(
        "port_receive_bytes",
        _PORT,
        "bytes",
        "Bytes of the packets taken from the port, without FCS; with sockets, their payload.",
        _per_port(lambda port: port.counts.rx_bytes),
    ),
    _counter(
        "port_transmit_packets",
        _PORT,
        "packets",
        "Packets that the port accepted for transmission.",
        _per_port(lambda port: port.counts.tx_packets),
    ),
    _counter(
        "port_transmit_bytes",
        _PORT,
        "bytes",
        "Bytes of the packets accepted for transmission, without FCS; with sockets, their payload.",
        _per_port(lambda port: port.counts.tx_bytes),
    ),
    _counter(
        "port_receive_missed",
        _PORT,
        "packets",
        "Packets lost because the receive ring or a socket's buffer was full: the workers are too slow.",
        _per_port(lambda port: port.rx_missed),
    ),
    _counter(
        "port_receive_nombuf",
        _PORT,
        "packets",
        "Packets lost because the pool had no buffer: the pool is too small or leaks.",
        _per_port(lambda port: port.rx_nombuf),
    ),
    _counter(
        "port_receive_errors",
        _PORT,
        "packets",
        "Packets that the device itself found broken; with sockets, wrong checksums and empty datagrams.",
        _per_port(lambda port: port.rx_errors),
    ),
    _gauge(
        "port_link_up",
        _PORT,
        "0 or 1",
        "1 while the link is up; absent where nobody can tell.",
        lambda snapshot: (
            ((port.name,), int(port.link_up)) for port in snapshot.ports if port.link_up is not None
        ),
    ),
    _gauge(
        "port_queues",
        _PORT,
        "queue pairs",
        "Receive and transmit queue pairs in use.",
        _per_port(lambda port: port.queues),
    ),
    _gauge(
        "port_offload_enabled",
        ("port", "offload"),
        "0 or 1",
        "1 where the device does it: verify checksums, compute checksums (those of UDP, of IPv4 headers, or "
        "both; the rest is done here), spread flows over queues.",
        _per_port_and(lambda port: {name: int(name in port.offloads) for name in _OFFLOADS}),
    ),
    # where received packets ended
    _counter(
        "received_packets",
        _WORKER,
        "packets",
        "Packets taken from receive queues.",
        _per_worker(lambda worker: worker.received),
    ),
    _counter(
        "messages",
        ("worker", "type"),
        "packets",
        "Received packets handled, by what they were handled as.",
        _per_worker_and(lambda worker: worker.handled),
    ),
    _counter(
        "drops",
        ("worker", "reason"),
        "packets",
        "Received packets dropped, by reason.",
        _per_worker_and(lambda worker: worker.dropped),
    ),
    _counter(
        "to_kernel_packets",
        _WORKER,
        "packets",
        "Received packets handed to the kernel; absent until there are any.",
        _once_there_are_any(lambda worker: worker.to_kernel),
    ),
    _counter(
        "forwarded_packets",
        _WORKER,
        "packets",
        "Received packets handed to a game process; absent until there are any.",
        _once_there_are_any(lambda worker: worker.forwarded),
    ),
    _counter(
        "handed_over_packets",
        ("worker", "direction"),
        "packets",
        "Packets that another worker received than has their session: out of the one, in to the other.",
        _per_worker_and(lambda worker: {"out": worker.handed_out, "in": worker.handed_in}),
    ),
    _counter(
        "unanswered_packets",
        _WORKER,
        "packets",
        "Packets handled that no answer left for at once; of profile session, most.",
        _per_worker(lambda worker: worker.unanswered),
    ),
    # transmit
    _counter(
        "transmit_originated_packets",
        _WORKER,
        "packets",
        "Packets offered that are no answer: announcements, and of profile session what was due.",
        _per_worker(lambda worker: worker.tx_originated),
    ),
    _counter(
        "transmit_offered_packets",
        _WORKER,
        "packets",
        "Packets offered to transmit queues; equals sent + transmit_drops at every quiet moment.",
        _per_worker(lambda worker: worker.tx_offered),
    ),
    _counter(
        "transmit_sent_packets",
        _WORKER,
        "packets",
        "Offered packets that a transmit queue accepted.",
        _per_worker(lambda worker: worker.tx_sent),
    ),
    _counter(
        "transmit_drops",
        ("worker", "reason"),
        "packets",
        "Offered packets that did not leave, by reason.",
        _per_worker_and(lambda worker: worker.tx_dropped),
    ),
    # sessions
    _gauge("sessions", ("state",), "sessions", "Sessions held now, by state.", _sessions),
    _counter(
        "sessions_admitted",
        _WORKER,
        "sessions",
        "Sessions made for a new address.",
        _per_worker(lambda worker: worker.sessions_admitted),
    ),
    _counter(
        "sessions_expired",
        _WORKER,
        "sessions",
        "Sessions freed because they were silent for sessions.idle_timeout_s.",
        _per_worker(lambda worker: worker.sessions_expired),
    ),
    _counter(
        "sessions_recovered",
        _WORKER,
        "sessions",
        "Sessions found in the state of a dead worker and kept.",
        _per_worker(lambda worker: worker.sessions_recovered),
    ),
    # profile session: connections
    _counter(
        "session_connections",
        _WORKER,
        "connections",
        "Connections made: CONFIRMs that were not a repetition.",
        _per_worker(lambda worker: worker.connections),
    ),
    _counter(
        "session_closed",
        ("worker", "reason"),
        "connections",
        "Connections ended, by reason.",
        _per_worker_and(lambda worker: worker.closed),
    ),
    _counter(
        "session_denied",
        ("worker", "reason"),
        "packets",
        "Attempts to connect that were answered with DENIED, by reason; handled packets.",
        _per_worker_and(lambda worker: worker.denied),
    ),
    _counter(
        "session_path_changes",
        _WORKER,
        "changes",
        "Times that a connected player was proved to have another address.",
        _per_worker(lambda worker: worker.path_changes),
    ),
    # profile session: messages
    _counter(
        "session_messages_received",
        ("worker", "type"),
        "messages",
        "Messages taken from players, each once, by type.",
        _per_worker_and(lambda worker: worker.messages.received),
    ),
    _counter(
        "session_messages_sent",
        ("worker", "type"),
        "messages",
        "Messages queued for players, each once, by type.",
        _per_worker_and(lambda worker: worker.messages.sent),
    ),
    _counter(
        "session_messages_lost",
        ("worker", "reason"),
        "messages",
        "Messages to players that were not delivered, by reason.",
        _per_worker_and(lambda worker: worker.messages.lost),
    ),
    _counter(
        "session_messages_duplicate",
        _WORKER,
        "messages",
        "Reliable messages of players that came again and were not taken again.",
        _per_worker(lambda worker: worker.messages.duplicates),
    ),
    _counter(
        "session_messages_resent",
        _WORKER,
        "messages",
        "Reliable messages to players that were sent again.",
        _per_worker(lambda worker: worker.messages.resent),
    ),
    _counter(
        "compression_bytes",
        ("worker", "type", "stage"),
        "bytes",
        "Bodies of messages to players that were chosen for compression, before it and after.",
        _compression,
    ),
    _counter(
        "expansion_bytes",
        ("worker", "stage"),
        "bytes",
        "Compressed bodies of messages from players, before they were expanded and after.",
        _per_worker_and(
            lambda worker: {"before": worker.messages.expand_in, "after": worker.messages.expand_out}
        ),
    ),
    _gauge(
        "message_memory_bytes",
        _WORKER,
        "bytes",
        "Memory of messages on their way, of the worker's part of delivery.memory_mib.",
        _per_worker(lambda worker: worker.messages.memory_used),
    ),
    # workers
    Family(
        f"{PREFIX}worker_cycles_total",
        Kind.COUNTER,
        ("worker", "state"),
        "TSC cycles",
        "Time of the poll loop: busy in turns that moved a packet, idle in empty ones, off_cpu while "
        "others had its CPU.",
        _per_worker_and(
            lambda worker: {
                "busy": worker.cycles_busy,
                "idle": worker.cycles_idle,
                "off_cpu": worker.cycles_off_cpu,
            }
        ),
    ),
    Family(
        f"{PREFIX}rx_burst_packets",
        Kind.HISTOGRAM,
        _WORKER,
        "packets",
        "Packets per non-empty receive burst: full bursts show saturation before loss does.",
        _per_worker(lambda worker: worker.rx_burst),
    ),
    Family(
        f"{PREFIX}message_handling_seconds",
        Kind.HISTOGRAM,
        _WORKER,
        "seconds",
        "Time of a packet inside the worker, from its receive burst to its transmit burst, while the "
        "worker had its CPU.",
        _per_worker(lambda worker: worker.handling),
    ),
    _gauge(
        "worker_heartbeat_age_seconds",
        _WORKER,
        "seconds",
        "Time since the poll loop last turned; +Inf before its first turn.",
        _per_worker(_heartbeat_age_s),
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
    _gauge("mempool_objects", ("pool", "state"), "buffers", "Packet buffers of a pool, by state.", _pools),
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
