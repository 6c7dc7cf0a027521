# SPDX-License-Identifier: BSD-3-Clause
"""With what a movement in a world is acknowledged, PROTOCOL.md 5; and a player who acknowledges nothing."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pyshim.protocol.client import Client
from pyshim.protocol.session_wire import Prefix
from tests.engines.engines import ALL
from tests.network.namespace import Wire
from tests.session.deployment import founded, playing, settings
from tests.world.test_appliance import MEADOW, seen, standing, until

pytestmark = ALL
BASELINES = 32  # ticks, after which what a player was told is no baseline any more


@pytest.mark.parametrize(("tick_hz", "alone"), [(20, False), (8, True)], ids=["fast", "slow"])
def test_movements_are_acknowledged_by_states_where_ticks_are_short(
    wire: Wire, engine: str, tmp_path: Path, tick_hz: int, alone: bool
) -> None:
    world: dict[str, Any] = MEADOW | {"tick_hz": tick_hz}
    with founded(
        wire, settings(engine, listener={"world": "meadow"}, worlds=[world]), tmp_path
    ) as deployment:

        def counts() -> tuple[int, int, int]:
            """Movements, states, and datagrams that were no answers."""
            return (
                deployment.total("world_moves_total", world="meadow", outcome="taken"),
                deployment.total("world_states_total", world="meadow"),
                deployment.total("transmit_originated_packets_total"),
            )

        async def game() -> None:
            async with playing(deployment.issue(7)) as (player,):
                async with standing((player, (0, 0, 1))):
                    await until(lambda: counts()[1] > 0)
                before = counts()
                for said in range(1, 41):  # one after the other: several that come together have one answer
                    player.move((0, 0, 1))
                    await until(lambda said=said: counts()[0] - before[0] >= said)  # type: ignore[misc]
                moves, states, sent = (now - then for now, then in zip(counts(), before, strict=True))
                if alone:
                    assert sent - states > moves / 2
                else:
                    assert sent - states < moves / 4

        deployment.play(game)


def acknowledges_nothing_more(player: Client) -> None:
    """What came until now, again and again."""
    it = player.session._connection._open
    assert it is not None
    theirs = it.acknowledgements
    newest, bits, prefix = theirs._newest, theirs._bits, theirs.prefix

    def same(now: float, *, wants_answer: bool = False) -> Prefix:
        return replace(prefix(now, wants_answer=wants_answer), ack=newest, ack_bits=bits)

    theirs.prefix = same  # type: ignore[method-assign]


def test_who_acknowledges_nothing_sees_on(wire: Wire, engine: str, tmp_path: Path) -> None:
    """Against what it was told in full as long as that is a baseline, and then in full again."""
    world = settings(engine, listener={"world": "meadow"}, worlds=[MEADOW])
    with founded(wire, world, tmp_path) as deployment:

        async def game() -> None:
            async with playing(deployment.issue(7), deployment.issue(8)) as (alice, bob):
                async with standing((alice, (0, 0, 1)), (bob, (10, 0, 1))):
                    await until(lambda: 8 in seen(alice) and 7 in seen(bob))
                    acknowledges_nothing_more(alice)
                    counts = alice.session.view.counts
                    states = counts.states
                    await until(lambda: counts.states > states + 6 * BASELINES)
                async with standing((alice, (0, 0, 1)), (bob, (20, 5, 1))):
                    await until(lambda: math.dist(seen(alice)[8], (20, 5, 1)) < 0.006)
                assert counts.undecodable == 0

        deployment.play(game)
        misses = deployment.total("world_baseline_misses_total", world="meadow")
        assert 5 <= misses <= deployment.total("world_states_total") / (BASELINES / 2)
