# SPDX-License-Identifier: BSD-3-Clause
"""`bench forward`: MOVE → acknowledgement with everything on, against testpmd on the same device.

The session profile also against what its cryptography alone costs. Everything is on: limits, too, which
nobody reaches.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pyshim.bench.description import Request
from pyshim.bench.reports.report import Note, Row
from pyshim.bench.rig.frames import write_moves
from pyshim.bench.rig.replay import NEVER_REACHED, UNLIMITED, Setting, prepare
from pyshim.bench.rig.sealed_run import Server
from pyshim.bench.rig.testpmd import measure_testpmd, testpmd_path
from pyshim.protocol.session_wire import DATA_MIN_BYTES

if TYPE_CHECKING:
    from pyshim.bench.rig.sealed import SealedReplay

QUICK_S = 60.0

_UNLIMITED_NOTE = "No limit is set: what the same costs a gateway that leaves its sources and players alone."


@dataclass(frozen=True, slots=True)
class _Kind:
    name: str
    sessions: int
    mode: str  # of testpmd
    limited: bool = True
    note: str = ""


_KINDS = (
    _Kind("plain-512", 512, "5tswap"),
    _Kind("plain-10000", 10_000, "5tswap"),
    _Kind("plain-512-unlimited", 512, "5tswap", limited=False, note=_UNLIMITED_NOTE),
    _Kind("plain-10000-unlimited", 10_000, "5tswap", limited=False, note=_UNLIMITED_NOTE),
    _Kind(
        "plain-512-rxonly",
        512,
        "rxonly",
        note="testpmd's rxonly looks at no packet and sends none: an upper bound of what the device gives, "
        "which nothing that answers can reach.",
    ),
)

_SEALED_SESSIONS = 10_000


def forward(request: Request) -> Iterator[Row | Note]:
    """The rows, each measured when it is asked for.

    Raises:
        PollgateError: testpmd is missing, or one of the two does not run here.
    """
    testpmd_path()
    began, figures = time.monotonic(), 0
    pages = request.option("pages", str)
    with TemporaryDirectory(prefix="pollgate-bench-") as directory:
        for huge_pages in {"ordinary": (False,), "huge": (True,), "both": (False, True)}[pages]:
            for row in _rows(Path(directory), huge_pages, request):
                figures += len(row.samples) + len(row.against_samples)
                yield row
    took_s = time.monotonic() - began
    if took_s > QUICK_S:
        yield Note(why_longer(took_s, figures, request.seconds))


def why_longer(took_s: float, figures: int, seconds: float) -> str:
    """Why it took longer than somebody waits who wants to look quickly."""
    beside_s = max(0.0, took_s / figures - seconds)
    return (
        f"It took {took_s:.0f} s: each of its {figures} figures is of a process of its own, which takes "
        f"{beside_s:.1f} s to start, to warm up and to end beside the {seconds:g} s in which it is measured."
    )


def _rows(directory: Path, huge_pages: bool, request: Request) -> Iterator[Row]:
    for kind in _KINDS:
        yield _row(directory, kind, huge_pages, request)
    yield from _sealed_rows(directory, huge_pages, request)
    yield _unlimited_sealed_row(directory, huge_pages, request)


_CRYPTO_ONLY_NOTE = (
    "crypto-only receives, opens, seals and sends the same frames on the same device with the same keys and "
    "library, burst by burst with its keys prefetched, and does nothing else."
)


def _sealed_rows(directory: Path, huge_pages: bool, request: Request) -> Iterator[Row]:
    """Sealed MOVEs of 10,000 sessions: against the cryptography alone, and testpmd without any."""
    # Loads DPDK, which the benchmarks' other commands can do without.
    from pyshim.bench.rig.sealed import NEVER_REACHED as SEALED_LIMITS  # noqa: PLC0415
    from pyshim.bench.rig.sealed import prepare_sealed  # noqa: PLC0415
    from pyshim.bench.rig.sealed_frames import SEALED_MOVE_BYTES  # noqa: PLC0415

    name = f"session-{_SEALED_SESSIONS}" + ("-huge" if huge_pages else "")
    sealed = prepare_sealed(directory, name, _SEALED_SESSIONS, huge_pages=huge_pages, limits=SEALED_LIMITS)
    against: tuple[tuple[str, str, Callable[[], float], str], ...] = (
        (
            name,
            Server.CRYPTO_ONLY,
            lambda: sealed.measure(Server.CRYPTO_ONLY, request.seconds),
            _CRYPTO_ONLY_NOTE,
        ),
        (
            f"{name}-answers",
            Server.CRYPTO_ANSWERS,
            lambda: sealed.measure(Server.CRYPTO_ANSWERS, request.seconds),
            f"crypto-answers is crypto-only that seals no more than the gateway answers, {DATA_MIN_BYTES} "
            f"bytes of {SEALED_MOVE_BYTES}: the same cryptography on both sides.",
        ),
        (
            f"{name}-5tswap",
            "testpmd-5tswap",
            lambda: measure_testpmd(sealed.plan, "5tswap", request.seconds),
            "testpmd neither opens nor seals.",
        ),
    )
    for row, opponent, theirs, note in against:
        yield _sealed_row(row, sealed, opponent, theirs, request, limited=True, note=note)


def _unlimited_sealed_row(directory: Path, huge_pages: bool, request: Request) -> Row:
    from pyshim.bench.rig.sealed import prepare_sealed  # noqa: PLC0415

    name = f"session-{_SEALED_SESSIONS}-unlimited" + ("-huge" if huge_pages else "")
    sealed = prepare_sealed(directory, name, _SEALED_SESSIONS, huge_pages=huge_pages)
    return _sealed_row(
        name,
        sealed,
        Server.CRYPTO_ONLY,
        lambda: sealed.measure(Server.CRYPTO_ONLY, request.seconds),
        request,
        limited=False,
        note=f"{_UNLIMITED_NOTE} {_CRYPTO_ONLY_NOTE}",
    )


def _sealed_row(  # noqa: PLR0913 - what a row is made of
    name: str,
    sealed: SealedReplay,
    opponent: str,
    theirs: Callable[[], float],
    request: Request,
    *,
    limited: bool,
    note: str,
) -> Row:
    measured = request.compare(name, lambda: sealed.measure(Server.GATEWAY, request.seconds), theirs)
    details = {**sealed.details(), "limits": limited, "pages": request.option("pages", str)}
    return Row.of(name, measured, opponent, details=details, note=note)


def _row(directory: Path, kind: _Kind, huge_pages: bool, request: Request) -> Row:
    name = f"{kind.name}-huge" if huge_pages else kind.name
    capture = write_moves(directory / f"{name}.pcap", kind.sessions)
    setting = Setting(huge_pages=huge_pages, limits=NEVER_REACHED if kind.limited else UNLIMITED)
    gateway = prepare(directory, name, [capture], setting)
    measured = request.compare(
        name,
        lambda: gateway.measure(request.seconds),
        lambda: measure_testpmd(gateway.plan, kind.mode, request.seconds),
    )
    return Row.of(
        name,
        measured,
        f"testpmd-{kind.mode}",
        details={**gateway.details(), "limits": kind.limited, "pages": request.option("pages", str)},
        note=kind.note,
    )
