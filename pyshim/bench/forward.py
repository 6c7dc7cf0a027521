# SPDX-License-Identifier: BSD-3-Clause
"""`bench forward`: MOVE → acknowledgement with everything on, against testpmd on the same device.

The session profile also against what its cryptography alone costs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from pyshim.bench.description import Request
from pyshim.bench.reports.report import Row
from pyshim.bench.rig.frames import write_moves
from pyshim.bench.rig.replay import Setting, prepare
from pyshim.bench.rig.sealed_run import Side
from pyshim.bench.rig.testpmd import measure_testpmd, testpmd_path


@dataclass(frozen=True, slots=True)
class _Kind:
    name: str
    sessions: int
    mode: str  # of testpmd
    note: str = ""


_KINDS = (
    _Kind("plain-512", 512, "5tswap"),
    _Kind("plain-10000", 10_000, "5tswap"),
    _Kind(
        "plain-512-rxonly",
        512,
        "rxonly",
        "testpmd's rxonly looks at no packet and sends none: an upper bound of what the device gives, "
        "which nothing that answers can reach.",
    ),
)

_SEALED_SESSIONS = 10_000


def forward(request: Request) -> Iterator[Row]:
    """The rows, each measured when it is asked for.

    Raises:
        PollgateError: testpmd is missing, or one of the two does not run here.
    """
    testpmd_path()
    pages = request.option("pages", str)
    with TemporaryDirectory(prefix="pollgate-bench-") as directory:
        for huge_pages in {"ordinary": (False,), "huge": (True,), "both": (False, True)}[pages]:
            for kind in _KINDS:
                yield _row(Path(directory), kind, huge_pages, request)
            yield from _sealed_rows(Path(directory), huge_pages, request)


def _sealed_rows(directory: Path, huge_pages: bool, request: Request) -> Iterator[Row]:
    """Sealed MOVEs of 10,000 sessions: against the cryptography alone, and testpmd without any."""
    # Loads DPDK, which the benchmarks' other commands can do without.
    from pyshim.bench.rig.sealed import prepare_sealed  # noqa: PLC0415

    name = f"session-{_SEALED_SESSIONS}" + ("-huge" if huge_pages else "")
    sealed = prepare_sealed(directory, name, _SEALED_SESSIONS, huge_pages=huge_pages)
    against: tuple[tuple[str, str, Callable[[], float], str], ...] = (
        (
            name,
            Side.CRYPTO_ONLY,
            lambda: sealed.measure(Side.CRYPTO_ONLY, request.seconds),
            "crypto-only receives, opens, seals and sends the same frames on the same device with the same "
            "keys and library, burst by burst with its keys prefetched, and does nothing else.",
        ),
        (
            f"{name}-answers",
            Side.CRYPTO_ANSWERS,
            lambda: sealed.measure(Side.CRYPTO_ANSWERS, request.seconds),
            "crypto-answers is crypto-only that seals no more than the gateway answers, 36 bytes of 64: the "
            "same cryptography on both sides.",
        ),
        (
            f"{name}-5tswap",
            "testpmd-5tswap",
            lambda: measure_testpmd(sealed.plan, "5tswap", request.seconds),
            "testpmd neither opens nor seals.",
        ),
    )
    for row, opponent, theirs, note in against:
        measured = request.compare(row, lambda: sealed.measure(Side.GATEWAY, request.seconds), theirs)
        details = {**sealed.details(), "pages": request.option("pages", str)}
        yield Row.of(row, measured, opponent, details=details, note=note)


def _row(directory: Path, kind: _Kind, huge_pages: bool, request: Request) -> Row:
    name = f"{kind.name}-huge" if huge_pages else kind.name
    capture = write_moves(directory / f"{name}.pcap", kind.sessions)
    gateway = prepare(directory, name, [capture], Setting(huge_pages=huge_pages))
    measured = request.compare(
        name,
        lambda: gateway.measure(request.seconds),
        lambda: measure_testpmd(gateway.plan, kind.mode, request.seconds),
    )
    return Row.of(
        name,
        measured,
        f"testpmd-{kind.mode}",
        details={**gateway.details(), "pages": request.option("pages", str)},
        note=kind.note,
    )
