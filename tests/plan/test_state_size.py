# SPDX-License-Identifier: BSD-3-Clause
"""What the planner says of the data plane's memory is what the data plane takes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pyshim import dataplane
from pyshim._native._pollgate import lib
from pyshim.planner import plan
from pyshim.planner.memory import HELD_PER_QUEUE, mail_bytes, state_bytes
from tests.plan.builders import make_config, make_host


@given(st.integers(1, 16_777_216), st.integers(1, 32), st.integers(0, 1 << 20), st.integers(0, 1 << 20))
def test_planned_session_state_is_as_large_as_the_data_plane_needs(
    capacity: int, workers: int, issued: int, netcode: int
) -> None:
    shape = capacity, workers, issued, netcode
    assert state_bytes(*shape) == dataplane.state_bytes(*shape)


def test_planned_mail_between_workers_is_what_the_data_plane_keeps_room_for() -> None:
    assert [mail_bytes(workers) for workers in range(1, 33)] == [
        dataplane.mail_bytes(workers) for workers in range(1, 33)
    ]


def test_a_pool_has_buffers_for_what_waits_in_each_queue() -> None:
    config = make_config({"device": "0000:03:00.0", "queues": 2})
    result = plan(config, make_host(config))
    assert result.ports[0].queues == 2
    assert f" + {2 * lib.PG_HELD_PER_QUEUE} that wait for one" in result.pools[0].why
    assert lib.PG_HELD_PER_QUEUE == HELD_PER_QUEUE
