# SPDX-License-Identifier: BSD-3-Clause
"""Players behind one slow link who move while bulk goes over it: how long movements and answers wait."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from statistics import median, quantiles
from typing import Any

from pyshim.protocol.client.errors import QueueFull
from pyshim.protocol.client.outgoing import Outgoing, Priority
from pyshim.protocol.session_bodies import bulk_body, move_body
from pyshim.protocol.session_wire import MessageType
from tests.client.c_client import CSession, Library
from tests.client.world import Issuer, World
from tests.session.core_gateway import CoreGateway
from tests.session.internet import Internet, Player

PLAYERS = 10
LINK_BITS_PER_S = 1_000_000
HEADERS_BYTES = 28  # IPv4 and UDP
QUEUE_S = 1.0  # more is not kept by the link
MOVES_HZ = 20
BEGINNING_S = 2  # until each has found its pace
TRANSFER_BYTES = 65_528
OUTSIDE = 500  # address from which on players have no link to share
MOVE = ((1.0, 2.0, 3.0), (0.0, 0.0, 0.0))
OK = 0


@dataclass
class Link(Internet):
    """A network in which players below address OUTSIDE share a link, each way with a queue of its own."""

    bits_per_s: float = LINK_BITS_PER_S
    moved: dict[int, float] = field(default_factory=dict)  # who said a movement that has not left, and when
    waits: list[float] = field(default_factory=list)  # of movements: from being said to being across
    asked: dict[int, float] = field(default_factory=dict)  # when, by token
    tokens: Iterator[int] = field(default_factory=count)
    trips: list[float] = field(default_factory=list)  # of pings
    carried: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})  # bytes of each way
    _free_at: dict[bool, float] = field(default_factory=lambda: {True: 0.0, False: 0.0})

    def _fly(self, address: int, datagram: bytes, *, to_gateway: bool) -> None:
        at = self.now
        if address < OUTSIDE:
            begins = max(self.now, self._free_at[to_gateway])
            if begins - self.now > QUEUE_S:
                return
            at = begins + (len(datagram) + HEADERS_BYTES) * 8 / self.bits_per_s
            self._free_at[to_gateway] = at
            self.carried[to_gateway] += len(datagram) + HEADERS_BYTES
            if to_gateway and (said_at := self.moved.pop(address, None)) is not None:
                self.waits.append(at - said_at)
        item = (at + self.conditions.delay_s[0], next(self._order), address, to_gateway, datagram)
        heapq.heappush(self._flying, item)

    def _listen(self, index: int) -> None:
        super()._listen(index)
        player = self.players[index]
        for token in _pongs(player):
            self.trips.append(self.now - self.asked.pop(token))


def _pongs(player: Player) -> list[int]:
    """Tokens that came back since the last time."""
    session: Any = player.session
    if not isinstance(session, CSession):
        tokens = list(session.pongs)
        session.pongs.clear()
        return tokens
    heard: list[Any] = player.heard
    tokens = [event.values[0] for event in heard if event.type == "PONG"]
    heard[:] = [event for event in heard if event.type != "PONG"]
    return tokens


@dataclass(frozen=True)
class Figures:
    """Of one run, in milliseconds."""

    moves: list[float]
    round_trips: list[float]  # of pings
    carried: dict[bool, int]


def percentile95(figures: list[float]) -> float:
    return quantiles(figures, n=20)[-1]


def added(base: list[float], loaded: list[float]) -> tuple[float, float]:
    """What bulk adds: to the median, and to the 95th percentile."""
    return median(loaded) - median(base), percentile95(loaded) - percentile95(base)


def run(
    library: Library,
    gateway: CoreGateway,
    kind: str,
    *,
    up: int = 0,
    down: int = 0,
    seconds: float = 20,
    frames_hz: float = 0,
    bits_per_s: float = LINK_BITS_PER_S,
) -> Figures:
    """Ten of a kind of client move and ping; of so many, bulk goes up, or down to them, all the time.

    They wait for what comes; or do so while they load, then look once a frame, not all at the same moment.
    """
    world = World(library, gateway)
    world.internet = Link(gateway, bits_per_s=bits_per_s)
    link = world.internet
    inside = [join(world, gateway, number, kind) for number in range(1, PLAYERS + 1)]
    for address, player in enumerate(inside, 1):
        player.address = address
    outside = [join(world, gateway, PLAYERS + number, "python") for number in range(1, PLAYERS + 1)]
    for address, player in enumerate(outside, OUTSIDE):
        player.address = address
    assert link.run(30, lambda: all(player.session.is_connected for player in [*inside, *outside]))
    flows = [*zip(inside[:up], outside, strict=False), *zip(outside[:down], inside, strict=False)]
    _play(link, inside, flows, BEGINNING_S)
    if frames_hz:
        for address, player in enumerate(inside, 1):
            player.frame_s = 1 / frames_hz
            player.next_frame = link.now + address / PLAYERS / frames_hz
        _play(link, inside, flows, BEGINNING_S)
    link.waits.clear()
    link.trips.clear()
    link.carried = {True: 0, False: 0}
    _play(link, inside, flows, seconds)
    return Figures([wait * 1e3 for wait in link.waits], [trip * 1e3 for trip in link.trips], link.carried)


def join(world: World, gateway: Issuer, number: int, kind: str) -> Player:
    ticket = gateway.issue(number)
    return world.join(ticket) if kind == "c" else world.internet.join(ticket)


def say_bulk(player: Player, to: int, link: Internet) -> None:
    """One more transfer, unless as much waits as may."""
    session: Any = player.session
    data = link.random.randbytes(TRANSFER_BYTES)
    if isinstance(session, CSession):
        session.bulk(to, data, session.delivery(channel=2, priority=2))
        return
    with suppress(QueueFull):
        session.send(Outgoing.reliable(MessageType.BULK, bulk_body(to, data), Priority.BULK, 2), link.now)


def _move(player: Player, link: Link) -> None:
    session: Any = player.session
    link.moved[player.address] = link.now
    if isinstance(session, CSession):
        assert session.move(*MOVE) == OK
    else:
        session.send(Outgoing.unreliable(MessageType.MOVE, move_body(*MOVE), Priority.URGENT), link.now)


def _ping(player: Player, link: Link) -> None:
    session: Any = player.session
    token = next(link.tokens)
    link.asked[token] = link.now
    if isinstance(session, CSession):
        assert session.ping(token) == OK
    else:
        session.ping(token, link.now)


def _play(link: Link, players: list[Player], flows: list[tuple[Player, Player]], seconds: float) -> None:
    """Each moves 20 times a second, not at the same moment, and pings five times."""
    numbers = {id(player): number for number, player in enumerate(link.players, 1)}
    for turn in range(round(seconds * MOVES_HZ)):
        for sender, receiver in flows:
            say_bulk(sender, numbers[id(receiver)], link)
        for index, player in enumerate(players):
            _move(player, link)
            if turn % 4 == index % 4:
                _ping(player, link)
            link.run(1 / MOVES_HZ / len(players))
