# SPDX-License-Identifier: BSD-3-Clause
"""The C data plane as Python values: typed calls, errors as exceptions, lifetimes as context managers.

The supervisor uses `StatsPage` and `SessionState`, memory files that outlive a worker process; the worker
process attaches to both and runs a `Gateway`; tests and tools run a `Core`, which needs no device. Every call
releases the interpreter lock.
"""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, Self

from pyshim.conditions import Condition
from pyshim.confinement import Confinement
from pyshim.errors import InternalError, PollgateError, UnavailableError, UsageError
from pyshim.letters import Fate, Letter, Verdict
from pyshim.plan import Plan, Policy
from pyshim.stats import PortCounts, Snapshot, WorkerSnapshot
from pyshim.system.memory_file import SessionState, memory_file

try:
    from pyshim._native import decode, encode
    from pyshim._native._pollgate import ffi, lib
except ImportError as problem:
    raise UnavailableError(
        f"the data plane cannot be loaded ({problem}); install DPDK's libraries (apt-get install dpdk), or "
        "build pollgate again with the libraries of this host: scripts/setup"
    ) from problem


CORE_BURST_MAX = 64
_NOBODY_ELSE = 0xFFFFFFFF  # for a user: stay who you are
_FRAME_ROOM = 2048  # any answer fits
_PAYLOAD_ROOM = lib.PG_DATAGRAM_MAX + 1  # one more shows that a datagram is too long


@dataclass(frozen=True, slots=True)
class PageNames:
    """What the page does not say: the engine, and what ports and pools are called that it knows by index."""

    engine: str
    ports: tuple[str, ...]
    pools: tuple[str, ...]

    @classmethod
    def of(cls, plan: Plan) -> PageNames:
        """The names in a plan."""
        ports, pools = (port.name for port in plan.ports), (pool.name for pool in plan.pools)
        return cls(plan.engine, tuple(ports), tuple(pools))


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

    @classmethod
    def create(cls, workers: int, ports: int, pools: int) -> Self:
        """A new page, all zero.

        Raises:
            UnavailableError: no memory file can be made.
        """
        made = cls(memory_file("pollgate-stats", lib.pg_stats_page_size()))
        lib.pg_stats_page_init(made.native, workers, ports, pools)
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
        made._read()
        return made

    def snapshot(self, names: PageNames, state: RunState) -> Snapshot:
        """Everything at this moment, from one C call. Any thread may ask.

        Raises:
            InternalError: the page is not of this build.
        """
        page = self._read()
        clock = decode.Clock(lib.pg_tsc(), page.tsc_hz)
        workers = tuple(
            decode.worker(page.worker[index], index, self._labels, page.port_count, clock)
            for index in range(page.worker_count)
        )
        return Snapshot(
            taken_at_s=time.monotonic(),
            tsc_hz=page.tsc_hz,
            engine=names.engine,
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
                decode.port(page.port[index], name, _sum(workers, index))
                for index, name in enumerate(names.ports)
            ),
            pools=tuple(decode.pool(page.pool[index], name) for index, name in enumerate(names.pools)),
        )

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
            raise InternalError(
                "the statistics page is not of this build; pollgate was replaced while it ran"
            )
        return out

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


def limit_capabilities(kept: int) -> None:
    """Keep, in this process and whatever it starts, these capabilities at most; before there are threads.

    Raises:
        UnavailableError: the kernel refuses it.
    """
    error = new_error()
    check(lib.pg_limit_capabilities(kept, error), error)


def gain_nothing() -> None:
    """no_new_privs, for this process and whatever it starts.

    Raises:
        UnavailableError: the kernel refuses it.
    """
    error = new_error()
    check(lib.pg_gain_nothing(error), error)


def watchdog(seconds: int) -> None:
    """End this process unless this is called again within `seconds`; twice that, if it was frozen."""
    lib.pg_watchdog(seconds)


def wake_when_orphaned() -> None:
    """Have the kernel send SIGCONT when the process that started this one is gone.

    Raises:
        UnavailableError: the kernel refuses it.
    """
    error = new_error()
    check(lib.pg_wake_when_orphaned(error), error)


