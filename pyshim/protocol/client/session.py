# SPDX-License-Identifier: BSD-3-Clause
"""A player's session over all its connections, without sockets: makes another connection when one is lost."""

from __future__ import annotations

from collections import deque

from pyshim.protocol.client.congestion import NEVER
from pyshim.protocol.client.connection import Connection, Phase
from pyshim.protocol.client.errors import (
    Closed,
    Denied,
    NotConnectedError,
    QueueFull,
    TimedOut,
    Undelivered,
    denied,
)
from pyshim.protocol.client.events import Connected, Disconnected, Ending, Event, Lost, kick_reason, said
from pyshim.protocol.client.handshake import Draw
from pyshim.protocol.client.ignored import Ignored
from pyshim.protocol.client.outgoing import Outgoing
from pyshim.protocol.client.settings import Settings
from pyshim.protocol.client.ticket import Ticket
from pyshim.protocol.session_wire import Denial
from pyshim.protocol.world.view import WorldView

_FINAL = {  # endings after which there is no other connection, and what a game is told
    Ending.LEFT: "the game left",
    Ending.REPLACED: "the same session was confirmed elsewhere: two clients have one ticket",
    Ending.KICKED: "the game kicked this player",
    Ending.PROTOCOL: "one side broke a rule of the protocol; this is a bug, please report it",
}
_DENIED = {Ending.EXPIRED: Denial.EXPIRED, Ending.REVOKED: Denial.REVOKED}
_MESSAGE_BYTES = 16  # what a message costs beside its body


