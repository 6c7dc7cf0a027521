# SPDX-License-Identifier: BSD-3-Clause
"""Issuing, looking and revoking over the control API of a running gateway."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.gate import Gate
from tests.issuing.gateway import CAPACITY, Api, configuration

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def test_an_issued_session_has_all_that_a_client_needs(gate: Gate, api: Api) -> None:
    before = datetime.now(UTC)
    answer = api("POST", "/v1/sessions", {"player_id": 1, "ttl": 60})
    assert answer.status == 201
    assert answer.headers["cache-control"] == "no-store"
    issued = answer.body
    assert answer.headers["location"] == f"/v1/sessions/{issued['session']}"
    assert issued.keys() == {"session", "key", "address", "expires", "player_id"}
    assert 0 < issued["session"] < 2**32
    assert issued["player_id"] == 1
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", issued["key"])
    assert len(base64.urlsafe_b64decode(issued["key"] + "=")) == 32
    assert re.fullmatch(r"127\.0\.0\.1:\d+", issued["address"])
    assert issued["expires"].endswith("Z")
    left = datetime.fromisoformat(issued["expires"]) - before
    assert timedelta(seconds=58) < left < timedelta(seconds=120)


def test_no_two_sessions_have_the_same_number_or_key(api: Api) -> None:
    issued = [api.issue(2) for _ in range(50)]
    assert len({one["session"] for one in issued}) == len({one["key"] for one in issued}) == 50


def test_a_session_is_inspected_without_its_key(api: Api) -> None:
    issued = api.issue(3, ttl=50, once=True)
    answer = api("GET", f"/v1/sessions/{issued['session']}")
    assert answer.status == 200
    assert 0 < answer.body.pop("expires_in") <= 50
    assert answer.body == {
        "session": issued["session"],
        "player_id": 3,
        "once": True,
        "world": None,
        "connections": 0,
        "connected": False,
        "peer": None,
        "silent": None,
        "packets_sent": None,
        "max_datagram": None,
        "position": None,
        "velocity": None,
    }


def test_a_player_has_one_session_the_last(api: Api) -> None:
    first, second = api.issue(4)["session"], api.issue(4)["session"]
    assert api("GET", f"/v1/sessions/{first}").status == 404
    found = api("GET", "/v1/sessions?player_id=4").body["sessions"]
    assert [info["session"] for info in found] == [second]


def test_a_player_without_a_session_has_an_empty_list(api: Api) -> None:
    assert api("GET", "/v1/sessions?player_id=4000000000").body["sessions"] == []


def test_a_parameter_that_comes_twice_is_refused(api: Api) -> None:
    answer = api("GET", "/v1/sessions?limit=1&limit=2")
    assert (answer.status, answer.error) == (400, "limit: is there more than once; once is allowed")


def test_a_revoked_session_is_gone_and_is_not_revoked_twice(api: Api) -> None:
    session = api.issue(5)["session"]
    answer = api("DELETE", f"/v1/sessions/{session}")
    assert (answer.status, answer.body) == (204, None)
    assert str(session) in api("GET", f"/v1/sessions/{session}").error
    assert api("DELETE", f"/v1/sessions/{session}").status == 404


def test_a_session_ends_when_its_time_is_over(gate: Gate, api: Api) -> None:
    session = api.issue(6, ttl=1)["session"]
    gate.wait_until(lambda: api("GET", f"/v1/sessions/{session}").status == 404)
    assert api("GET", "/v1/sessions?player_id=6").body["sessions"] == []


@pytest.mark.parametrize(
    "session", ["0", "4294967296", "99999999999999999999", "-1", "1.5", "x", "%00", "1 "]
)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_what_is_no_session_is_unknown(api: Api, session: str, method: str) -> None:
    assert "no session" in api(method, f"/v1/sessions/{session.replace(' ', '%20')}").error


def test_pages_of_the_list_have_every_session_once(tmp_path: Path) -> None:
    with Gate(configuration(tmp_path), tmp_path) as gate:
        api = Api(gate)
        numbers = [api.issue(player)["session"] for player in range(1, 22)]
        for number in numbers[::2]:
            api("DELETE", f"/v1/sessions/{number}")
        seen: list[int] = []
        start: int | None = 0
        while start is not None:
            page = api("GET", f"/v1/sessions?from={start}&limit=4").body
            assert len(page["sessions"]) <= 4
            assert page["issued"] == 10
            seen += [info["session"] for info in page["sessions"]]
            start = page["next"]
        assert seen == numbers[1::2]
        assert gate.metrics().value("pollgate_sessions", state="issued") == 10


def test_when_all_sessions_are_issued_the_next_is_refused_until_one_is_revoked(tmp_path: Path) -> None:
    with Gate(configuration(tmp_path), tmp_path) as gate:
        api = Api(gate)
        numbers = [api.issue(player)["session"] for player in range(1, CAPACITY + 1)]
        full = api("POST", "/v1/sessions", {"player_id": 1000, "ttl": 9})
        assert full.status == 503
        assert "sessions.capacity" in full.error
        assert full.headers["retry-after"] == "1"
        assert api("DELETE", f"/v1/sessions/{numbers[7]}").status == 204
        assert api.issue(1000)


# ---------------------------------------------------------------- what cannot be


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"", "JSON"),
        (b"{", "JSON"),
        (b"\xff\xfe", "JSON"),
        (b"[" * 100_000, "JSON"),
        ([], "object"),
        ({}, "player_id"),
        ({"player_id": 1}, "ttl"),
        ({"player_id": 0, "ttl": 1}, "player_id"),
        ({"player_id": 2**32, "ttl": 1}, "player_id"),
        ({"player_id": "1", "ttl": 1}, "player_id"),
        ({"player_id": True, "ttl": 1}, "player_id"),
        ({"player_id": 1.0, "ttl": 1}, "player_id"),
        ({"player_id": 1, "ttl": 0}, "ttl"),
        ({"player_id": 1, "ttl": 366 * 86400 + 1}, "ttl"),
        ({"player_id": 1, "ttl": 1, "once": 1}, "once"),
        ({"player_id": 1, "ttl": 1, "key": "mine"}, "key"),
    ],
)
def test_a_request_that_cannot_be_is_refused_by_name(api: Api, body: Any, named: str) -> None:
    answer = api("POST", "/v1/sessions", body)
    assert answer.status == 400
    assert named in answer.error


def test_a_refusal_does_not_repeat_what_was_sent(api: Api) -> None:
    secret = "correct-horse-battery-staple"
    assert secret not in api("POST", "/v1/sessions", {"player_id": secret, "ttl": 1}).error


@pytest.mark.parametrize(
    ("name", "shown"),
    [("\n", r'"\n"'), ("a b", '"a b"'), ("", '""'), ("\x1b[2J", r'"\x1b[2J"'), ("x" * 900, '"xxx')],
)
def test_a_name_that_nobody_knows_is_shown_on_one_line(api: Api, name: str, shown: str) -> None:
    error = api("POST", "/v1/sessions", {"player_id": 1, "ttl": 60, name: 1}).error
    assert error.startswith(shown)
    assert error.endswith(": no such field; allowed: player_id, ttl, once, world")
    assert len(error) < 140


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"{", "the body is not JSON: EOF while parsing an object at line 1 column 1"),
        ([], "the body is JSON, but not an object"),
        (
            {"ttl": "soon"},
            "player_id: missing; it is a whole number from 1 to 4294967295; "
            "ttl: allowed is a whole number from 1 to 31622400, seconds",
        ),
        ({"player_id": 1, "ttl": 1, "once": 1}, "once: allowed is true or false, may be connected once only"),
        ({"player_id": 1, "ttl": 1, "key": 1}, "key: no such field; allowed: player_id, ttl, once, world"),
        (b'{"player_id": 1, "ttl": 1, "player_id": 2}', "player_id: is there 2 times; once is allowed"),
        (
            b'{"ttl": 1, "player_id": 1, "once": true, "once": true}',
            "once: is there 2 times; once is allowed",
        ),
    ],
)
def test_a_refusal_says_what_is_allowed(api: Api, body: Any, sentence: str) -> None:
    assert api("POST", "/v1/sessions", body).error == sentence


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"type": "shout"}, "type: allowed is chat, inventory, correction, bulk or game"),
        ({"type": "chat", "text": 1}, "text: allowed is a string, of chat: 1 to 512 bytes of UTF-8"),
        ({"type": "chat", "text": "hi", "channel": 4}, "channel: allowed is a whole number from 0 to 3"),
        ({"type": "chat"}, "a message of type chat has text, and no body"),
    ],
)
def test_a_refused_message_says_what_is_allowed(api: Api, body: Any, sentence: str) -> None:
    assert api("POST", "/v1/sessions/1/messages", body).error == sentence


@settings(max_examples=60, deadline=None)
@given(body=JSON)
def test_no_json_makes_the_api_fail(api: Api, body: Any) -> None:
    for path in ("/v1/sessions", "/v1/sessions/1/messages"):
        answer = api("POST", path, body)
        assert answer.status in (400, 404), answer
        assert answer.error


@settings(max_examples=60, deadline=None)
@given(body=st.binary(max_size=200))
def test_no_bytes_make_the_api_fail(api: Api, body: bytes) -> None:
    assert api("POST", "/v1/sessions", body).status == 400


@settings(max_examples=60, deadline=None)
@given(player_id=st.integers(-5, 2**33), ttl=st.integers(-5, 366 * 86400 + 5), once=st.booleans())
def test_what_is_in_range_is_issued_and_nothing_else(api: Api, player_id: int, ttl: int, once: bool) -> None:
    answer = api("POST", "/v1/sessions", {"player_id": player_id, "ttl": ttl, "once": once})
    allowed = 1 <= player_id < 2**32 and 1 <= ttl <= 366 * 86400
    assert answer.status == (201 if allowed else 400)
    if allowed:
        assert api("DELETE", f"/v1/sessions/{answer.body['session']}").status == 204


@pytest.mark.parametrize(
    "query", ["player_id=0", "player_id=x", "limit=0", "limit=1001", "from=-1", "from=4294967296", "page=2"]
)
def test_a_query_that_cannot_be_is_refused_by_name(api: Api, query: str) -> None:
    answer = api("GET", f"/v1/sessions?{query}")
    assert answer.status == 400
    assert query.partition("=")[0] in answer.error


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v1/session", 404),
        ("PUT", "/v1/sessions", 405),
        ("POST", "/v1/sessions/1", 405),
        ("GET", "/v1/sessions/1/messages", 405),
    ],
)
def test_what_there_is_not_is_said_in_json(api: Api, method: str, path: str, status: int) -> None:
    answer = api(method, path)
    assert answer.status == status
    assert "openapi.json" in answer.error


def test_the_description_names_every_request(api: Api) -> None:
    described = api("GET", "/v1/openapi.json").body
    assert described["openapi"].startswith("3.1")
    assert {
        (path, method)
        for path, methods in described["paths"].items()
        for method in methods
        if method != "parameters"
    } == {
        ("/v1/sessions", "post"),
        ("/v1/sessions", "get"),
        ("/v1/sessions/{session}", "get"),
        ("/v1/sessions/{session}", "delete"),
        ("/v1/sessions/{session}/messages", "post"),
        ("/v1/stats", "get"),
        ("/v1/stats/stream", "get"),
    }
