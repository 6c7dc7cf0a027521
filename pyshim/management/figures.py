# SPDX-License-Identifier: BSD-3-Clause
"""What everybody may see: `/metrics`, `/healthz`, `/readyz`, `/v1/stats` and its stream.

All of it is up while the workers are down. Whatever reads the statistics page does so in a thread of a few,
so that no reader holds up the others.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from pyshim.management.answers import numbers, refusal
from pyshim.management.connections import Connection, connection_of
from pyshim.management.health import unhealthy, unready
from pyshim.management.requests import BadRequestError
from pyshim.metrics import SnapshotCollector, values
from pyshim.stats import Snapshot
from pyshim.system.eviction import oldest_of_most

PATHS: Final = ("/metrics", "/healthz", "/readyz", "/v1/stats", "/v1/stats/stream")
STREAMS_MAX = 8  # of strangers, and as many of those who are entitled
INTERVALS_S = range(1, 61)  # between the events of a stream

_TEXT = "text/plain; charset=utf-8"
_UNREADABLE = "the statistics could not be read; see the log"
_NO_STORE = {"cache-control": "no-store"}
_log = logging.getLogger(__name__)


class Figures:
    """The requests that read what `source` returns.

    `age_s` tells how long the supervisor's loop has stood still. `source` is called from threads, once per
    request and once per event of a stream.
    """

    def __init__(self, source: Callable[[], Snapshot], age_s: Callable[[], float]) -> None:
        """Nothing is read yet."""
        self._source = source
        self._age_s = age_s
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(SnapshotCollector(source))
        self._streams = {entitled: Streams() for entitled in (False, True)}

    def routes(self) -> list[Route]:
        """The requests."""
        answers = (self.metrics, self.healthz, self.readyz, self.stats, self.stream)
        return [Route(path, answer, methods=["GET"]) for path, answer in zip(PATHS, answers, strict=True)]

    async def metrics(self, request: Request) -> Response:
        """Every family, as the client can read it."""
        encode, content_type = _encoder(request.headers.get("accept", ""))
        try:
            body = await asyncio.to_thread(encode, self._registry)
        except Exception as error:
            return _unreadable(error)
        return _answer(200, body, content_type)

    async def healthz(self, _: Request) -> Response:
        """Whether the supervisor's loop turns."""
        why = unhealthy(self._age_s())
        return _answer(200, b"ok\n") if why is None else _answer(503, f"{why}\n".encode())

    async def readyz(self, _: Request) -> Response:
        """Whether all that should serve does."""
        try:
            snapshot = await asyncio.to_thread(self._source)
        except Exception as error:
            return _unreadable(error)
        why = unready(snapshot)
        return _answer(200, b"ok: every worker polls\n") if why is None else _answer(503, f"{why}\n".encode())

    async def stats(self, request: Request) -> Response:
        """Every metric as JSON."""
        try:
            numbers(request, {})
            return _answer(200, await asyncio.to_thread(self._json), "application/json")
        except BadRequestError as problem:
            return refusal(400, str(problem))
        except Exception as error:
            _tell(error)
            return refusal(500, _UNREADABLE)

    async def stream(self, request: Request) -> Response:
        """The metrics as JSON, again and again, as server-sent events."""
        try:
            wanted = numbers(request, {"interval": INTERVALS_S})
        except BadRequestError as problem:
            return refusal(400, str(problem))
        if request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers:
            return refusal(400, "a request for a stream has no body")
        connection = connection_of(request.scope)
        if request.method == "HEAD" or connection is None:
            return Response(headers=_NO_STORE, media_type="text/event-stream")
        events = self._events(connection, wanted.get("interval", INTERVALS_S[0]))
        return _Events(events, self._streams[connection.entitled], connection)

    async def _events(self, connection: Connection, interval_s: int) -> AsyncIterator[bytes]:
        while not connection.ended.is_set():
            try:
                body = await asyncio.to_thread(self._json)
            except Exception as error:
                _tell(error)
                return
            yield b"event: stats\ndata: " + body + b"\n\n"
            try:
                async with asyncio.timeout(interval_s):
                    await connection.ended.wait()
            except TimeoutError:
                continue

    def _json(self) -> bytes:
        return json.dumps(values(self._source()), allow_nan=False, separators=(",", ":")).encode()


def _encoder(accept: str) -> tuple[Callable[[CollectorRegistry], bytes], str]:
    """In the format that a client asks for; in the text format, if what it asks for cannot be read."""
    try:
        return choose_encoder(accept)
    except (TypeError, ValueError):
        return choose_encoder("")


class Streams:
    """Streams that are open: so many at most, then one of whoever has most of them ends."""

    def __init__(self) -> None:
        """None yet."""
        self._open: list[Connection] = []  # oldest first

    def enter(self, connection: Connection) -> None:
        """One more, over this connection."""
        if len(self._open) >= STREAMS_MAX:
            victim = oldest_of_most(self._open, lambda one: one.source)
            assert victim is not None
            self._open.remove(victim)
            victim.ended.set()
        self._open.append(connection)

    def leave(self, connection: Connection) -> None:
        """It is over."""
        if connection in self._open:
            self._open.remove(connection)


class _Events(StreamingResponse):
    """A stream, whose connection ends with it."""

    def __init__(self, events: AsyncIterator[bytes], streams: Streams, connection: Connection) -> None:
        super().__init__(events, headers=_NO_STORE | {"connection": "close"}, media_type="text/event-stream")
        self._streams = streams
        self._connection = connection

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._streams.enter(self._connection)
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._streams.leave(self._connection)


def _answer(status: int, body: bytes, content_type: str = _TEXT) -> Response:
    return Response(body, status, _NO_STORE | {"content-type": content_type})


def _unreadable(error: Exception) -> Response:
    _tell(error)
    return _answer(500, f"{_UNREADABLE}\n".encode())


def _tell(error: Exception) -> None:
    _log.error("metrics: the statistics could not be read: %r", error)
