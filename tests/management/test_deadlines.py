# SPDX-License-Identifier: BSD-3-Clause
"""Clients that are slow at either end of a request, at whichever address, are not waited for."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from pyshim.config import Config
from pyshim.management.bounds import Bounds
from pyshim.management.connections import BoundedListener
from pyshim.management.server import Address, ManagementServer
from tests.issuing.gateway import certificate, configuration
from tests.management.clients import LIMIT_S, address, connected, get, until
from tests.metrics.synthetic import snapshot

PIECE = b"x" * (1 << 20)
CONNECTIONS = 4


@pytest.fixture
def server() -> Iterator[ManagementServer]:
    with ManagementServer(snapshot) as running:
        yield running


def is_ended(client: socket.socket) -> bool:
    client.settimeout(LIMIT_S)
    with contextlib.suppress(ConnectionResetError):
        while client.recv(1 << 16):
            pass
    return True


def serve(server: ManagementServer, app: ASGIApp, tls: ssl.SSLContext | None = None) -> tuple[str, int]:
    """Where an application of the test's own is served, with the bounds of all."""
    listener = BoundedListener.of(socket.create_server(("127.0.0.1", 0)), "test", CONNECTIONS, remembers=True)
    host, port = listener.getsockname()
    server.open(Address(listener, Bounds(app, None, "test"), f"{host}:{port}", tls=tls))
    return host, port


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server's side of TLS, where asyncio's own deadlines never come."""
    monkeypatch.setattr("asyncio.constants.SSL_SHUTDOWN_TIMEOUT", 1e6)
    monkeypatch.setattr("asyncio.constants.SSL_HANDSHAKE_TIMEOUT", 1e6)
    files = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files["certificate"], files["key"])
    return context


@contextlib.contextmanager
def secured(where: tuple[str, int], data: bytes) -> Iterator[ssl.SSLSocket]:
    """As `connected`, with TLS, whoever serves."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(where, LIMIT_S) as client, context.wrap_socket(client) as wrapped:
        wrapped.sendall(data)
        yield wrapped


def descriptors() -> int:
    """That this process has."""
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_head_that_is_never_whole_ends_its_connection_at_the_control_address_too(
    server: ManagementServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyshim.management.connections.REQUEST_LIMIT_S", 0.2)
    server.open_control(Config.model_validate(configuration(tmp_path)))
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(f"{tmp_path}/control.sock")
        client.sendall(b"GET / HTTP/1.1\r\nX: ")
        assert is_ended(client)


def test_the_second_head_of_a_connection_has_the_same_deadline(
    server: ManagementServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyshim.management.connections.REQUEST_LIMIT_S", 0.5)
    where = address(server.open_figures(("127.0.0.1", 0)))
    ended = threading.Event()
    with connected(where, get("/healthz")) as client:
        assert client.recv(12) == b"HTTP/1.1 200"

        def trickle() -> None:
            # More often than a kept connection may be silent: only a deadline for the head ends this.
            with contextlib.suppress(OSError):
                while not ended.wait(0.02):
                    client.sendall(b"x")

        sender = threading.Thread(target=trickle, daemon=True)
        sender.start()
        try:
            assert is_ended(client)
        finally:
            ended.set()
            sender.join()


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_an_answer_that_is_not_taken_ends_its_connection(
    server: ManagementServer, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    monkeypatch.setattr("pyshim.management.connections.ANSWER_LIMIT_S", 0.2)
    gone = threading.Event()

    async def endless(_: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(64):
            await send({"type": "http.response.body", "body": PIECE, "more_body": True})
        assert (await receive())["type"] == "http.disconnect"
        gone.set()

    with connected(serve(server, endless), get("/", version)):
        assert gone.wait(LIMIT_S)


def test_who_does_not_take_an_answer_makes_room_for_who_asks(
    server: ManagementServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyshim.management.connections.SLOW_READER_S", 0.05)
    monkeypatch.setattr("pyshim.management.connections.ANSWER_LIMIT_S", 10 * LIMIT_S)

    begun: list[Scope] = []

    async def app(scope: Scope, _: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if scope["path"] == "/large":
            begun.append(scope)
        for _ in range(64 if scope["path"] == "/large" else 0):
            await send({"type": "http.response.body", "body": PIECE, "more_body": True})
        await send({"type": "http.response.body", "body": b"done"})

    where = serve(server, app)

    def answered() -> bool:
        with connected(where, get("/small")) as client, contextlib.suppress(OSError):
            return client.recv(12) == b"HTTP/1.1 200"
        return False

    with contextlib.ExitStack() as stack:
        for _ in range(CONNECTIONS):
            stack.enter_context(connected(where, get("/large")))
        until(lambda: len(begun) == CONNECTIONS)
        until(answered)


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_last_piece_that_is_not_taken_ends_its_connection(
    server: ManagementServer, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    monkeypatch.setattr("pyshim.management.connections.ANSWER_LIMIT_S", 0.2)
    answered = threading.Event()

    async def large(_: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": 64 * PIECE})
        answered.set()

    where = serve(server, large)
    before = descriptors()
    with connected(where, get("/", version)):
        assert answered.wait(LIMIT_S)
        until(lambda: descriptors() == before + 1)  # the client's own


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("body", [64 * PIECE, b"done"], ids=["long", "short"])
def test_with_tls_a_last_piece_that_is_not_taken_ends_its_connection_as_soon(
    server: ManagementServer,
    tls: ssl.SSLContext,
    monkeypatch: pytest.MonkeyPatch,
    version: str,
    body: bytes,
) -> None:
    monkeypatch.setattr("pyshim.management.connections.ANSWER_LIMIT_S", 0.2)
    monkeypatch.setattr("pyshim.management.connections.SLOW_READER_S", 0.2)
    answered = threading.Event()

    async def app(_: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})
        answered.set()

    where = serve(server, app, tls)
    before = descriptors()
    with secured(where, get("/", version)):  # and reads nothing: not even that TLS ends
        assert answered.wait(LIMIT_S)
        until(lambda: descriptors() == before + 1)  # the client's own


def test_with_tls_who_takes_a_long_answer_gets_all_of_it(
    server: ManagementServer, tls: ssl.SSLContext
) -> None:
    async def app(_: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": 64 * PIECE})

    with secured(serve(server, app, tls), get("/", "1.0")) as client:
        received = 0
        while more := client.recv(1 << 16):
            received += len(more)
    assert received > 64 * len(PIECE)


def test_a_handshake_of_tls_that_never_begins_ends_its_connection(
    server: ManagementServer, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyshim.management.connections.REQUEST_LIMIT_S", 0.2)

    async def nothing(_: Scope, __: Receive, ___: Send) -> None:
        """Nobody gets here."""

    with connected(serve(server, nothing, tls), b"") as client:
        assert is_ended(client)
