# SPDX-License-Identifier: BSD-3-Clause
"""What the control API tells of game processes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pyshim.management.answers import numbers
from pyshim.management.refusals import telling
from pyshim.stats import GameFigures, GameProcess

PATH = "/v1/game"


def game_routes(game: Callable[[], GameFigures | None]) -> list[Route]:
    """The requests; `game` is asked by each."""
    return [Route(PATH, _Handlers(game).list, methods=["GET"])]


class _Handlers:
    def __init__(self, game: Callable[[], GameFigures | None]) -> None:
        self._game = game

    @telling
    async def list(self, request: Request) -> Response:
        numbers(request, {})
        figures = self._game()
        processes = [_describe(process) for process in figures.processes] if figures else []
        return JSONResponse({"processes": processes}, headers={"cache-control": "no-store"})


def _describe(process: GameProcess) -> dict[str, Any]:
    """A process as the API tells it."""
    since = datetime.fromtimestamp(process.since_s, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return {
        "name": process.name,
        "state": process.state,
        "pid": process.pid or None,
        "since": since if process.since_s else None,
    }
