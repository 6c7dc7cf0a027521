# SPDX-License-Identifier: BSD-3-Clause
"""What a plan says of the memory of worlds, and what this host must have for it."""

# ruff: noqa: E501  (an exact sentence stays on one line, where a search finds it)

from __future__ import annotations

from typing import Any

import pytest

from pyshim import dataplane
from pyshim.config import Config
from pyshim.errors import PlanError
from pyshim.plan import Plan
from pyshim.planner import plan
from pyshim.planner.world_memory import worlds_bytes
from tests.plan.builders import make_cpus, make_host, make_memory, make_socket_config

MEADOW = {"name": "meadow", "bounds": [[-4000, -4000, 0], [4000, 4000, 10]]}


def config(*worlds: dict[str, Any], capacity: int = 5000, **sections: Any) -> Config:
    return make_socket_config(
        "epoll",
        listen=[{"port": 1, "profile": "session", "world": "meadow"}],
        worlds=[MEADOW | world for world in worlds or ({},)],
        sessions={"capacity": capacity},
        **sections,
    )


def planned(wanted: Config, cpus: int = 2) -> Plan:
    return plan(wanted, make_host(wanted, make_cpus(cpus)))


@pytest.mark.parametrize(
    "wanted",
    [
        config(),
        config({"tick_hz": 128}, capacity=100),
        config({"tick_hz": 4, "entities": 65_536}),
        config({"cell_m": 2, "radius_m": 10, "leave_radius_m": 12}),
        config({}, {"name": "cave", "quantum_m": 0.1}, {"name": "moon", "tick_hz": 60}, capacity=50_000),
    ],
)
def test_it_is_what_the_data_plane_takes(wanted: Config) -> None:
    made = planned(wanted)
    assert len(made.workers) == 1
    assert worlds_bytes(made) == pytest.approx(dataplane.worlds_bytes(made), rel=0.02)


def test_workers_share_the_players_and_have_cells_of_their_own() -> None:
    one, four = planned(config()), planned(config(), 5)
    assert len(four.workers) == 4
    assert worlds_bytes(one) < worlds_bytes(four) < 4 * worlds_bytes(one)


def test_without_worlds_it_is_none() -> None:
    wanted = make_socket_config("epoll", listen=[{"port": 1, "profile": "session"}])
    assert worlds_bytes(planned(wanted)) == dataplane.worlds_bytes(planned(wanted)) == 0


def test_too_little_is_refused() -> None:
    wanted = config({}, {"name": "moon", "tick_hz": 128, "entities": 65_536}, record={"path": "/tmp/a.rec"})
    for available, refusals in (
        (2000, []),
        (
            500,
            [
                "worlds: 5000 players in world moon take 738 MiB beside the recording's 256 MiB, 500 MiB available; lower sessions.capacity or entities, make cell_m or radius_m larger, or free memory"
            ],
        ),
    ):
        host = make_host(wanted, memory=make_memory(available_mib=available))
        if not refusals:
            plan(wanted, host)
            continue
        with pytest.raises(PlanError) as caught:
            plan(wanted, host)
        assert [str(one) for one in caught.value.details] == refusals
