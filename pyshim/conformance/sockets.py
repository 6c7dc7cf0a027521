# SPDX-License-Identifier: BSD-3-Clause
"""The network and the clock of this machine: UDP sockets, with the time when the kernel had a datagram."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import time
from collections.abc import Sequence
from typing import Any

from pyshim.conformance.loop import Arrival, Port
from pyshim.errors import UnavailableError
from pyshim.system.interruption import interruptible

_RECEIVE_MAX = 2048
_SO_TIMESTAMPNS = 35  # Linux; the socket module has no name for it
_STAMP = struct.Struct("@qq")
_BUFFER_BYTES = 1 << 20


class SocketPort:
    """Sockets towards one gateway, or one that a client talks to and others beside it."""

    def __init__(
        self, *, remote: tuple[str, int] | None = None, local: tuple[str, int] | None = None
    ) -> None:
        """As a client of `remote`, or as a gateway at `local`.

        Raises:
            UnavailableError: the address cannot be had, or is none.
        """
        self._family: int
        self._address: Any
        self._host = remote or local or ("127.0.0.1", 0)
        try:
            kind = socket.SOCK_DGRAM
            self._family, _, _, _, self._address = socket.getaddrinfo(*self._host, type=kind)[0]
        except OSError as problem:
            raise UnavailableError(f"{self._host[0]}: no such address ({problem.strerror})") from problem
        self._remote: Any = self._address if remote is not None else None
        self.sockets: list[socket.socket] = []
        self._add(self._address if local is not None else None)

    def _add(self, address: Any) -> socket.socket:
        made = socket.socket(self._family, socket.SOCK_DGRAM)
        self.sockets.append(made)
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        try:
            if address is not None:
                made.bind(address)
        except OSError as problem:
            self.close()
            raise UnavailableError(
                f"{self._host[0]}:{self._host[1]} cannot be bound: {problem.strerror}; name another address"
            ) from problem
        return made

    @property
    def local(self) -> tuple[str, int]:
        """Where a gateway is."""
        host, port = self.sockets[0].getsockname()[:2]
        return host, port

    def send(self, datagram: bytes, via: int = 0, to: Any = None) -> None:
        """Send it; one that the kernel has no room for is lost, as on any network."""
        while len(self.sockets) <= via:
            # Beside a gateway's own address: another port of the same.
            self._add((self.local[0], 0) if self._remote is None else None)
        with contextlib.suppress(OSError):
            self.sockets[via].sendto(datagram, to or self._remote)

    def close(self) -> None:
        """Close all."""
        for one in self.sockets:
            one.close()


class SystemNetwork:
    """Sockets of this machine."""

    def now(self) -> float:
        """Of the monotonic clock."""
        return time.monotonic()

    def wait(self, ports: Sequence[Port], until_s: float) -> tuple[Port, Arrival] | None:
        """The next datagram."""
        mine = [
            (port, via, one)
            for port in ports
            if isinstance(port, SocketPort)
            for via, one in enumerate(port.sockets)
        ]
        poll = select.poll()
        by_fd = {}
        for port, via, one in mine:
            poll.register(one, select.POLLIN)
            by_fd[one.fileno()] = (port, via, one)
        while True:
            left_s = until_s - self.now()
            with interruptible():
                ready = poll.poll(max(0.0, left_s) * 1000)
            for fd, _ in ready:
                port, via, one = by_fd[fd]
                arrival = self._receive(one, via)
                if arrival is not None:
                    return port, arrival
            if not ready and until_s <= self.now():
                return None

    def _receive(self, one: socket.socket, via: int) -> Arrival | None:
        """None: an error of the network, such as a port that nobody listens at."""
        try:
            datagram, extra, _, source = one.recvmsg(_RECEIVE_MAX, 64)
        except OSError:
            return None
        waited_s = 0.0
        for level, kind, data in extra:
            if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS and len(data) >= _STAMP.size:
                seconds, nanoseconds = _STAMP.unpack_from(data)
                waited_s = max(0.0, time.time() - (seconds + nanoseconds * 1e-9))
        # The clock is read last: a busy machine makes it late, never before it was sent.
        return Arrival(datagram, self.now() - waited_s, via, source)
