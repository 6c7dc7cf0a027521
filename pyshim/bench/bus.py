# SPDX-License-Identifier: BSD-3-Clause
"""`bench bus`: a ring of the game bus between two processes on two CPUs, beside what else there is.

Rows without `-rate` say how long a message takes one way, the median; those with it how many go in a second.
All ways are measured once in each pair, in slices of a second at most.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from pyshim.bench.description import Request
from pyshim.bench.pairs import Comparison
from pyshim.bench.reports.report import GATEWAY, Note, Row
from pyshim.bench.rig.bus_ways import Heard, compile_ways, iceoryx_daemon, run_iceoryx2, run_ways
from pyshim.bench.rig.placement import Placement, choose_placement
from pyshim.errors import InternalError, UnavailableError

SLICE_MAX_S = 1.0
OPPONENTS = ("line", "datagram", "iceoryx", "iceoryx2")
ONE_WAY = "ns"
RATE = "messages/s"
CPUS = "cpus"
SHARE_MIN = 0.9  # of a slice: who had less of its CPU shared it with others

Measured = Mapping[str, Heard]


@dataclass(frozen=True, slots=True)
class _Pairing:
    """A row: one way against another."""

    name: str
    ours: str
    theirs: str

    @property
    def is_rate(self) -> bool:
        return self.ours.endswith("-rate")


def _pairings() -> Iterator[_Pairing]:
    for size in (64, 1024):
        yield _Pairing(f"bus-{size}", f"bus-{size}", "line")
        for kind in ("", "-rate"):
            for other in OPPONENTS[1:]:
                yield _Pairing(f"bus-{size}{kind}-{other}", f"bus-{size}{kind}", f"{other}-{size}{kind}")
    yield _Pairing("bus-64-asleep", "bus-64-asleep", "datagram-64")


PAIRINGS = tuple(_pairings())


def bus(request: Request) -> Iterator[Row | Note]:
    """A row for each way that the ring can be compared with here.

    Raises:
        UnavailableError: there are not two CPUs, or there is no C compiler.
    """
    placement = choose_placement()
    if placement.shared:
        raise UnavailableError("two processes that talk need a CPU each; there is one for both")
    with TemporaryDirectory(prefix="pollgate-bench-") as name, ExitStack() as stack:
        slice_s = min(request.seconds, SLICE_MAX_S)
        program = yield from _program(Path(name), stack)
        measures = [lambda backwards: run_ways(program, placement, slice_s, backwards=backwards)]
        if find_spec("iceoryx2") is None:
            yield Note("Without iceoryx2: its wheel is not installed; pip install iceoryx2")
        else:
            measures.append(lambda _backwards: run_iceoryx2(placement, slice_s))
        pairs, complete = _measure(request, measures)
    yield from _rows(pairs, placement, slice_s, complete=complete)


def _program(directory: Path, stack: ExitStack) -> Generator[Note, None, Path]:
    """With classic iceoryx in it, if that can be had; its daemon runs then."""
    try:
        program = compile_ways(directory, with_iceoryx=True)
        stack.enter_context(iceoryx_daemon())
    except UnavailableError as problem:
        yield Note(f"Without iceoryx: {problem}; on Debian: apt-get install libiceoryx-binding-c-dev iceoryx")
        return compile_ways(directory, with_iceoryx=False)
    return program


def _measure(request: Request, measures: list[Callable[[bool], Measured]]) -> tuple[list[Measured], bool]:
    """What each pair found; False: an interrupt came after some of them."""
    pairs: list[Measured] = []
    try:
        for pair in range(request.pairs):
            backwards = pair % 2 == 1
            found: dict[str, Heard] = {}
            for measure in measures[:: -1 if backwards else 1]:
                found |= measure(backwards)
            pairs.append(_checked(found))
            request.progress(f"all ways: {pair + 1} of {request.pairs} pairs")
    except KeyboardInterrupt:
        if not pairs:
            raise
        return pairs, False
    return pairs, True


def _is_short_of_cpus(slices: list[Heard], pairing: _Pairing) -> bool:
    """A side that sleeps does without its CPU; one that spins and does without has been interrupted."""
    return pairing.ours != "bus-64-asleep" and min(each.share for each in slices) < SHARE_MIN


def _checked(found: Measured) -> Measured:
    """Not a rate of messages that never came."""
    for name, heard in found.items():
        if heard.said != heard.heard:
            raise InternalError(f"{name}: {heard.said:,} messages were said and {heard.heard:,} heard")
    return found


def _rows(pairs: list[Measured], placement: Placement, slice_s: float, *, complete: bool) -> Iterator[Row]:
    for pairing in PAIRINGS:
        if pairing.theirs not in pairs[0]:
            continue  # it was said
        ours = [found[pairing.ours] for found in pairs]
        theirs = [found[pairing.theirs] for found in pairs]
        yield Row.of(
            pairing.name,
            Comparison(
                tuple(each.value for each in ours), tuple(each.value for each in theirs), complete=complete
            ),
            pairing.theirs,
            unit=RATE if pairing.is_rate else ONE_WAY,
            limited_by=CPUS if _is_short_of_cpus(ours + theirs, pairing) else GATEWAY,
            details={
                "cpus": [placement.generator, placement.server],
                "seconds": slice_s,
                "messages": sum(each.heard for each in ours),
                "against_messages": sum(each.heard for each in theirs),
            },
            note="Both ends are Python." if "iceoryx2" in pairing.theirs else "",
        )
