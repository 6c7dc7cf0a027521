# SPDX-License-Identifier: BSD-3-Clause
"""Who comes again with a newer ticket, while the older connection is there, is seen once by everybody."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import AsyncExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from pyshim.game import Game, Joined, Left
from pyshim.protocol.client import Client
from pyshim.protocol.world.state import Empty, Full, Sort, WorldState
from pyshim.protocol.world.view import ViewEvent, WorldView
from tests.engines.engines import ALL, CPUS
from tests.network.namespace import Wire
from tests.session.deployment import Deployment, founded, playing, settings
from tests.world.test_appliance import MEADOW, seen, standing, until

WORKERS = pytest.mark.parametrize(
    "workers",
    [1, pytest.param(2, marks=pytest.mark.skipif(len(CPUS) < 2, reason="two workers need two CPUs"))],
)
pytestmark = [ALL, WORKERS]

WATCHERS = range(1, 7)
PLAYERS = range(101, 113)
TIMES = 4
WHOLE_TICKS = 32  # so many states came without a gap: what left before them is told, and heard


@pytest.fixture
def deployment(wire: Wire, engine: str, workers: int, tmp_path: Path) -> Iterator[Deployment]:
    changes: dict[str, Any] = {
        "workers": {"cpus": CPUS[:workers]},
        "worlds": [MEADOW],
        "game": {"listen": f"unix:{tmp_path}/game.sock"},
    }
    if engine == "dpdk" and workers > 1:
        changes |= {"device": f",qpairs={workers}", "port": {"queues": workers}}
    with founded(wire, settings(engine, listener={"world": "meadow"}, **changes), tmp_path) as it:
        yield it


class Watch:
    """What a player is told: of each player once, and never again of one who came again since."""

    def __init__(self, view: WorldView) -> None:
        self.wrong: list[str] = []
        self._view = view
        self._told: dict[int, Full] = {}  # by slot, as the gateway says it
        self._numbers: dict[int, list[int]] = {}  # in the world, by player: one each time that it comes
        self._tick, self._whole = -1, 0
        self._apply = view.apply
        setattr(view, "apply", self.apply)  # noqa: B010 - of this object alone

    def apply(self, state: WorldState, datagram: int, now_s: float) -> list[ViewEvent]:
        events = self._apply(state, datagram, now_s)
        self._whole = self._whole + 1 if state.tick == (self._tick + 1) % 2**16 else 0
        self._tick = state.tick
        for one in state.exceptions:
            if isinstance(one, Empty):
                self._told.pop(one.slot, None)
            elif isinstance(one, Full):
                self._told[one.slot] = one
                self._comes(one)
        told = [one.identity for one in self._told.values() if one.sort is Sort.PLAYER]
        shown = [one.identity for one in self._view.entities() if one.sort is Sort.PLAYER]
        for what, players in (("told", told if self._whole > WHOLE_TICKS else []), ("shown", shown)):
            if twice := {player for player in players if players.count(player) > 1}:
                self.wrong.append(f"{what} in tick {state.tick}: {sorted(twice)} twice")
        return events

    def _comes(self, full: Full) -> None:
        numbers = self._numbers.setdefault(full.identity, [])
        if full.number not in numbers:
            numbers.append(full.number)
        elif full.number != numbers[-1] and self._whole:
            self.wrong.append(f"{full.identity} as it was before")


def place(player: int, time: int) -> tuple[float, float, float]:
    return (float(player - PLAYERS[0]), 4.0 * time, 1.0)


def sees(client: Client, time: int) -> bool:
    now = seen(client)
    return all(player in now and math.dist(now[player], place(player, time)) < 0.006 for player in PLAYERS)


def test_nobody_sees_who_comes_again_twice(deployment: Deployment, workers: int) -> None:
    async def game() -> None:
        async with (
            AsyncExitStack() as stack,
            playing(*map(deployment.issue, WATCHERS)) as watchers,
            standing(*((client, (0.0, -3.0, 1.0)) for client in watchers)),
        ):
            watches = [Watch(client.session.view) for client in watchers]
            for time in range(TIMES):
                tickets = [deployment.issue(player) for player in PLAYERS]
                players = await stack.enter_async_context(playing(*tickets))
                places = [
                    (client, place(player, time)) for player, client in zip(PLAYERS, players, strict=True)
                ]
                async with standing(*places):
                    await until(lambda time=time: all(sees(client, time) for client in watchers))
                # They stay connected: who comes again ends that.
            assert [one.wrong for one in watches] == [[]] * len(watches)

    deployment.play(game)
    assert all(
        deployment.total("session_connections_total", worker=str(worker)) > 0 for worker in range(workers)
    )
    assert deployment.total("session_closed_total", reason="revoked") == (TIMES - 1) * len(PLAYERS)


def test_a_game_hears_once_of_each_who_comes_and_never_late_that_one_went(deployment: Deployment) -> None:
    """Workers tell a game each in their own time: who is back, as far as it has read, has not left."""
    heard: list[tuple[str, int]] = []

    def hears(game: Game, last: tuple[str, int]) -> bool:
        for event in game.poll().events():
            if isinstance(event, Joined):
                heard.append(("joined", event.session))
            elif isinstance(event, Left):
                heard.append((event.why, event.session))
        return heard[-1:] == [last]

    async def play() -> list[int]:
        sessions = []
        with Game(deployment.gate.directory / "game.sock", "arena") as game:
            async with AsyncExitStack() as stack:
                for time in range(TIMES):
                    ticket = deployment.issue(7)
                    sessions.append(ticket.session)
                    (client,) = await stack.enter_async_context(playing(ticket))
                    async with standing((client, place(7, time))):
                        await until(lambda last=ticket.session: hears(game, ("joined", last)))
            await until(lambda: hears(game, ("left", sessions[-1])))
        return sessions

    sessions = deployment.play(play)
    assert [session for what, session in heard if what == "joined"] == sessions
    for before, after in pairwise(sessions):
        first, second = heard.index(("joined", before)), heard.index(("joined", after))
        assert heard[first + 1 : second] in ([], [("revoked", before)])
    assert heard[-2:] == [("joined", sessions[-1]), ("left", sessions[-1])]
