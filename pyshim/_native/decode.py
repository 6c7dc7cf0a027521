# SPDX-License-Identifier: BSD-3-Clause
"""Reads the data plane's statistics structures into the values of `pyshim.stats`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from pyshim._native._pollgate import ffi, lib
from pyshim.conditions import Condition, DeviceState
from pyshim.stats import (
    Histogram,
    MessageSnapshot,
    PoolSnapshot,
    PortCounts,
    PortSnapshot,
    Rival,
    WorkerSnapshot,
)

_UNBOUNDED_NS = 2**64 - 1
_NANOSECOND = 1e-9


@dataclass(frozen=True, slots=True)
class Labels:
    """What indexes into the counters' arrays mean; asked of the library once."""

    messages: tuple[tuple[int, str], ...]
    drops: tuple[tuple[int, str], ...]
    tx_drops: tuple[tuple[int, str], ...]
    requests: tuple[tuple[int, str], ...]
    events: tuple[tuple[int, str], ...]
    compressible: tuple[tuple[int, str], ...]
    losses: tuple[tuple[int, str], ...]
    denials: tuple[tuple[int, str], ...]
    closes: tuple[tuple[int, str], ...]
    burst_bounds: tuple[float, ...]  # packets
    handling_bounds: tuple[float, ...]  # seconds


@dataclass(frozen=True, slots=True)
class Clock:
    """What turns cycles into seconds."""

    now_tsc: int
    tsc_hz: int  # 0 before the first worker process measured it


def labels() -> Labels:
    """Ask the library for its names and bounds."""
    return Labels(
        messages=_names(lib.pg_message_name, lib.PG_MESSAGES),
        drops=_names(lib.pg_drop_name, lib.PG_DROPS),
        tx_drops=_names(lib.pg_tx_drop_name, lib.PG_TX_DROPS),
        requests=_names(lib.pg_request_name, lib.PG_REQUESTS),
        events=_names(lib.pg_event_name, lib.PG_EVENTS),
        compressible=_names(lib.pg_compressible_name, lib.PG_COMPRESSIBLE),
        losses=_names(lib.pg_loss_name, lib.PG_LOSSES),
        denials=_names(lib.pg_denial_name, lib.PG_DENIALS),
        closes=_names(lib.pg_close_name, lib.PG_CLOSE_REASONS),
        burst_bounds=tuple(float(lib.pg_burst_bound(b)) for b in range(lib.PG_BURST_BUCKETS)),
        handling_bounds=tuple(
            math.inf if (bound := lib.pg_handling_bound_ns(b)) == _UNBOUNDED_NS else bound * _NANOSECOND
            for b in range(lib.PG_HANDLING_BUCKETS)
        ),
    )


def worker(stats: Any, index: int, names: Labels, ports: int, clock: Clock) -> WorkerSnapshot:
    """One poll loop's counters. Without a clock rate no cycles become a time: ages are unknown, sums 0."""
    hz = clock.tsc_hz
    # A loop may turn between the reading of the page and that of the clock; its age is then 0, not negative.
    age = max(0, clock.now_tsc - stats.heartbeat_tsc) / hz if stats.heartbeat_tsc and hz else None
    return WorkerSnapshot(
        index=index,
        heartbeat_age_s=age,
        policy_generation=stats.policy_generation,
        received=stats.received,
        handled=_by_name(stats.handled, names.messages),
        dropped=_by_name(stats.dropped, names.drops),
        to_kernel=stats.to_kernel,
        forwarded=stats.forwarded,
        handed_out=stats.handed_out,
        handed_in=stats.handed_in,
        unanswered=stats.unanswered,
        tx_originated=stats.tx_originated,
        tx_offered=stats.tx_offered,
        tx_sent=stats.tx_sent,
        tx_dropped=_by_name(stats.tx_dropped, names.tx_drops),
        cycles_busy=stats.cycles_busy,
        cycles_idle=stats.cycles_idle,
        cycles_off_cpu=stats.cycles_off_cpu,
        sessions_active=stats.sessions_active,
        sessions_admitted=stats.sessions_admitted,
        sessions_expired=stats.sessions_expired,
        sessions_recovered=stats.sessions_recovered,
        connected=stats.connected,
        connections=stats.connections,
        closed=_by_name(stats.closed, names.closes),
        denied=_by_name(stats.denied, names.denials),
        path_changes=stats.path_changes,
        messages=_messages(stats.messages, names),
        rx_burst=Histogram(names.burst_bounds, tuple(stats.rx_burst), float(stats.received)),
        handling=Histogram(
            names.handling_bounds,
            tuple(stats.handling),
            stats.handling_cycles / hz if hz else 0.0,
        ),
        ports=tuple(
            PortCounts(c.rx_packets, c.rx_bytes, c.tx_packets, c.tx_bytes)
            for c in (stats.port[p] for p in range(ports))
        ),
    )


