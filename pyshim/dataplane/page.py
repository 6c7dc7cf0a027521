# SPDX-License-Identifier: BSD-3-Clause
"""The statistics page: what the supervisor reads of the workers, whichever worker process is alive."""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from pyshim.conditions import Condition
from pyshim.dataplane.library import decode, ffi, instances, lib
from pyshim.errors import InternalError
from pyshim.plan import Plan
from pyshim.stats import GameFigures, PortCounts, Snapshot, WorkerSnapshot, total
from pyshim.system.memory_file import memory_file


@dataclass(frozen=True, slots=True)
class PageNames:
    """The engine, and what is counted by names that are known at run time."""

    engine: str
    ports: tuple[str, ...]
    pools: tuple[str, ...]
    listeners: tuple[str, ...] = ()  # UDP ports
    worlds: tuple[str, ...] = ()

    @classmethod
    def of(cls, plan: Plan) -> PageNames:
        """The names in a plan."""
        return cls(
            plan.engine,
            tuple(port.name for port in plan.ports),
            tuple(pool.name for pool in plan.pools),
            tuple(str(listener.port) for listener in plan.listeners),
            tuple(world.name for world in plan.worlds),
        )


@dataclass(frozen=True, slots=True)
class RunState:
    """What only the supervisor knows and every snapshot tells."""

    worker_restarts: int = 0
    worker_reopenings: int = 0
    workers_running: bool = False
    obstacles: tuple[str, ...] = ()
    config_reload_successful: bool = True
    sessions_issued: int = 0
    supervisor_age_s: float = 0.0
    output_lost: Mapping[str, int] = field(default_factory=dict)
    game: GameFigures | None = None


@dataclass(frozen=True, slots=True)
class Pulse:
    """The few numbers that are read many times a second."""

    heartbeats: tuple[int, ...]  # TSC of each worker's last turn
    threads: tuple[int, ...]  # of the kernel, that run the loops
    received: int  # packets, of all workers
    ports: tuple[Condition, ...] = ()


