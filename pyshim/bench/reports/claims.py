# SPDX-License-Identifier: BSD-3-Clause
"""The claims that this project started from, and how each is judged by what was measured. Pure functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from pyshim.bench.reports.evidence import Evidence, FoundRow
from pyshim.bench.reports.report import GATEWAY
from pyshim.views.units import count, duration, number, rate, share

LOSS_MAX = 0.001  # of messages unanswered, for a rate to count as served
PACED_MIN = 0.99  # of the wanted rate, for a generator to have kept it
ROUND_TRIP_MAX_S = 0.010

DPDK = ("dpdk-memif", "dpdk-pcap")
"""Rows of `bench engines`: over memif players wait for answers; net_pcap replays without a generator."""


class Verdict(StrEnum):
    """What can be said of a claim."""

    HOLDS = "holds here"
    FAILS = "does not hold here"
    OPEN = "cannot be judged on this machine"
    UNMEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, the figure that it rests on, and why."""

    verdict: Verdict
    measured: str
    why: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A figure that somebody gave, and how it is judged."""

    about: str
    claimed: str
    bench: str  # that measures it
    judge: Callable[[Evidence], Judgement]


_NO_NIC = "the device is a virtual one: this is what the code costs, not what a NIC would carry"


def _unmeasured(bench: str, what: str) -> Judgement:
    return Judgement(Verdict.UNMEASURED, "–", f"`bench {bench}` gave no {what}")


def _where(row: FoundRow) -> str:
    return "on a NIC" if row.on_nic else _NO_NIC


def _best(
    rows: list[FoundRow], figure: Callable[[FoundRow], float], show: Callable[[FoundRow], str]
) -> tuple[FoundRow, str]:
    """The row with the highest figure, and the figures of all: the highest first."""
    ordered = sorted(rows, key=figure, reverse=True)
    marks = ("" if row.limited_by == GATEWAY else f", limited by {row.limited_by}" for row in ordered)
    return ordered[0], "; ".join(
        f"{show(row)} ({row.name}{mark})" for row, mark in zip(ordered, marks, strict=True)
    )


def served(claimed_pps: float, names: tuple[str, ...], evidence: Evidence) -> Judgement:
    """Packets per second per core, of the best of the named engines."""
    rows = evidence.rows("engines", names)
    if not rows:
        return _unmeasured("engines", " or ".join(names))
    row, measured = _best(rows, lambda row: row.value, lambda row: f"{rate(row.value)} packets/s per core")
    remark = _where(row) if row.name in DPDK else "the claim does not say on how many cores; this is one"
    return _reached(row.value >= claimed_pps, row.limited_by, measured, remark)


def times(claimed_ratio: float, evidence: Evidence) -> Judgement:
    """How many times the packets of the traditional server a core serves over DPDK."""
    rows = [row for row in evidence.rows("engines", DPDK) if row.against == "traditional"]
    if not rows:
        return _unmeasured("engines", "row over DPDK against traditional")
    row, measured = _best(rows, lambda row: row.ratio.median, _times)
    reached = row.ratio.median >= claimed_ratio
    base = evidence.row("engines", "traditional")
    if reached and base is not None and base.limited_by != GATEWAY:
        why = f"{_limit(base.limited_by)} of the traditional server: the true ratio is smaller"
        return Judgement(Verdict.OPEN, measured, why)
    remark = f"{_where(row)}; the traditional server's packets came through its kernel"
    return _reached(reached, row.limited_by, measured, remark)


def _times(row: FoundRow) -> str:
    return f"{row.ratio.median:.1f}×, {row.ratio.min:.1f} … {row.ratio.max:.1f}"


def _limit(limited_by: str) -> str:
    return (
        "too few CPUs bound this figure" if limited_by == "cpus" else f"the {limited_by} bounds this figure"
    )


def _reached(reached: bool, limit: str, measured: str, remark: str) -> Judgement:
    """A figure that is too small proves nothing when something else than the server bounded it."""
    if reached:
        return Judgement(Verdict.HOLDS, measured, remark)
    if limit != GATEWAY:
        return Judgement(
            Verdict.OPEN,
            measured,
            f"{_limit(limit)}, not the server: it may be able to do more",
        )
    return Judgement(Verdict.FAILS, measured, f"the server itself bounds it; {remark}")


def latency(claimed_s: float, names: tuple[str, ...], evidence: Evidence) -> Judgement:
    """Median round trip, as the player's clock sees it."""
    row = evidence.row("engines", *names)
    p50_s = row.number("latency_p50_s") if row else None
    if row is None or p50_s is None:
        return _unmeasured("engines", f"latency of {' or '.join(names)}")
    p99_s = row.number("latency_p99_s")
    measured = f"p50 {duration(p50_s)}, p99 {duration(p99_s)} ({row.name})"
    why = "a round trip: the generator, the device twice and the server; the claim does not say what it times"
    replayed = evidence.row("engines", "dpdk-pcap") if row.name in DPDK else None
    inside_s = replayed.number("latency_p50_s") if replayed else None
    if inside_s is not None:
        why += f"; inside the gateway, in full bursts of a replay, a packet spends {duration(inside_s)}"
    cpu_s = row.number("cpu_s_per_packet")
    if cpu_s is not None:
        why += f"; the server's own CPU time is {duration(cpu_s)} a packet"
    return Judgement(Verdict.HOLDS if p50_s <= claimed_s else Verdict.FAILS, measured, why)


