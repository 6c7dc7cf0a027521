# SPDX-License-Identifier: BSD-3-Clause
"""What a request meets before its handler: who asks, how often, how much is sent. An ASGI application.

The server lives in the supervisor, so nothing that a client does may hold it up or fill its memory.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pyshim.issuing.access import Token
from pyshim.management.connections import serving

HEAD_BYTES_MAX = 16 * 1024  # of a request: its line and headers
BODY_BYTES_MAX = 128 * 1024  # the longest message in base64 and JSON is three quarters of it
BODY_LIMIT_S = 20.0  # for a body to arrive as a whole: a request in hand keeps its connection
REQUESTS_PER_S = 2000
REQUESTS_BURST = 4000
STRANGERS_PER_S = 20  # requests without the right token that are answered as such
STRANGERS_BURST = 100

_TOO_LONG = f"the body has more than {BODY_BYTES_MAX} bytes"
_log = logging.getLogger(__name__)


class Rate:
    """So many per second, after a burst; a token bucket."""

    def __init__(self, per_s: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with a whole burst."""
        self._per_s = per_s
        self._burst = burst
        self._clock = clock
        self._left = burst
        self._then = clock()

    def takes(self) -> bool:
        """Whether one more may be now."""
        now = self._clock()
        self._left = min(self._burst, self._left + (now - self._then) * self._per_s)
        self._then = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Bounds:
    """Lets through what is allowed to ask, to the application inside."""

    def __init__(self, inside: ASGIApp, token: Token | None, name: str = "control") -> None:
        """Without a token everybody who can connect may ask; `name` is what its log says."""
        self._inside = inside
        self._name = name
        self._token = token
        self._rate = Rate(REQUESTS_PER_S, REQUESTS_BURST)
        self._strangers = Rate(STRANGERS_PER_S, STRANGERS_BURST)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        if refusal := self._refusal(Headers(scope=scope), _head_bytes(scope)):
            await refuse(send, *refusal)
            return
        try:
            with serving(scope):
                await self._inside(scope, _Body(receive), send)
        except ClientDisconnect:
            pass  # before its request was whole
        except Exception as error:
            # It was answered inside. Only what kind it was: the text of an error may have a key in it.
            _log.error("%s: a request failed unexpectedly: %s", self._name, type(error).__name__)

    def _refusal(self, headers: Headers, head_bytes: int) -> tuple[int, str] | None:
        if self._token is not None and not self._token.opens(headers.get("authorization")):
            if not self._strangers.takes():
                return 429, "too many requests without the right token; wait a moment"
            return 401, "the Authorization header must carry the token of control.token_file: Bearer TOKEN"
        if not self._rate.takes():
            return 429, f"more than {REQUESTS_PER_S} requests a second; wait a moment"
        if head_bytes > HEAD_BYTES_MAX:
            return 431, f"the line and headers of the request have more than {HEAD_BYTES_MAX} bytes"
        length = headers.get("content-length", "0")
        if length.isascii() and length.isdecimal() and int(length[:20]) > BODY_BYTES_MAX:
            return 413, _TOO_LONG
        return None


def _head_bytes(scope: Scope) -> int:
    """Of a request; a server that reads it in one piece does not ask how long it is."""
    line = len(scope.get("raw_path", b"")) + len(scope["query_string"])
    return line + sum(len(name) + len(value) for name, value in scope["headers"])


class _Body:
    """Receives a body that may have no length told, up to the limits."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._bytes = 0
        self._until_s = time.monotonic() + BODY_LIMIT_S
        self._whole = False

    async def __call__(self) -> Message:
        try:
            async with asyncio.timeout(None if self._whole else self._until_s - time.monotonic()):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(
                408, f"the body was not complete within {BODY_LIMIT_S:.0f} s", {"connection": "close"}
            ) from None
        self._whole = not message.get("more_body", False)
        if message["type"] == "http.request":
            self._bytes += len(message.get("body", b""))
            if self._bytes > BODY_BYTES_MAX:
                raise HTTPException(413, _TOO_LONG, {"connection": "close"})
        return message


async def refuse(send: Send, status: int, sentence: str) -> None:
    """Answer a request with an error, and end its connection: its body was not read."""
    body = json.dumps({"error": sentence}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if status == 429:
        headers.append((b"retry-after", b"1"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
