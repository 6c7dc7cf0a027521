# SPDX-License-Identifier: BSD-3-Clause
"""`bench sessions-sealed`: what players of profile session cost on kernel sockets, and what others cost.

A row's figure is CPU time of the server's process per message that it answered, but for those of connecting,
which say how many players connect in a second of the server's CPU time.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pyshim.bench.description import Request
from pyshim.bench.reports.report import GATEWAY, Note, Row
from pyshim.bench.rig.placement import Placement, choose_placement
from pyshim.bench.rig.ports import free_port
from pyshim.errors import UnavailableError

if TYPE_CHECKING:
    from pyshim.bench.rig.sealed_contest import Contestant, Crowded, Pace, Served

STEADY_PPS = 10_000
WINDOW = 64
PLAYERS = 500
NETCODE_PLAYERS = 256  # its reference implementation has no more
STORMS = (("enet", 1_000), ("enet", 5_000), ("netcode", NETCODE_PLAYERS))
ENET_PLAYERS = 4_000
PARTS = ("contest", "connecting", "crowds")
CONNECTED = (1_000, 10_000, 100_000, 1_000_000)
CONNECTED_MAX = 1_000_000
COST = "ns/message"
RATE = "connections/CPU-second"

GENERATOR = "generator"
CPUS = "cpus"


def sessions_sealed(request: Request) -> Iterator[Row | Note]:
    """The rows of the contest, then of connecting, then of crowds.

    Raises:
        PollgateError: the gateway does not run here, or there is no C compiler.
    """
    placement = choose_placement()
    if placement.shared:
        yield Note(placement.note)
    steps = {"contest": _contest, "connecting": _storms, "crowds": _crowds}
    with TemporaryDirectory(prefix="pollgate-bench-") as name:
        directory = Path(name)
        others = yield from _compiled(request, directory)
        for part in request.option("parts", tuple):
            yield from steps[part](request, directory, placement, others)


def _compiled(request: Request, directory: Path) -> Generator[Note, None, dict[str, Path]]:
    """The programs of those who can be compiled here."""
    # Loads the data plane, which the benchmarks' other commands can do without.
    from pyshim.bench.rig.sealed_contest import compile_opponents  # noqa: PLC0415

    programs = {"echo": compile_opponents(directory, "echo")}
    try:
        programs["enet"] = compile_opponents(directory, "enet")
    except UnavailableError as problem:
        yield Note(f"Without ENet: {problem}; on Debian: apt-get install libenet-dev")
    netcode = request.option("netcode", Path)
    if netcode == Path():
        yield Note("Without netcode: give its reference implementation's source with --netcode DIRECTORY.")
    else:
        programs["netcode"] = compile_opponents(directory, "netcode", netcode)
    return programs


# ---------------------------------------------------------------- beside others


def _contest(
    request: Request, directory: Path, placement: Placement, programs: dict[str, Path]
) -> Iterator[Row | Note]:
    many = {name: program for name, program in programs.items() if name != "netcode"}
    yield from _contest_of(request, directory, placement, many, PLAYERS)
    if "netcode" in programs:
        yield from _contest_of(
            request, directory, placement, {"netcode": programs["netcode"]}, NETCODE_PLAYERS
        )


def _contest_of(
    request: Request, directory: Path, placement: Placement, programs: dict[str, Path], players: int
) -> Iterator[Row]:
    from pyshim.bench.rig.sealed_contest import Opponent, Pace, crowded  # noqa: PLC0415

    paces = {"steady": Pace(rate_pps=STEADY_PPS), "full": Pace(window=WINDOW)}
    with ExitStack() as stack:
        engines: dict[str, Contestant] = {
            engine: stack.enter_context(crowded(directory, engine, 0, players, free_port(), placement))
            for engine in request.option("engines", tuple)
        }
        others: dict[str, Contestant] = {
            name: stack.enter_context(Opponent(program, name, players, free_port(), placement))
            for name, program in programs.items()
        }
        for pace_name, pace in paces.items():
            for engine, gateway in engines.items():
                for other, opponent in others.items():
                    name = f"{pace_name}-{engine}-{other}"
                    yield _against(request, name, gateway, (other, opponent), pace, placement, players)


def _against(  # noqa: PLR0913, PLR0917 - two contestants, and how they are measured
    request: Request,
    name: str,
    gateway: Contestant,
    other: tuple[str, Contestant],
    pace: Pace,
    placement: Placement,
    players: int,
) -> Row:
    limits: list[str] = []

    def ours() -> float:
        served = gateway.serve(pace, request.seconds)
        limits.extend(served.why_generator)
        return served.ns_per_message

    measured = request.compare(name, ours, lambda: other[1].serve(pace, request.seconds).ns_per_message)
    return Row.of(
        name,
        measured,
        other[0],
        unit=COST,
        limited_by=CPUS if placement.shared else GATEWAY,
        details={
            "device": "kernel UDP socket, loopback",
            "players": players,
            "rate_pps": pace.rate_pps,
            "window": pace.window,
            "pairs": len(measured.ours),
            "seconds": request.seconds,
            "generator_limits": sorted(set(limits)),
        },
    )


# ---------------------------------------------------------------- connecting


def _storms(
    request: Request, directory: Path, placement: Placement, programs: dict[str, Path]
) -> Iterator[Row | Note]:
    from pyshim.bench.rig.sealed_contest import Opponent, crowded  # noqa: PLC0415

    for other, players in STORMS:
        if other not in programs:
            continue  # it was said
        times: list[float] = []
        try:
            with (
                crowded(directory, "epoll", 0, players, free_port(), placement) as gateway,
                Opponent(
                    programs[other], other, min(players, ENET_PLAYERS), free_port(), placement
                ) as opponent,
            ):
                measured = request.compare(
                    f"connect-{players}",
                    _connecting(gateway, times),
                    lambda opponent=opponent: _per_s(opponent.connect()),  # type: ignore[misc]
                )
        except (
            UnavailableError
        ) as problem:  # one of so many players of the other is now and then never let in
            yield Note(f"connect-{players} was left out: {problem}")
            continue
        yield Row.of(
            f"connect-{players}",
            measured,
            other,
            unit=RATE,
            limited_by=CPUS if placement.shared else GATEWAY,
            details={
                "device": "kernel UDP socket, loopback",
                "players": players,
                "against_players": min(players, ENET_PLAYERS),
                "storm_s": median(times),
                "storm_max_s": max(times),
                "pairs": len(measured.ours),
                "seconds": request.seconds,
            },
            note="All connect anew at once; storm_s is how long it takes until the last is connected.",
        )


def _connecting(gateway: Crowded, times: list[float]) -> Callable[[], float]:
    def connect() -> float:
        served = gateway.connect()
        times.append(gateway.connect_s)
        return _per_s(served)

    return connect


def _per_s(served: Served) -> float:
    return served.answered / served.cpu_s if served.cpu_s > 0 else 0.0


# ---------------------------------------------------------------- crowds


def _crowds(
    request: Request, directory: Path, placement: Placement, _programs: dict[str, Path]
) -> Iterator[Row | Note]:
    from pyshim.bench.rig.sealed_contest import Pace, crowded  # noqa: PLC0415

    pace = Pace(rate_pps=STEADY_PPS)
    numbers: tuple[int, ...] = request.option("connected", tuple)
    for number in numbers:
        with (
            crowded(directory, "epoll", number, PLAYERS, free_port(), placement) as many,
            crowded(directory, "epoll", CONNECTED[0], PLAYERS, free_port(), placement) as few,
        ):
            measured = request.compare(
                f"connected-{number}",
                lambda many=many: many.serve(pace, request.seconds).ns_per_message,  # type: ignore[misc]
                lambda few=few: few.serve(pace, request.seconds).ns_per_message,  # type: ignore[misc]
            )
            more = number - CONNECTED[0]
            memory_bytes_each = (many.memory_bytes - few.memory_bytes) / more if more > 0 else None
        yield Row.of(
            f"connected-{number}",
            measured,
            f"connected-{CONNECTED[0]}",
            unit=COST,
            limited_by=CPUS if placement.shared else GATEWAY,
            details={
                "device": "kernel UDP socket, loopback",
                "sessions": number,
                "players": PLAYERS,
                "rate_pps": STEADY_PPS,
                "bytes_per_player": memory_bytes_each,
                "pairs": len(measured.ours),
                "seconds": request.seconds,
            },
        )
