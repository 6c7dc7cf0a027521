# SPDX-License-Identifier: BSD-3-Clause
"""What a plan says of the recording, and what this host must have for it."""

# ruff: noqa: E501  (an exact sentence stays on one line, where a search finds it)

from __future__ import annotations

from typing import Any

import pytest

from pyshim.config import Config
from pyshim.errors import PlanError
from pyshim.planner import plan
from tests.plan.builders import make_host, make_memory, make_socket_config

MEADOW = {"name": "meadow", "bounds": [[0, 0, 0], [100, 100, 10]], "tick_hz": 60}


def config(**record: Any) -> Config:
    return make_socket_config(
        "epoll",
        listen=[{"port": 1, "profile": "session", "world": "meadow"}],
        worlds=[MEADOW],
        sessions={"capacity": 5000},
        record=record,
    )


def test_how_long_it_is_is_told() -> None:
    wanted = config(path="/tmp/a.rec", memory_mib=128, seconds=20)
    made = plan(wanted, make_host(wanted))
    assert made.recording_bytes == 128 << 20
    assert (
        "the last 20 s of all worlds are written to /tmp/a.rec, if they fit 128 MiB of memory: 14 s of 5000 players who move 60 times a second do"
        in made.notes
    )


def test_without_a_file_nothing_is_recorded() -> None:
    wanted = config()
    made = plan(wanted, make_host(wanted))
    assert made.recording_bytes == 0
    assert not [note for note in made.notes if "worlds" in note]


def test_memory_that_is_not_there_is_refused() -> None:
    wanted = config(path="/tmp/a.rec", memory_mib=8000)
    with pytest.raises(PlanError) as caught:
        plan(wanted, make_host(wanted, memory=make_memory(available_mib=4000)))
    assert [str(one) for one in caught.value.details] == [
        "record.memory_mib: the recording takes 8000 MiB, 4000 MiB available; lower it, or free memory"
    ]
