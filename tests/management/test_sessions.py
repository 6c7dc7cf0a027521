# SPDX-License-Identifier: BSD-3-Clause
"""Sessions at the control address: who lists many of them holds nobody up."""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyshim.config import Config
from pyshim.config.values import Endpoint
from pyshim.dataplane import new_state
from pyshim.management.openapi import openapi
from pyshim.management.server import ManagementServer
from pyshim.management.sessions import Gateway
from pyshim.operator_messages import OperatorQueue
from pyshim.sessions import LIST_MAX, Page, SessionTable
from tests.issuing.gateway import Answer, UnixConnection, ask, configuration
from tests.management.clients import LIMIT_S
from tests.metrics.synthetic import snapshot
from tests.session.core_gateway import plan


class SlowTable(SessionTable):
    """The table of a state that is so large that a page of it is ready when the test says so."""

    begun: threading.Event
    go_on: threading.Event

    def page(self, start: int = 0, limit: int = LIST_MAX) -> Page:
        self.begun.set()
        assert self.go_on.wait(LIMIT_S)
        return super().page(start, limit)


@pytest.fixture
def table() -> Iterator[SlowTable]:
    with new_state(plan()) as state, SlowTable(state) as table:
        table.begun, table.go_on = threading.Event(), threading.Event()
        yield table


@pytest.fixture
def path(table: SlowTable, tmp_path: Path) -> Iterator[str]:
    with contextlib.closing(OperatorQueue()) as queue:
        gateway = Gateway(table, queue, Endpoint("127.0.0.1", 1))
        with ManagementServer(snapshot, gateway=gateway) as server:
            server.open_control(Config.model_validate(configuration(tmp_path)))
            yield f"{tmp_path}/control.sock"
            table.go_on.set()


def test_a_long_list_does_not_hold_up_who_asks_for_health(table: SlowTable, path: str) -> None:
    issued = table.issue(7, 100)
    answers: list[Answer] = []

    def list_all() -> None:
        with contextlib.closing(UnixConnection(path)) as connection:
            answers.append(ask(connection, "GET", "/v1/sessions?limit=1000"))

    lister = threading.Thread(target=list_all)
    lister.start()
    assert table.begun.wait(LIMIT_S)
    with contextlib.closing(UnixConnection(path)) as connection:
        connection.timeout = LIMIT_S / 4  # before the page gives up
        connection.request("GET", "/healthz")
        assert connection.getresponse().status == http.client.OK
    table.go_on.set()
    lister.join(LIMIT_S)
    assert [session["session"] for session in answers[0].body["sessions"]] == [issued.session]


@pytest.mark.parametrize(
    ("path_of", "name"),
    [
        ("/v1/sessions", "player_id"),
        ("/v1/sessions", "from"),
        ("/v1/sessions", "limit"),
        ("/v1/stats/stream", "interval"),
    ],
)
def test_what_the_description_says_of_a_parameter_is_what_is_taken(
    table: SlowTable, path: str, path_of: str, name: str
) -> None:
    table.go_on.set()
    paths = openapi(sessions=True, tokens=False)["paths"][path_of]
    parameters = [*paths.get("parameters", ()), *paths["get"].get("parameters", ())]
    (schema,) = (one["schema"] for one in parameters if one["name"] == name)
    method = "HEAD" if name == "interval" else "GET"
    for value, status in (
        (schema["minimum"], 200),
        (schema["maximum"], 200),
        (schema["maximum"] + 1, 400),
        (schema["minimum"] - 1, 400),
    ):
        with contextlib.closing(UnixConnection(path)) as connection:
            connection.request(method, f"{path_of}?{name}={value}")
            assert connection.getresponse().status == status, value
