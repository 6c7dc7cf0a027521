# SPDX-License-Identifier: BSD-3-Clause
"""The one ASGI application of the management server, without the bounds around it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from pyshim.management.answers import failure, http_error
from pyshim.management.figures import PATHS, Figures
from pyshim.management.game import game_routes
from pyshim.management.netcode import netcode_routes
from pyshim.management.openapi import openapi
from pyshim.management.recording import recording_routes
from pyshim.management.sessions import Gateway, routes
from pyshim.management.worlds import world_routes

# Where that is, is not told to everybody.
_OF_CONTROL = (
    "not found; the control API is at the control socket, control.listen, which the log names at the start "
    '("sessions are issued at")'
)


def make_app(figures: Figures, gateway: Gateway | None) -> ASGIApp:
    """Every request: figures, and if there is a gateway that issues sessions, these."""
    app = Starlette(
        routes=[
            *figures.routes(),
            *_for_players(gateway),
            Route("/v1/openapi.json", _openapi_of(gateway), methods=["GET"]),
        ],
        exception_handlers={HTTPException: http_error, Exception: failure},
    )
    # A path has one spelling, at either address; a redirect would lead to whatever Host the client named.
    app.router.redirect_slashes = False
    return app


def _for_players(gateway: Gateway | None) -> Iterator[Route]:
    if gateway is not None:
        yield from routes(gateway)
        if gateway.tokens is not None:
            yield from netcode_routes(gateway.tokens)
        if gateway.game is not None:
            yield from game_routes(gateway.game)
        if gateway.worlds is not None:
            yield from world_routes(gateway.worlds)
        if gateway.record is not None:
            yield from recording_routes(gateway.record)


class Open:
    """What of the application everybody may see: figures, which nobody can change."""

    def __init__(self, inside: ASGIApp) -> None:
        """Let through to it."""
        self._inside = inside

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if answer := self._refusal(scope):
            await answer(scope, receive, send)
        else:
            await self._inside(scope, receive, send)

    @staticmethod
    def _refusal(scope: Scope) -> Response | None:
        headers = {"cache-control": "no-store"}
        if scope["method"] not in {"GET", "HEAD"}:
            allow = headers | {"allow": "GET, HEAD"}
            return PlainTextResponse("only GET and HEAD are served here\n", 405, allow)
        if scope["path"] not in PATHS:
            *most, last = PATHS
            served = f"{', '.join(most)} and {last} are served here"
            what = _OF_CONTROL if scope["path"].startswith("/v1/") else "not found"
            return PlainTextResponse(f"{what}; {served}\n", 404, headers)
        return None


def _openapi_of(gateway: Gateway | None) -> Callable[[Request], Awaitable[Response]]:
    sessions = gateway is not None and gateway.address is not None
    described = openapi(
        sessions=sessions,
        tokens=gateway is not None and gateway.tokens is not None,
        game=gateway is not None and gateway.game is not None,
        worlds=gateway is not None and gateway.worlds is not None,
        recording=gateway is not None and gateway.record is not None,
    )

    async def answer(_: Request) -> Response:
        return JSONResponse(described)

    return answer
