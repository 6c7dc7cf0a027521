# SPDX-License-Identifier: BSD-3-Clause
"""What happened between two snapshots, per second: the figures that every view shows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pyshim.stats import Histogram, PortCounts, Snapshot, WorkerSnapshot


@dataclass(frozen=True, slots=True)
class Rates:
    """One worker's figures, or those of all workers together. None: nothing happened to measure it by."""

    received_pps: float
    sent_pps: float
    messages_pps: float  # received packets that were handled
    answers_pps: float  # packets offered to transmit in answer to one
    taken_ps: float  # messages taken from sessions of profile session
    queued_ps: float  # and queued for them
    receive_mbps: float  # 10^6 bits per second, without FCS
    transmit_mbps: float
    drops_pps: Mapping[str, float]  # by reason, every reason
    transmit_drops_pps: Mapping[str, float]
    busy: float | None  # share of the time that the poll loop had its CPU, 0..1
    off_cpu: float | None  # share of all time in which others had its CPU, 0..1
    cycles_per_packet: float | None  # busy cycles / packets received
    handling_p50_s: float | None
    handling_p99_s: float | None


def quantile(histogram: Histogram, q: float) -> float | None:
    """The value that a share `q` (0..1) of the observations do not exceed; None without observations.

    Interpolated inside its bucket as Prometheus' histogram_quantile() does, so that a dashboard and the live
    view agree; in an unbounded bucket, its lower bound.
    """
    count = sum(histogram.counts)
    if count == 0:
        return None
    rank = q * count
    below, lower = 0, 0.0
    for bound, here in zip(histogram.bounds, histogram.counts, strict=True):
        if here and below + here >= rank:
            return lower if math.isinf(bound) else lower + (bound - lower) * max(rank - below, 0.0) / here
        below += here
        lower = lower if math.isinf(bound) else bound
    return lower


def total_rates(before: Snapshot | None, now: Snapshot, elapsed_s: float) -> Rates:
    """All workers together. `before` None: since the counters were zero, `elapsed_s` ago."""
    return _rates(before.workers if before else (), now.workers, elapsed_s)


def worker_rates(before: Snapshot | None, now: Snapshot, elapsed_s: float) -> tuple[Rates, ...]:
    """Each worker by itself, in the order of the snapshot."""
    earlier = {worker.index: (worker,) for worker in before.workers} if before else {}
    return tuple(_rates(earlier.get(worker.index, ()), (worker,), elapsed_s) for worker in now.workers)


def merged(histograms: Iterable[Histogram]) -> Histogram:
    """Observations of several workers in one histogram; their bounds must be the same."""
    result: Histogram | None = None
    for histogram in histograms:
        result = histogram if result is None else _combined(result, histogram, 1)
    return result or Histogram(bounds=(), counts=(), total=0.0)


def summed(mappings: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Counters of several workers by name; a name that is zero everywhere stays."""
    total: Counter[str] = Counter()
    for mapping in mappings:
        total.update(mapping)
    return dict(total)


def _combined(a: Histogram, b: Histogram, sign: int) -> Histogram:
    counts = tuple(x + sign * y for x, y in zip(a.counts, b.counts, strict=True))
    return Histogram(a.bounds, counts, a.total + sign * b.total)


@dataclass(frozen=True, slots=True)
class _Sums:
    """Counters of some workers, ready to be subtracted."""

    plain: Mapping[str, int]
    drops: Mapping[str, int]
    transmit_drops: Mapping[str, int]
    handling: Histogram


def _sums(workers: tuple[WorkerSnapshot, ...]) -> _Sums:
    ports: list[PortCounts] = [port for worker in workers for port in worker.ports]
    return _Sums(
        plain={
            "received": sum(worker.received for worker in workers),
            "sent": sum(worker.tx_sent for worker in workers),
            "messages": sum(sum(worker.handled.values()) for worker in workers),
            "answers": sum(worker.tx_offered - worker.tx_originated for worker in workers),
            "taken": sum(sum(worker.messages.received.values()) for worker in workers),
            "queued": sum(sum(worker.messages.sent.values()) for worker in workers),
            "rx_bytes": sum(port.rx_bytes for port in ports),
            "tx_bytes": sum(port.tx_bytes for port in ports),
            "busy": sum(worker.cycles_busy for worker in workers),
            "idle": sum(worker.cycles_idle for worker in workers),
            "off_cpu": sum(worker.cycles_off_cpu for worker in workers),
        },
        drops=summed(worker.dropped for worker in workers),
        transmit_drops=summed(worker.tx_dropped for worker in workers),
        handling=merged(worker.handling for worker in workers),
    )


def _rates(before: tuple[WorkerSnapshot, ...], now: tuple[WorkerSnapshot, ...], elapsed_s: float) -> Rates:
    old, new = _sums(before), _sums(now)
    elapsed_s = max(elapsed_s, 1e-9)
    # Counters never shrink; a negative difference would be a reading taken out of order.
    delta = {name: max(0, count - old.plain.get(name, 0)) for name, count in new.plain.items()}
    handling = _combined(new.handling, old.handling, -1) if old.handling.bounds else new.handling
    cycles = delta["busy"] + delta["idle"]
    everything = cycles + delta["off_cpu"]

    def per_second(name: str) -> float:
        return delta[name] / elapsed_s

    def by_name(new: Mapping[str, int], old: Mapping[str, int]) -> dict[str, float]:
        return {name: max(0, count - old.get(name, 0)) / elapsed_s for name, count in new.items()}

    return Rates(
        received_pps=per_second("received"),
        sent_pps=per_second("sent"),
        messages_pps=per_second("messages"),
        answers_pps=per_second("answers"),
        taken_ps=per_second("taken"),
        queued_ps=per_second("queued"),
        receive_mbps=per_second("rx_bytes") * 8 / 1e6,
        transmit_mbps=per_second("tx_bytes") * 8 / 1e6,
        drops_pps=by_name(new.drops, old.drops),
        transmit_drops_pps=by_name(new.transmit_drops, old.transmit_drops),
        busy=delta["busy"] / cycles if cycles else None,
        off_cpu=delta["off_cpu"] / everything if everything else None,
        cycles_per_packet=delta["busy"] / delta["received"] if delta["received"] else None,
        handling_p50_s=quantile(handling, 0.50),
        handling_p99_s=quantile(handling, 0.99),
    )
