# SPDX-License-Identifier: BSD-3-Clause
"""`pollgate load --world` with players of profile plain, with each engine: what they are told when they ask.

Every place that a player is told, and everybody who should be in an answer, against the model of what all
said.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engines.conftest import engine, namespaces, wire
from tests.engines.engines import ALL, CPUS, needs_two_cpus
from tests.load.test_command import load, report_of
from tests.load.test_gateway import GATE4, PORT
from tests.network.namespace import Wire
from tests.session.deployment import Deployment, founded, settings
from tests.world.test_appliance import MEADOW

__all__ = ["engine", "namespaces", "wire"]

pytestmark = ALL

TARGET = f"{GATE4}:{PORT}"
PLAYERS, SECONDS = 150, 6


def world(engine: str, **others: Any) -> dict[str, Any]:
    listeners = [
        {"port": PORT, "profile": "plain", "world": "meadow"},
        {"port": PORT + 1, "profile": "session", "world": "meadow"},
    ]
    changes = {"worlds": [MEADOW | {"max_speed_mps": 12}], "sessions": {"capacity": 1024}}
    return settings(engine, **changes, **others) | {"listen": listeners}


@pytest.fixture
def deployment(wire: Wire, engine: str, tmp_path: Path) -> Iterator[Deployment]:
    with founded(wire, world(engine), tmp_path) as it:
        yield it


def play(deployment: Deployment, *args: str) -> dict[str, Any]:
    """What a step's players were told, all of which is right."""
    done = load(
        TARGET, "--rules", str(deployment.gate.config_path), "--world", "meadow", "--json",
        "--players", str(PLAYERS), "--seconds", str(SECONDS), *args,
        before=deployment.wire.players.prefix,
    )  # fmt: skip
    assert done.stdout, done.stderr
    (step,) = report_of(done.stdout)["steps"]
    told: dict[str, Any] = step["world"]
    assert (done.returncode, told["faults"], step["invalid"]) == (0, [], 0), (told, done.stderr)
    assert told["checked"] > PLAYERS * SECONDS * 20
    assert told["aged"] < told["checked"] / 100
    assert told["looks"] > PLAYERS / 4
    assert told["due"] > 10 * told["looks"]
    return told


@pytest.mark.parametrize("walk", ["spread", "town", "crowd"])
def test_all_are_told_of_whom_they_should_be(deployment: Deployment, walk: str) -> None:
    told = play(deployment, "--walk", walk, "--standing", "20")
    assert (told["worlds"], told["corrections"], told["unchecked"]) == (1, 0, 0)
    assert deployment.total("world_moves_total", outcome="taken") > PLAYERS * SECONDS * 18
    assert deployment.total("messages_total", type="look") >= told["states"]


def test_a_network_that_loses_and_reorders_changes_nothing_of_that(deployment: Deployment) -> None:
    told = play(deployment, "--loss", "5", "--reorder", "5")
    assert min(told["dropped"], told["delayed"]) > PLAYERS
    assert told["worlds"] == 1


@needs_two_cpus
@pytest.mark.alone
def test_players_of_two_workers_are_told_of_each_other(wire: Wire, engine: str, tmp_path: Path) -> None:
    of_two: dict[str, Any] = {"workers": {"cpus": CPUS[:2]}}
    if engine == "dpdk":
        of_two |= {"device": ",qpairs=2", "port": {"queues": 2}}
    with founded(wire, world(engine, **of_two), tmp_path) as deployment:
        told = play(deployment, "--walk", "town")
        assert told["worlds"] == 1
        assert all(deployment.total("messages_total", type="look", worker=worker) > 0 for worker in "01")
