# SPDX-License-Identifier: BSD-3-Clause
"""A game process that loses messages is told of once, and again when it keeps up."""

from __future__ import annotations

import dataclasses

from pyshim.stats import Count, Instance, Snapshot
from pyshim.views.keeping_up import QUIET_S, KeepingUp
from tests.metrics.synthetic import process, snapshot


def lost(at_s: float, *, name: str = "arena", **by_reason: int) -> Snapshot:
    counts: dict[str, Count] = {**process(7), "lost": {"full": 0, "away": 0, "worker_lost": 0, **by_reason}}
    return dataclasses.replace(snapshot(at_s=at_s), instances={"PROCESS_COUNT": (Instance(name, counts),)})


def told(*looks: Snapshot) -> list[list[tuple[str, str]]]:
    keeping_up, found = KeepingUp(), []
    for look in looks:
        keeping_up, sentences = keeping_up.look(look)
        found.append(sentences)
    return found


def test_it_is_told_once_until_the_process_keeps_up_again() -> None:
    quiet, first, more, still, again, later, next_one = told(
        lost(0.0),
        lost(1.0, full=1200),
        lost(11.0, full=2000),
        lost(11.0 + QUIET_S / 2, full=2000),
        lost(11.0 + QUIET_S, full=2000),
        lost(12.0 + QUIET_S, full=2000),
        lost(13.0 + QUIET_S, full=2001),
    )
    assert (quiet, more, still, later) == ([], [], [], [])
    ((level, sentence),) = first
    assert level == "warning"
    assert sentence.startswith("game process arena does not keep up: its ring is full")
    assert "1,200 messages so far" in sentence
    assert "game.ring_kib" in sentence
    assert again == [
        ("info", "game process arena keeps up again: lost were 2,000 messages in 0:00:10"),
    ]
    ((level, sentence),) = next_one
    assert (level, "1 message so far" in sentence) == ("warning", True)


def test_a_process_that_is_away_is_told_as_such_and_what_a_dead_worker_cost_is_not() -> None:
    ((one,), nothing) = told(lost(0.0, away=3), lost(1.0, away=3, worker_lost=9))
    assert one[1].startswith("game process arena is away and its ring is full")
    assert nothing == []


def test_the_next_process_of_a_name_that_was_given_up_is_another() -> None:
    first, gone, another = told(
        lost(0.0, full=9), dataclasses.replace(lost(1.0), instances={}), lost(2.0, full=1)
    )
    assert (len(first), gone) == (1, [])
    assert "1 message so far" in another[0][1]
