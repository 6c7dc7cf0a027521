# SPDX-License-Identifier: BSD-3-Clause
"""A bug in the API is one sentence to its client, and a line without secrets in the log."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest

from pyshim.config.values import Endpoint
from pyshim.management.app import make_app
from pyshim.management.bounds import Bounds
from pyshim.management.figures import Figures
from pyshim.management.sessions import Gateway
from tests.metrics.synthetic import snapshot


class Broken:
    """A table of sessions whose every use is a bug."""

    def inspect(self, session: int) -> Any:
        raise RuntimeError(f"the key of {session} is hunter2")


async def _ask(app: Bounds) -> list[Any]:
    said: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        said.append(message)

    scope = {"type": "http", "method": "GET", "path": "/v1/sessions/1", "headers": [], "query_string": b""}
    await app(scope, receive, send)
    return said


def test_a_bug_is_one_sentence_and_tells_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    gateway = Gateway(Broken(), None, Endpoint("127.0.0.1", 1))  # type: ignore[arg-type]
    with caplog.at_level(logging.DEBUG):
        start, body = asyncio.run(_ask(Bounds(make_app(Figures(snapshot, lambda: 0.0), gateway), None)))
    assert start["status"] == 500
    assert json.loads(body["body"]) == {"error": "the gateway failed at this; its log says more"}
    assert "RuntimeError" in caplog.text
    assert "hunter2" not in caplog.text