def fewer(
    claimed_ratio: float, key: str, show: Callable[[float], str], why: str, evidence: Evidence
) -> Judgement:
    """By what factor a detail is smaller over DPDK than for the traditional server, where players wait."""
    traditional, dpdk = evidence.row("engines", "traditional"), evidence.row("engines", *DPDK[:1])
    before = traditional.number(key) if traditional else None
    after = dpdk.number(key) if dpdk else None
    if before is None or after is None or dpdk is None:
        return _unmeasured("engines", f"{key} of both traditional and DPDK")
    factor = f"{before / after:.1f}×" if after > 0 else "to nothing"
    measured = f"{show(before)} → {show(after)} ({dpdk.name}; {factor})"
    pps = dpdk.number("fixed_rate_pps")
    if key == "cpu_share_at_rate" and pps is not None:
        measured += f" at {count(int(pps))} packets/s"
    holds = before > 0 and before >= claimed_ratio * after
    return Judgement(Verdict.HOLDS if holds else Verdict.FAILS, measured, why)


def bandwidth_at_least(claimed_bytes_per_s: float, claimed_pps: float, evidence: Evidence) -> Judgement:
    """Memory bandwidth of the traditional server's copies."""
    row = evidence.row("engines", "traditional")
    found = row.number("memory_bandwidth_bytes_per_s") if row else None
    if found is None:
        return _unmeasured("engines", "memory bandwidth of traditional")
    verdict = Verdict.HOLDS if found >= claimed_bytes_per_s else Verdict.FAILS
    each = claimed_bytes_per_s / claimed_pps
    return Judgement(
        verdict,
        _gigabytes(found),
        f"{_COUNTED}; both claims together would be {count(round(each))} bytes copied for every packet",
    )


def bandwidth_at_most(claimed_bytes_per_s: float, evidence: Evidence) -> Judgement:
    """Memory bandwidth of the copies made over DPDK, at its own full rate."""
    row = evidence.row("engines", *DPDK)
    found = row.number("memory_bandwidth_bytes_per_s") if row else None
    if row is None or found is None:
        return _unmeasured("engines", "memory bandwidth over DPDK")
    measured = f"{_gigabytes(found)} at {rate(row.value)} packets/s ({row.name})"
    return Judgement(Verdict.HOLDS if found <= claimed_bytes_per_s else Verdict.FAILS, measured, _COUNTED)


