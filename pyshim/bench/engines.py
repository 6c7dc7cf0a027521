# SPDX-License-Identifier: BSD-3-Clause
"""`bench engines`: the same players against every way to serve them, each with one core, in rounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from pyshim.bench.description import Request
from pyshim.bench.pairs import Comparison
from pyshim.bench.reports.report import GATEWAY, Note, Row
from pyshim.bench.rig.contest import Contest, Sample, Standing
from pyshim.bench.rig.contestants import BASE, FRAME_BYTES, Link
from pyshim.bench.rig.placement import Placement, choose_placement
from pyshim.bench.rig.private_network import private_network
from pyshim.errors import UnavailableError

GENERATOR = "generator"
CPUS = "cpus"

_ESTIMATE = (
    "Memory bandwidth is an estimate: bytes copied per packet, as counted from the sources, times two (each "
    "is read and written), times packets per second; caches serve most of it."
)


def engines(request: Request) -> Iterator[Row | Note]:
    """A row per server; a note in place of one that does not run here.

    Raises:
        PollgateError: there is no private network, no compiler, or the traditional server does not run.
        KeyboardInterrupt: after the rows of the rounds so far.
    """
    placement = choose_placement()
    steer = request.option("steer", bool)
    with (
        TemporaryDirectory(prefix="pollgate-bench-") as directory,
        private_network((placement.server, placement.generator) if steer else None) as network,
        closing(Contest(request, placement, Path(directory), network)) as contest,
    ):
        ended: BaseException | None = None
        try:
            for number in range(request.pairs):
                contest.round(number)
        except (UnavailableError, KeyboardInterrupt) as problem:
            ended = problem
        yield Note(_ESTIMATE)
        if placement.shared:
            yield Note(placement.note)
        base = contest.standings[0]
        for standing in contest.standings:
            if standing.left_out:
                yield Note(f"{standing.engine.name} was left out: {standing.left_out}")
            if standing.samples:
                yield _row(standing, base, contest, placement, complete=ended is None)
        if ended is not None:
            raise ended


def _row(
    standing: Standing, base: Standing, contest: Contest, placement: Placement, *, complete: bool
) -> Row:
    rounds = sorted(standing.samples)
    samples = [standing.samples[number] for number in rounds]
    measured = Comparison(
        ours=tuple(sample.packets_per_s for sample in samples),
        theirs=tuple(base.samples[number].packets_per_s for number in rounds),
        complete=complete and not standing.left_out,
    )
    limited_by, why = limit(samples, placement)
    notes = [why, late(samples), standing.engine.note]
    if contest.steered:
        notes.append(standing.engine.note_if_steered)
    return Row.of(
        standing.engine.name,
        measured,
        BASE.name,
        limited_by=limited_by,
        details={**_details(standing, samples), **contest.details(), **_cpus(placement)},
        note=" ".join(filter(None, notes)),
    )


def limit(samples: Sequence[Sample], placement: Placement) -> tuple[str, str]:
    """What bounded a server's figure, and a sentence about it when that was not the server."""
    if placement.shared:
        return CPUS, ""
    reasons = _typical([sample.why_generator for sample in samples])
    return (GENERATOR, f"Limited by the generator: {'; '.join(reasons)}.") if reasons else (GATEWAY, "")


def late(samples: Sequence[Sample]) -> str:
    """A sentence about latencies that are the generator's, if they are."""
    reasons = _typical([sample.why_late for sample in samples])
    return f"Latency is the generator's as much as the server's: {'; '.join(reasons)}." if reasons else ""


def _typical(reasons: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """What is true of more than half of the measurements, in the words of the one in their middle."""
    given = [each for each in reasons if each]
    return given[len(given) // 2] if 2 * len(given) > len(reasons) else ()


def _cpus(placement: Placement) -> dict[str, object]:
    return {"worker_cpus": [placement.server], "generator_cpu": placement.generator, "huge_pages": False}


def _details(standing: Standing, samples: Sequence[Sample]) -> dict[str, object]:
    engine = standing.engine
    pps = median(sample.packets_per_s for sample in samples)
    return {
        "frame_bytes": FRAME_BYTES,
        "device": engine.device,
        "window": standing.window or None,
        "cpu_share": median(sample.busy for sample in samples),
        "cpu_s_per_packet": median(sample.busy / sample.packets_per_s for sample in samples),
        "cpu_share_at_rate": median(sample.busy_at_rate for sample in samples),
        "latency_p50_s": _median(samples, lambda sample: sample.p50_s),
        "latency_p99_s": _median(samples, lambda sample: sample.p99_s),
        "latency_of": "handling at full load"
        if engine.link is Link.REPLAY
        else "round trips at the fixed rate",
        "generator_ceiling_pps": _median(samples, lambda sample: sample.ceiling_pps),
        "copies": [str(copy) for copy in engine.copies],
        "copied_bytes_per_packet": engine.copied_bytes,
        "memory_bandwidth_bytes_per_s": 2 * engine.copied_bytes * pps,
    }


def _median(samples: Sequence[Sample], of: Callable[[Sample], float | None]) -> float | None:
    values = [value for sample in samples if (value := of(sample)) is not None]
    return median(values) if values else None
