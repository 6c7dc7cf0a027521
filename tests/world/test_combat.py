# SPDX-License-Identifier: BSD-3-Clause
"""Attacks in a world: judged by the moment that the attacker saw, to the 256th of a tick, and told to all."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from pyshim.protocol.client import Attack, Client, Judged, Judgement
from tests.engines.engines import ALL, CPUS, needs_two_cpus
from tests.network.namespace import Wire
from tests.session.deployment import PATIENCE_S, Deployment, founded, heard, playing, settings
from tests.world.test_appliance import MEADOW, seen, standing, until

pytestmark = ALL

QUANTUM_M = 0.01
RADIUS_M = 0.3
SPEED_MPS = 16.0  # 0.8 m in each tick of 1/20 s, which is more than a body is wide
EYE_M = 1.6
COMBAT = {"rewind_ms": 1000, "interpolation_ms": 500, "body_radius_m": RADIUS_M, "eye_m": EYE_M}
WORLD = MEADOW | {"radius_m": 200, "leave_radius_m": 220, "combat": COMBAT}
ORIGIN = (-500, -500, -10)  # the lowest corner
AHEAD = (0.0, 1.0, 0.0)


@pytest.fixture
def deployment(wire: Wire, engine: str, tmp_path: Path) -> Iterator[Deployment]:
    with founded(wire, settings(engine, listener={"world": "meadow"}, worlds=[WORLD]), tmp_path) as it:
        yield it


@asynccontextmanager
async def running(client: Client, radius: float) -> AsyncIterator[None]:
    """For the time of the block, a player runs round the origin, and says it as often as there are ticks."""

    async def say() -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        while True:
            angle = SPEED_MPS / radius * (loop.time() - began)
            x, y = math.cos(angle), math.sin(angle)
            client.move((radius * x, radius * y, 0), (-SPEED_MPS * y, SPEED_MPS * x, 0))
            await asyncio.sleep(0.05)

    saying = asyncio.create_task(say())
    try:
        yield
    finally:
        saying.cancel()


def places(client: Client, player: int) -> dict[int, tuple[int, int, int]]:
    """Where the frames that came had a player, by tick, in quanta: what the gateway judges by."""
    slots = client.session.view._slots
    history = next(slot.history for slot in slots if slot.entity and slot.entity.identity == player)
    return {tick: place.position for tick, place in filter(None, history._places)}


def stood(client: Client, players: Iterable[int]) -> bool:
    """For longer than what is judged lies back, where there are 20 ticks a second."""
    others = set(players) & seen(client).keys()
    return all(len(places(client, player)) > 25 for player in others)


def between(then: tuple[int, int, int], later: tuple[int, int, int], parts: int) -> tuple[int, ...]:
    """On the line between two frames; the nearest quantum, halves up."""
    return tuple((256 * a + (b - a) * parts + 128) // 256 for a, b in zip(then, later, strict=True))


def aimed_at(place: tuple[int, ...], eye: tuple[float, float, float]) -> tuple[float, float, float]:
    """The direction to the middle of the body of who is there."""
    x, y, z = (low + quanta * QUANTUM_M for low, quanta in zip(ORIGIN, place, strict=True))
    return x - eye[0], y - eye[1], z + 0.9 - eye[2]


def error_quanta(
    place: tuple[int, ...], eye: tuple[float, float, float], direction: tuple[float, float, float]
) -> float:
    """How far past the upright line in the middle of a body a ray goes: on the ground, in quanta."""
    x, y, _ = (low + quanta * QUANTUM_M for low, quanta in zip(ORIGIN, place, strict=True))
    across = (x - eye[0]) * direction[1] - (y - eye[1]) * direction[0]
    return abs(across) / math.hypot(*direction) / QUANTUM_M


async def judged(attacker: Client) -> Judgement:
    [attack] = await heard(attacker, Attack)
    assert attack.judgement is not None
    return attack.judgement


async def shot(attacker: Client, target: int, off: int, parts: int) -> tuple[Judgement, float] | None:
    """An attack at where the target was at a moment, that says so many ticks more. None: again."""
    known = places(attacker, target)
    tick = max(known) - 4
    if not all(one in known for one in (tick - 1, tick, tick + 1, tick + 2)):
        return None
    eye = (0.0, 0.0, EYE_M)
    direction = aimed_at(between(known[tick], known[tick + 1], parts), eye)
    moment = tick + off
    attacker.attack(target, tick, direction, view=(moment, parts))
    judgement = await judged(attacker)
    if judgement.is_clamped:  # a host that was busy for half a second
        return None
    assert (judgement.tick, judgement.parts) == (moment, parts)
    expected = error_quanta(between(known[moment], known[moment + 1], parts), eye, direction)
    if off != 0 and expected < RADIUS_M / QUANTUM_M + 2:  # who said nothing for a while stood there
        return None
    return judgement, expected


def test_who_is_hit_is_who_was_there_at_the_tick_that_was_seen_and_one_tick_off_is_a_miss(
    deployment: Deployment,
) -> None:
    tickets = [deployment.issue(7), deployment.issue(8)]

    async def game() -> None:
        async with playing(*tickets) as (alice, bob), standing((alice, (0, 0, 0))), running(bob, 30):
            await until(lambda: 8 in seen(alice) and len(places(alice, 8)) > 20)
            done = 0
            async with asyncio.timeout(PATIENCE_S):
                while done < 12:
                    off, parts = (0, -1, 1)[done % 3], (0, 128, 200, 255)[done % 4]
                    result = await shot(alice, 8, off, parts)
                    await asyncio.sleep(0.02)
                    if result is None:
                        continue
                    judgement, expected = result
                    assert judgement.judged is (Judged.HIT if off == 0 else Judged.MISS)
                    assert (judgement.who, judgement.is_player) == (8, True)
                    assert (
                        abs(judgement.error_quanta - expected) < 2
                    )  # it is rounded down, and the ray rises a little
                    done += 1

    deployment.play(game)
    assert deployment.total("world_judgements_total", outcome="hit") >= 4
    assert deployment.total("world_judgements_total", outcome="miss") >= 8


def test_by_what_the_client_shows_it_hits_who_runs(deployment: Deployment) -> None:
    tickets = [deployment.issue(7), deployment.issue(8)]

    async def game() -> None:
        async with playing(*tickets) as (alice, bob), standing((alice, (0, 0, 0))), running(bob, 30):
            await until(lambda: 8 in seen(alice) and len(places(alice, 8)) > 20)
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    x, y, z = seen(alice)[8]
                    alice.attack(0, 1, (x, y, z + 0.9 - EYE_M))
                    judgement = await judged(alice)
                    if not judgement.is_clamped and judgement.judged is Judged.HIT:
                        assert judgement.who == 8
                        break
                    await asyncio.sleep(0.05)

    deployment.play(game)


def test_all_whom_it_concerns_hear_how_it_was_judged(deployment: Deployment) -> None:
    tickets = [deployment.issue(number) for number in (7, 8, 9)]

    async def game() -> None:
        async with (
            playing(*tickets) as (alice, bob, carol),
            standing((alice, (0, 0, 0)), (bob, (0, 30, 0)), (carol, (0, 150, 0))),
        ):
            await until(lambda: {8, 9} <= seen(alice).keys() and 7 in seen(carol))
            # At the moment that is judged by, they have stood there.
            await until(lambda: stood(alice, (8, 9)))
            alice.attack(0, 1, AHEAD)
            alice.attack(8, 2, AHEAD)
            alice.attack(9, 3, AHEAD)
            alice.attack(8, 4, (0.0, -1.0, 0.0))
            alice.attack(8, 5, (0.0, 0.0, 0.0))
            alice.attack(77, 6, AHEAD)
            told = {one.attack_id: one for one in await heard(alice, Attack, 6)}
            assert list(told) == [1, 2, 3, 4, 5, 6]  # in the order in which they were said
            became = {number: one.judgement and one.judgement.judged for number, one in told.items()}
            assert became == {
                1: Judged.HIT,
                2: Judged.HIT,
                3: Judged.TOO_FAR,
                4: Judged.MISS,
                5: Judged.NO_DIRECTION,
                6: Judged.NO_TARGET,
            }
            assert told[1].judgement is not None
            assert told[1].judgement.who == 8
            assert abs(told[1].judgement.distance_quanta - 2970) <= 1
            for client, expected in ((bob, [1, 2, 4, 5]), (carol, [1, 3])):
                events = await heard(client, Attack, len(expected))
                assert events == [told[number] for number in expected]

    deployment.play(game)
    assert deployment.total("session_messages_lost_total", reason="no_player") == 1


def test_a_moment_that_nobody_can_have_seen_becomes_one_that_could(deployment: Deployment) -> None:
    tickets = [deployment.issue(7), deployment.issue(8)]

    async def game() -> None:
        async with playing(*tickets) as (alice, bob), standing((alice, (0, 0, 0)), (bob, (0, 30, 0))):
            await until(lambda: 8 in seen(alice) and len(places(alice, 8)) > 40)
            for off in (-60, 60):
                newest = max(places(alice, 8))
                alice.attack(8, 1, AHEAD, view=(newest + off, 0))
                judgement = await judged(alice)
                assert judgement.is_clamped
                assert judgement.judged is Judged.HIT
                assert newest - 21 <= judgement.tick
                await until(lambda tick=judgement.tick: max(places(alice, 8)) >= tick)  # type: ignore[misc]

    deployment.play(game)
    assert deployment.total("world_clamped_views_total", why="too_old") == 1
    assert deployment.total("world_clamped_views_total", why="too_new") == 1


def test_where_nobody_judges_an_attack_is_told_as_it_ever_was(
    wire: Wire, engine: str, tmp_path: Path
) -> None:
    config = settings(engine, listener={"world": "meadow"}, worlds=[MEADOW])
    with founded(wire, config, tmp_path) as deployment:
        tickets = [deployment.issue(7), deployment.issue(8)]

        async def game() -> None:
            async with playing(*tickets) as (alice, bob), standing((alice, (0, 0, 0)), (bob, (0, 30, 0))):
                await until(lambda: 8 in seen(alice))
                await alice.attack(8, 1, AHEAD)  # which says what it saw
                assert await heard(bob, Attack) == [Attack(7, 8, 1, AHEAD)]
                await asyncio.sleep(0.2)
                assert not any(isinstance(event, Attack) for event in alice.session.events)

        deployment.play(game)


@needs_two_cpus
def test_players_of_another_worker_are_hit_where_they_were(wire: Wire, engine: str, tmp_path: Path) -> None:
    changes: dict[str, Any] = {"workers": {"cpus": CPUS[:2]}, "worlds": [WORLD]}
    if engine == "dpdk":
        changes |= {"device": ",qpairs=2", "port": {"queues": 2}}
    numbers = range(1, 13)
    with founded(wire, settings(engine, listener={"world": "meadow"}, **changes), tmp_path) as deployment:
        tickets = [deployment.issue(number) for number in numbers]

        async def game() -> None:
            places = {number: (4.0 * number, 20.0, 0.0) for number in numbers}
            async with playing(*tickets) as players:
                by_number = dict(zip(numbers, players, strict=True))
                async with standing(*((by_number[number], places[number]) for number in numbers)):
                    await until(lambda: all(len(seen(one)) == len(numbers) - 1 for one in players))
                    await until(lambda: all(stood(one, numbers) for one in players))
                    for number in numbers:
                        other = number % len(numbers) + 1
                        direction = (places[other][0] - places[number][0], 0.0, 0.0)
                        await by_number[number].attack(other, number, direction)
                    for number in numbers:
                        other = number % len(numbers) + 1
                        attacks = await heard(by_number[number], Attack, 2)  # its own, and that at itself
                        own = next(one for one in attacks if one.sender == number)
                        assert own.judgement is not None
                        assert (own.judgement.judged, own.judgement.who) == (Judged.HIT, other)

        deployment.play(game)
        assert all(deployment.total("session_connections_total", worker=worker) > 0 for worker in "01")