class StatsPage:
    """The statistics page: a memory file that every worker process in turn counts into."""

    def __init__(self, fd: int) -> None:
        """Map the page behind `fd`, which becomes this object's to close."""
        self.fd = fd
        self._map = mmap.mmap(fd, lib.pg_stats_page_size())
        self.native: Any = ffi.from_buffer("struct pg_stats_page *", self._map, require_writable=True)
        self._labels = decode.labels()
        self._said: instances.Instances | None = None
        self._parts: tuple[int, int, int] | None = None

    @classmethod
    def create(cls, workers: int, names: PageNames) -> Self:
        """A new page, all zero, in which everything that counts has its name.

        Raises:
            UnavailableError: no memory file can be made.
            InternalError: a name has no place in the page; `pyshim.plan` should have refused it.
        """
        made = cls(memory_file("pollgate-stats", lib.pg_stats_page_size()))
        made._parts = workers, len(names.ports), len(names.pools)
        lib.pg_stats_page_init(made.native, *made._parts)
        for label, called in (
            ("port", names.ports),
            ("pool", names.pools),
            ("listener", names.listeners),
            ("world", names.worlds),
        ):
            for slot, name in enumerate(called):
                made.name(label, slot, name)
        return made

    @classmethod
    def attach(cls, fd: int) -> Self:
        """The page that the supervisor made.

        Raises:
            InternalError: `fd` is not a page of this build.
        """
        if os.fstat(fd).st_size < lib.pg_stats_page_size():
            raise InternalError(
                "the statistics page is smaller than this build's; pollgate was replaced while it ran"
            )
        made = cls(fd)
        if not lib.pg_stats_page_fits(made.native):
            raise _other_build()
        return made

    def name(self, label: str, slot: int, name: str) -> None:
        """Name an instance: its counters are read by that name from now on. Only the supervisor does.

        Raises:
            InternalError: the page has no such slot, or it or the name is taken, or the name is too long.
        """
        which = self._instances().labels.index(label)
        if not lib.pg_stats_name(self.native, which, slot, name.encode()):
            raise InternalError(
                f"the statistics page has no place for {label} {name!r} as number {slot}, or another one has "
                "that name"
            )

    def unname(self, label: str, slot: int) -> None:
        """Nothing is counted there under its name any more; whose it is next begins at 0.

        Raises:
            InternalError: names of this kind stand until the end.
        """
        if not lib.pg_stats_unname(self.native, self._instances().labels.index(label), slot):
            raise InternalError(f"the name of {label} number {slot} in the statistics page stands")

    def of(self, label: str) -> NamesOf:
        """The names of a kind."""
        return NamesOf(self, label)

    def snapshot(self, engine: str, state: RunState) -> Snapshot:
        """Everything at this moment, from one C call. Any thread may ask.

        Raises:
            InternalError: the page is not of this build.
        """
        page = self._read()
        said = self._instances()
        clock = decode.Clock(lib.pg_tsc(), page.tsc_hz)
        workers = tuple(
            decode.worker(page.worker[index], index, self._labels, page.port_count, clock)
            for index in range(page.worker_count)
        )
        return Snapshot(
            taken_at_s=time.monotonic(),
            tsc_hz=page.tsc_hz,
            engine=engine,
            isa=decode.text(page.isa),
            worker_restarts=state.worker_restarts,
            worker_reopenings=state.worker_reopenings,
            workers_running=state.workers_running,
            obstacles=state.obstacles,
            config_reload_successful=state.config_reload_successful,
            sessions_issued=state.sessions_issued,
            supervisor_age_s=state.supervisor_age_s,
            output_lost=state.output_lost,
            workers=workers,
            ports=tuple(
                decode.port(page.port[index], name, _sum(workers, index), self._labels)
                for index, name in instances.names_of(page, said, "port")
                if index < page.port_count
            ),
            pools=tuple(
                decode.pool(page.pool[index], name, self._labels)
                for index, name in instances.names_of(page, said, "pool")
                if index < page.pool_count
            ),
            instances=instances.counted(page, said, self._labels, clock),
            retired=instances.retired(page, said, self._labels, clock),
            game=state.game,
        )

    def _instances(self) -> instances.Instances:
        """What the page says of what is named; asked of it once."""
        if self._said is None:
            self._said = instances.instances(self.native)
        return self._said

    def pulse(self) -> Pulse:
        """Heartbeats and the number of received packets: cheap enough for every turn of an event loop."""
        page = self._read()
        workers = [page.worker[index] for index in range(page.worker_count)]
        return Pulse(
            tuple(w.heartbeat_tsc for w in workers),
            tuple(w.thread for w in workers),
            sum(w.received for w in workers),
            tuple(decode.condition(page.port[index]) for index in range(page.port_count)),
        )

    def _read(self) -> Any:
        out: Any = ffi.new("struct pg_stats_page *")
        if lib.pg_stats_snapshot(self.native, out) != lib.PG_OK:
            raise _other_build()
        # A worker process can write to the page: how much is in it, its maker knows.
        if self._parts is not None:
            out.worker_count, out.port_count, out.pool_count = self._parts
        return out

    def settle(self) -> None:
        """Count what the workers held when they died as lost; after the last worker process has ended."""
        assert self._parts is not None, "the supervisor's"
        lib.pg_stats_settle(self.native, self._parts[0])

    def close(self) -> None:
        """Unmap and close; the memory lives on in whoever else has it."""
        ffi.release(self.native)
        self._map.close()
        os.close(self.fd)

    def __enter__(self) -> Self:
        """Nothing more to do: it is open from its making."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()


@dataclass(frozen=True, slots=True)
class NamesOf:
    """The names of one kind in a page, by slot."""

    _page: StatsPage
    _label: str

    def name(self, slot: int, name: str) -> None:
        """As StatsPage.name()."""
        self._page.name(self._label, slot, name)

    def unname(self, slot: int) -> None:
        """As StatsPage.unname()."""
        self._page.unname(self._label, slot)


def _other_build() -> InternalError:
    return InternalError("the statistics page is not of this build; pollgate was replaced while it ran")


def _sum(workers: Sequence[WorkerSnapshot], port: int) -> PortCounts:
    parts = [worker.ports[port] for worker in workers]

    return PortCounts(
        rx_packets=sum(part.rx_packets for part in parts),
        rx_bytes=sum(part.rx_bytes for part in parts),
        tx_packets=sum(part.tx_packets for part in parts),
        tx_bytes=sum(part.tx_bytes for part in parts),
        others={name: total(part.others[name] for part in parts) for one in parts[:1] for name in one.others},
    )
