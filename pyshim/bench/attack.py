# SPDX-License-Identifier: BSD-3-Clause
"""`bench attack`: what a session keeps while forged packets come for it as fast as they can.

A queue in front of a worker drops without looking. So a session keeps all its packets where the worker gets
through the forged ones as fast as they come; where it does not, the share of them that it gets through.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from pyshim.bench.description import Request
from pyshim.bench.reports.report import GATEWAY, Note, Row
from pyshim.bench.rig.forgery import Attack
from pyshim.bench.rig.placement import Placement, choose_placement
from pyshim.bench.rig.served import BUSY_ENOUGH
from pyshim.errors import UnavailableError

SESSIONS = 10_000
LINE_RATE = "10 GbE line rate"

VETH = "veth-spoofed"
PLAYER_SHARE = "share of the player's packets acknowledged"
GENERATOR, CPUS = "generator", "cpus"

_NOTES = {
    Attack.SPOOFED: "The forged packets come from the address of the session's own player, so each costs a "
    "tag check, and are the shortest that do.",
    Attack.SPOOFED_MOVES: "The forged packets come from the address of the session's own player and are as "
    "long as a move.",
    Attack.ELSEWHERE: "The forged packets come from 64 addresses where nobody is connected. Each address has "
    "limits.source_pps, and what is within that costs a tag check.",
}


def attack(request: Request) -> Iterator[Row | Note]:
    """The rows, each measured when it is asked for.

    Raises:
        PollgateError: the gateway does not run here, or did with some packets what it should not.
    """
    with TemporaryDirectory(prefix="pollgate-bench-") as directory:
        for kind in Attack:
            yield _replayed(Path(directory), kind, request)
        yield from _end_to_end(Path(directory), request)


def _replayed(directory: Path, kind: Attack, request: Request) -> Row:
    # Loads DPDK, which the benchmarks' other commands can do without.
    from pyshim.bench.rig.attacked import prepare_attacked  # noqa: PLC0415

    name = f"{kind}-{SESSIONS}"
    request.progress(f"{name}: writing captures")
    replay = prepare_attacked(directory, name, kind, SESSIONS)
    measured = request.compare(
        name, lambda: replay.measure(request.seconds), lambda: replay.beside(request.seconds)
    )
    share = measured.ratio.median
    details = {**replay.details(), "line_rate_share": share, "kept_share": min(1.0, share)}
    return Row.of(name, measured, LINE_RATE, details=details, note=_NOTES[kind])


def _end_to_end(directory: Path, request: Request) -> Iterator[Row | Note]:
    """A player on a cable that a flood fills: the share of the player's packets that the gateway took."""
    # Loads the protocol's cryptography, which the benchmarks' other commands can do without.
    from pyshim.bench.rig.flooded import flood_run  # noqa: PLC0415

    placement = choose_placement()
    with ExitStack() as stack:
        try:
            flooded_gateway = stack.enter_context(flood_run(directory, placement))
        except UnavailableError as problem:
            yield Note(f"{VETH} was left out: {problem}")
            return
        measured = request.compare(
            VETH,
            lambda: flooded_gateway.under_flood(request.seconds),
            lambda: flooded_gateway.alone(request.seconds),
        )
    limited_by, why = limit([one.busy for one in flooded_gateway.under_attack], placement)
    yield Row.of(
        VETH,
        measured,
        "without attack",
        unit=PLAYER_SHARE,
        limited_by=limited_by,
        details=flooded_gateway.details(),
        note=why,
    )


def limit(busy: Sequence[float], placement: Placement) -> tuple[str, str]:
    """What bounded the attack: the gateway that could take no more, or the flood that brought no more."""
    if placement.shared:
        return CPUS, placement.note
    if median(busy) >= BUSY_ENOUGH:
        return GATEWAY, ""
    return GENERATOR, (
        f"Limited by the flood: the gateway's worker was {median(busy):.0%} busy, so this machine brings no "
        "more forged packets than it gets through."
    )
