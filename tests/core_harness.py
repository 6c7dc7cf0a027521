# SPDX-License-Identifier: BSD-3-Clause
"""The C core without devices: frames in, answers and drop reasons out, with the oracle's arguments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Interface
from types import TracebackType
from typing import Any, Self

from tests.native import ffi, lib
from tests.oracle import Interface, SourceLimit

DROP_NONE = 0
BURST_MAX = 64
SPARE_BYTES = 128  # behind each frame, as in an mbuf: an answer may be a little longer than its request


@dataclass(frozen=True, slots=True)
class Result:
    """What the core did with one frame: `reply`, `drop`, or neither: `announcer` has what is owed for it."""

    reply: bytes | None
    drop: str | None


@dataclass(frozen=True, slots=True)
class Counts:
    """The core's counters; only what is not zero in the mappings."""

    received: int
    handled: Mapping[str, int]
    dropped: Mapping[str, int]
    to_kernel: int
    forwarded: int
    tx_offered: int
    sessions_active: int
    sessions_admitted: int
    sessions_expired: int


class CoreHarness:
    """One core with one identity. A context manager; times are seconds from its opening."""

    def __init__(
        self,
        mac: str,
        addresses: Iterable[Interface],
        listeners: Iterable[int],
        capacity: int = 65536,
        *,
        idle_timeout_s: float = 30.0,
        host_reply_pps: int = 1000,
        host_reply_burst: int = 128,
        limits: Mapping[int, SourceLimit] | None = None,
    ) -> None:
        plan: Any = ffi.new("struct pg_plan *")
        plan.abi_version = lib.PG_ABI_VERSION
        plan.port_count = plan.worker_count = plan.pool_count = 1
        plan.session_capacity = capacity
        plan.isa = b"auto"
        plan.worker[0].queue_count = 1
        port = plan.port[0]
        port.name = b"test"
        port.has_mac = True
        port.mac = bytes.fromhex(mac.replace(":", ""))
        port.queues = 1
        for interface in addresses:
            address = port.address[port.address_count]
            address.family = interface.version
            address.prefix_len = interface.network.prefixlen
            packed = interface.ip.packed
            ffi.memmove(address.bytes, packed, 4 if isinstance(interface, IPv4Interface) else 16)
            port.address_count += 1
        plan.policy.idle_timeout_ns = round(idle_timeout_s * 1e9)
        plan.policy.host_reply_pps = host_reply_pps
        plan.policy.host_reply_burst = host_reply_burst
        for index, number in enumerate(listeners):
            limit = (limits or {}).get(number, SourceLimit())
            plan.listener_port[index] = number
            plan.policy.listener[index].source_pps = limit.source_pps
            plan.policy.listener[index].source_burst = limit.source_burst
            plan.listener_count += 1
        self._plan = plan
        self._core: Any = ffi.NULL
        self._hz = lib.pg_tsc_hz()
        self._start = lib.pg_tsc()

    def __enter__(self) -> Self:
        self._core = lib.pg_core_open(self._plan, ffi.NULL)
        if self._core == ffi.NULL:
            raise MemoryError("pg_core_open returned NULL")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        lib.pg_core_close(self._core)
        self._core = ffi.NULL

    def _tsc(self, now_s: float) -> int:
        return int(self._start + round(now_s * self._hz))

    def burst(self, frames: Sequence[bytes], now_s: float = 0.0) -> list[Result]:
        """Run at most BURST_MAX frames as one burst; one result per frame, in order.

        Raises:
            AssertionError: the core wrote behind the spare bytes of a buffer, or both answered and dropped.
        """
        count = len(frames)
        assert count <= BURST_MAX
        # One canary byte behind the spare ones: whoever writes there writes past the mbuf.
        buffers = [ffi.new("uint8_t[]", frame + bytes(SPARE_BYTES) + b"\xa5") for frame in frames]
        pointers = ffi.new("uint8_t *[]", buffers or 1)
        lengths = ffi.new("uint16_t[]", [len(frame) for frame in frames] or 1)
        drops = ffi.new("uint8_t[]", max(count, 1))
        lib.pg_core_burst(self._core, self._tsc(now_s), pointers, lengths, drops, count)
        results = []
        for frame, buffer, length, drop in zip(frames, buffers, list(lengths), list(drops), strict=False):
            assert buffer[len(frame) + SPARE_BYTES] == 0xA5, "written past the spare bytes"
            assert length == 0 or drop == DROP_NONE, f"{length} bytes answered with drop {drop}"
            reason = None if drop == DROP_NONE else _name(lib.pg_drop_name, drop)
            results.append(Result(bytes(ffi.buffer(buffer, length)) if length else None, reason))
        return results

    def run(self, frames: Sequence[bytes], now_s: float = 0.0) -> list[Result]:
        """Run any number of frames, in bursts as large as they can be."""
        return [
            result
            for start in range(0, len(frames), BURST_MAX)
            for result in self.burst(frames[start : start + BURST_MAX], now_s)
        ]

    def link_up(self, now_s: float = 0.0) -> None:
        """Say that the link is up, as at the start of a worker."""
        lib.pg_core_link_up(self._core, self._tsc(now_s))

    def announcer(self, now_s: float = 0.0) -> list[bytes]:
        """The frames that the host owes its link at this time."""
        frame = ffi.new("uint8_t[]", 2048)
        found = []
        while length := lib.pg_core_duty(self._core, self._tsc(now_s), frame):
            found.append(bytes(ffi.buffer(frame, length)))
        return found

    def expire(self, now_s: float) -> int:
        """Free idle sessions; how many."""
        return int(lib.pg_core_expire(self._core, self._tsc(now_s)))

    def counts(self) -> Counts:
        """What the core has counted since it was opened."""
        stats = lib.pg_core_stats(self._core)
        handled = {_name(lib.pg_message_name, i): stats.handled[i] for i in range(lib.PG_MESSAGES)}
        dropped = {_name(lib.pg_drop_name, i): stats.dropped[i] for i in range(1, lib.PG_DROPS)}
        return Counts(
            received=stats.received,
            handled={name: count for name, count in handled.items() if count},
            dropped={name: count for name, count in dropped.items() if count},
            to_kernel=stats.to_kernel,
            forwarded=stats.forwarded,
            tx_offered=stats.tx_offered,
            sessions_active=stats.sessions_active,
            sessions_admitted=stats.sessions_admitted,
            sessions_expired=stats.sessions_expired,
        )


def _name(function: Any, index: int) -> str:
    return str(ffi.string(function(index)).decode())
