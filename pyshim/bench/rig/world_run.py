# SPDX-License-Identifier: BSD-3-Clause
"""Starts a process in which one worker serves a whole world, and reads what it measured."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from pyshim.bench.rig.frames import GATE_ADDRESS, GATE_MAC, GATE_PORT
from pyshim.bench.rig.sealed_run import run_module
from pyshim.errors import UnavailableError
from pyshim.planner.worlds import least_jitter_ms
from pyshim.settings import defaults

RADIUS_M = 64
MARGIN_M = 64  # as WORLD_MARGIN_M: of the world around the square
IN_RADIUS = 40  # players, where they are spread
CROWD_SIDE_M = 64.0

_CONFIG = """\
eal: {{huge_pages: false, memory_mib: 96}}
ports:
  - name: game0
    device: "net_null0,no-rx=1"
    address: [{address}]
    mac: "{mac}"
listen: [{listen}]
worlds:
  - name: bench
    bounds: [[0, 0, -64], [{side}, {side}, 64]]
    quantum_m: 0.01
    tick_hz: {world.tick_hz}
    radius_m: {radius}
    leave_radius_m: 72
    neighbours: 32
    glimpses: {world.glimpses}
    budget_kbps: 256
    cell_m: {world.cell_m}
    max_speed_mps: 12
    movement: {{jitter_ms: {jitter_ms}}}
{combat}sessions: {{idle_timeout_s: 3600, capacity: {world.players}}}
delivery: {{messages_pps: {{move: 0}}}}
metrics: {{listen: null}}
"""

_SEALED = "{{port: {port}, profile: session, world: bench}}"
_PLAIN = "{{port: {port}, profile: plain, world: bench}}"

_COMBAT = """\
    combat: {reach_m: 64, rewind_ms: 500, interpolation_ms: 100}
"""


class Place(StrEnum):
    """Where players are; in the order of enum pg_bench_place."""

    SPREAD = "spread"
    TOWN = "town"
    CROWD = "crowd"


@dataclass(frozen=True, slots=True)
class World:
    """What is served."""

    players: int
    place: Place
    tick_hz: int = 60
    standing_percent: int = 0
    ordered: bool = False
    jitter: bool = False
    attack_per_mille: int = 0
    asked_per_tick: int = 0
    unsealed: bool = False
    plain: bool = False  # players of profile plain, who ask at each tick what they see
    times_as_fast: int = 1  # the core, by the worker's clock
    round_trip_ticks: int = 6
    round_trip_spread: int = 4
    lost_per_mille: int = 20
    glimpses: int = 12
    cell_m: int = 16
    seed: int = 1

    @property
    def side_m(self) -> float:
        """Of the square in which players walk."""
        if self.place == Place.CROWD:
            return CROWD_SIDE_M
        return math.sqrt(self.players * math.pi * RADIUS_M**2 / IN_RADIUS)


@dataclass(frozen=True, slots=True)
class WorldRun:
    """What one measurement showed; see struct pg_bench_world_run. Cycles are of a player in a tick."""

    cycles: float
    cycles_moves: float
    cycles_publish: float
    cycles_grid: float
    cycles_records: float
    cycles_look: float
    cycles_send: float
    cycles_tidy: float
    cycles_egress: float
    cycles_said: float
    cycles_asked: float
    step_moves_p99_s: float
    step_publish_p99_s: float
    step_grid_p99_s: float
    step_records_p99_s: float
    step_look_p99_s: float
    step_send_p99_s: float
    step_tidy_p99_s: float
    step_egress_p99_s: float
    step_said_p99_s: float
    step_asked_p99_s: float
    busy: float
    tick_p50_s: float
    tick_p99_s: float
    hold_p99_s: float
    hold_longest_s: float
    handling_p50_s: float
    handling_p99_s: float
    appears_p50_s: float
    appears_p99_s: float
    bytes_per_neighbour: float
    bits_per_s: float
    neighbours: float
    staleness_p50_s: float
    staleness_p99_s: float
    states: int
    fulls: int
    looks: int
    looks_capped: int
    left_out: int
    shed: int
    overruns: int
    checked: int
    wrong: int
    glimpses_checked: int
    glimpses_wrong: int
    malformed: int
    greatest_error: float
    sent: int
    taken: int
    judged: int
    found: int
    hz: float


def write_config(directory: Path, world: World) -> Path:
    """The configuration of a gateway with this world."""
    path = directory / "world.yaml"
    plain = [_PLAIN.format(port=GATE_PORT)] if world.plain else []  # a world has sessions beside them
    path.write_text(
        _CONFIG.format(
            address=GATE_ADDRESS,
            mac=GATE_MAC,
            listen=", ".join([*plain, _SEALED.format(port=GATE_PORT + len(plain))]),
            side=math.ceil(world.side_m) + 2 * MARGIN_M,
            radius=RADIUS_M,
            world=world,
            jitter_ms=max(defaults("WORLD")["jitter_ms"], least_jitter_ms(world.tick_hz)),
            combat=_COMBAT if world.attack_per_mille or world.asked_per_tick else "",
        )
    )
    return path


def measure_world(directory: Path, world: World, warm_ticks: int, ticks: int, readers: int = 16) -> WorldRun:
    """Serve a world for so many ticks, in a process of its own: EAL starts once in a process.

    Raises:
        UnavailableError: it does not run, or players saw what is not so.
    """
    config = write_config(directory, world)
    arguments = (str(config), str(warm_ticks), str(ticks), str(readers), json.dumps(asdict(world)))
    seconds = (warm_ticks + ticks) / world.tick_hz + world.players / 1000
    run = WorldRun(**run_module("pyshim.bench.rig.world_server", "a world", arguments, 10 * seconds + 60))
    if run.wrong or run.glimpses_wrong or run.malformed:
        raise UnavailableError(
            f"players saw what is not so: {run.wrong:,} of {run.checked:,} states, {run.glimpses_wrong:,} of "
            f"{run.glimpses_checked:,} glimpses, {run.malformed:,} that no gateway sends"
        )
    return run
