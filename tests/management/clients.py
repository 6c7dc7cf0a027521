# SPDX-License-Identifier: BSD-3-Clause
"""Who asks the management server, over sockets of its own."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from pyshim.management.server import Served

LIMIT_S = 60.0  # a bound for busy machines


def address(served: Served) -> tuple[str, int]:
    """Where it listens."""
    assert served.url is not None
    parts = urlsplit(served.url)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port


@contextlib.contextmanager
def connected(where: tuple[str, int], data: bytes, source: str = "127.0.0.1") -> Iterator[socket.socket]:
    """A connection over which `data` was sent."""
    with socket.create_connection(where, LIMIT_S, source_address=(source, 0)) as client:
        client.sendall(data)
        yield client


def get(path: str, version: str = "1.1") -> bytes:
    """A request."""
    return f"GET {path} HTTP/{version}\r\nHost: x\r\n\r\n".encode()


def until(condition: Callable[[], bool]) -> None:
    """Wait for it, within a bound."""
    end_s = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.02)


class Stream:
    """What comes over `/v1/stats/stream`."""

    def __init__(self, client: socket.socket) -> None:
        self._file = client.makefile("rb")
        self.status = int(self._file.readline().split()[1])
        self.headers: dict[str, str] = {}
        while line := self._file.readline().strip():
            name, _, value = line.decode().partition(": ")
            self.headers[name.lower()] = value

    def event(self) -> dict[str, Any] | None:
        """The next one's data; None after the last."""
        lines: list[str] = []
        while piece := self._chunk():
            lines += piece.decode().splitlines()
            if lines[-1] == "":
                break
        if not lines:
            return None
        assert lines[0] == "event: stats"
        assert lines[1].startswith("data: ")
        assert lines[2:] == [""]
        data = json.loads(lines[1].removeprefix("data: "))
        assert isinstance(data, dict)
        return data

    def _chunk(self) -> bytes:
        size = int(self._file.readline() or b"0", 16)
        data = self._file.read(size)
        self._file.readline()
        return data
