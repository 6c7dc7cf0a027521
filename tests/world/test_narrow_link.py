# SPDX-License-Identifier: BSD-3-Clause
"""A link that is too slow for a world: a tick leaves out what is late, and writes little to be dropped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.engines import SOCKETS
from tests.engines.test_idle import voluntary_switches
from tests.load.test_command import load, report_of
from tests.load.worlds import MEADOW, World
from tests.network.namespace import GATE_INTERFACE, Wire
from tests.session.deployment import Deployment, founded, settings

pytestmark = SOCKETS

PLAYERS = World(players=300, seconds=4)
SLEEPS_MIN = 3000  # while it waits for room; 32,000 were seen, and 1,000 of one that never slept then


@pytest.fixture
def narrow(wire: Wire) -> Iterator[Wire]:
    """What the gateway sends leaves at 5 Mbit/s, and waits for that with the socket's other datagrams."""
    discipline = ("tc", "qdisc", "add", "dev", GATE_INTERFACE, "root", "tbf")
    wire.gate.run(*discipline, "rate", "5mbit", "burst", "16kb", "limit", "100mb")
    yield wire
    wire.gate.run("tc", "qdisc", "del", "dev", GATE_INTERFACE, "root")


@pytest.fixture
def deployment(narrow: Wire, engine: str, tmp_path: Path) -> Iterator[Deployment]:
    world = settings(
        engine,
        listener={"world": "meadow"},
        worlds=[MEADOW],
        sessions={"capacity": 1024},
        sockets={"send_buffer_kib": 64},
    )
    with founded(narrow, world, tmp_path) as it:
        yield it


def test_what_a_link_has_no_room_for_is_not_written(deployment: Deployment, narrow: Wire) -> None:
    pid = deployment.gate.worker_pid()
    switches = voluntary_switches(pid)
    done = load(*PLAYERS.arguments(deployment.gate.config_path), before=narrow.players.prefix)
    (step,) = report_of(done.stdout)["steps"]
    assert (done.returncode, step["world"]["faults"]) == (0, [])
    assert step["world"]["checked"] > 0
    shed = deployment.total("world_shed_states_total", world="meadow")
    states = deployment.total("world_states_total", world="meadow")
    dropped = deployment.total("transmit_drops_total", reason="queue_full")
    assert shed > states / 4  # or the link was wide enough
    assert dropped < states / 4
    assert voluntary_switches(pid) - switches > SLEEPS_MIN
