# SPDX-License-Identifier: BSD-3-Clause
"""Starts a process in which a world's interest and plain ways find who is near whom, in turn."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec

from pyshim.bench.rig.sealed_run import run_module
from pyshim.bench.rig.world_run import World
from pyshim.errors import UnavailableError

WAYS = ("brute", "grid", "tree")
_PAIR_S = 3.0  # at most, on a busy machine


@dataclass(frozen=True, slots=True)
class InterestRun:
    """What each way took of a CPU, pair by pair, in seconds of a tick; and whether they found the same.

    Attributes:
        in_turn: the world's own, as in every tick: an eighth of the players has its turn.
        everybody: the world's own, with a turn of everybody.
        brute: everybody beside everybody.
        grid: a grid that is made anew, and a query for each.
        tree: scipy's cKDTree, likewise; empty: it is not installed.
        missing: share of those who are among the nearest whom the world's interest does not show, with
            turns in every eighth tick; `missing_everybody`: in every tick.
    """

    in_turn: Sequence[float]
    everybody: Sequence[float]
    brute: Sequence[float]
    grid: Sequence[float]
    tree: Sequence[float]
    missing: float
    missing_everybody: float
    wrong: int
    differ: int


def measure_interest(world: World, pairs: int) -> InterestRun:
    """Let every way find who is near whom, so many times in turn.

    Raises:
        UnavailableError: it does not run, or a way found others than it should.
    """
    arguments = (str(pairs), json.dumps(asdict(world)))
    seconds = 60 + pairs * _PAIR_S * world.players / 10_000
    found = run_module("pyshim.bench.rig.interest_server", "interest", arguments, seconds)
    run = InterestRun(**found)
    if run.wrong or run.differ:
        raise UnavailableError(
            f"who is near whom: {run.differ:,} answers of plain ways differ, and {run.wrong:,} players "
            "are not seen who are nearer than a world's interest allows"
        )
    return run


def has_tree() -> bool:
    """Is scipy installed?"""
    return find_spec("scipy") is not None
