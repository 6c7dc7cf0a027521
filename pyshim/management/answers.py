# SPDX-License-Identifier: BSD-3-Clause
"""What all requests of the control API have in common: how they are refused, and their parameters."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pyshim.management.requests import BadRequestError


def refusal(status: int, sentence: str, headers: Mapping[str, str] | None = None) -> Response:
    """An answer that is a sentence about what is wrong."""
    more = {"retry-after": "1"} if status == 503 else {}
    return JSONResponse({"error": sentence}, status, {**(headers or {}), **more})


async def http_error(request: Request, problem: Exception) -> Response:
    """What there is not, and what cannot be done with what there is."""
    assert isinstance(problem, HTTPException)
    told = {
        404: f"there is no {request.url.path[:80]}; /v1/openapi.json tells what there is",
        405: f"{request.method[:10]} is not for {request.url.path[:80]}; /v1/openapi.json tells what is",
    }
    return refusal(problem.status_code, told.get(problem.status_code, problem.detail), problem.headers)


async def failure(_: Request, __: Exception) -> Response:
    """A bug."""
    return refusal(500, "the gateway failed at this; its log says more")


def numbers(request: Request, allowed: Mapping[str, range]) -> dict[str, int]:
    """The numbers behind the question mark.

    Raises:
        BadRequestError: an unknown name, one that comes twice, or not a number of its range.
    """
    found: dict[str, int] = {}
    for name, text in request.query_params.multi_items():
        if name not in allowed:
            raise BadRequestError(f"{name[:40]}: no such parameter; allowed: {', '.join(allowed) or 'none'}")
        if name in found:
            raise BadRequestError(f"{name}: is there more than once; once is allowed")
        span = allowed[name]
        if not (text.isascii() and text.isdecimal() and len(text) <= 10 and int(text) in span):
            raise BadRequestError(f"{name}: allowed is a whole number from {span[0]} to {span[-1]}")
        found[name] = int(text)
    return found