def _gigabytes(bytes_per_s: float) -> str:
    return f"{bytes_per_s / 1e9:.2f} GB/s"


_COUNTED = "counted from the copies that the code makes, not read from a memory controller"


def answered_in_time(evidence: Evidence) -> Judgement:
    """5,000 players at 60 Hz: are they answered, and soon enough?"""
    row = evidence.row("players", "ladder-5000x60")
    p99_s = row.number("latency_p99_s") if row else None
    loss = row.number("loss_ratio") if row else None
    if row is None or p99_s is None or loss is None:
        return _unmeasured("players", "row ladder-5000x60 with its latency and loss")
    kept = p99_s < ROUND_TRIP_MAX_S and loss <= LOSS_MAX
    remark = f"p99 must be under {duration(ROUND_TRIP_MAX_S)}, lost at most {share(LOSS_MAX)}; {_where(row)}"
    return _reached(kept, row.limited_by, _players(row, p99_s, loss), remark)


def carried(claimed_pps: float, evidence: Evidence) -> Judgement:
    """A steady rate: was it sent, and was it answered?"""
    name = f"paced-{claimed_pps:.0f}"
    row = evidence.row("players", name)
    p99_s = row.number("latency_p99_s") if row else None
    loss = row.number("loss_ratio") if row else None
    if row is None or p99_s is None or loss is None:
        return _unmeasured("players", f"row {name} with its latency and loss")
    kept = row.value >= PACED_MIN * claimed_pps and loss <= LOSS_MAX
    remark = f"lost may be at most {share(LOSS_MAX)}; {_where(row)}"
    return _reached(kept, row.limited_by, _players(row, p99_s, loss), remark)


def _players(row: FoundRow, p99_s: float, loss: float) -> str:
    return f"{rate(row.value)} packets/s, p99 {duration(p99_s)}, lost {share(loss)}"


_SAME_RATE = (
    "the claim names no rate, so the factor is judged, at one rate for both; a polling worker occupies its "
    "core in any case: counted are the cycles of turns that moved a packet"
)

CLAIMS = (
    Claim("traditional server", "845,000 packets/s", "engines", partial(served, 845e3, ("traditional",))),
    Claim("io_uring", "12.4 M packets/s", "engines", partial(served, 12.4e6, ("io_uring",))),
    Claim("DPDK", "18.7 M packets/s", "engines", partial(served, 18.7e6, DPDK)),
    Claim("DPDK over traditional", "22.1×", "engines", partial(times, 22.1)),
    Claim("latency, traditional", "2,847 ns", "engines", partial(latency, 2847e-9, ("traditional",))),
    Claim("latency, DPDK", "156 ns", "engines", partial(latency, 156e-9, DPDK[:1])),
    Claim(
        "latency, DPDK over traditional",
        "18.2× less",
        "engines",
        partial(fewer, 18.2, "latency_p50_s", duration, "median round trips of the same players"),
    ),
    Claim(
        "CPU",
        "85 → 12 % (7.1× less)",
        "engines",
        partial(fewer, 85 / 12, "cpu_share_at_rate", share, _SAME_RATE),
    ),
    Claim(
        "memory bandwidth, traditional", "15.2 GB/s", "engines", partial(bandwidth_at_least, 15.2e9, 845e3)
    ),
    Claim("memory bandwidth, DPDK", "0.8 GB/s", "engines", partial(bandwidth_at_most, 0.8e9)),
    Claim(
        "bytes copied per packet",
        "19× less (15.2 → 0.8 GB/s)",
        "engines",
        partial(fewer, 19.0, "copied_bytes_per_packet", lambda value: f"{number(value)} B", _COUNTED),
    ),
    Claim("5,000 players at 60 Hz", "under 10 ms", "players", answered_in_time),
    Claim("half a million", "500,000 packets/s", "players", partial(carried, 500e3)),
    Claim("a million", "1,000,000 packets/s", "players", partial(carried, 1e6)),
)
