# SPDX-License-Identifier: BSD-3-Clause
"""A real player on a socket of the kernel: moves steadily, and counts what the gateway acknowledges."""

from __future__ import annotations

import secrets
import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address

from pyshim.errors import UnavailableError
from pyshim.protocol.client import Settings, Ticket
from pyshim.protocol.client.connection import Connection, Phase
from pyshim.protocol.client.outgoing import Outgoing, Priority
from pyshim.protocol.session_bodies import move_body
from pyshim.protocol.session_wire import MessageType, Prefix, read_header
from pyshim.system.interruption import interruptible

DRAIN_S = 2.0  # at most, for the last answers: others may have the gateway's CPU
_CONNECT_S = 10.0
_LONG_S = 3600.0  # it is quiet between measurements, and stays connected
_ACK_BITS = 32
_DATAGRAM_BYTES = 2048


@dataclass(frozen=True, slots=True)
class Moved:
    """What became of the moves of one measurement."""

    sent: int
    acknowledged: int

    @property
    def share(self) -> float:
        """The part of the moves that the gateway took."""
        return self.acknowledged / self.sent


class SteadyPlayer:
    """A connection that stays; see `steady_player`."""

    def __init__(self, ticket: Ticket, own: socket.socket) -> None:
        """Nothing is sent yet."""
        self._socket = own
        settings = Settings(silence_s=_LONG_S, heartbeat_s=_LONG_S)
        self._connection = Connection(ticket, settings, secrets.token_bytes, time.monotonic())
        self._waiting: set[int] = set()  # counters of moves that are not acknowledged

    def connect(self) -> None:
        """Shake hands.

        Raises:
            UnavailableError: the gateway does not answer, or refuses.
        """
        deadline = time.monotonic() + _CONNECT_S
        while self._connection.phase is Phase.CONNECTING and time.monotonic() < deadline:
            self._turn(time.monotonic() + 0.05)
        if self._connection.phase is not Phase.OPEN:
            raise UnavailableError(
                f"the benchmark's player cannot connect: {self._connection.failure or 'no answer'}"
            )

    def play(self, rate_pps: float, seconds: float) -> Moved:
        """Move so often for so long, then wait a moment for what is on its way.

        Raises:
            UnavailableError: the connection ended meanwhile.
        """
        self._waiting.clear()
        sent, began = 0, time.monotonic()
        while (due := sent / rate_pps) < seconds:
            self._turn(began + due)
            self._move(sent)
            sent += 1
        self._turn(time.monotonic() + DRAIN_S, lambda: not self._waiting)
        if self._connection.phase is not Phase.OPEN:
            raise UnavailableError(f"the benchmark's player lost its connection: {self._connection.ending}")
        return Moved(sent, sent - len(self._waiting))

    def _move(self, number: int) -> None:
        now = time.monotonic()
        body = move_body((float(number), 0.0, 0.0), (0.0, 0.0, 0.0))
        self._connection.queue(Outgoing.unreliable(MessageType.MOVE, body, Priority.URGENT), now)
        for datagram in self._connection.due(now):
            self._waiting.add(read_header(datagram).counter)
            self._socket.send(datagram)

    def _turn(self, until: float, enough: Callable[[], bool] = lambda: False) -> None:
        """Take what comes until then, or until it is enough."""
        while (left_s := until - time.monotonic()) > 0 and not enough():
            with interruptible():
                readable, _, _ = select.select([self._socket], [], [], left_s)
            if readable:
                self._hear(self._socket.recv(_DATAGRAM_BYTES))
            for datagram in self._connection.due(time.monotonic()):
                self._socket.send(datagram)

    def _hear(self, datagram: bytes) -> None:
        self._connection.receive(datagram, time.monotonic())
        self._waiting.difference_update(_acknowledged(self._connection.acknowledged))


def _acknowledged(prefix: Prefix) -> Iterator[int]:
    yield prefix.ack
    for bit in range(_ACK_BITS):
        if prefix.ack_bits >> bit & 1:
            yield prefix.ack - 1 - bit


@contextmanager
def bound(address: IPv4Address, to: tuple[str, int]) -> Iterator[socket.socket]:
    """A socket between two addresses, at a port that the kernel chooses."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.bind((str(address), 0))
        own.connect(to)
        yield own
