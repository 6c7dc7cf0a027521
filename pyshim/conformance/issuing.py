# SPDX-License-Identifier: BSD-3-Clause
"""Tickets from the control API of the gateway that is looked at: each scenario has a player of its own."""

from __future__ import annotations

import json
from typing import Any

from pyshim.config import Config
from pyshim.conformance.peer import StoppedError
from pyshim.errors import UsageError
from pyshim.issuing.client import Client
from pyshim.protocol.client.ticket import Ticket


class ControlApi:
    """Issues and revokes. Players are numbered from `first_player`; what they had before is revoked."""

    def __init__(self, config: Config, first_player: int) -> None:
        """Of the gateway that runs with this configuration."""
        self._config, self._next = config, first_player
        self._issued: set[int] = set()

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        # A connection for each: a server closes one over which nothing was asked for some seconds.
        with Client(self._config) as api:
            return api.ask(method, path, body)

    def issue(self, *, ttl_s: int = 3600, once: bool = False) -> Ticket:
        """A ticket of the next player."""
        wanted = {"player_id": self._next, "ttl": ttl_s, "once": once}
        self._next += 1
        ticket = Ticket.from_json(json.dumps(self._ask("POST", "/v1/sessions", wanted)))
        self._issued.add(ticket.session)
        return ticket

    def give_back(self, ticket: Ticket) -> None:
        """Nobody needs it any more."""
        if ticket.session in self._issued:
            self._end(ticket.session)

    def revoke(self, session: int) -> None:
        """End a session.

        Raises:
            StoppedError: the gateway says that there is none.
        """
        if not self._end(session):
            raise StoppedError("the gateway does not know the session that is to be revoked")

    def _end(self, session: int) -> bool:
        self._issued.discard(session)
        try:
            self._ask("DELETE", f"/v1/sessions/{session}")
        except UsageError:  # it has expired
            return False
        return True
