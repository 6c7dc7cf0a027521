# SPDX-License-Identifier: BSD-3-Clause
"""Clients that send too much, too often or too slowly do not hold up the others, nor the gateway."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

from pyshim.management.bounds import BODY_BYTES_MAX, Rate
from pyshim.management.connections import CONNECTIONS_MAX
from tests.gate import Gate
from tests.issuing.gateway import TOKEN, Api, UnixConnection, ask, configuration, token_file
from tests.ports import free_port

HEAD = b"POST /v1/sessions HTTP/1.1\r\nHost: x\r\n"


@contextlib.contextmanager
def connected(api: Api, data: bytes = b"") -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(60)
        client.connect(api.path)
        client.sendall(data)
        yield client


def read_all(client: socket.socket) -> bytes:
    """Until the gateway closes, or says that it did so before it read everything."""
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while data := client.recv(65536):
            found += data
    return found


def test_a_body_that_says_it_is_too_long_is_refused_unread(api: Api) -> None:
    with connected(api, HEAD + f"Content-Length: {BODY_BYTES_MAX + 1}\r\n\r\n".encode()) as client:
        answer = read_all(client)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'{"error": "the body has more than' in answer


def test_the_longest_body_is_read(api: Api) -> None:
    body = b'{"player_id": 1, "ttl": 1}'.ljust(BODY_BYTES_MAX)
    assert api("POST", "/v1/sessions", body).status == 201
    assert api("POST", "/v1/sessions", body + b" ").status == 413


def test_a_body_without_a_length_is_refused_when_it_gets_too_long(api: Api) -> None:
    piece = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    with connected(api, HEAD + b"Transfer-Encoding: chunked\r\n\r\n") as client:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for _ in range(8):
                client.sendall(piece)
        assert read_all(client).startswith(b"HTTP/1.1 413 ")


def test_headers_without_end_are_refused(api: Api) -> None:
    with connected(api, b"GET / HTTP/1.1\r\n") as client:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for number in range(10_000):
                client.sendall(f"X-{number}: {'x' * 100}\r\n".encode())
        assert read_all(client).startswith(b"HTTP/1.1 4")


def test_what_is_not_http_is_refused(gate: Gate, api: Api) -> None:
    with connected(api, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n") as client:
        assert read_all(client).startswith(b"HTTP/1.1 400 ")
    assert "Traceback" not in gate.stderr


def test_silent_connections_give_way_to_those_that_ask(gate: Gate, api: Api) -> None:
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(connected(api)) for _ in range(3 * CONNECTIONS_MAX)]
        slow = stack.enter_context(connected(api, HEAD + b"Content-Length: 100\r\n\r\n{"))
        for player in range(1, 20):
            assert api.issue(player)
        assert silent[0].recv(1) == b""  # the oldest was closed
        slow.sendall(b"}")
    descriptors = len(list(gate.directory.joinpath(f"/proc/{gate.process.pid}/fd").iterdir()))
    assert descriptors < CONNECTIONS_MAX + 100
    assert "unexpectedly" not in gate.stderr


def test_a_connection_carries_many_requests(api: Api) -> None:
    connection = UnixConnection(api.path)
    for player in range(1, 50):
        assert ask(connection, "POST", "/v1/sessions", {"player_id": player, "ttl": 9}).status == 201
        assert ask(connection, "GET", "/nowhere").status == 404
    connection.close()


def test_more_requests_than_allowed_are_told_to_wait() -> None:
    now = 100.0
    rate = Rate(10, 5, lambda: now)
    assert [rate.takes() for _ in range(7)] == [True] * 5 + [False] * 2
    now += 0.2
    assert [rate.takes() for _ in range(3)] == [True, True, False]
    now += 1000
    assert sum(rate.takes() for _ in range(100)) == 5


@contextlib.contextmanager
def guarded(directory: Path) -> Iterator[tuple[str, int]]:
    """Where a gateway listens that asks for a token."""
    port = free_port(socket.SOCK_STREAM)
    listen = {"listen": f"127.0.0.1:{port}", "token_file": token_file(directory)}
    with Gate(configuration(directory, **listen), directory):
        yield "127.0.0.1", port


def flood(stack: contextlib.ExitStack, where: tuple[str, int], data: bytes = b"") -> None:
    """Far more connections than there may be, from one address."""
    for _ in range(3 * CONNECTIONS_MAX):
        client = stack.enter_context(socket.create_connection(where, timeout=60))
        with contextlib.suppress(OSError):  # one that was cut at once
            client.sendall(data)


def request(body: bytes, token: str = TOKEN) -> bytes:
    return HEAD + f"Authorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n\r\n".encode()


BODY = b'{"player_id": 7, "ttl": 60}'


def test_strangers_do_not_push_out_a_request_with_the_token_that_is_in_hand(tmp_path: Path) -> None:
    with guarded(tmp_path) as where, contextlib.ExitStack() as stack:
        slow = stack.enter_context(socket.create_connection(where, timeout=60))
        slow.sendall(request(BODY) + BODY[:5])
        flood(stack, where)
        flood(stack, where, b"GET /v1/sessions HTTP/1.1\r\nHost: x\r\n\r\n")
        slow.sendall(BODY[5:])
        assert slow.recv(100).startswith(b"HTTP/1.1 201 ")


def test_a_source_of_many_connections_pushes_out_its_own(tmp_path: Path) -> None:
    with guarded(tmp_path) as where, contextlib.ExitStack() as stack:
        source = ("127.0.0.2", 0)
        fresh = stack.enter_context(socket.create_connection(where, timeout=60, source_address=source))
        flood(stack, where)
        fresh.sendall(request(BODY) + BODY)
        assert fresh.recv(100).startswith(b"HTTP/1.1 201 ")


def test_where_everybody_has_a_request_in_hand_nobody_is_cut(tmp_path: Path) -> None:
    with guarded(tmp_path) as where, contextlib.ExitStack() as stack:
        busy = []
        for _ in range(CONNECTIONS_MAX):
            busy.append(stack.enter_context(socket.create_connection(where, timeout=60)))
            busy[-1].sendall(HEAD + b"Expect: 100-continue\r\n" + request(BODY)[len(HEAD) :])
            assert busy[-1].recv(100).startswith(b"HTTP/1.1 100 ")  # so it is in hand
        late = stack.enter_context(socket.create_connection(where, timeout=60))
        with contextlib.suppress(ConnectionResetError):
            assert late.recv(1) == b""
        for client in busy:
            client.sendall(BODY)
            assert client.recv(100).startswith(b"HTTP/1.1 201 ")
