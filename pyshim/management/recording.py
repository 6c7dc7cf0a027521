# SPDX-License-Identifier: BSD-3-Clause
"""The recording of the worlds, written when the control API is asked for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pyshim.errors import UnavailableError
from pyshim.management.answers import numbers, refusal
from pyshim.management.refusals import telling
from pyshim.recording.files import Saved

PATH = "/v1/recording"
_WHY = "the control API was asked"


def recording_routes(save: Callable[[str], Saved]) -> list[Route]:
    """The requests; each calls `save` from a thread."""
    return [Route(PATH, _Handlers(save).write, methods=["POST"])]


class _Handlers:
    def __init__(self, save: Callable[[str], Saved]) -> None:
        self._save = save

    @telling
    async def write(self, request: Request) -> Response:
        numbers(request, {})
        try:
            saved = await asyncio.to_thread(self._save, _WHY)
        except UnavailableError as problem:
            return refusal(503, str(problem))
        return JSONResponse(
            {
                "path": str(saved.path),
                "bytes": saved.size_bytes,
                "sha256": saved.sha256,
                "took": round(saved.took_s, 3),
            },
            201,
        )
