# SPDX-License-Identifier: BSD-3-Clause
"""With what a movement in a world is acknowledged: PROTOCOL.md 5."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.engines.engines import ALL
from tests.network.namespace import Wire
from tests.session.deployment import founded, playing, settings
from tests.world.test_appliance import MEADOW, standing, until

pytestmark = ALL


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
