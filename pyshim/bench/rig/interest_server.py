# SPDX-License-Identifier: BSD-3-Clause
"""A process in which every way finds who is near whom among players who walk.

Run as `python -m pyshim.bench.rig.interest_server PAIRS WORLD`, the last a `World` as JSON; prints one line:
an `InterestRun` as JSON.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from pyshim.bench.rig.interest_run import InterestRun, has_tree
from pyshim.bench.rig.world_run import RADIUS_M, Place, World
from pyshim.dataplane import check, new_error
from pyshim.errors import PollgateError

from pyshim._native._pollgate import ffi, lib  # isort: skip

TURN_TICKS = 8  # until everybody had a turn
_SETTLE_TICKS = 300  # until ranks are by place, which is after four seconds, and everybody has looked
_QUANTA_PER_M = 100
_NS = 1e9


class Rivals:
    """Players who walk, and who of them is near whom."""

    def __init__(self, world: World) -> None:
        """Let players come, and walk for a while."""
        native = {
            "players": world.players,
            "place": list(Place).index(Place(world.place)),
            "side_m": world.side_m,
            "tick_hz": world.tick_hz,
            "cell_m": world.cell_m,
            "seed": world.seed,
        }
        self._players = world.players
        error = new_error()
        self._native: Any = lib.pg_bench_interest_open(
            ffi.new("struct pg_bench_interest_plan *", native), error
        )
        if self._native == ffi.NULL:
            check(lib.PG_ERROR_MEMORY, error)
        self._grid_ns: Any = ffi.new("uint64_t *")
        self.exact = self._new_answer()
        for _ in range(_SETTLE_TICKS):
            self.turns()
        self.everybody()

    def close(self) -> None:
        """Give the memory back."""
        lib.pg_bench_interest_close(self._native)

    def _new_answer(self) -> Any:
        return ffi.new("uint32_t[]", self._players * lib.PG_BENCH_NEIGHBOURS)

    def turns(self) -> float:
        """A tick passes; seconds of what a world does in it."""
        lib.pg_bench_interest_walk(self._native)
        return float(lib.pg_bench_interest_turns(self._native, self._grid_ns)) / _NS

    def everybody(self) -> float:
        """A turn of everybody, with the tick's grid."""
        nanoseconds = lib.pg_bench_interest_all(self._native) + self._grid_ns[0]
        return float(nanoseconds) / _NS

    def brute(self) -> float:
        """Everybody beside everybody: what is right."""
        return float(lib.pg_bench_interest_brute(self._native, self.exact)) / _NS

    def grid(self) -> tuple[float, Any]:
        """A grid made anew."""
        answer = self._new_answer()
        return float(lib.pg_bench_interest_grid(self._native, answer)) / _NS, answer

    def tree(self) -> tuple[float, Any]:
        """A k-d tree made anew, as it is made fastest, in one thread."""
        numpy, spatial = (importlib.import_module(name) for name in ("numpy", "scipy.spatial"))
        places = numpy.empty((self._players, 3))
        lib.pg_bench_interest_places(self._native, ffi.from_buffer("double[]", places))
        most = lib.PG_BENCH_NEIGHBOURS + 1  # with oneself
        begun = time.thread_time()
        tree = spatial.cKDTree(places, balanced_tree=False, compact_nodes=False)
        _, found = tree.query(places, k=most, distance_upper_bound=RADIUS_M * _QUANTA_PER_M)
        seconds = time.thread_time() - begun
        others = found[:, 1:].astype(numpy.uint32)
        for row in numpy.nonzero(found[:, 0] != numpy.arange(self._players))[0]:  # in one point with another
            others[row] = [who for who in found[row] if who != row][: most - 1]
        others = numpy.where(others == self._players, 2**32 - 1, others).astype(numpy.uint32)
        return seconds, ffi.from_buffer("uint32_t[]", numpy.ascontiguousarray(others), require_writable=False)

    def differ(self, answer: Any) -> int:
        """Players of whom this says other than brute force."""
        return int(lib.pg_bench_interest_differ(self._native, self.exact, answer))

    def missing(self, *, everybody: bool) -> Any:
        """Who is not shown by the world's interest."""
        found: Any = ffi.new("struct pg_bench_interest_check *")
        lib.pg_bench_interest_check(self._native, everybody, self.exact, found)
        return found


class Measured:
    """All pairs so far."""

    def __init__(self) -> None:
        """None yet."""
        self.seconds: dict[str, list[float]] = {
            name: [] for name in ("in_turn", "everybody", "brute", "grid", "tree")
        }
        self.differ = self.wrong = 0
        self.missing: dict[bool, list[float]] = {False: [], True: []}
        self._answers: list[Any] = []  # of a pair

    def take(self, rivals: Rivals, *, backwards: bool) -> None:
        """Measure a pair: eight ticks of the world's, and every other way for one of them."""
        ticks = [rivals.turns() for _ in range(TURN_TICKS - 1)]
        rivals.everybody()  # so that everybody had a turn in the tick before
        ticks.append(rivals.turns())
        self.seconds["in_turn"].append(sum(ticks) / TURN_TICKS)
        ways: list[Callable[[Rivals], None]] = [self._everybody, self._brute, self._grid, self._tree]
        for way in reversed(ways) if backwards else ways:
            way(rivals)
        self.differ += sum(rivals.differ(answer) for answer in self._answers)
        self._answers.clear()
        for everybody, missing in self.missing.items():
            found = rivals.missing(everybody=everybody)
            missing.append(found.missing / max(found.nearest, 1))
            self.wrong += found.wrong

    def _everybody(self, rivals: Rivals) -> None:
        self.seconds["everybody"].append(rivals.everybody())

    def _brute(self, rivals: Rivals) -> None:
        self.seconds["brute"].append(rivals.brute())

    def _grid(self, rivals: Rivals) -> None:
        self._answered("grid", *rivals.grid())

    def _tree(self, rivals: Rivals) -> None:
        if has_tree():
            self._answered("tree", *rivals.tree())

    def _answered(self, name: str, seconds: float, answer: Any) -> None:
        self.seconds[name].append(seconds)
        self._answers.append(answer)


def main(arguments: Sequence[str]) -> None:
    """Measure so many pairs.

    Raises:
        PollgateError: there is no memory.
    """
    pairs, served = arguments
    rivals = Rivals(World(**json.loads(served)))
    measured = Measured()
    for pair in range(int(pairs)):
        measured.take(rivals, backwards=pair % 2 == 1)
    rivals.close()
    missing = {everybody: sum(shares) / len(shares) for everybody, shares in measured.missing.items()}
    run = InterestRun(
        **{name: tuple(seconds) for name, seconds in measured.seconds.items()},
        missing=missing[False],
        missing_everybody=missing[True],
        wrong=measured.wrong,
        differ=measured.differ,
    )
    print(json.dumps(dataclasses.asdict(run)))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except PollgateError as problem:
        sys.exit(str(problem))
