# SPDX-License-Identifier: BSD-3-Clause
"""When a poll loop counts as stalled."""

from __future__ import annotations

from pyshim.run.heartbeats import Heartbeats


def test_a_heartbeat_that_moves_never_stalls() -> None:
    beats = Heartbeats()
    for second in range(10):
        beats.look([second], float(second))
    assert beats.stalled(9.5, timeout_s=1) == []


def test_only_the_worker_that_stands_still_is_stalled() -> None:
    beats = Heartbeats()
    beats.look([7, 7], 0.0)
    beats.look([8, 7], 3.0)
    assert beats.stalled(3.0, timeout_s=2) == [1]


def test_a_heartbeat_that_is_old_when_first_seen_is_given_its_time() -> None:
    beats = Heartbeats()
    beats.look([1], 1000.0)
    assert beats.stalled(1000.0, timeout_s=2) == []


def test_a_supervisor_that_slept_itself_does_not_blame_the_worker() -> None:
    beats = Heartbeats()
    beats.look([1], 0.0)
    beats.look([2], 3600.0)
    assert beats.stalled(3600.0, timeout_s=2) == []


def test_workers_that_stood_still_between_two_looks_are_named() -> None:
    beats = Heartbeats()
    beats.look([1, 1], 0.0)
    beats.look([1, 2], 1.0)
    assert beats.still(1.0) == [0]
