# SPDX-License-Identifier: BSD-3-Clause
"""Plays the scenarios against a client: each with a ticket, an address and a process of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial

from pyshim.conformance import both_messages, both_sealed, client_handshake, client_numbers, client_sealed
from pyshim.conformance.as_gateway import HANDSHAKE, Gateway, Setting, Subject
from pyshim.conformance.checks import Check, Verdict, Verdicts, settle
from pyshim.conformance.loop import Network, Play, Port, drive
from pyshim.conformance.scenario import Scenario
from pyshim.conformance.watch import EVERY_DATAGRAM
from pyshim.protocol.client.ticket import Ticket

SCENARIOS: tuple[Scenario[Gateway], ...] = (
    *client_handshake.SCENARIOS,
    *both_sealed.SCENARIOS,
    *client_sealed.SCENARIOS,
    *client_numbers.SCENARIOS,
    *both_messages.SCENARIOS,
)


def checks(scenarios: Sequence[Scenario[Gateway]] = SCENARIOS) -> tuple[Check, ...]:
    """Every check that these scenarios, or the watch over them, decide."""
    every = [*HANDSHAKE, *EVERY_DATAGRAM]
    return tuple(dict.fromkeys([*every, *(check for one in scenarios for check in one.checks)]))


def draw_ticket(address: tuple[str, int]) -> Ticket:
    """A session that nobody issued; the kit is its gateway."""
    number = 1 << 24 | int.from_bytes(os.urandom(3), "little")
    return Ticket(number, os.urandom(32), *address)


def play_all(
    network: Network,
    scenarios: Sequence[Scenario[Gateway]],
    open_end: Callable[[str], tuple[Port, Subject, tuple[str, int]]],
    at_once: int,
) -> tuple[list[Verdict], int]:
    """Play them; what came of each check that they decide, and how many datagrams came at all."""
    books: list[Verdicts] = []

    def begin(scenario: Scenario[Gateway]) -> Play:
        verdicts = Verdicts(scenario.name, scenario.checks)
        books.append(verdicts)
        port, subject, address = open_end(scenario.name)
        setting = scenario.setting if isinstance(scenario.setting, Setting) else Setting()

        def end() -> None:
            subject.stop()
            port.close()

        gateway = Gateway(port, network.now, verdicts, draw_ticket(address), subject, setting)
        return Play(port, scenario.script(gateway), end)

    drive(network, [partial(begin, scenario) for scenario in scenarios], at_once)
    return settle(checks(scenarios), books), sum(book.heard for book in books)
