# SPDX-License-Identifier: BSD-3-Clause
"""A network between players and a gateway, with a clock of its own: loses, doubles, delays and reorders."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any, Protocol

from pyshim.protocol.client.events import Event
from pyshim.protocol.client.session import Session
from pyshim.protocol.client.settings import Settings
from pyshim.protocol.client.ticket import Ticket
from pyshim.protocol.session_wire import SHARE_BYTES

Sent = list[tuple[int, bytes]]


@dataclass
class FirstToGatewayLost:
    """`Internet.on_wire`: the first `left` datagrams of a kind are lost on their way to the gateway."""

    kind: int
    left: int

    def __call__(self, to_gateway: bool, datagram: bytes) -> bool:
        if not to_gateway or datagram[0] != self.kind or self.left == 0:
            return True
        self.left -= 1
        return False


class Gateway(Protocol):
    """What answers; addresses are numbers."""

    def receive(self, source: int, datagram: bytes, now: float) -> Sent: ...
    def due(self, now: float) -> Sent: ...
    def next_due(self) -> float: ...


@dataclass
class LinkConditions:
    """What the network does to a datagram."""

    loss: float = 0.0
    doubling: float = 0.0
    delay_s: tuple[float, float] = (0.02, 0.02)  # each way: at least, at most


@dataclass
class Player:
    """A session of the Python client, and where it is."""

    session: Session
    address: int
    heard: list[Event] = field(default_factory=list)
    frame_s: float = 0.0  # a game that looks at its socket once in so long; 0: it waits for what comes
    next_frame: float = 0.0
    unread: list[tuple[float, bytes]] = field(default_factory=list)  # when each came

    def next_due(self) -> float:
        """When the player does something by itself."""
        return self.next_frame if self.frame_s else self.session.next_due()

    def begin_frame(self, now: float) -> None:
        """Look at what came since the last one."""
        if not self.frame_s:
            return
        self.next_frame = now + self.frame_s
        session: Any = self.session  # of the C client, which can be told when it came
        for came, datagram in self.unread:
            session.receive(datagram, now, came)
        self.unread.clear()


@dataclass
class Internet:
    """The network and everybody on it. Time passes in `run`."""

    gateway: Gateway
    conditions: LinkConditions = field(default_factory=LinkConditions)
    seed: int = 1
    now: float = 100.0
    players: list[Player] = field(default_factory=list)
    wire: list[bytes] = field(default_factory=list)  # all that was ever sent
    tap: list[tuple[bool, bytes]] = field(
        default_factory=list
    )  # by players and gateway: to the gateway, what
    places: list[int] = field(
        default_factory=list
    )  # of each in `tap`: the address that it came from or went to
    secrets: list[bytes] = field(default_factory=list)  # of the clients' exchanges
    on_wire: Callable[[bool, bytes], bool] = lambda _to_gateway, _datagram: True  # False: it is lost
    held_s: Callable[[bool, bytes], float] = lambda _to_gateway, _datagram: 0.0  # on the way, besides

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        self._order = count()
        self._addresses = count(1)
        self._flying: list[tuple[float, int, int, bool, bytes]] = []  # when, order, address, to gateway
        self._dues: list[
            float
        ] = []  # of the players, in their order: asked again when they were told something

    def draw(self, size: int) -> bytes:
        drawn = self.random.randbytes(size)
        if size == SHARE_BYTES:
            self.secrets.append(drawn)
        return drawn

    def join(self, ticket: Ticket, settings: Settings | None = None) -> Player:
        """A player begins to connect."""
        session = Session(ticket, settings or Settings(), self.draw, self.now)
        player = Player(session, next(self._addresses))
        self.players.append(player)
        return player

    def move_away(self, player: Player) -> None:
        """The player has another address from now on; what is sent to the old one is lost."""
        player.address = next(self._addresses)

    def new_address(self) -> int:
        """Where nobody was before."""
        return next(self._addresses)

    def inject(self, source: int, datagram: bytes) -> None:
        """Somebody else sends a datagram to the gateway."""
        at = self.now + self.conditions.delay_s[0]
        heapq.heappush(self._flying, (at, next(self._order), source, True, datagram))

    def _fly(self, address: int, datagram: bytes, *, to_gateway: bool) -> None:
        self.wire.append(datagram)
        self.tap.append((to_gateway, datagram))
        self.places.append(address)
        if not self.on_wire(to_gateway, datagram) or self.random.random() < self.conditions.loss:
            return
        for _ in range(1 + (self.random.random() < self.conditions.doubling)):
            at = self.now + self.random.uniform(*self.conditions.delay_s) + self.held_s(to_gateway, datagram)
            heapq.heappush(self._flying, (at, next(self._order), address, to_gateway, datagram))

    def _ask(self) -> None:
        """When is each due? Who is told something between two calls of `run` is asked in the next."""
        self._dues = [player.next_due() for player in self.players]

    def _speak(self) -> None:
        for index, player in enumerate(self.players):
            if self._dues[index] > self.now:
                continue
            player.begin_frame(self.now)
            while player.session.next_due() <= self.now:
                for datagram in player.session.due(self.now):
                    self._fly(player.address, datagram, to_gateway=True)
            self._listen(index)
        for address, datagram in self.gateway.due(self.now):
            self._fly(address, datagram, to_gateway=False)

    def _listen(self, index: int) -> None:
        player = self.players[index]
        player.heard.extend(player.session.events)
        player.session.events.clear()
        self._dues[index] = player.next_due()

    def _land(self) -> None:
        while self._flying and self._flying[0][0] <= self.now:
            _, _, address, to_gateway, datagram = heapq.heappop(self._flying)
            if to_gateway:
                for to, answer in self.gateway.receive(address, datagram, self.now):
                    self._fly(to, answer, to_gateway=False)
                continue
            for index, player in enumerate(self.players):
                if player.address != address:
                    continue
                if player.frame_s:
                    player.unread.append((self.now, datagram))
                    continue
                player.session.receive(datagram, self.now)
                self._listen(index)

    def step(self, until: float) -> None:
        """On to the next thing that happens, or to `until`."""
        self._ask()
        self._step(until)

    def _step(self, until: float) -> None:
        flying = self._flying[0][0] if self._flying else until
        self.now = max(self.now, min(until, flying, self.gateway.next_due(), *self._dues))
        self._land()
        self._speak()

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Let time pass, at most that long; whether `until` came true."""
        end = self.now + seconds
        self._ask()
        for index in range(len(self.players)):  # a test may have told a player something itself
            self._listen(index)
        self._speak()
        while self.now < end and not until():
            self._step(end)
        return until()