class Session:
    """What a game says and hears, whatever becomes of connections."""

    def __init__(self, ticket: Ticket, settings: Settings, draw: Draw, now: float) -> None:
        """Begin to connect. `draw` must be unpredictable."""
        self._ticket = ticket
        self._settings = settings
        self._draw = draw
        self._connection = Connection(ticket, settings, draw, now)
        self._was_open = False  # the connection, when it was looked at last
        self._connected_before = False
        self._retry_at = NEVER
        self._backoff_s = 0.0
        self._lost_at = now
        self._waiting: deque[Outgoing] = deque()  # reliable, for the next connection
        self.events: deque[Event] = deque()
        self.pongs: deque[int] = deque()  # tokens of pings that were answered
        self.failure: NotConnectedError | None = None  # it is over for good, and why

    @property
    def is_connected(self) -> bool:
        """Whether messages can leave now."""
        return self._connection.phase is Phase.OPEN

    @property
    def is_leaving(self) -> bool:
        """Whether the game left, and the gateway may not have heard it: it is told for a while."""
        return self._connection.is_leaving

    @property
    def ignored(self) -> Ignored:
        """What came on this connection and changed nothing."""
        return self._connection.ignored

    @property
    def view(self) -> WorldView:
        """The world around the player, as this connection is told of it."""
        return self._connection.sight.view

    @property
    def has_undelivered(self) -> bool:
        """Whether a reliable message waits or is not acknowledged."""
        return bool(self._waiting) or self._connection.has_reliable

    # ------------------------------------------------------------ the game

    def send(self, outgoing: Outgoing, now: float) -> None:
        """Send a message. One that is not reliable is forgotten while there is no connection.

        Raises:
            NotConnectedError: it is over for good.
            QueueFull: too much waits already.
        """
        if self.failure is not None:
            raise self.failure
        waiting = sum(len(other.body) + _MESSAGE_BYTES for other in self._waiting)
        if waiting + self._connection.queued_bytes + len(outgoing.body) > self._settings.queue_bytes:
            raise QueueFull(
                f"{self._settings.queue_bytes} bytes wait to be sent or acknowledged; send less, or await "
                "what was sent"
            )
        if self.is_connected:
            self._connection.queue(outgoing, now)
        elif outgoing.delivery is not None:
            self._waiting.append(outgoing)

    def ping(self, token: int, now: float) -> None:
        """Ask for `token` to come back in `pongs`; without a connection nothing does."""
        if self.is_connected:
            self._connection.ping(token, now)

    def close(self, now: float) -> None:
        """The game leaves: the gateway is told, and so is whoever waits for a message to arrive."""
        self._connection.close(now)
        self._look(now)
        if self.failure is None:
            self._finish(Ending.LEFT, Closed(_FINAL[Ending.LEFT]))

    # ------------------------------------------------------------ the network

    def moved(self, now: float) -> None:
        """The game is on another network."""
        self._connection.moved(now)

    def receive(self, datagram: bytes, now: float) -> None:
        """A datagram came."""
        self._connection.room_for_events = len(self.events) < self._settings.events
        self._connection.receive(datagram, now)
        self._look(now)

    def next_due(self) -> float:
        """When `due` has something to do."""
        return min(self._connection.next_due(), self._retry_at)

    def due(self, now: float) -> list[bytes]:
        """Datagrams to send now."""
        if now >= self._retry_at:
            self._retry_at = NEVER
            self._connection = Connection(self._ticket, self._settings, self._draw, now)
        datagrams = self._connection.due(now)
        self._look(now)
        # What the look queued or decided may have made more due, such as a CLOSE.
        return datagrams + self._connection.due(now) if self._connection.next_due() <= now else datagrams

    def _look(self, now: float) -> None:
        connection = self._connection
        if connection.phase is Phase.OPEN and not self._was_open:
            self._opened(connection, now)
        self.pongs.extend(connection.pongs)
        connection.pongs.clear()
        self.events.extend(Lost(channel, messages) for channel, messages in connection.lost)
        connection.lost.clear()
        self.events.extend(connection.sight.events)
        connection.sight.events.clear()
        while connection.arrived:
            whole = connection.arrived.popleft()
            self.events.append(said(whole.type, whole.body))
        if connection.phase is Phase.OVER and self._retry_at == NEVER and self.failure is None:
            self._lost(connection, now)

    def _opened(self, connection: Connection, now: float) -> None:
        welcome = connection.welcome
        self._was_open = self._connected_before = True
        self._backoff_s = 0.0
        self.events.append(Connected(welcome.player_id, welcome.expires_in_s, welcome.max_datagram))
        for outgoing in self._waiting:
            connection.queue(outgoing, now)
        self._waiting.clear()

    def _lost(self, connection: Connection, now: float) -> None:
        self._waiting = deque([*connection.abandon(), *self._waiting])
        ending = connection.ending
        if self._was_open:
            self._was_open = False
            self._lost_at = now
        else:
            ending = ending or Ending.SILENT
        failure = self._final(connection, ending, now)
        if failure is not None:
            self._finish(ending or Ending.SILENT, failure, kick_reason(connection.close_reason))
            return
        if connection.failure is None:
            self.events.append(Disconnected(ending or Ending.SILENT))
        first_s, longest_s = self._settings.backoff_s
        # Between half and all of it, so that players whose gateway came back do not come back at once.
        jitter = 0.5 + self._draw(1)[0] / 510
        self._retry_at = now + self._backoff_s * jitter
        self._backoff_s = min(max(first_s, 2 * self._backoff_s), longest_s)

    def _final(self, connection: Connection, ending: Ending | None, now: float) -> NotConnectedError | None:
        """Why there will be no other connection; None: there will be."""
        failure = connection.failure
        if isinstance(failure, Denied) and failure.reason is not Denial.FULL:
            return failure
        if failure is not None and not self._connected_before:
            return failure
        if failure is not None and now - self._lost_at >= self._settings.keep_trying_s:
            likely = failure.likely if isinstance(failure, TimedOut) else str(failure)
            return TimedOut(likely, self._settings.keep_trying_s)
        if ending in _DENIED and failure is None:
            return denied(_DENIED[ending])
        if ending in _FINAL and failure is None:
            return Closed(_FINAL[ending])
        return None

    def _finish(self, ending: Ending, failure: NotConnectedError, kicked_for: int | None = None) -> None:
        self.failure = failure
        self._retry_at = NEVER
        self.events.append(Disconnected(ending, final=True, kick_reason=kicked_for))
        for outgoing in self._waiting:
            if outgoing.delivery is not None:
                outgoing.delivery.settle(Undelivered(f"never sent: {failure}"))
        self._waiting.clear()
