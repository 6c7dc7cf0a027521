# SPDX-License-Identifier: BSD-3-Clause
"""`/v1/stats` and its stream: every figure as JSON, once or again and again."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pyshim.config import Config
from pyshim.management.figures import STREAMS_MAX
from pyshim.management.server import ManagementServer, Served
from pyshim.metrics import values
from pyshim.stats import Snapshot
from tests.issuing.gateway import TOKEN, configuration, token_file
from tests.management.clients import LIMIT_S, Stream, address, connected, get
from tests.metrics.synthetic import snapshot

LOOPBACK = ("127.0.0.1", 0)


@pytest.fixture
def server() -> Iterator[ManagementServer]:
    with ManagementServer(lambda: snapshot(at_s=1.0)) as running:
        yield running


@pytest.fixture
def served(server: ManagementServer) -> Served:
    return server.open_figures(LOOPBACK)


def ask(served: Served, path: str, method: str = "GET") -> tuple[int, str, Any]:
    connection = http.client.HTTPConnection(*address(served), timeout=LIMIT_S)
    with contextlib.closing(connection):
        connection.request(method, path)
        answer = connection.getresponse()
        body = answer.read()
        return answer.status, answer.headers["Content-Type"], json.loads(body) if body else None


def test_stats_are_every_metric_by_its_name(served: Served) -> None:
    expected = json.loads(json.dumps(values(snapshot(at_s=1.0))))
    assert ask(served, "/v1/stats") == (200, "application/json", expected)


def test_a_worker_that_never_turned_has_a_heartbeat_of_null(server: ManagementServer) -> None:
    with ManagementServer(lambda: snapshot(turns=0)) as fresh:
        _, _, body = ask(fresh.open_figures(LOOPBACK), "/v1/stats")
    assert body["pollgate_worker_heartbeat_age_seconds"] == {"0": None, "1": None}


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/v1/stats?x=1", "x: no such parameter; allowed: none"),
        ("/v1/stats/stream?x=1", "x: no such parameter; allowed: interval"),
        ("/v1/stats/stream?interval=0", "interval: allowed is a whole number from 1 to 60"),
        ("/v1/stats/stream?interval=61", "interval: allowed is a whole number from 1 to 60"),
        ("/v1/stats/stream?interval=0.5", "interval: allowed is a whole number from 1 to 60"),
        ("/v1/stats/stream?interval=1&interval=2", "interval: is there more than once; once is allowed"),
    ],
)
def test_a_wrong_parameter_is_refused_in_a_sentence(served: Served, path: str, sentence: str) -> None:
    assert ask(served, path) == (400, "application/json", {"error": sentence})


@pytest.mark.parametrize("header", ["Content-Length: 3", "Transfer-Encoding: chunked"])
def test_a_stream_that_is_asked_for_with_a_body_is_refused(
    served: Served, caplog: pytest.LogCaptureFixture, header: str
) -> None:
    request = f"GET /v1/stats/stream HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n".encode()
    with connected(address(served), request) as client:
        assert client.recv(4096).startswith(b"HTTP/1.1 400 ")
    assert not caplog.records


def test_statistics_that_cannot_be_read_are_an_error_and_the_stream_ends() -> None:
    def broken() -> Snapshot:
        raise ValueError("no page")

    with ManagementServer(broken) as server:
        served = server.open_figures(LOOPBACK)
        told = {"error": "the statistics could not be read; see the log"}
        assert ask(served, "/v1/stats") == (500, "application/json", told)
        with connected(address(served), get("/v1/stats/stream")) as client:
            assert Stream(client).event() is None
        assert ask(served, "/v1/stats")[0] == 500


def test_a_stream_has_an_event_a_second_each_of_its_own_snapshot() -> None:
    turns = 0

    def source() -> Snapshot:
        nonlocal turns
        turns += 1
        return snapshot(turns)

    with ManagementServer(source) as server:
        served = server.open_figures(LOOPBACK)
        with connected(address(served), get("/v1/stats/stream")) as client:
            stream = Stream(client)
            assert (stream.status, stream.headers["content-type"].split(";")[0]) == (200, "text/event-stream")
            assert stream.headers["cache-control"] == "no-store"
            received = [stream.event() or {} for _ in range(3)]
    assert [one["pollgate_received_packets_total"]["0"] for one in received] == [10, 20, 30]


def test_head_of_a_stream_ends(served: Served) -> None:
    assert ask(served, "/v1/stats/stream", "HEAD") == (200, "text/event-stream; charset=utf-8", None)


def test_a_stream_does_not_hold_up_others(served: Served) -> None:
    with contextlib.ExitStack() as stack:
        streams = [
            Stream(stack.enter_context(connected(address(served), get("/v1/stats/stream?interval=60"))))
            for _ in range(STREAMS_MAX)
        ]
        assert all(stream.event() for stream in streams)
        assert ask(served, "/v1/stats")[0] == 200


def test_one_stream_too_many_ends_the_oldest_of_the_source_that_has_most(served: Served) -> None:
    with contextlib.ExitStack() as stack:

        def opened(source: str, interval_s: int = 60) -> Stream:
            asked = get(f"/v1/stats/stream?interval={interval_s}")
            stream = Stream(stack.enter_context(connected(address(served), asked, source)))
            assert stream.event()
            return stream

        alone = opened("127.0.0.2", 1)
        many = [opened("127.0.0.3") for _ in range(STREAMS_MAX - 1)]
        late = opened("127.0.0.4", 1)
        assert many[0].event() is None
        opened("127.0.0.4")
        assert many[1].event() is None
        assert alone.event()
        assert late.event()


def test_streams_at_the_open_address_end_none_at_the_one_with_a_token(
    server: ManagementServer, served: Served, tmp_path: Path
) -> None:
    listen = {"listen": "127.0.0.1:0", "token_file": token_file(tmp_path)}
    control = server.open_control(Config.model_validate(configuration(tmp_path, **listen)))
    with contextlib.ExitStack() as stack:
        asked = get("/v1/stats/stream").replace(
            b"\r\n\r\n", f"\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode()
        )
        operators = Stream(stack.enter_context(connected(address(control), asked)))
        assert operators.event()
        for number in range(2 * STREAMS_MAX):  # each source has one, as the operator has
            source = f"127.0.1.{1 + number}"
            asked = get("/v1/stats/stream?interval=60")
            assert Stream(stack.enter_context(connected(address(served), asked, source))).event()
        for _ in range(3):  # one may be on its way at the end of a stream
            assert operators.event()


def test_a_client_that_goes_away_leaves_its_place() -> None:
    with ManagementServer(snapshot) as server:
        served = server.open_figures(LOOPBACK)
        with connected(address(served), get("/v1/stats/stream"), "127.0.0.2") as client:
            oldest = Stream(client)  # of all, and so the first to end if the others kept their places
            assert oldest.event()
            for other in range(2 * STREAMS_MAX):
                with connected(
                    address(served), get("/v1/stats/stream?interval=60"), f"127.0.1.{1 + other}"
                ) as gone:
                    assert Stream(gone).event()
            assert oldest.event()


def test_a_stream_ends_with_its_address_and_others_are_served_on(server: ManagementServer) -> None:
    first, second = server.open_figures(LOOPBACK), server.open_figures(LOOPBACK)
    with contextlib.ExitStack() as stack:
        asked = get("/v1/stats/stream?interval=60")
        ends, stays = (
            Stream(stack.enter_context(connected(address(served), asked))) for served in (first, second)
        )
        assert ends.event()
        assert stays.event()
        first.close()
        assert ends.event() is None
        assert ask(second, "/v1/stats")[0] == 200


def test_an_address_is_free_as_soon_as_it_is_closed(server: ManagementServer) -> None:
    first = server.open_figures(LOOPBACK)
    where = address(first)
    with connected(where, get("/v1/stats/stream?interval=60")) as client:
        assert Stream(client).event()
        first.close()
        assert ask(server.open_figures(where), "/v1/stats")[0] == 200


def test_the_end_of_the_server_waits_for_no_stream() -> None:
    ended = threading.Event()
    with contextlib.ExitStack() as stack:
        server = ManagementServer(snapshot)
        served = server.open_figures(LOOPBACK)
        client = stack.enter_context(connected(address(served), get("/v1/stats/stream?interval=60")))
        assert Stream(client).event()

        def end() -> None:
            server.__exit__()
            ended.set()

        threading.Thread(target=end, daemon=True).start()
        assert ended.wait(LIMIT_S / 2)  # half of what the stream would sleep
