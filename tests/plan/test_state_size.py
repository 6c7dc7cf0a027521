# SPDX-License-Identifier: BSD-3-Clause
"""What the planner says of the data plane's memory is what the data plane takes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pyshim import dataplane
from pyshim.planner.memory import mail_bytes, state_bytes


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
