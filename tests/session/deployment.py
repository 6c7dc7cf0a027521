# SPDX-License-Identifier: BSD-3-Clause
"""A running appliance for the session profile, and Python clients at the other end of a wire."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from pyshim.protocol.client import Client, Settings, Ticket
from tests.appliance.conservation import books
from tests.issuing.gateway import Api
from tests.network.namespace import GATE4, GATE6, Wire
from tests.network.players import PORT, NetworkGate, config, serving

T = TypeVar("T")

PATIENCE_S = 60.0  # a bound on what must come


class Deployment:
    """One appliance, who may play in it, and where they are."""

    def __init__(self, wire: Wire, gate: NetworkGate, api: Api | None = None) -> None:
        self.wire, self.gate = wire, gate
        self._api = api or Api(gate)

    def issue(self, player_id: int, *, family: int = 4, ttl_s: int = 3600, once: bool = False) -> Ticket:
        """A player's ticket to the appliance, by IPv4 or IPv6."""
        ticket = Ticket.from_json(json.dumps(self._api.issue(player_id, ttl_s, once=once)))
        return replace(ticket, host=GATE4 if family == 4 else GATE6)

    def position(self, session: int) -> list[float] | None:
        """The position that a player reported; None before the first."""
        answer = self._api("GET", f"/v1/sessions/{session}")
        assert answer.status == 200, answer
        where: list[float] | None = answer.body.get("position")
        return where

    def play(self, game: Callable[[], Coroutine[Any, Any, T]], timeout_s: float = 3 * PATIENCE_S) -> T:
        """Run a game on the players' side of the wire."""

        async def bounded() -> T:
            async with asyncio.timeout(timeout_s):
                return await game()

        return self.wire.players.call(lambda: asyncio.run(bounded()))

    def total(self, name: str, **labels: str) -> int:
        """A metric, summed over what is not named."""
        return int(self.gate.metrics().value(f"pollgate_{name}", **labels))


def settings(engine: str, *, listener: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """A configuration in which players say as much as they like."""
    entry = {"port": PORT, "profile": "session", **(listener or {})}
    free = {"messages_pps": {"chat": 0, "bulk": 0, "move": 0, "attack": 0, "skill": 0}}
    return config(engine=engine, **{"listen": [entry], "delivery": free, **changes})


@contextlib.contextmanager
def founded(wire: Wire, config: dict[str, Any], directory: Path) -> Iterator[Deployment]:
    """A deployment that must end well, with its books balanced."""
    control = {"listen": f"unix:{directory}/control.sock"}
    with serving(wire, config | {"control": control}, directory) as gate:
        yield Deployment(wire, gate)
        if gate.process.poll() is None:
            gate.stop()
        books(gate.summary)  # of each worker


# ---------------------------------------------------------------- players


@contextlib.asynccontextmanager
async def playing(*tickets: Ticket, **changes: Any) -> AsyncIterator[list[Client]]:
    """Connected players."""
    async with contextlib.AsyncExitStack() as stack:
        yield [await stack.enter_async_context(Client(ticket, Settings(**changes))) for ticket in tickets]


async def heard(client: Client, kind: type[T], count: int = 1) -> list[T]:
    """The next events of a kind; others are skipped."""
    found: list[T] = []
    async with asyncio.timeout(PATIENCE_S):
        async for event in client.events():
            if isinstance(event, kind):
                found.append(event)
            if len(found) == count:
                return found
    raise AssertionError(f"the connection is over, and only these came: {found}")


async def quiet(client: Client) -> None:
    """Until nothing is on its way to or from a player: a crash would then lose nothing of the player's."""
    async with asyncio.timeout(PATIENCE_S):
        while client.session.has_undelivered:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.3)  # acknowledgements of the last message that came


def kill(deployment: Deployment, restarts: int) -> None:
    deployment.gate.kill_worker()
    deployment.gate.wait_metric("pollgate_worker_restarts_total", restarts)
    deployment.gate.wait_ready()
