# SPDX-License-Identifier: BSD-3-Clause
"""Two addresses of one server: everybody sees figures at one, who has the token sees all at the other."""

from __future__ import annotations

import contextlib
import http.client
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pyshim.config import Config
from pyshim.errors import InternalError
from pyshim.management.server import ManagementServer, Served
from tests.issuing.gateway import TOKEN, UnixConnection, certificate, configuration, token_file
from tests.management.clients import LIMIT_S, address
from tests.metrics.synthetic import snapshot

FIGURES = ["/metrics", "/healthz", "/readyz", "/v1/stats"]


@pytest.fixture
def server() -> Iterator[ManagementServer]:
    with ManagementServer(snapshot) as running:
        yield running


def get(connection: http.client.HTTPConnection, path: str, **headers: str) -> tuple[int, str]:
    with contextlib.closing(connection):
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def control(server: ManagementServer, directory: Path, **more: Any) -> Served:
    return server.open_control(Config.model_validate(configuration(directory, **more)))


@pytest.mark.parametrize("path", FIGURES)
def test_figures_are_at_either_address(server: ManagementServer, tmp_path: Path, path: str) -> None:
    open_one = server.open_figures(("127.0.0.1", 0))
    control(server, tmp_path)
    tcp = http.client.HTTPConnection(*address(open_one), timeout=LIMIT_S)
    assert get(tcp, path)[0] == get(UnixConnection(f"{tmp_path}/control.sock"), path)[0] == 200


@pytest.mark.parametrize("path", FIGURES)
def test_where_a_token_is_asked_for_it_is_for_figures_too(
    server: ManagementServer, tmp_path: Path, path: str
) -> None:
    control(server, tmp_path, token_file=token_file(tmp_path))
    where = f"{tmp_path}/control.sock"
    assert get(UnixConnection(where), path)[0] == 401
    assert get(UnixConnection(where), path, Authorization=f"Bearer {TOKEN}")[0] == 200


@pytest.mark.parametrize("path", ["/v1/sessions", "/v1/game", "/v1/openapi.json", "/"])
def test_the_open_address_has_figures_and_nothing_else(server: ManagementServer, path: str) -> None:
    tcp = http.client.HTTPConnection(*address(server.open_figures(("127.0.0.1", 0))), timeout=LIMIT_S)
    status, body = get(tcp, path)
    assert status == 404
    assert body.endswith("; /metrics, /healthz, /readyz, /v1/stats and /v1/stats/stream are served here\n")
    assert ("the control API is at the control socket, control.listen" in body) == path.startswith("/v1/")


def test_a_socket_file_goes_with_its_address(server: ManagementServer, tmp_path: Path) -> None:
    served = control(server, tmp_path)
    assert (tmp_path / "control.sock").is_socket()
    served.close()
    assert not (tmp_path / "control.sock").exists()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_url_of_the_control_address_is_where_its_metrics_are(
    server: ManagementServer, tmp_path: Path, scheme: str
) -> None:
    tls = {"tls": certificate(tmp_path)} if scheme == "https" else {}
    served = control(server, tmp_path, listen="127.0.0.1:0", token_file=token_file(tmp_path), **tls)
    assert served.url == f"{scheme}://127.0.0.1:{address(served)[1]}/metrics"


def test_a_socket_in_the_file_system_has_no_url(server: ManagementServer, tmp_path: Path) -> None:
    assert control(server, tmp_path).url is None


def test_an_address_that_is_not_up_in_time_is_a_sentence_and_leaves_no_file(
    server: ManagementServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyshim.management.server.START_LIMIT_S", 0.1)
    server.open_figures(("127.0.0.1", 0))
    loop = server._loop
    assert loop is not None
    go_on = threading.Event()
    loop.call_soon_threadsafe(go_on.wait, LIMIT_S)
    try:
        with pytest.raises(InternalError) as failure:
            control(server, tmp_path)
        assert not (tmp_path / "control.sock").exists()
    finally:
        go_on.set()
    assert str(failure.value) == (
        f"the management server at unix:{tmp_path}/control.sock was not up within 0.1 s; its machine is "
        "overloaded, start it again when it is less so"
    )
    control(server, tmp_path)  # nothing of the first one is in its way


@pytest.mark.parametrize("was_open", [True, False])
def test_after_its_end_a_server_opens_nothing_and_says_so(tmp_path: Path, was_open: bool) -> None:
    with ManagementServer(snapshot) as server:
        if was_open:
            server.open_figures(("127.0.0.1", 0))
    threads = threading.active_count()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # that a coroutine was never awaited is one
        with pytest.raises(InternalError, match=r"the management server has ended$"):
            control(server, tmp_path)
    assert threading.active_count() == threads
    assert not (tmp_path / "control.sock").exists()


@pytest.mark.parametrize("path", ["/metrics/", "/v1/stats/", "/v1/sessions/", "/v1/sessions/1/"])
def test_a_path_with_a_slash_too_many_is_not_found_at_either_address(
    server: ManagementServer, tmp_path: Path, path: str
) -> None:
    tcp = http.client.HTTPConnection(*address(server.open_figures(("127.0.0.1", 0))), timeout=LIMIT_S)
    control(server, tmp_path)
    assert get(tcp, path)[0] == get(UnixConnection(f"{tmp_path}/control.sock"), path)[0] == 404


def test_a_head_longer_than_16_kib_is_refused_at_either_address_however_it_arrives(
    server: ManagementServer, tmp_path: Path
) -> None:
    tcp = http.client.HTTPConnection(*address(server.open_figures(("127.0.0.1", 0))), timeout=LIMIT_S)
    control(server, tmp_path)
    for connection in (tcp, UnixConnection(f"{tmp_path}/control.sock")):
        status, sentence = get(connection, "/healthz", **{"X-Long": "x" * 16_384})
        assert status in {400, 431}  # in pieces it is refused before it is whole
        assert "16384 bytes" in sentence or status == 400
