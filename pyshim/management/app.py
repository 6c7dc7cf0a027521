# SPDX-License-Identifier: BSD-3-Clause
"""The one ASGI application of the management server, without the bounds around it."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from pyshim.management.answers import failure, http_error
from pyshim.management.figures import PATHS, Figures
from pyshim.management.openapi import openapi
from pyshim.management.sessions import Gateway, routes


def make_app(figures: Figures, gateway: Gateway | None) -> ASGIApp:
    """Every request: figures, and if there is a gateway that issues sessions, these."""
    app = Starlette(
        routes=[
            *figures.routes(),
            *(routes(gateway) if gateway is not None else ()),
            Route("/v1/openapi.json", _openapi, methods=["GET"]),
        ],
        exception_handlers={HTTPException: http_error, Exception: failure},
    )
    # A path has one spelling, at either address; a redirect would lead to whatever Host the client named.
    app.router.redirect_slashes = False
    return app


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
            return PlainTextResponse(
                f"not found; {', '.join(most)} and {last} are served here\n", 404, headers
            )
        return None


async def _openapi(_: Request) -> Response:
    return JSONResponse(openapi())