class Gateway:
    """A running data plane; a process opens one, once in its life."""

    def __init__(self, plan: Plan, page: StatsPage, state: SessionState) -> None:
        """Initialise EAL if the plan has DPDK in it, devices or sockets, and tables.

        `page` and `state` must outlive the gateway.

        Raises:
            UnavailableError: a device, memory or permission is missing; nothing is left configured.
            InternalError: the plan does not suit this build, or a bug.
        """
        wanted = encode.plan_struct(plan)
        error = new_error()
        # EAL keeps pointers into its arguments: they live as long as the gateway.
        self._arguments = () if plan.uses_sockets else eal_init(plan.eal_args)
        self._memory = state.map()
        self.state: Any = ffi.from_buffer(self._memory, require_writable=True)
        self.native: Any = lib.pg_open(wanted, page.native, self.state, len(self._memory), error)
        if self.native == ffi.NULL:
            self._unmap()
            check(error.code or lib.PG_ERROR_INTERNAL, error)

    def close(self) -> None:
        """Close the ports and free everything.

        Only after `stop` has succeeded: a loop that still runs would use what is freed here. A process whose
        loops do not stop ends by os._exit instead.
        """
        lib.pg_close(self.native)
        self._unmap()

    def _unmap(self) -> None:
        ffi.release(self.state)
        self._memory.close()

    def confine(self, confinement: Confinement) -> None:
        """Give up what only opening devices took; before `start`, for the whole process and for good.

        Raises:
            UnavailableError: the kernel refuses it.
        """
        wanted: Any = ffi.new("struct pg_confinement *")
        wanted.capabilities = confinement.serving
        wanted.uid = _NOBODY_ELSE if confinement.uid is None else confinement.uid
        wanted.gid = _NOBODY_ELSE if confinement.gid is None else confinement.gid
        wanted.allow_bpf = confinement.allow_bpf
        error = new_error()
        check(lib.pg_confine(wanted, error), error)

    def start(self) -> None:
        """Launch the poll loops; returns when each has turned once.

        Raises:
            InternalError: a loop did not turn within 5 s.
        """
        error = new_error()
        check(lib.pg_start(self.native, error), error)

    def apply(self, policy: Policy, timeout_s: float) -> None:
        """Publish a new policy; returns when every worker uses it.

        Raises:
            InternalError: a worker did not take it within `timeout_s`.
        """
        error = new_error()
        check(lib.pg_apply(self.native, encode.policy_struct(policy), _milliseconds(timeout_s), error), error)

    def send(self, letter: Letter) -> Verdict:
        """Give a player a message of the operator's; what becomes of it after that is counted."""
        native, _body = _letter_struct(letter)
        error = new_error()
        code = lib.pg_send(self.native, native, error)
        fate = {lib.PG_OK: Fate.SENT, lib.PG_ERROR_TIMEOUT: Fate.BUSY}.get(code, Fate.REFUSED)
        return Verdict(fate, decode.text(error.message))

    def housekeep(self) -> None:
        """Refresh what devices and pools say of themselves in the statistics page."""
        lib.pg_housekeep(self.native)

    def dismiss(self, timeout_s: float) -> bool:
        """Tell every connected player that the gateway ends; their connections are over.

        Returns:
            Were all of them told within `timeout_s`?
        """
        return bool(lib.pg_dismiss(self.native, _milliseconds(timeout_s)))

    def stop(self, timeout_s: float) -> None:
        """Let the loops finish the burst in hand and return.

        Raises:
            InternalError: a loop did not end within `timeout_s`.
        """
        error = new_error()
        check(lib.pg_stop(self.native, _milliseconds(timeout_s), error), error)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the core did with one frame or datagram."""

    reply: bytes | None
    drop: str | None  # reason, when it was dropped


@dataclass(frozen=True, slots=True)
class Datagram:
    """A datagram as a socket gives it."""

    source: IPv4Address | IPv6Address
    source_port: int
    listener: int  # index into Plan.listeners
    payload: bytes


@dataclass(frozen=True, slots=True)
class Departure:
    """A datagram that the core sends on its own, of the session profile."""

    to: IPv4Address | IPv6Address
    to_port: int
    listener: int
    payload: bytes


class Core:
    """The data plane without devices: frames or datagrams in, answers out."""

    def __init__(self, plan: Plan) -> None:
        """A core that answers for the first port of `plan`; no EAL is needed.

        Raises:
            UnavailableError: no memory for its tables.
        """
        self._plan = encode.plan_struct(plan)
        self._handle = lib.pg_core_open(self._plan)
        if self._handle == ffi.NULL:
            raise UnavailableError(
                f"no memory for a table of {plan.session_capacity} sessions; lower sessions.capacity"
            )
        self._labels = decode.labels()

    def burst(self, frames: Sequence[bytes], now_tsc: int) -> list[Answer]:
        """Run at most CORE_BURST_MAX frames through as one burst at the time `now_tsc`."""
        _check_burst(len(frames), "frames")
        buffers = [ffi.new("uint8_t[]", frame.ljust(_FRAME_ROOM)) for frame in frames]
        pointers: Any = ffi.new("uint8_t *[]", buffers)
        lengths: Any = ffi.new("uint16_t[]", [len(frame) for frame in frames])
        drops: Any = ffi.new("uint8_t[]", len(frames))
        lib.pg_core_burst(self._handle, now_tsc, pointers, lengths, drops, len(frames))
        return [
            Answer(bytes(ffi.buffer(buffer, length)) if length else None, decode.drop_reason(drop))
            for buffer, length, drop in zip(buffers, lengths, drops, strict=True)
        ]

    def datagrams(self, datagrams: Sequence[Datagram], now_tsc: int) -> list[Answer]:
        """Run at most CORE_BURST_MAX datagrams through as one burst, as the socket engines do.

        Raises:
            UsageError: more than a burst holds, or for a listener that the plan has not.
        """
        _check_burst(len(datagrams), "datagrams")
        # Room for an answer, which may be longer than a datagram of a player who has proved his address.
        buffers = [ffi.new("uint8_t[]", datagram.payload.ljust(_PAYLOAD_ROOM)) for datagram in datagrams]
        burst: Any = ffi.new("struct pg_datagram[]", len(datagrams))
        for to, datagram, buffer in zip(burst, datagrams, buffers, strict=True):
            if not 0 <= datagram.listener < self._plan.listener_count:
                raise UsageError(
                    f"a datagram for listener {datagram.listener}; the plan has {self._plan.listener_count}, "
                    "counted from 0"
                )
            to.source.family = datagram.source.version
            ffi.memmove(to.source.bytes, datagram.source.packed, len(datagram.source.packed))
            to.source_port = datagram.source_port
            to.listener = datagram.listener
            to.length = min(len(datagram.payload), lib.PG_DATAGRAM_MAX + 1)
            to.payload = buffer
        lib.pg_core_datagrams(self._handle, now_tsc, burst, len(datagrams))
        return [
            Answer(
                None if to.drop or not to.length else bytes(ffi.buffer(buffer, to.length)),
                decode.drop_reason(to.drop),
            )
            for to, buffer in zip(burst, buffers, strict=True)
        ]

    def expire(self, now_tsc: int) -> int:
        """Free the sessions that were silent for the policy's idle time; returns how many."""
        return lib.pg_core_expire(self._handle, now_tsc)

    def due(self, now_tsc: int) -> list[Departure]:
        """All packets of the session profile that are due at `now_tsc`."""
        buffers = ffi.new("uint8_t[]", _PAYLOAD_ROOM * CORE_BURST_MAX)
        burst: Any = ffi.new("struct pg_datagram[]", CORE_BURST_MAX)
        departures = []
        count = CORE_BURST_MAX
        while count == CORE_BURST_MAX:
            for index in range(CORE_BURST_MAX):
                burst[index].payload = buffers + index * _PAYLOAD_ROOM
            count = lib.pg_core_due(self._handle, now_tsc, burst, CORE_BURST_MAX)
            departures += [_departure(burst[index]) for index in range(count)]
        return departures

    def send(self, letter: Letter, now_tsc: int) -> None:
        """Give a player a message; it leaves with what is due.

        Raises:
            InternalError: he is not connected, or there is no such message.
        """
        native, _body = _letter_struct(letter)
        error = new_error()
        check(lib.pg_core_send(self._handle, now_tsc, native, error), error)

    @property
    def native_state(self) -> Any:
        """The state that its issued sessions are in, for SessionTable; lives as long as the core."""
        return lib.pg_core_state(self._handle)

    def stats(self) -> WorkerSnapshot:
        """What the core counted so far."""
        clock = decode.Clock(lib.pg_tsc(), lib.pg_tsc_hz())
        return decode.worker(lib.pg_core_stats(self._handle), 0, self._labels, 1, clock)

    def close(self) -> None:
        """Free it; no call may follow."""
        lib.pg_core_close(self._handle)

    def __enter__(self) -> Self:
        """Nothing more to do: it is open from its making."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()


def _departure(datagram: Any) -> Departure:
    size = 4 if datagram.source.family == 4 else 16
    return Departure(
        ip_address(bytes(ffi.buffer(datagram.source.bytes, size))),
        datagram.source_port,
        datagram.listener,
        bytes(ffi.buffer(datagram.payload, datagram.length)),
    )


def eal_init(arguments: Sequence[str]) -> tuple[Any, ...]:
    """Initialise EAL with these arguments; once per process.

    Returns what EAL keeps pointers to and reorders: the caller holds it for as long as it uses DPDK.

    Raises:
        UnavailableError: EAL or the kernel refused.
    """
    error = new_error()
    words = [ffi.new("char[]", word.encode()) for word in ("pollgate", *arguments)]
    argv: Any = ffi.new("char *[]", [*words, ffi.NULL])
    check(lib.pg_eal_init(len(words), argv, error), error)
    return argv, *words


def checksum(data: bytes) -> int:
    """Internet checksum (RFC 1071), as a number whose little-endian bytes stand in the header."""
    return lib.pg_checksum(ffi.from_buffer("uint8_t[]", data), len(data))


def state_bytes(capacity: int, workers: int, issued_capacity: int) -> int:
    """Bytes of session state that this many sessions need."""
    return lib.pg_state_size(capacity, workers, issued_capacity)


def mail_bytes(workers: int) -> int:
    """Bytes of mail that may wait for so many workers."""
    return lib.pg_mail_size(workers)


def new_state(plan: Plan) -> SessionState:
    """The session state that worker processes with this plan share; the caller closes it.

    Raises:
        UnavailableError: there is not enough memory.
    """
    shape = plan.session_capacity, len(plan.workers), plan.issued_capacity
    state = SessionState.create(state_bytes(*shape), huge_pages=plan.state_huge_pages)
    with state.map() as memory, ffi.from_buffer(memory, require_writable=True) as native:
        error = new_error()
        check(lib.pg_state_init(native, len(memory), *shape, error), error)
    return state


def tsc() -> int:
    """This CPU's time-stamp counter."""
    return lib.pg_tsc()