def _messages(stats: Any, names: Labels) -> MessageSnapshot:
    return MessageSnapshot(
        received=_by_name(stats.received, names.requests),
        sent=_by_name(stats.sent, names.events),
        lost=_by_name(stats.lost, names.losses),
        duplicates=stats.duplicates,
        resent=stats.resent,
        compress_in=_by_name(stats.compress_in, names.compressible),
        compress_out=_by_name(stats.compress_out, names.compressible),
        expand_in=stats.expand_in,
        expand_out=stats.expand_out,
        memory_used=stats.memory_used,
    )


def port(stats: Any, name: str, counts: PortCounts) -> PortSnapshot:
    """A device's own view; `counts` is what the workers moved through it."""
    bits = {
        lib.PG_OFFLOAD_RX_CHECKSUM: "rx_checksum",
        lib.PG_OFFLOAD_TX_CHECKSUM: "tx_checksum",
        lib.PG_OFFLOAD_RSS: "rss",
    }
    return PortSnapshot(
        name=name,
        counts=counts,
        rx_missed=stats.rx_missed,
        rx_errors=stats.rx_errors,
        rx_nombuf=stats.rx_nombuf,
        link_up=bool(stats.link_up) if stats.link_known else None,
        link_mbps=stats.link_mbps,
        queues=stats.queues,
        offloads=frozenset(text for bit, text in bits.items() if stats.offloads & bit),
        mac=_mac(stats.mac),
        rival=_rival(stats),
    )


def condition(stats: Any) -> Condition:
    """How a port is."""
    return Condition(DeviceState(stats.device), text(stats.about), stats.longest_frame)


def _rival(stats: Any) -> Rival | None:
    if stats.rivals_seen == 0:
        return None
    packed = bytes(stats.rival_address.bytes)
    address = ip_address(packed[:4] if stats.rival_address.family == 4 else packed)
    return Rival(str(address), _mac(stats.rival_mac), stats.rivals_seen)


def _mac(raw: Any) -> str:
    return ":".join(f"{byte:02x}" for byte in raw)


def pool(stats: Any, name: str) -> PoolSnapshot:
    """One mbuf pool's level."""
    return PoolSnapshot(name=name, available=stats.available, size=stats.size)


def text(value: Any) -> str:
    """A C string; a name that is cut in the middle of a character stays readable."""
    raw = ffi.string(value)
    return raw if isinstance(raw, str) else raw.decode(errors="replace")


def drop_reason(index: int) -> str | None:
    """Label of a drop reason; None for those that are not counted."""
    name = lib.pg_drop_name(index)
    return text(name) if name else None


def _names(name_of: Callable[[int], Any], count: int) -> tuple[tuple[int, str], ...]:
    return tuple((index, text(name)) for index in range(count) if (name := name_of(index)))


def _by_name(values: Any, names: tuple[tuple[int, str], ...]) -> Mapping[str, int]:
    return {name: values[index] for index, name in names}
