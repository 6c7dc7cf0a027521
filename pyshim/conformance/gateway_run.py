# SPDX-License-Identifier: BSD-3-Clause
"""Plays the scenarios against a gateway: who gives them tickets, and what came of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from pyshim.conformance import both_messages, both_sealed, gateway_handshake, gateway_messages, gateway_sealed
from pyshim.conformance.as_client import Issuer, Player
from pyshim.conformance.checks import Check, Verdict, Verdicts, settle
from pyshim.conformance.loop import Network, Play, Port, Script, drive
from pyshim.conformance.peer import StoppedError
from pyshim.conformance.scenario import Scenario
from pyshim.conformance.watch import EVERY_DATAGRAM
from pyshim.protocol.client.ticket import Ticket

SCENARIOS: tuple[Scenario[Player], ...] = (
    *gateway_handshake.SCENARIOS,
    *both_sealed.SCENARIOS,
    *gateway_sealed.SCENARIOS,
    *both_messages.SCENARIOS,
    *gateway_messages.SCENARIOS,
)


def checks(scenarios: Sequence[Scenario[Player]] = SCENARIOS) -> tuple[Check, ...]:
    """Every check that these scenarios, or the watch over them, decide."""
    return tuple(dict.fromkeys([*EVERY_DATAGRAM, *(check for one in scenarios for check in one.checks)]))


@dataclass(slots=True)
class TicketFiles:
    """Tickets that were issued beforehand: one for each scenario that is played at a time."""

    free: list[Ticket] = field(default_factory=list)

    def issue(self, *, ttl_s: int = 3600, once: bool = False) -> Ticket:
        """The next that nobody uses.

        Raises:
            StoppedError: a ticket of this kind has to be issued for the scenario.
        """
        if once or ttl_s < 3600:
            raise StoppedError("this needs a ticket of its own kind: let the kit issue them, with --config")
        return self.free.pop(0)

    def give_back(self, ticket: Ticket) -> None:
        """A scenario is over."""
        self.free.append(ticket)

    def revoke(self, session: int) -> None:
        """Never.

        Raises:
            StoppedError: always.
        """
        raise StoppedError("this needs the control API: let the kit issue its tickets, with --config")


class _NoPort:
    """Of a scenario that cannot be played."""

    def send(self, datagram: bytes, via: int = 0, to: object = None) -> None:
        """To nobody."""

    def close(self) -> None:
        """There is nothing to close."""


def _nothing() -> Script:
    yield from ()


def play_all(
    network: Network,
    scenarios: Sequence[Scenario[Player]],
    issuer: Issuer,
    open_port: Callable[[Ticket], Port],
    at_once: int,
) -> tuple[list[Verdict], int]:
    """Play them; what came of each check that they decide, and how many datagrams came at all."""
    books: list[Verdicts] = []

    def begin(scenario: Scenario[Player]) -> Play:
        verdicts = Verdicts(scenario.name, scenario.checks)
        books.append(verdicts)
        try:
            ticket = issuer.issue(ttl_s=scenario.ttl_s, once=scenario.once)
        except StoppedError as why:
            verdicts.stopped = str(why)
            return Play(_NoPort(), _nothing(), lambda: None)
        port = open_port(ticket)

        def end() -> None:
            port.close()
            issuer.give_back(ticket)

        player = Player(port, network.now, verdicts, ticket, issuer)
        return Play(port, scenario.script(player), end)

    drive(network, [partial(begin, scenario) for scenario in scenarios], at_once)
    return settle(checks(scenarios), books), sum(book.heard for book in books)
