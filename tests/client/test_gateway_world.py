# SPDX-License-Identifier: BSD-3-Clause
"""C clients in a world of the gateway itself: they see each other where they are."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pyshim.protocol.client import Ticket
from tests.client.c_client import Game, Library
from tests.client.test_gateway import TIMEOUT_S, issue, values
from tests.gate import Gate
from tests.ports import free_port

MEADOW: dict[str, Any] = {
    "name": "meadow",
    "bounds": [[-500, -500, -10], [500, 500, 90]],
    "tick_hz": 20,
    "radius_m": 50,
    "leave_radius_m": 60,
}
HALF_A_QUANTUM_M = 0.006
NOW = 0.0
Place = tuple[float, float, float]


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    config = {
        "engine": "epoll",
        "ports": [{"name": "game0", "address": ["127.0.0.1/8"]}],
        "workers": {"cpus": "auto"},
        "listen": [{"port": free_port(), "profile": "session", "world": "meadow"}],
        "worlds": [MEADOW],
        "sessions": {"idle_timeout_s": 600},
    }
    with Gate(config, tmp_path_factory.mktemp("gate")) as running:
        yield running


class Players:
    """C clients that say where they stand, again and again, and listen."""

    def __init__(self, library: Library, gate: Gate, first: int, places: list[Place], **options: int) -> None:
        self.places = dict(enumerate(places, first))
        self.games = {
            number: Game(library, Ticket.from_json(issue(gate, number)), **options) for number in self.places
        }
        self.until(lambda: all(values(game, "CONNECTED") for game in self.games.values()))

    def play(self) -> None:
        for number, game in self.games.items():
            if game.is_connected:
                game.move(self.places[number])
            game.play(0.01)

    def until(self, seen: Callable[[], Any]) -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while not seen():
            assert time.monotonic() < deadline, [game.events for game in self.games.values()]
            self.play()

    def numbers(self, player: int) -> dict[int, int]:
        """Of those who came and did not leave, by identity: their numbers in the world."""
        there: dict[int, int] = {}
        for event in self.games[player].events:
            if event.type == "ENTER":
                there[event.values[2]] = event.values[1]
            elif event.type == "LEAVE":
                del there[event.values[2]]
        return there

    def place(self, player: int, of: int) -> Place:
        x, y, z = self.games[player].in_sight(NOW)[self.numbers(player)[of]][0]
        return x, y, z

    def close(self) -> None:
        for game in self.games.values():
            game.lib.pgc_close(game.client)
            game.play(0.05)


def test_players_see_who_is_near_where_they_are_and_nobody_else(library: Library, gate: Gate) -> None:
    near, beside, far = (0.0, 0.0, 1.0), (30.0, 0.0, 2.0), (0.0, 70.0, 3.0)
    players = Players(library, gate, 201, [near, beside, far], world=1)
    players.until(lambda: players.numbers(201).keys() == {202} and players.numbers(202).keys() == {201})
    players.until(lambda: math.dist(players.place(201, 202), beside) < HALF_A_QUANTUM_M)
    players.until(lambda: math.dist(players.place(202, 201), near) < HALF_A_QUANTUM_M)
    assert values(players.games[203], "WORLD") == [("meadow", 32, 20, 50.0)]
    assert not players.numbers(203)
    assert players.games[201].statistics().world_skipped == 0
    players.close()


def test_who_walks_away_is_seen_walking_and_then_not(library: Library, gate: Gate) -> None:
    players = Players(library, gate, 211, [(300.0, 0.0, 0.0), (310.0, 0.0, 0.0)], world=1)
    players.until(lambda: 212 in players.numbers(211))
    seen = list[float]()

    def walk() -> bool:
        x = players.places[212][0]
        players.places[212] = (x + 0.2, 0.0, 0.0)  # a step each time that it is said
        if 212 in players.numbers(211):
            seen.append(players.place(211, 212)[0])
        return 212 not in players.numbers(211)

    players.until(walk)
    assert max(seen) > 350
    players.places[212] = (310.0, 0.0, 0.0)
    players.close()


def test_who_does_not_ask_is_told_nothing_of_a_world(library: Library, gate: Gate) -> None:
    players = Players(library, gate, 221, [(-300.0, 0.0, 0.0), (-310.0, 0.0, 0.0)])
    one = players.games[221]
    players.until(lambda: one.statistics().datagrams_received > 30)
    assert {event.type for event in one.events} == {"CONNECTED"}
    assert one.statistics().world_states == 0
    assert one.statistics().datagrams_refused == 0
    players.close()
