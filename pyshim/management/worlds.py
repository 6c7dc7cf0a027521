# SPDX-License-Identifier: BSD-3-Clause
"""Worlds as the control API shows them: how many are where, whom a player sees, and what it costs."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pyshim.looks import Look, LookQueue, LookResult, Shown
from pyshim.management.answers import numbers, refusal
from pyshim.management.refusals import telling
from pyshim.metrics.family import per_bucket
from pyshim.plan import WorldPlan
from pyshim.sessions import NUMBERS
from pyshim.stats import Count, Histogram, Snapshot
from pyshim.velocities import velocity_parts

PATH = "/v1/world"
ANSWER_LIMIT_S = 5.0  # of the worker process
CELLS = range(1, 257)  # along the longer side of a world
CELLS_DEFAULT = 64
QUERY = {"player": NUMBERS, "cells": CELLS}

_MICROMETRES = 1_000_000
_NO_STORE = {"cache-control": "no-store"}


@dataclass(frozen=True, slots=True)
class WorldsAsked:
    """What is needed to show them; `figures` is called from a thread."""

    plans: tuple[WorldPlan, ...]
    queue: LookQueue
    figures: Callable[[], Snapshot]


def world_routes(worlds: WorldsAsked) -> list[Route]:
    """The requests."""
    handlers = _Handlers(worlds)
    return [
        Route(PATH, handlers.list, methods=["GET"]),
        Route(PATH + "/{name}", handlers.show, methods=["GET"]),
    ]


class _Handlers:
    def __init__(self, worlds: WorldsAsked) -> None:
        self._worlds = worlds

    @telling
    async def list(self, request: Request) -> Response:
        numbers(request, {})
        snapshot = await asyncio.to_thread(self._worlds.figures)
        told = [Scale(plan).described() | _figures(snapshot, plan.name) for plan in self._worlds.plans]
        return JSONResponse({"worlds": told}, headers=_NO_STORE)

    @telling
    async def show(self, request: Request) -> Response:
        wanted = numbers(request, QUERY)
        name = str(request.path_params["name"])
        index = next((at for at, plan in enumerate(self._worlds.plans) if plan.name == name), None)
        if index is None:
            names = ", ".join(plan.name for plan in self._worlds.plans)
            return refusal(404, f"there is no world {name[:40]}; there are: {names}")
        player_id = wanted.get("player", 0)
        result = await self._look(Look(index, player_id))
        if result.problem:
            return refusal(503, result.problem)
        if player_id and result.seen is None:
            return refusal(404, f"player {player_id} is nowhere in world {name}")
        return JSONResponse(await asyncio.to_thread(self._shown, index, result, wanted), headers=_NO_STORE)

    def _shown(self, index: int, result: LookResult, wanted: dict[str, int]) -> dict[str, Any]:
        plan = self._worlds.plans[index]
        scale = Scale(plan)
        entities = list(result.shown())
        told = scale.described() | _figures(self._worlds.figures(), plan.name)
        told |= {
            "tick": result.tick,
            "shown": len(entities),
            "heat": heat(entities, scale, wanted.get("cells", CELLS_DEFAULT)),
        }
        if player_id := wanted.get("player", 0):
            told["player"] = sight(entities, scale, player_id, result.seen or ())
        return told

    async def _look(self, look: Look) -> LookResult:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[LookResult] = loop.create_future()

        def settle(result: LookResult) -> None:
            if not future.done():
                future.set_result(result)

        def answer(result: LookResult) -> None:
            with contextlib.suppress(RuntimeError):  # the server has ended meanwhile
                loop.call_soon_threadsafe(settle, result)

        self._worlds.queue.send(look, answer)
        try:
            return await asyncio.wait_for(future, ANSWER_LIMIT_S)
        except TimeoutError:
            return LookResult(f"the worker process did not answer within {ANSWER_LIMIT_S:g} s")


class Scale:
    """What numbers of a world mean."""

    def __init__(self, plan: WorldPlan) -> None:
        """Of this world."""
        self._plan = plan
        self.quantum_m = plan.others["quantum_um"] / _MICROMETRES
        self.tick_hz = plan.others["tick_hz"]
        self.low_m = tuple(one / _MICROMETRES for one in plan.low_um)
        self.high_m = tuple(one / _MICROMETRES for one in plan.high_um)

    def described(self) -> dict[str, Any]:
        """What of it is configured."""
        others = self._plan.others
        return {
            "name": self._plan.name,
            "bounds_m": [self.low_m, self.high_m],
            "tick_hz": self.tick_hz,
            "radius_m": others["radius_um"] / _MICROMETRES,
            "leave_radius_m": others["leave_radius_um"] / _MICROMETRES,
            "neighbours": others["neighbours"],
        }

    def metres(self, position: Sequence[int]) -> list[float]:
        """A place."""
        pairs = zip(self.low_m, position, strict=True)
        return [round(low + at * self.quantum_m, 4) for low, at in pairs]

    def metres_per_second(self, velocity: Sequence[int]) -> list[float]:
        """A velocity."""
        per_unit = self.quantum_m / velocity_parts(self.tick_hz) * self.tick_hz
        return [round(one * per_unit, 4) for one in velocity]


def heat(entities: Sequence[Shown], scale: Scale, cells: int) -> dict[str, Any]:
    """How many are in which square of the ground; squares with nobody are left out."""
    (low_x, low_y, _), (high_x, high_y, _) = scale.low_m, scale.high_m
    cell_m = max(high_x - low_x, high_y - low_y) / cells
    per_cell = scale.quantum_m / cell_m
    counted = Counter((int(one.position[0] * per_cell), int(one.position[1] * per_cell)) for one in entities)
    return {"cell_m": cell_m, "cells": [[x, y, count] for (x, y), count in sorted(counted.items())]}


def sight(entities: Sequence[Shown], scale: Scale, player_id: int, seen: Sequence[int]) -> dict[str, Any]:
    """Where a player is, and whom it sees, the nearest first."""
    player = next((one for one in entities if one.is_player and one.identity == player_id), None)
    if player is None:  # it came after the frame
        return {"player_id": player_id, "position": None, "velocity": None, "state": "", "sees": []}
    by_number = {one.number: one for one in entities}
    return {
        "player_id": player_id,
        "position": scale.metres(player.position),
        "velocity": scale.metres_per_second(player.velocity),
        "state": player.state.hex(),
        "sees": sorted(_neighbours(player, by_number, scale, seen), key=lambda one: float(one["distance_m"])),
    }


def _neighbours(
    player: Shown, by_number: dict[int, Shown], scale: Scale, seen: Sequence[int]
) -> Iterator[dict[str, Any]]:
    for number in seen:
        one = by_number.get(number)
        if one is None:  # it has left since the frame
            continue
        yield {
            "identity": one.identity,
            "player": one.is_player,
            "position": scale.metres(one.position),
            "state": one.state.hex(),
            "distance_m": round(math.dist(one.position, player.position) * scale.quantum_m, 3),
        }


def _figures(snapshot: Snapshot, name: str) -> dict[str, Any]:
    """What is counted of a world, of all workers, by the name of the count."""
    counted = next((one for one in snapshot.instances.get("WORLD_COUNT", ()) if one.name == name), None)
    others = {} if counted is None else counted.others
    return {"counted": {name: _as_json(count) for name, count in others.items()}}


def _as_json(count: Count) -> int | Mapping[str, int]:
    """Of a histogram, how many are in each bucket, by its upper bound: not cumulative."""
    return per_bucket(count) if isinstance(count, Histogram) else count
