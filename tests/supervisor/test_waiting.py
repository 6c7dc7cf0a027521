# SPDX-License-Identifier: BSD-3-Clause
"""The back-off of a worker process that cannot start for want of something, as arithmetic."""

from __future__ import annotations

from pyshim.run.waiting import LONGEST_WAIT_S, REMIND_S, Waiting


def test_waits_double_up_to_a_bound_and_never_end() -> None:
    waiting, waits = Waiting(), []
    for _ in range(1000):
        waiting, _told = waiting.missed("no such device", 0.0)
        waits.append(waiting.wait_s)
    assert waits[:5] == [0.2, 0.4, 0.8, 1.6, 3.2]
    assert set(waits[5:]) == {LONGEST_WAIT_S}


def test_a_reason_is_told_once_and_again_after_a_minute() -> None:
    waiting, told = Waiting().missed("no such device", 100.0)
    assert told
    waiting, told = waiting.missed("no such device", 101.0)
    assert not told
    waiting, told = waiting.missed("no such device", 100.0 + REMIND_S)
    assert told


def test_another_reason_is_told_at_once() -> None:
    waiting, _ = Waiting().missed("no such device", 100.0)
    waiting, told = waiting.missed("no memory", 100.1)
    assert told
    assert waiting.obstacles == ("no memory",)


def test_after_a_start_the_first_wait_is_short_again_and_nothing_is_in_the_way() -> None:
    waiting = Waiting()
    for _ in range(9):
        waiting, _ = waiting.missed("no such device", 0.0)
    waiting = waiting.over()
    assert waiting.obstacles == ()
    waiting, told = waiting.missed("no such device", 1.0)
    assert told
    assert waiting.wait_s == 0.2
