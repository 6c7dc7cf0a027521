# SPDX-License-Identifier: BSD-3-Clause
"""`bench attack`: what a session keeps while forged packets come for it as fast as a wire brings them.

A queue in front of a worker drops without looking. So a session keeps all its packets where the worker gets
through the forged ones as fast as they come; where it does not, the share of them that it gets through.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from pyshim.bench.description import Request
from pyshim.bench.reports.report import Note, Row
from pyshim.bench.rig.forgery import Attack
from pyshim.bench.rig.sealed_run import Side

SESSIONS = 10_000
LINE_RATE = "10 GbE line rate"

_NOTES = {
    Attack.SPOOFED: "The forged packets come from the address of the session's own player: each costs a tag "
    "check.",
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
            yield _row(Path(directory), kind, request)


def _row(directory: Path, kind: Attack, request: Request) -> Row:
    # Loads DPDK, which the benchmarks' other commands can do without.
    from pyshim.bench.rig.attacked import prepare_attacked  # noqa: PLC0415

    name = f"{kind}-{SESSIONS}"
    request.progress(f"{name}: writing captures")
    replay = prepare_attacked(directory, name, kind, SESSIONS)
    replay.peace.measure(Side.GATEWAY, request.seconds)
    measured = request.compare(name, lambda: replay.measure(request.seconds), lambda: replay.line_rate_pps)
    share = measured.ratio.median
    details = {**replay.details(), "line_rate_share": share, "kept_share": min(1.0, share)}
    return Row.of(name, measured, LINE_RATE, details=details, note=_NOTES[kind])