def tsc_hz() -> int:
    """Its rate; the first call may take a moment to measure it."""
    return lib.pg_tsc_hz()


def log_to(fd: int, *, debug: bool) -> None:
    """Send the lines of EAL and its drivers to `fd`; -1 drops them."""
    lib.pg_log_to(fd, debug)


def _check_burst(count: int, what: str) -> None:
    if count > CORE_BURST_MAX:
        raise UsageError(f"{count} {what} in one burst; a burst holds {CORE_BURST_MAX}")


def _buffer(data: bytes) -> Any:
    """A copy of exactly its size: with a sanitizer in the library, a read past its end is found."""
    return ffi.new("uint8_t[]", data) if data else ffi.new("uint8_t[1]")


def _letter_struct(letter: Letter) -> tuple[Any, Any]:
    """The letter as the data plane takes it, and its body, which must live as long."""
    native: Any = ffi.new("struct pg_letter *")
    body = _buffer(letter.body)
    native.session, native.type, native.channel = letter.session, letter.type, letter.channel
    native.reliable, native.priority = letter.reliable, letter.priority
    native.length, native.body = len(letter.body), body
    return native, body


def new_error() -> Any:
    """What a call of the data plane fills when it fails."""
    return ffi.new("struct pg_error *")


def check(code: int, error: Any) -> None:
    """Raise what a pg_error_code stands for; PG_OK raises nothing."""
    if code == lib.PG_OK:
        return
    unavailable = (lib.PG_ERROR_DEVICE, lib.PG_ERROR_MEMORY, lib.PG_ERROR_SYSTEM)
    kind: type[PollgateError] = UnavailableError if code in unavailable else InternalError
    raise kind(decode.text(error.message) or f"the data plane failed with code {code} and said nothing")


def _sum(workers: Sequence[WorkerSnapshot], port: int) -> PortCounts:
    parts = [worker.ports[port] for worker in workers]
    return PortCounts(
        rx_packets=sum(part.rx_packets for part in parts),
        rx_bytes=sum(part.rx_bytes for part in parts),
        tx_packets=sum(part.tx_packets for part in parts),
        tx_bytes=sum(part.tx_bytes for part in parts),
    )


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
