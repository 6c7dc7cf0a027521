# SPDX-License-Identifier: BSD-3-Clause
"""Two addresses of one server: everybody sees figures at one, who has the token sees all at the other."""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pyshim.config import Config
from pyshim.management.server import ManagementServer, Served
from tests.issuing.gateway import TOKEN, UnixConnection, configuration, token_file
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


@pytest.mark.parametrize("path", ["/v1/sessions", "/v1/openapi.json", "/"])
def test_the_open_address_has_figures_and_nothing_else(server: ManagementServer, path: str) -> None:
    tcp = http.client.HTTPConnection(*address(server.open_figures(("127.0.0.1", 0))), timeout=LIMIT_S)
    status, body = get(tcp, path)
    assert status == 404
    assert body == (
        "not found; /metrics, /healthz, /readyz, /v1/stats and /v1/stats/stream are served here\n"
    )


def test_a_socket_file_goes_with_its_address(server: ManagementServer, tmp_path: Path) -> None:
    served = control(server, tmp_path)
    assert (tmp_path / "control.sock").is_socket()
    served.close()
    assert not (tmp_path / "control.sock").exists()
