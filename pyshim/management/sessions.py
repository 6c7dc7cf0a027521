# SPDX-License-Identifier: BSD-3-Clause
"""What the control API does with issued sessions; ../issuing/README.md has examples."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pyshim.config.values import Endpoint
from pyshim.connect_tokens import TokenMaker
from pyshim.management.answers import numbers, refusal
from pyshim.management.refusals import telling
from pyshim.management.requests import IssueRequest, MessageRequest, parse_body
from pyshim.management.worlds import WorldsAsked
from pyshim.operator_messages import OperatorMessage, OperatorQueue, SendOutcome, SendResult
from pyshim.recording.files import Saved
from pyshim.sessions import LIST_MAX, NUMBERS, Page, SessionInfo, SessionTable
from pyshim.stats import Snapshot

LIST_DEFAULT = 100
LIST_QUERY = {"player_id": NUMBERS, "from": range(2**32), "limit": range(1, LIST_MAX + 1)}
ANSWER_LIMIT_S = 5.0  # of the worker process

_STATUS = {SendOutcome.SENT: 202, SendOutcome.REFUSED: 404, SendOutcome.BUSY: 503}


@dataclass(frozen=True, slots=True)
class Gateway:
    """What the API works on."""

    sessions: SessionTable
    operator_queue: OperatorQueue
    address: Endpoint | None  # that players are told; None: no listener has profile session
    tokens: TokenMaker | None = None  # of profile netcode
    game: Callable[[], Snapshot] | None = None  # figures of its processes; None: there is no game
    worlds: WorldsAsked | None = None  # None: there are none
    record: Callable[[str], Saved] | None = None  # writes the recording; None: nothing is recorded


def routes(gateway: Gateway) -> list[Route]:
    """The requests about sessions, if there can be any."""
    if gateway.address is None:
        return []
    handlers = _Handlers(gateway)
    one = "/v1/sessions/{session}"
    return [
        Route("/v1/sessions", handlers.issue, methods=["POST"]),
        Route("/v1/sessions", handlers.list, methods=["GET"]),
        Route(one, handlers.inspect, methods=["GET"]),
        Route(one, handlers.revoke, methods=["DELETE"]),
        Route(one + "/messages", handlers.send, methods=["POST"]),
    ]


def describe(info: SessionInfo) -> dict[str, Any]:
    """A session as the API tells it; never its key."""
    connection, motion = info.connection, info.motion
    return {
        "session": info.session,
        "player_id": info.player_id,
        "expires_in": round(info.expires_in_s, 3),
        "once": info.once,
        "world": info.world,
        "connections": info.connections,
        "connected": connection is not None,
        "peer": connection and str(Endpoint(str(connection.address), connection.port)),
        "silent": connection and round(connection.silent_s, 3),
        "packets_sent": connection and connection.packets_sent,
        "max_datagram": connection and connection.max_datagram,
        "position": motion and motion.position,
        "velocity": motion and motion.velocity,
    }


class _Handlers:
    def __init__(self, gateway: Gateway) -> None:
        self._sessions = gateway.sessions
        self._operator_queue = gateway.operator_queue
        self._address = gateway.address

    @telling
    async def issue(self, request: Request) -> Response:
        wanted = parse_body(IssueRequest, await request.body())
        expires = datetime.now(UTC) + timedelta(seconds=wanted.ttl)
        issued = self._sessions.issue(wanted.player_id, wanted.ttl, once=wanted.once, world=wanted.world)
        return JSONResponse(
            {
                "session": issued.session,
                "key": base64.urlsafe_b64encode(issued.key).rstrip(b"=").decode(),
                "address": str(self._address),
                "expires": expires.isoformat(timespec="seconds").replace("+00:00", "Z"),
                "player_id": issued.player_id,
            },
            201,
            {"cache-control": "no-store", "location": f"/v1/sessions/{issued.session}"},
        )

    @telling
    async def list(self, request: Request) -> Response:
        # A long one takes its time, and the server's loop has others to answer.
        return await asyncio.to_thread(self._list, numbers(request, LIST_QUERY))

    def _list(self, wanted: Mapping[str, int]) -> Response:
        if "player_id" in wanted:
            found = self._sessions.of_player(wanted["player_id"])
            page = Page((found,) if found else (), None)
        else:
            page = self._sessions.page(wanted.get("from", 0), wanted.get("limit", LIST_DEFAULT))
        return JSONResponse(
            {
                "sessions": [describe(info) for info in page.sessions],
                "next": page.next,
                "issued": self._sessions.count(),
            }
        )

    @telling
    async def inspect(self, request: Request) -> Response:
        found = self._sessions.inspect(_number(request))
        return _unknown(request) if found is None else JSONResponse(describe(found))

    @telling
    async def revoke(self, request: Request) -> Response:
        return Response(status_code=204) if self._sessions.revoke(_number(request)) else _unknown(request)

    @telling
    async def send(self, request: Request) -> Response:
        wanted = parse_body(MessageRequest, await request.body())
        found = self._sessions.inspect(_number(request))
        if found is None:
            return _unknown(request)
        if found.connection is None:
            return refusal(404, f"player {found.player_id} is not connected, so nothing can be sent")
        operator_message = wanted.operator_message(
            found.session, found.player_id, found.connection.max_datagram
        )
        result = await self._deliver(operator_message)
        status = _STATUS[result.outcome]
        if result.outcome is not SendOutcome.SENT:
            return refusal(status, result.text)
        return JSONResponse({"session": found.session, "bytes": len(operator_message.body)}, status)

    async def _deliver(self, operator_message: OperatorMessage) -> SendResult:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[SendResult] = loop.create_future()

        def settle(result: SendResult) -> None:
            if not future.done():
                future.set_result(result)

        def answer(result: SendResult) -> None:
            with contextlib.suppress(RuntimeError):  # the server has ended meanwhile
                loop.call_soon_threadsafe(settle, result)

        self._operator_queue.send(operator_message, answer)
        try:
            return await asyncio.wait_for(future, ANSWER_LIMIT_S)
        except TimeoutError:
            return SendResult(
                SendOutcome.BUSY,
                f"the worker process did not answer within {ANSWER_LIMIT_S:g} s; whether the message was "
                "sent is unknown",
            )


def _number(request: Request) -> int:
    """The session in the path; one that cannot be is unknown like any other."""
    text = str(request.path_params["session"])
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 10 else 0


def _unknown(request: Request) -> Response:
    session = str(request.path_params["session"])[:20]
    return refusal(404, f"there is no session {session}: it was never issued, has expired or was revoked")
