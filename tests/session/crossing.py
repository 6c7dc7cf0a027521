# SPDX-License-Identifier: BSD-3-Clause
"""Between players and a gateway on this host: passes everything on, and keeps what each network saw.

A network is a player's socket: each has an address of its own towards the gateway.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from types import TracebackType
from typing import Any, Self

from tests.session.observer import Seen

LOOPBACK = "127.0.0.1"
_LARGEST = 65_536


class Crossing:
    """A context manager; `networks` are in the order in which they were first used."""

    def __init__(self, gateway: tuple[str, int]) -> None:
        self._gateway = gateway
        self.networks: list[Seen] = []
        self._near = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._near.bind((LOOPBACK, 0))
        self._far: dict[Any, tuple[socket.socket, Seen]] = {}  # by the player's address
        self._wake, self._woken = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._near, selectors.EVENT_READ, None)
        self._selector.register(self._woken, selectors.EVENT_READ, None)
        self._thread = threading.Thread(target=self._pass_on)

    @property
    def port(self) -> int:
        """Where the players' gateway is."""
        port: int = self._near.getsockname()[1]
        return port

    def _pass_on(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._woken:
                    return
                with contextlib.suppress(OSError):  # an ICMP error: a player's socket is closed
                    if key.data is None:
                        self._from_player(*self._near.recvfrom(_LARGEST))
                    else:
                        self._from_gateway(key.data)

    def _from_player(self, datagram: bytes, source: Any) -> None:
        if source not in self._far:
            far = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            far.connect(self._gateway)
            self.networks.append([])
            self._far[source] = far, self.networks[-1]
            self._selector.register(far, selectors.EVENT_READ, source)
        far, seen = self._far[source]
        seen.append((True, datagram))
        far.send(datagram)

    def _from_gateway(self, player: Any) -> None:
        far, seen = self._far[player]
        datagram = far.recv(_LARGEST)
        seen.append((False, datagram))
        self._near.sendto(datagram, player)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._wake.send(b".")
        self._thread.join()
        for one in (self._near, self._wake, self._woken, *(far for far, _ in self._far.values())):
            one.close()
        self._selector.close()
