# SPDX-License-Identifier: BSD-3-Clause
"""`bench game`: what it costs that what players say goes to a game process: cycles, and time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pyshim.bench.description import Request
from pyshim.bench.reports.report import GATEWAY, Note, Row
from pyshim.bench.rig.placement import choose_placement

if TYPE_CHECKING:
    from pyshim.bench.rig.game_run import Forwarded, Forwarding, RoundTrips

PLAYERS = 10_000
CPUS = "cpus"
RATE = "messages/s"
TIME = "ns"
_LOST_MAX = 0.01  # of the messages: who reads fewer had not its CPU


def game(request: Request) -> Iterator[Row | Note]:
    """A row of messages of the game's own that a worker forwards, and one of those that the process answers.

    Raises:
        PollgateError: the gateway does not run here, or there is no C compiler.
    """
    # Loads DPDK, which the benchmarks' other commands can do without.
    from pyshim.bench.rig.game_run import Forwarding  # noqa: PLC0415

    placement = choose_placement()
    if placement.shared:
        yield Note(placement.note)
    with TemporaryDirectory(prefix="pollgate-bench-") as directory:
        forwarding = Forwarding(Path(directory), PLAYERS, placement)
        yield _forward_row(forwarding, request)
        yield _round_trip_row(forwarding, request)


def _forward_row(forwarding: Forwarding, request: Request) -> Row:
    runs: dict[bool, list[Forwarded]] = {True: [], False: []}

    def measured(*, routed: bool) -> Callable[[], float]:
        def once() -> float:
            runs[routed].append(forwarding.measure(request.seconds, routed=routed))
            return runs[routed][-1].messages_per_s

        return once

    compared = request.compare("game-forward", measured(routed=True), measured(routed=False))
    lost = sum(run.lost for run in runs[True]) / max(1, sum(run.taken for run in runs[True]))
    cycles = {routed: median(run.run.cycles_per_packet for run in runs[routed]) for routed in runs}
    return Row.of(
        "game-forward",
        compared,
        "no-route",
        unit=RATE,
        limited_by=CPUS if lost > _LOST_MAX else GATEWAY,
        details={
            "frame_bytes": forwarding.replay.capture.frame_bytes,
            "device": "net_pcap infinite_rx",
            "players": PLAYERS,
            "lost_ratio": lost,
            "messages": sum(run.delivered for run in runs[True]),
            "cycles_per_packet": cycles[True],
            "against_cycles_per_packet": cycles[False],
        },
        note="Both sides open the message and acknowledge it; no-route has nobody to give it to.",
    )


def _round_trip_row(forwarding: Forwarding, request: Request) -> Row:
    runs: dict[bool, list[RoundTrips]] = {True: [], False: []}

    def measured(*, routed: bool) -> Callable[[], float]:
        def once() -> float:
            runs[routed].append(forwarding.converse(request.seconds, routed=routed))
            return runs[routed][-1].p50_s * 1e9

        return once

    compared = request.compare("game-round-trip", measured(routed=True), measured(routed=False))
    added = [ours - theirs for ours, theirs in zip(compared.ours, compared.theirs, strict=True)]
    lost = sum(run.lost for run in runs[True])
    return Row.of(
        "game-round-trip",
        compared,
        "acknowledged",
        unit=TIME,
        limited_by=CPUS if lost else GATEWAY,
        details={
            "device": "net_null, messages put in front of the loop",
            "added_ns": median(added),
            "added_ns_min": min(added),
            "added_ns_max": max(added),
            "p99_ns": median(run.p99_s for run in runs[True]) * 1e9,
            "round_trips": sum(run.trips for run in runs[True]),
            "lost": lost,
        },
        note="From a message in the worker's hands to the process's answer in the device's; acknowledged: to "
        "the acknowledgement, without a process.",
    )
