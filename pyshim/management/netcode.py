# SPDX-License-Identifier: BSD-3-Clause
"""Connect tokens of profile netcode, made by the control API; ../issuing/README.md has examples."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from ipaddress import ip_address

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pyshim.config.values import parse_server_address
from pyshim.connect_tokens import USER_DATA_BYTES, TokenMaker
from pyshim.management.refusals import telling
from pyshim.management.requests import BadRequestError, ConnectTokenRequest, parse_body
from pyshim.plan import NetcodeServer

PATH = "/v1/netcode/tokens"


def netcode_routes(tokens: TokenMaker) -> list[Route]:
    """The requests."""
    return [Route(PATH, _Handlers(tokens).make, methods=["POST"])]


class _Handlers:
    def __init__(self, tokens: TokenMaker) -> None:
        self._tokens = tokens

    @telling
    async def make(self, request: Request) -> Response:
        wanted = parse_body(ConnectTokenRequest, await request.body())
        made = self._tokens.make(
            wanted.client_id,
            wanted.ttl,
            wanted.timeout,
            user_data=_user_data(wanted.user_data),
            servers=tuple(_server(text) for text in wanted.addresses),
        )
        expires = datetime.fromtimestamp(made.expires_s, UTC).isoformat(timespec="seconds")
        return JSONResponse(
            {
                "client_id": made.client_id,
                "expires": expires.replace("+00:00", "Z"),
                "token": base64.b64encode(made.token).decode(),
            },
            201,
            {"cache-control": "no-store"},
        )


def _user_data(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as problem:
        raise BadRequestError(f"user_data: not base64 ({problem})") from problem
    if len(data) > USER_DATA_BYTES:
        raise BadRequestError(f"user_data: {len(data)} bytes; at most {USER_DATA_BYTES} are allowed")
    return data


def _server(text: str) -> NetcodeServer:
    try:
        found = parse_server_address(text)
    except ValueError as problem:
        raise BadRequestError(f"addresses: {problem}") from None
    return NetcodeServer.of(ip_address(found.host), found.port)
