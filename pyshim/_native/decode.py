# SPDX-License-Identifier: BSD-3-Clause
"""Reads the data plane's statistics structures into the values of `pyshim.stats`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache
from ipaddress import ip_address
from typing import Any

from pyshim._native._pollgate import ffi, lib
from pyshim.conditions import Condition, DeviceState
from pyshim.counters import COUNTERS, Counter, of
from pyshim.stats import (
    AddressConflict,
    Histogram,
    MessageSnapshot,
    PoolSnapshot,
    PortCounts,
    PortSnapshot,
    WorkerSnapshot,
)

_UNBOUNDED_NS = 2**64 - 1
_NANOSECOND = 1e-9


@dataclass(frozen=True, slots=True)
class Labels:
    """What indexes into the counters' arrays mean; asked of the library once."""

    names: Mapping[str, tuple[tuple[int, str], ...]]  # by Counter.values
    bounds: Mapping[str, tuple[float, ...]]  # likewise, of histograms; in their unit


@dataclass(frozen=True, slots=True)
class Clock:
    """What turns cycles into seconds."""

    now_tsc: int
    tsc_hz: int  # 0 before the first worker process measured it

    def seconds(self, cycles: int) -> float:
        """How long that is; 0 without a rate."""
        return cycles / self.tsc_hz if self.tsc_hz else 0.0


def labels() -> Labels:
    """Ask the library for its names and bounds."""
    arrays = {one.values: one.length for one in COUNTERS if one.length and one.kind != "HISTOGRAM"}
    return Labels(
        names={
            values: _names(getattr(lib, f"pg_{values}_name"), getattr(lib, length))
            for values, length in arrays.items()
        },
        bounds={one.values: tuple(_bounds(one)) for one in COUNTERS if one.kind == "HISTOGRAM"},
    )


def _bounds(histogram: Counter) -> Iterator[float]:
    buckets = range(getattr(lib, histogram.length))
    if histogram.unit != "seconds":
        bound_of = getattr(lib, f"pg_{histogram.values}_bound")
        yield from (float(bound_of(bucket)) for bucket in buckets)
        return
    bound_ns_of = getattr(lib, f"pg_{histogram.values}_bound_ns")
    for bucket in buckets:
        bound_ns = bound_ns_of(bucket)
        yield math.inf if bound_ns == _UNBOUNDED_NS else bound_ns * _NANOSECOND


def worker(stats: Any, index: int, names: Labels, ports: int, clock: Clock) -> WorkerSnapshot:
    """One poll loop's counters. Without a clock rate no cycles become a time: ages are unknown, sums 0."""
    hz = clock.tsc_hz
    # A loop may turn between the reading of the page and that of the clock; its age is then 0, not negative.
    age = max(0, clock.now_tsc - stats.heartbeat_tsc) / hz if stats.heartbeat_tsc and hz else None
    return WorkerSnapshot(
        index=index,
        heartbeat_age_s=age,
        policy_generation=stats.policy_generation,
        messages=MessageSnapshot(**_counted(stats.messages, MessageSnapshot, names.names, "MESSAGE")),
        rx_burst=Histogram(names.bounds["burst"], tuple(stats.rx_burst), float(stats.received)),
        handling=Histogram(
            names.bounds["handling"],
            tuple(stats.handling),
            clock.seconds(stats.handling_cycles),
        ),
        ports=tuple(
            PortCounts(**_counted(stats.port[index], PortCounts, names.names, "PORT_COUNT"))
            for index in range(ports)
        ),
        **_counted(stats, WorkerSnapshot, names.names, "RECEIVE", "TRANSMIT", "TIME", "SESSION"),
    )


def port(stats: Any, name: str, counts: PortCounts, names: Labels) -> PortSnapshot:
    """A device's own view; `counts` is what the workers moved through it."""
    bits = {
        lib.PG_OFFLOAD_RX_CHECKSUM: "rx_checksum",
        lib.PG_OFFLOAD_TX_CHECKSUM: "tx_checksum",
        lib.PG_OFFLOAD_RSS: "rss",
    }
    return PortSnapshot(
        name=name,
        counts=counts,
        link_mbps=stats.link_mbps,
        offloads=frozenset(text for bit, text in bits.items() if stats.offloads & bit),
        mac=_mac(stats.mac),
        conflict=_conflict(stats),
        **_counted(stats, PortSnapshot, names.names, "DEVICE", "DEVICE_STATE")
        | {"link_up": bool(stats.link_up) if stats.link_known else None},
    )


def condition(stats: Any) -> Condition:
    """How a port is."""
    return Condition(DeviceState(stats.device), text(stats.about), stats.longest_frame)


def _conflict(stats: Any) -> AddressConflict | None:
    if stats.conflicts_seen == 0:
        return None
    packed = bytes(stats.conflict_address.bytes)
    address = ip_address(packed[:4] if stats.conflict_address.family == 4 else packed)
    return AddressConflict(str(address), _mac(stats.conflict_mac), stats.conflicts_seen)


def _mac(raw: Any) -> str:
    return ":".join(f"{byte:02x}" for byte in raw)


def pool(stats: Any, name: str, names: Labels) -> PoolSnapshot:
    """One mbuf pool's level."""
    return PoolSnapshot(name=name, **_counted(stats, PoolSnapshot, names.names, "POOL"))


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


def _counted(
    stats: Any, record: type, names: Mapping[str, tuple[tuple[int, str], ...]], *groups: str
) -> dict[str, Any]:
    """The counters of some groups as arguments of a record; in `others` those that it has no attribute of."""
    own = _attributes(record)
    others: dict[str, Any] = {}
    arguments: dict[str, Any] = {"others": others}
    for one in of(*groups):
        value = getattr(stats, one.field)
        if one.length:
            value = {name: value[index] for index, name in names[one.values]}
        (arguments if one.field in own else others)[one.field] = value
    return arguments


@cache
def _attributes(record: type) -> frozenset[str]:
    return frozenset(field.name for field in fields(record))
