# SPDX-License-Identifier: BSD-3-Clause
"""The control API described for machines (OpenAPI 3.1), from the models that check its requests."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from pyshim import __version__
from pyshim.management import game as game_bus
from pyshim.management import netcode
from pyshim.management import recording as recorded
from pyshim.management import worlds as world_api
from pyshim.management.figures import INTERVALS_S
from pyshim.management.requests import ConnectTokenRequest, IssueRequest, MessageRequest
from pyshim.management.sessions import LIST_DEFAULT, LIST_QUERY
from pyshim.sessions import NUMBERS


def _integer(allowed: range, **more: Any) -> dict[str, Any]:
    return {"type": "integer", "minimum": allowed[0], "maximum": allowed[-1], **more}


_NUMBER = _integer(NUMBERS)
_ISSUED = {
    "session": _NUMBER,
    "key": {"type": "string", "description": "32 bytes in base64url without padding; told only now"},
    "address": {"type": "string", "description": "host:port or [IPv6]:port that the player connects to"},
    "expires": {"type": "string", "format": "date-time"},
    "player_id": _NUMBER,
}
_TOKEN = {
    "client_id": {"type": "integer", "minimum": 0, "maximum": 2**64 - 1},
    "expires": {"type": "string", "format": "date-time"},
    "token": {"type": "string", "description": "2048 bytes in base64, for its client alone"},
}
_INTERVAL = _integer(INTERVALS_S, default=INTERVALS_S[0], description="seconds")
_VECTOR = {"type": ["array", "null"], "items": {"type": "number"}, "minItems": 3, "maxItems": 3}
_INFO = {
    "session": _NUMBER,
    "player_id": _NUMBER,
    "expires_in": {"type": "number", "description": "seconds"},
    "once": {"type": "boolean"},
    "world": {
        "type": ["string", "null"],
        "description": "that its ticket or a game process names; null: that of its listener, or none",
    },
    "connections": {"type": "integer"},
    "connected": {"type": "boolean"},
    "peer": {"type": ["string", "null"]},
    "silent": {"type": ["number", "null"], "description": "seconds since the player's last packet"},
    "packets_sent": {"type": ["integer", "null"]},
    "max_datagram": {"type": ["integer", "null"], "description": "bytes"},
    "position": _VECTOR,
    "velocity": _VECTOR,
}

_COUNT = {"type": ["integer", "null"]}
_BY_REASON = {"type": ["object", "null"], "additionalProperties": {"type": "integer"}}
_BY_NAME = {"type": "object", "additionalProperties": {"type": "integer"}}
_PROCESS = {
    "name": {"type": "string"},
    "state": {"enum": ["attached", "arriving", "away"]},
    "pid": {"type": ["integer", "null"]},
    "since": {"type": ["string", "null"], "format": "date-time"},
    "routed": {"type": "boolean", "description": "whether a route of game.routes leads to it"},
    "unread_bytes": {
        "type": "array",
        "items": {"type": "integer"},
        "description": "of the ring from each worker, what the process has not given back",
    },
    "delivered": {**_COUNT, "description": "messages of players that it can read"},
    "lost": {**_BY_REASON, "description": "messages of players to it, by reason"},
    "posts_from": {**_BY_NAME, "description": "messages that other processes wrote to it, by their names"},
    "orders": {**_COUNT, "description": "what it had workers do"},
    "orders_refused": {**_BY_REASON, "description": "of those, by reason"},
}


def openapi(
    *, sessions: bool, tokens: bool, game: bool = False, worlds: bool = False, recording: bool = False
) -> dict[str, Any]:
    """The description of every request: figures, and what is given to players, as the listeners are."""
    asked = _figures() | (_sessions() if sessions else {}) | (_tokens() if tokens else {})
    asked |= (_game() if game else {}) | (_recording() if recording else {})
    asked |= _worlds() if worlds else {}
    return {
        "openapi": "3.1.0",
        "info": {"title": "pollgate control API", "version": __version__},
        "security": [{"token": []}, {}],
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "paths": asked,
    }


def _figures() -> dict[str, Any]:
    return {
        "/v1/stats": {"get": _operation("Every metric by its name", {200: {}}, (400, 500))},
        "/v1/stats/stream": {
            "parameters": [{"name": "interval", "in": "query", "schema": _INTERVAL}],
            "get": _stream(),
        },
    }


def _game() -> dict[str, Any]:
    ring_bytes = {"type": "integer", "description": "of each ring"}
    listed = {"ring_bytes": ring_bytes, "processes": {"type": "array", "items": _object(_PROCESS)}}
    return {game_bus.PATH: {"get": _operation("List game processes", {200: listed}, (400,))}}


_WORLD = {
    "name": {"type": "string"},
    "bounds_m": {"type": "array", "description": "the lowest and the highest corner"},
    "tick_hz": {"type": "integer"},
    "radius_m": {"type": "number"},
    "leave_radius_m": {"type": "number"},
    "neighbours": {"type": "integer"},
    "counted": {
        "type": "object",
        "description": "of all workers, as the metrics pollgate_world_... say it; of tick_duration "
        "and unseen, how many by the upper bound of their bucket, in seconds",
    },
}
_SHOWN = {
    **_WORLD,
    "tick": {"type": "integer"},
    "shown": {"type": "integer", "description": "entities in that tick's frame"},
    "heat": {
        "type": "object",
        "description": "cell_m, and cells: x, y, how many; cells with nobody are left out",
    },
    "player": {
        "type": "object",
        "description": "where the player is, and whom it sees; states are hexadecimal",
    },
}


def _worlds() -> dict[str, Any]:
    listed = {"worlds": {"type": "array", "items": _object(_WORLD)}}
    name = {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}
    query = [
        {"name": key, "in": "query", "schema": _integer(allowed)} for key, allowed in world_api.QUERY.items()
    ]
    return {
        world_api.PATH: {"get": _operation("List worlds", {200: listed}, (400,))},
        world_api.PATH + "/{name}": {
            "parameters": [name, *query],
            "get": _operation("Show a world", {200: _SHOWN}, (400, 404, 503)),
        },
    }


def _recording() -> dict[str, Any]:
    written = {
        "path": {"type": "string", "description": "on the gateway's host"},
        "bytes": {"type": "integer"},
        "sha256": {"type": "string", "description": "of all but its last line, which says it"},
        "took": {"type": "number", "description": "seconds"},
    }
    return {recorded.PATH: {"post": _operation("Write the recording", {201: written}, (400, 503))}}


def _tokens() -> dict[str, Any]:
    made = _operation(
        "Make a connect token of profile netcode", {201: _TOKEN}, (400,), body=ConnectTokenRequest
    )
    return {netcode.PATH: {"post": made}}


def _sessions() -> dict[str, Any]:
    session = [{"name": "session", "in": "path", "required": True, "schema": _NUMBER}]
    defaults = {"from": {"default": 0}, "limit": {"default": LIST_DEFAULT}}
    query = [
        {"name": name, "in": "query", "schema": _integer(allowed, **defaults.get(name, {}))}
        for name, allowed in LIST_QUERY.items()
    ]
    infos = {"type": "array", "items": _object(_INFO)}
    page = {"sessions": infos, "next": {"type": ["integer", "null"]}, "issued": {"type": "integer"}}
    sent = {"session": _NUMBER, "bytes": {"type": "integer"}}
    return {
        "/v1/sessions": {
            "post": _operation("Issue a session", {201: _ISSUED}, (400, 503), body=IssueRequest),
            "get": {**_operation("List sessions", {200: page}, (400,)), "parameters": query},
        },
        "/v1/sessions/{session}": {
            "parameters": session,
            "get": _operation("Inspect a session", {200: _INFO}, (404,)),
            "delete": _operation("Revoke a session", {204: None}, (404,)),
        },
        "/v1/sessions/{session}/messages": {
            "parameters": session,
            "post": _operation(
                "Send a message to a connected player",
                {202: sent},
                (400, 404, 413, 503),
                body=MessageRequest,
            ),
        },
    }


def _operation(
    summary: str,
    answers: dict[int, dict[str, Any] | None],
    errors: tuple[int, ...],
    *,
    body: type[BaseModel] | None = None,
) -> dict[str, Any]:
    responses = {str(status): _response("done", fields) for status, fields in answers.items()}
    for status in (*errors, 401, 429, 431):
        responses[str(status)] = _response("refused, in a sentence", {"error": {"type": "string"}})
    described: dict[str, Any] = {"summary": summary, "responses": responses}
    if body is not None:
        schema = body.model_json_schema()
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return described


def _stream() -> dict[str, Any]:
    described = _operation("The same, again and again", {200: None}, (400,))
    events = {"text/event-stream": {"schema": {"type": "string"}}}
    described["responses"]["200"] = {"description": "an event `stats` with each", "content": events}
    return described


def _response(description: str, fields: dict[str, Any] | None) -> dict[str, Any]:
    if fields is None:
        return {"description": description}
    return {"description": description, "content": {"application/json": {"schema": _object(fields)}}}


def _object(fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": list(fields)}
