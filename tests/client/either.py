# SPDX-License-Identifier: BSD-3-Clause
"""A player of the C client or of the Python client, with what both can: one test for both."""

from __future__ import annotations

from typing import Any

from pyshim.protocol.client import Disconnected, Ending, Settings
from pyshim.protocol.session_wire import SEALED, Header, read_header
from tests.client.c_client import CSession, Library
from tests.client.world import Issuer, World, heard
from tests.session.internet import Internet, LinkConditions, Player
from tests.session.model_world import say, texts

PGC_CLOSED_RESET = 43


class Either:
    """Player 7, connected to a gateway on a network with a clock of its own."""

    def __init__(
        self, library: Library | None, gateway: Issuer, seed: int = 1, silence_s: int | None = None
    ) -> None:
        """Of the C client with its library, else of the Python client; `silence_s`: its patience."""
        ticket = gateway.issue(7)
        if library is None:
            self.internet = Internet(gateway, LinkConditions(), seed)
            self.player: Player = self.internet.join(ticket, Settings(silence_s=silence_s))
        else:
            world = World(library, gateway, seed=seed)
            self.internet = world.internet
            self.player = world.join(ticket, silence_timeout_ms=1000 * (silence_s or 0))
        self.session: Any = self.player.session
        assert self.internet.run(30, lambda: bool(self.session.is_connected))
        self.internet.run(0.2)
        self.issued = ticket.session

    def chat(self, text: str) -> None:
        """To oneself, reliably."""
        if isinstance(self.session, CSession):
            assert self.session.chat(7, text, self.session.delivery(1)) == 0
        else:
            say(self.internet, self.player, text, 7)

    def texts(self) -> list[str]:
        if isinstance(self.session, CSession):
            return [str(values[-1]) for values in heard(self.player, "CHAT")]
        return texts(self.player)

    def hears(self, text: str) -> bool:
        self.chat(text)
        return self.internet.run(60, lambda: text in self.texts())

    def moves(self) -> None:
        """To another network."""
        self.internet.move_away(self.player)
        self.session.moved(self.internet.now)

    def leaves(self) -> None:
        if isinstance(self.session, CSession):
            assert self.session.lib.pgc_close(self.session.client) == 0
        else:
            self.session.close(self.internet.now)

    def is_reset(self) -> bool:
        """Whether the gateway told that it has lost the connection, and was believed."""
        if isinstance(self.session, CSession):
            return (PGC_CLOSED_RESET, 0) in heard(self.player, "CLOSED")
        return Disconnected(Ending.RESET) in self.player.heard

    def said(self, since: int = 0) -> list[Header]:
        """Headers of what the player sent, sealed."""
        headers = [read_header(datagram) for to_gateway, datagram in self.internet.tap[since:] if to_gateway]
        return [header for header in headers if header.kind in SEALED]

    def shows(self, since: int) -> set[int]:
        """Numbers in what the player sent, sealed."""
        return {header.session for header in self.said(since)}
