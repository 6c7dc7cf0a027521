# SPDX-License-Identifier: BSD-3-Clause
"""The connections of the control API: so many at most, and who may be cut to make room for a new one.

All of it runs on the server's one thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from pyshim.system.eviction import oldest_of_most, source_of
from pyshim.system.spare_descriptor import SpareDescriptor, is_scarce

CONNECTIONS_MAX = 64
_KEY = "pollgate.connection"  # of an ASGI scope


@dataclass(eq=False)
class Connection:
    """One that is open."""

    socket: socket.socket
    source: str
    entitled: bool = False  # a request that was let in has come over it
    requests: int = 0  # in hand

    @contextlib.contextmanager
    def serving(self) -> Iterator[None]:
        """While a request that was let in is in hand."""
        self.entitled = True
        self.requests += 1
        try:
            yield
        finally:
            self.requests -= 1

    @property
    def may_be_cut(self) -> bool:
        """Whoever has shown what he may do, or has a request in hand, stays."""
        return not self.entitled and self.requests == 0


class BoundedListener(socket.socket):
    """A listening socket that keeps so many connections at most, also before a TLS handshake or a request.

    A new one takes the place of one that has shown nothing; when there is none, it is closed itself.
    """

    _open: list[Connection]  # oldest first
    _one_taken: bool  # in this turn of the server's loop
    _spare: SpareDescriptor

    @classmethod
    def of(cls, listener: socket.socket) -> Self:
        """Take a listening socket over."""
        made = cls(listener.family, listener.type, listener.proto, listener.detach())
        made._open = []
        made._one_taken = False
        made._spare = SpareDescriptor("control")
        return made

    def accept(self) -> tuple[socket.socket, Any]:
        """The next connection; the server closes it.

        Raises:
            BlockingIOError: there is none, or it was refused, or one was taken in this turn of the loop:
                before the next one, what came over the earlier ones is looked at, so that a burst pushes out
                nobody who has asked.
        """
        self._one_taken = not self._one_taken
        if not self._one_taken:
            raise BlockingIOError
        try:
            accepted, address = super().accept()
        except OSError as problem:
            if not is_scarce(problem):
                raise
            self._spare.refuse(self, problem)
            raise BlockingIOError from None
        self._open = [one for one in self._open if one.socket.fileno() >= 0]
        if len(self._open) < CONNECTIONS_MAX or self._make_room():
            self._open.append(Connection(accepted, source_of(address)))
        else:
            _cut(accepted)
        return accepted, address

    def close(self) -> None:
        """Close it, and what it kept for hard times."""
        self._spare.close()
        super().close()

    def _make_room(self) -> bool:
        victim = oldest_of_most((one for one in self._open if one.may_be_cut), lambda one: one.source)
        if victim is None:
            return False
        self._open.remove(victim)
        _cut(victim.socket)
        return True

    def connection(self, fd: int) -> Connection | None:
        """That of a descriptor; None when it was closed at once, or has been cut."""
        return next((one for one in self._open if one.socket.fileno() == fd), None)


def _cut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it may have gone already
        connection.shutdown(socket.SHUT_RDWR)  # the server sees its end, and closes it


def protocol_of(listener: BoundedListener) -> type[asyncio.Protocol]:
    """uvicorn's HTTP over the connections of a listener: every request knows its own."""

    class Protocol(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            connection = listener.connection(transport.get_extra_info("socket").fileno())
            if connection is None:
                transport.abort()
            else:
                self.app = _over(connection, self.app)

    return Protocol


def _over(connection: Connection, app: ASGIApp) -> ASGIApp:
    async def asked(scope: Scope, receive: Receive, send: Send) -> None:
        scope[_KEY] = connection
        await app(scope, receive, send)

    return asked


def serving(scope: Scope) -> contextlib.AbstractContextManager[None]:
    """While a request that was let in is in hand."""
    connection: Connection | None = scope.get(_KEY)
    return contextlib.nullcontext() if connection is None else connection.serving()
