# SPDX-License-Identifier: BSD-3-Clause
"""The connections of the management server: how many, how slow, and which is cut to make room for a new one.

All of it runs on the server's one thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Self

import h11
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from pyshim.system.eviction import oldest_of_most, source_of
from pyshim.system.spare_descriptor import SpareDescriptor, is_scarce

CONNECTIONS_MAX = 64  # of the control API
OPEN_CONNECTIONS_MAX = 16  # of metrics
REQUEST_LIMIT_S = 5.0  # for the head of a request to arrive: from the connection, or from its first byte
ANSWER_LIMIT_S = 5.0  # for a piece of an answer to be taken, the last one and the end of TLS among them
SLOW_READER_S = 1.0  # an answer leaves in milliseconds, unless its reader does not take it

_KEY = "pollgate.connection"  # of an ASGI scope


@dataclass(eq=False)
class Connection:
    """One that is open."""

    socket: socket.socket
    source: str
    remembers: bool = True  # that a request was let in
    entitled: bool = False  # a request that was let in has come over it
    requests: int = 0  # in hand, that were let in
    asked: bool = False  # a request is in hand, let in or not
    sends_since_s: float | None = None  # since when its reader has been waited for
    transport: asyncio.Transport | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)  # an answer without end should end now

    @contextlib.contextmanager
    def serving(self) -> Iterator[None]:
        """While a request that was let in is in hand."""
        self.entitled = self.remembers
        self.requests += 1
        try:
            yield
        finally:
            self.requests -= 1

    @property
    def may_be_cut(self) -> bool:
        """A client that has shown its token, or has a request in hand, stays."""
        return not self.entitled and self.requests == 0

    @property
    def reads_slowly(self) -> bool:
        """Whether it does not take its answer."""
        return self.sends_since_s is not None and time.monotonic() - self.sends_since_s > SLOW_READER_S

    def cut(self) -> None:
        """End it, whatever has not been sent yet."""
        if self.transport is not None:
            with contextlib.suppress(AttributeError):  # CPython: of TLS, once it was closed twice
                self.transport.abort()
        cut(self.socket)

    def expect_handshake(self) -> None:
        """End it unless it is ready for requests in time; without TLS it is ready at once."""
        asyncio.get_running_loop().call_later(REQUEST_LIMIT_S, self._no_handshake)

    def _no_handshake(self) -> None:
        if self.transport is None:
            cut(self.socket)


class BoundedListener(socket.socket):
    """A listening socket that keeps so many connections at most, also before a TLS handshake or a request.

    A new one takes the place of one that has shown nothing, or of one that does not take its answer; when
    there is none, it is closed itself.
    """

    _most: int
    _remembers: bool
    _open: list[Connection]  # oldest first
    _one_taken: bool  # in this turn of the server's loop
    _spare: SpareDescriptor

    @classmethod
    def of(cls, listener: socket.socket, name: str, most: int, *, remembers: bool) -> Self:
        """Take a listening socket over.

        Args:
            listener: it.
            name: what it is called in sentences.
            most: connections.
            remembers: whether a connection over which a request was let in stays, once that is answered.
        """
        made = cls(listener.family, listener.type, listener.proto, listener.detach())
        made._most = most
        made._remembers = remembers
        made._open = []
        made._one_taken = False
        made._spare = SpareDescriptor(name)
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
        if len(self._open) < self._most or self._make_room():
            self._open.append(Connection(accepted, source_of(address), self._remembers))
            self._open[-1].expect_handshake()
        else:
            cut(accepted)
        return accepted, address

    def close(self) -> None:
        """Close it, and what it kept for hard times; answers without end end."""
        self._spare.close()
        for one in self._open:
            one.ended.set()
        super().close()

    def cut_all(self) -> None:
        """End every connection that it took."""
        for one in self._open:
            one.cut()

    def _make_room(self) -> bool:
        idle = [one for one in self._open if one.may_be_cut]
        slow = [one for one in self._open if one.reads_slowly]
        victim = oldest_of_most(idle or slow, lambda one: one.source)
        if victim is None:
            return False
        self._open.remove(victim)
        victim.cut()
        return True

    def connection(self, fd: int) -> Connection | None:
        """That of a descriptor; None when it was closed at once, or has been cut."""
        return next((one for one in self._open if one.socket.fileno() == fd), None)


def cut(connection: socket.socket) -> None:
    """End a connection, whoever reads or writes it."""
    with contextlib.suppress(OSError):  # it may have gone already
        connection.shutdown(socket.SHUT_RDWR)  # the server sees its end, and closes it


def protocol_of(listener: BoundedListener) -> type[asyncio.Protocol]:
    """uvicorn's HTTP over the connections of a listener: a request knows its own, and has deadlines."""

    class Protocol(H11Protocol):
        _connection: Connection | None = None
        _late: asyncio.TimerHandle | None = None  # until the head of a request is whole
        _leaving: asyncio.TimerHandle | None = None  # until what is closed is gone

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._connection = listener.connection(transport.get_extra_info("socket").fileno())
            if self._connection is None:
                transport.abort()
                return
            self._connection.transport = transport
            self.app = _over(self._connection, self.app, self._head_is_whole, self._answered)
            self._expect_head()

        def data_received(self, data: bytes) -> None:
            if self._connection is not None and not self._connection.asked:
                self._expect_head()
            super().data_received(data)

        def eof_received(self) -> bool:  # type: ignore[override]
            """A client that has said all gets its answer; over TLS there is no such half of a connection."""
            cycle = self.cycle
            waits = cycle is not None and not cycle.response_started
            if not waits or self.transport.get_extra_info("ssl_object") is not None:
                return False
            cycle.keep_alive = False
            return True

        def send_400_response(self, msg: str) -> None:
            """What is no HTTP is answered, unless an answer has begun."""
            if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                super().send_400_response(msg)
                if self.cycle is not None:
                    self.cycle.disconnected = True  # this was its answer
            else:
                self.transport.abort()

        def connection_lost(self, exc: Exception | None) -> None:
            self._head_is_whole()
            if self._leaving is not None:
                self._leaving.cancel()
            super().connection_lost(exc)

        def timeout_keep_alive_handler(self) -> None:
            super().timeout_keep_alive_handler()
            self._leave(SLOW_READER_S)  # its last answer was given long ago

        def _answered(self) -> None:
            if self.transport.is_closing():
                self._leave(ANSWER_LIMIT_S)

        def _leave(self, limit_s: float) -> None:
            """Close waits for who does not read, and with TLS for who does not close: only so long."""
            if self._leaving is None and self._connection is not None:
                self._leaving = self.loop.call_later(limit_s, self._connection.cut)

        def _expect_head(self) -> None:
            if self._late is None:
                self._late = self.loop.call_later(REQUEST_LIMIT_S, self.transport.abort)

        def _head_is_whole(self) -> None:
            if self._late is not None:
                self._late.cancel()
                self._late = None

    return Protocol


def _over(
    connection: Connection, app: ASGIApp, begins: Callable[[], None], ends: Callable[[], None]
) -> ASGIApp:
    """The application, whose every request knows its connection, and whose answers have deadlines."""

    async def asked(scope: Scope, receive: Receive, send: Send) -> None:
        async def bounded(message: Message) -> None:
            connection.sends_since_s = time.monotonic()
            try:
                async with asyncio.timeout(ANSWER_LIMIT_S):
                    await send(message)
            except TimeoutError:
                connection.cut()
            finally:
                connection.sends_since_s = None

        begins()
        scope[_KEY] = connection
        connection.asked = True
        try:
            await app(scope, receive, bounded)
        finally:
            connection.asked = False
            ends()

    return asked


def connection_of(scope: Scope) -> Connection | None:
    """That over which a request came; None in a test that has no connection."""
    found: Connection | None = scope.get(_KEY)
    return found


def serving(scope: Scope) -> contextlib.AbstractContextManager[None]:
    """While a request that was let in is in hand."""
    connection = connection_of(scope)
    return contextlib.nullcontext() if connection is None else connection.serving()
