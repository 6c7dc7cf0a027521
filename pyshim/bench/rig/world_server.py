# SPDX-License-Identifier: BSD-3-Clause
"""A process in which one worker serves a world whose players it makes up itself.

Run as `python -m pyshim.bench.rig.world_server CONFIG WARM TICKS READERS WORLD`, the last a `World` as JSON;
prints one line of JSON.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pyshim.bench.rig.sealed_native import connect_all, issue_all, know_limits
from pyshim.bench.rig.world_run import Place, World, WorldRun
from pyshim.config import load_config
from pyshim.dataplane import Gateway, PageNames, StatsPage, check, new_error, new_state, tsc_hz
from pyshim.errors import PollgateError
from pyshim.host import gather
from pyshim.planner import plan

from pyshim._native._pollgate import ffi, lib  # isort: skip


def main(arguments: Sequence[str]) -> None:
    """Measure once.

    Raises:
        PollgateError: the gateway cannot be opened.
    """
    config, warm_ticks, ticks, readers, served = arguments
    world = World(**json.loads(served))
    loaded = load_config(Path(config))
    decided = plan(loaded, gather(loaded))
    state = new_state(decided)
    if not world.plain:
        connect_all(state, issue_all(state, world.players))
    page = StatsPage.create(len(decided.workers), PageNames.of(decided))
    gateway = Gateway(decided, page, state)
    know_limits(gateway)
    native: Any = ffi.new(
        "struct pg_bench_world_plan *",
        {
            "players": world.players,
            "place": list(Place).index(Place(world.place)),
            "side_m": world.side_m,
            "standing_percent": world.standing_percent,
            "ordered": world.ordered,
            "jitter": world.jitter,
            "attack_per_mille": world.attack_per_mille,
            "asked_per_tick": world.asked_per_tick,
            "unsealed": world.unsealed,
            "plain": world.plain,
            "times_as_fast": world.times_as_fast,
            "round_trip_ticks": world.round_trip_ticks,
            "round_trip_spread": world.round_trip_spread,
            "lost_per_mille": world.lost_per_mille,
            "readers": int(readers),
            "warm_ticks": int(warm_ticks),
            "ticks": int(ticks),
            "seed": world.seed,
        },
    )
    run: Any = ffi.new("struct pg_bench_world_run *")
    error = new_error()
    check(lib.pg_bench_world(gateway.native, gateway.state, native, run, error), error)
    gateway.close()
    told = {name: getattr(run, name) for name in WorldRun.__dataclass_fields__ if name != "hz"}
    print(json.dumps(dataclasses.asdict(WorldRun(**told, hz=tsc_hz()))))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except PollgateError as problem:
        sys.exit(str(problem))  # its last line is what the benchmark tells
