# SPDX-License-Identifier: BSD-3-Clause
"""A network with a clock of its own: the kit at one end, a model at the other, and nobody waits."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Sequence
from typing import Any, Protocol

from pyshim.conformance.loop import Arrival, Port

DELAY_S = 0.001
Reply = tuple[bytes, Any]


class Model(Protocol):
    """The other end: datagrams in, datagrams out, at a time that it is told."""

    def receive(self, datagram: bytes, source: Any, now: float) -> list[Reply]: ...

    def due(self, now: float) -> list[Reply]: ...

    def next_due(self) -> float: ...


class VirtualPort:
    """The kit's sockets: addresses are (port, socket)."""

    def __init__(self, network: VirtualNetwork, number: int, model: Model) -> None:
        self.network, self.number, self.model = network, number, model
        self.is_open = True

    def send(self, datagram: bytes, via: int = 0, to: Any = None) -> None:
        self.network.push(self, datagram, ("out", via, to))

    def close(self) -> None:
        self.is_open = False


class VirtualNetwork:
    """All datagrams on their way, in the order of their times."""

    def __init__(self) -> None:
        self.time = 1000.0
        self._way: list[tuple[float, int, VirtualPort, bytes, Any]] = []
        self._order = itertools.count()
        self._ports: list[VirtualPort] = []

    def now(self) -> float:
        return self.time

    def open(self, model: Model) -> VirtualPort:
        self._ports.append(VirtualPort(self, len(self._ports), model))
        return self._ports[-1]

    def push(self, port: VirtualPort, datagram: bytes, how: Any) -> None:
        heapq.heappush(self._way, (self.time + DELAY_S, next(self._order), port, datagram, how))

    def wait(self, ports: Sequence[Port], until_s: float) -> tuple[Port, Arrival] | None:
        models = {id(port.model): port for port in ports if isinstance(port, VirtualPort)}
        while True:
            due = min(((port.model.next_due(), key) for key, port in models.items()), default=(until_s, 0))
            at = min(due[0], self._way[0][0] if self._way else until_s)
            if at > until_s:
                self.time = max(self.time, until_s)
                return None
            self.time = max(self.time, at)
            if self._way and self._way[0][0] <= due[0]:
                _, _, port, datagram, how = heapq.heappop(self._way)
                if not port.is_open:
                    continue
                if how[0] == "in":
                    return port, Arrival(datagram, self.time, how[1], how[2])
                self._reply(port, port.model.receive(datagram, (port.number, how[1]), self.time))
            elif due[0] <= until_s and due[1]:
                port = models[due[1]]
                self._reply(port, port.model.due(self.time))
            else:
                return None

    def _reply(self, port: VirtualPort, replies: list[Reply]) -> None:
        for datagram, where in replies:
            to, via = (self._ports[where[0]], where[1]) if isinstance(where, tuple) else (port, 0)
            self.push(to, datagram, ("in", via, where))
