# SPDX-License-Identifier: BSD-3-Clause
"""What the control API tells of game processes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pyshim.management.answers import numbers
from pyshim.management.refusals import telling
from pyshim.stats import GameProcess, Instance, Snapshot, count

PATH = "/v1/game"
_COUNTS = {"delivered": "delivered", "lost": "lost", "orders": "orders", "orders_refused": "refused"}


def game_routes(source: Callable[[], Snapshot]) -> list[Route]:
    """The requests; each calls `source` from a thread."""
    return [Route(PATH, _Handlers(source).list, methods=["GET"])]


class _Handlers:
    def __init__(self, source: Callable[[], Snapshot]) -> None:
        self._source = source

    @telling
    async def list(self, request: Request) -> Response:
        numbers(request, {})
        told = _describe(await asyncio.to_thread(self._source))
        return JSONResponse(told, headers={"cache-control": "no-store"})


def _describe(snapshot: Snapshot) -> dict[str, Any]:
    """All processes as the API tells them."""
    if snapshot.game is None:
        return {"ring_bytes": 0, "processes": []}
    counted = {one.name: one for one in snapshot.instances.get("PROCESS_COUNT", ())}
    processes = [
        {
            **_process(process, counted.get(process.name)),
            "posts_from": {
                writer: posts for (writer, to), posts in snapshot.game.posts.items() if to == process.name
            },
        }
        for process in snapshot.game.processes
    ]
    return {"ring_bytes": snapshot.game.ring_bytes, "processes": processes}


def _process(process: GameProcess, counts: Instance | None) -> dict[str, Any]:
    since = datetime.fromtimestamp(process.since_s, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return {
        "name": process.name,
        "state": process.state,
        "pid": process.pid or None,
        "since": since if process.since_s else None,
        "routed": process.routed,
        "pages": process.pages or None,
        "unread_bytes": list(process.backlog),
        **{told: None if counts is None else count(counts, name) for told, name in _COUNTS.items()},
    }
