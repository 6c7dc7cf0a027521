# SPDX-License-Identifier: BSD-3-Clause
"""C clients on the tests' network, whatever the gateway."""

from __future__ import annotations

from random import Random
from typing import Any, Protocol

from pyshim.protocol.client import Ticket
from tests.client.c_client import CSession, Heard, Library
from tests.session.internet import Gateway, Internet, LinkConditions, Player
from tests.session.model_gateway import ModelGateway


class Issuer(Gateway, Protocol):
    """A gateway that issues sessions."""

    def issue(self, player_id: int) -> Ticket: ...


class World:
    """A gateway, a network, and who is on it."""

    def __init__(
        self, library: Library, gateway: Issuer, conditions: LinkConditions | None = None, seed: int = 1
    ) -> None:
        """An empty network around `gateway`."""
        self.library = library
        self.gateway = gateway
        self.internet = Internet(gateway, conditions or LinkConditions(), seed)

    def join(self, ticket: Ticket, **options: int) -> Player:
        """A C client that begins to connect."""
        session: Any = CSession(self.library, ticket, self.internet.now, **options)
        player = Player(session, 1000 + len(self.internet.players))
        self.internet.players.append(player)
        return player

    def connected(self, player_id: int = 7, **options: int) -> Player:
        """A C client that has connected."""
        player = self.join(self.gateway.issue(player_id), **options)
        assert self.internet.run(30, lambda: player.session.is_connected)
        self.internet.run(0.2)
        return player


class ModelWorld(World):
    """Around the model gateway."""

    gateway: ModelGateway

    def __init__(
        self, library: Library, conditions: LinkConditions | None = None, path_mtu: int = 1400, seed: int = 1
    ) -> None:
        super().__init__(library, ModelGateway(Random(seed).randbytes, path_mtu), conditions, seed)


def heard(player: Player, kind: str) -> list[tuple[Any, ...]]:
    """The values of the events of a kind."""
    events: list[Any] = player.heard
    return [event.values for event in events if isinstance(event, Heard) and event.type == kind]


def c(player: Player) -> CSession:
    """The C client that a player plays with."""
    session: Any = player.session
    return session  # type: ignore[no-any-return]
