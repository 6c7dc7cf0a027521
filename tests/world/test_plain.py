# SPDX-License-Identifier: BSD-3-Clause
"""Players of the plain profile in a world of the running appliance, with each engine: who asks, sees."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import math
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pyshim.protocol.plain_world import LOOK_MIN_BYTES, Sight, look, read_sight
from tests.engines.engines import ALL
from tests.network.namespace import Wire
from tests.network.players import MOVE, PORT, Crowd, Player, message
from tests.session.deployment import PATIENCE_S, Deployment, founded, kill, playing, settings
from tests.world.make_plain_vectors import answer
from tests.world.test_appliance import MEADOW, seen, standing, until
from tests.world.test_plain_vectors import VECTORS, said_by

pytestmark = ALL

SEALED_PORT = PORT + 1


@pytest.fixture
def deployment(wire: Wire, engine: str, tmp_path: Path) -> Iterator[Deployment]:
    listeners: list[dict[str, Any]] = [
        {"port": PORT, "profile": "plain", "world": "meadow"},
        {"port": SEALED_PORT, "profile": "session", "world": "meadow"},
    ]
    sessions = {"capacity": 64, "idle_timeout_s": 5}
    world = settings(engine, worlds=[MEADOW | {"max_speed_mps": 12}], sessions=sessions) | {
        "listen": listeners
    }
    with founded(wire, world, tmp_path) as it:
        yield it


@pytest.fixture
def crowd(wire: Wire, deployment: Deployment) -> Iterator[Crowd]:
    del deployment  # is there before them
    with contextlib.closing(Crowd(wire.players)) as crowd:
        yield crowd


class Walker:
    """A player who says where it is, and looks."""

    def __init__(self, player: Player) -> None:
        self.player = player
        self._epochs = itertools.cycle(range(256))

    def stands(self, x: float, y: float, z: float = 1.0) -> None:
        self.player.plays(message(MOVE, struct.pack("<I6f", self.player.id, x, y, z, 0, 0, 0)))

    def asks(self, length: int = 1232) -> tuple[Sight, int]:
        """What it is told, and in how many bytes."""
        epoch = next(self._epochs)
        self.player.send(look(self.player.id, epoch, 7, length))
        told = self.player.receive()
        assert len(told) <= length
        sight = read_sight(told)
        assert told == answer(said_by(sight), self.player.id, epoch, 7)  # as a vector is written
        return sight, len(told)

    def sees(self, is_right: Callable[[Sight], bool]) -> Sight:
        """What it is told once that is right; it takes a tick or two."""
        deadline_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline_s:
            sight, _ = self.asks()
            if sight.state is not None and is_right(sight):
                return sight
            time.sleep(0.02)
        raise AssertionError(f"it sees {sight}")


def test_plain_players_see_who_is_near_and_nobody_else(crowd: Crowd) -> None:
    alice, bob, carol = (Walker(crowd.player()) for _ in range(3))
    assert not alice.asks()[0].is_there
    alice.stands(0, 0)
    bob.stands(30, 0, 2)
    carol.stands(0, 70)
    sight = alice.sees(lambda sight: sight.others().keys() == {bob.player.id})
    assert sight.is_there
    assert sight.world is not None
    assert sight.world.name == "meadow"
    assert math.dist(sight.others()[bob.player.id], (30, 0, 2)) < 0.006
    assert bob.sees(lambda sight: sight.others().keys() == {alice.player.id})
    assert not carol.sees(lambda sight: sight.is_there).others()
    bob.stands(31, 0, 2)
    alice.sees(lambda sight: math.dist(sight.others()[bob.player.id], (31, 0, 2)) < 0.006)


def test_no_answer_is_longer_than_its_question(crowd: Crowd) -> None:
    """Also where there is more to say: whoever forges the source of a question has nothing from it."""
    walkers = [Walker(crowd.player()) for _ in range(12)]
    for n, one in enumerate(walkers):
        one.stands(n, 0)
    first = walkers[0]
    first.sees(lambda sight: len(sight.others()) == len(walkers) - 1)
    nearest = [one.player.id for one in walkers[1:]]
    for length, most in ((LOOK_MIN_BYTES, 1), (250, 4), (1232, 11)):
        deadline_s = time.monotonic() + PATIENCE_S
        told: list[int] = []
        while not told and time.monotonic() < deadline_s:
            sight, answered = first.asks(length)
            assert answered <= length
            told = list(sight.others())
        assert 1 <= len(told) <= len(nearest)
        assert told == nearest[: len(told)]
        assert len(told) >= most
    before = look(first.player.id, 1)
    for wrong in (look(first.player.id, 1, length=LOOK_MIN_BYTES - 1), before[:21] + b"\1" + before[22:]):
        first.player.is_ignored(wrong)


def test_each_question_of_the_vectors_is_answered_or_dropped_for_its_reason(
    deployment: Deployment, crowd: Crowd
) -> None:
    for vector in VECTORS["looks"]:
        player, asked = crowd.player(), bytes.fromhex(vector["look"])
        player.send(asked)
        sight = read_sight(player.receive())
        assert (sight.timestamp, sight.player_id) == (vector["timestamp"], vector["player_id"])
        assert (sight.epoch, sight.is_there, sight.state) == (vector["epoch"], False, None)
    player = crowd.player()
    for vector in VECTORS["refused_looks"]:
        before = deployment.total("drops_total", reason=vector["reason"])
        player.is_ignored(bytes.fromhex(vector["look"]))
        deployment.gate.wait_metric("pollgate_drops_total", before + 1, reason=vector["reason"])


def test_who_is_too_fast_is_where_the_world_has_it(crowd: Crowd) -> None:
    alice = Walker(crowd.player())
    alice.stands(0, 0)
    alice.sees(lambda sight: sight.is_there)
    alice.stands(400, 0)
    sight = alice.sees(lambda sight: sight.is_there)
    assert math.dist(sight.position, (0, 0, 1)) < 0.006


def test_plain_and_sealed_players_see_each_other(deployment: Deployment, crowd: Crowd) -> None:
    walker = Walker(crowd.player())
    ticket = deployment.issue(7001)

    async def game() -> None:
        async with playing(ticket) as (alice,), standing((alice, (10, 0, 1))):
            await asyncio.to_thread(walker.stands, 20, 0)
            await until(lambda: seen(alice).keys() == {walker.player.id})
            sight = await asyncio.to_thread(walker.sees, lambda sight: 7001 in sight.others())
            assert math.dist(sight.others()[7001], (10, 0, 1)) < 0.006
            # Who says nothing any more is no more.
            await until(lambda: not seen(alice))

    deployment.play(game)


def test_who_stays_is_seen_whatever_ranks_become(crowd: Crowd) -> None:
    """Everybody gets another rank every four seconds."""
    alice, bob = (Walker(crowd.player()) for _ in range(2))
    for step in range(20):
        x = 10 + step / 2
        alice.stands(0, 0)
        bob.stands(x, 0, 2)
        sight = alice.sees(
            lambda sight, x=x: abs(sight.others().get(bob.player.id, (0, 0, 0))[0] - x) < 0.006
        )
        assert sight.others().keys() == {bob.player.id}
        time.sleep(0.5)


def test_players_are_there_again_after_a_crash(deployment: Deployment, crowd: Crowd) -> None:
    alice, bob = (Walker(crowd.player()) for _ in range(2))
    alice.stands(0, 0)
    bob.stands(10, 0)
    alice.sees(lambda sight: sight.others().keys() == {bob.player.id})
    kill(deployment, 1)
    alice.player.catch_up()
    bob.player.catch_up()
    assert not alice.asks()[0].is_there
    alice.stands(0, 0)
    bob.stands(11, 0)
    alice.sees(lambda sight: sight.others().keys() == {bob.player.id})
