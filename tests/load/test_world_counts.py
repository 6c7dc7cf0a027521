# SPDX-License-Identifier: BSD-3-Clause
"""What a gateway counts of a world is what its players did, and what they were told, by their own count."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engines.conftest import engine, namespaces, wire
from tests.engines.engines import ALL, CPUS, needs_two_cpus
from tests.gate import Samples
from tests.load.worlds import MEADOW, World
from tests.network.namespace import Wire
from tests.session.deployment import Deployment, founded, settings

__all__ = ["engine", "namespaces", "wire"]

pytestmark = [ALL, needs_two_cpus]

WORLD = World(players=150, seconds=4)


@pytest.fixture
def deployment(wire: Wire, engine: str, tmp_path: Path) -> Iterator[Deployment]:
    """Of two workers, in a world in which attacks are judged."""
    changes: dict[str, Any] = {"workers": {"cpus": CPUS[:2]}, "worlds": [MEADOW | {"combat": {}}]}
    if engine == "dpdk":
        changes |= {"device": ",qpairs=2", "port": {"queues": 2}}
    with founded(wire, settings(engine, listener={"world": "meadow"}, **changes), tmp_path) as it:
        yield it


def test_movements_attacks_and_states_are_counted_as_players_count_them(deployment: Deployment) -> None:
    step = WORLD.step(deployment.gate.config_path, before=deployment.wire.players.prefix)
    seen, said = step["world"], step["by_type"]
    total = deployment.total
    deployment.gate.wait_until(lambda: total("world_players") == 0)
    assert total("world_moves_total", outcome="taken") == total("world_moves_total")
    for name, kind in (("world_moves_total", "move"), ("world_judgements_total", "attack")):
        assert said[kind]["acknowledged"] <= total(name) <= said[kind]["sent"]
    # What players have left by the time that it comes, they do not count.
    missed = total("world_states_total") - seen["states"]
    assert 0 <= missed <= 4 * WORLD.players
    told = total("world_told_entities_total") - seen["checked"] - seen["unchecked"] - seen["skipped"]
    assert 0 <= told <= 32 * missed
    first = total("world_told_entities_total", how="full") - total("world_baseline_misses_total")
    assert 0 <= first - seen["entered"] <= 8 * missed
    deployment.gate.wait_until(lambda: every_tick_is_timed(deployment.gate.metrics()))


def every_tick_is_timed(said: Samples) -> bool:
    """A scrape may come between the two counts of a tick."""
    ended = said.value("pollgate_world_ticks_total") + said.value("pollgate_world_tick_overruns_total")
    return said.value("pollgate_world_tick_duration_seconds_count") == ended


def test_who_is_told_again_in_full_on_a_bad_network_is_a_miss(deployment: Deployment) -> None:
    WORLD.step(deployment.gate.config_path, "--loss", "5", before=deployment.wire.players.prefix)
    misses = deployment.total("world_baseline_misses_total")
    assert 0 < misses < deployment.total("world_told_entities_total", how="full")
