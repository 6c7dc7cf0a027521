# SPDX-License-Identifier: BSD-3-Clause
"""What is wrong about a request, as the answer to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response

from pyshim.errors import UsageError
from pyshim.management.answers import refusal
from pyshim.management.requests import BadRequestError, TooLongError
from pyshim.sessions import NoRoomError

Handlers = TypeVar("Handlers")


def telling(
    handler: Callable[[Handlers, Request], Awaitable[Response]],
) -> Callable[[Handlers, Request], Awaitable[Response]]:
    """The handler with what can be wrong about a request turned into an answer."""

    async def answer(self: Handlers, request: Request) -> Response:
        try:
            return await handler(self, request)
        except TooLongError as problem:
            return refusal(413, str(problem))
        except (BadRequestError, UsageError) as problem:
            return refusal(400, str(problem))
        except NoRoomError as problem:
            return refusal(503, str(problem))

    return answer
