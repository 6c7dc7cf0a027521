# SPDX-License-Identifier: BSD-3-Clause
"""The life of the worker processes as a value: every order of events, without a process."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyshim.errors import InternalError
from pyshim.run.restarts import Restarts
from pyshim.run.worker_life import ABORT_GRACE_S, SHORT_OF_MEMORY, STOP_LIMIT_S, Death, Do, Life, Phase, Step

LIMIT_S = 30.0
KILLED = Death("was killed by SIGKILL")
IN_ORDER = Death("ended with exit code 0", in_order=True)


def new(limit: int = 5) -> Life:
    return Life(Restarts(limit, 60.0))


def starting(now_s: float = 0.0, life: Life | None = None) -> Life:
    return (life or new()).spawned(LIMIT_S, now_s).life


def running(life: Life | None = None) -> Life:
    return starting(life=life).started().life


def test_the_first_worker_process_is_started_at_once() -> None:
    assert new().due(0.0) == Step(new(), (Do.SPAWN,))


def test_the_first_start_is_not_told_of_and_every_later_one_is() -> None:
    first = starting().started()
    assert (first.life.serves, first.told) == (True, ())
    again = starting(life=first.life.died(KILLED, 1.0).life).started()
    assert again.told == (("info", "the worker process serves again"),)


def test_one_that_does_not_start_in_time_is_aborted_and_killed_after_a_grace() -> None:
    assert starting().due(LIMIT_S - 1).do == ()
    late = starting().due(LIMIT_S)
    assert late.do == (Do.ABORT,)
    assert late.life.due(LIMIT_S).do == ()
    assert late.life.due(LIMIT_S + ABORT_GRACE_S).do == (Do.KILL,)
    assert late.life.due(LIMIT_S + ABORT_GRACE_S).life.due(LIMIT_S + 9).do == ()


def test_what_a_condemned_one_says_is_not_believed() -> None:
    condemned = starting().condemn("did nothing", 1.0).life
    assert condemned.started() == Step(condemned)
    assert not condemned.serves


def test_one_is_condemned_once_and_for_the_first_reason() -> None:
    first = running().condemn("stalled", 1.0)
    assert first.do == (Do.ABORT,)
    assert first.life.condemn("stalled again", 1.1) == Step(first.life)
    ((_, told),) = first.life.died(KILLED, 2.0).told
    assert told == "the worker process stalled and was killed by SIGKILL; it is started again now"


def test_a_crash_is_told_and_counted_and_answered_at_once() -> None:
    step = running().died(KILLED, 5.0)
    assert step.told == (("warning", "the worker process was killed by SIGKILL; it is started again now"),)
    assert (step.life.restarts.total, step.life.due(5.0).do) == (1, (Do.SPAWN,))


def test_crashes_are_spaced_and_end_the_run_at_the_limit() -> None:
    life = running(new(limit=2)).died(KILLED, 1.0).life
    life = running(life).died(KILLED, 1.0).life
    assert (life.due(1.0).do, life.due(1.1).do) == ((), (Do.SPAWN,))
    with pytest.raises(InternalError, match=r"3 times within 60 s .* the last line of its log: ouch"):
        running(life).died(replace(KILLED, last_line="ouch"), 1.2)


def test_what_is_missing_is_waited_for_without_end_and_is_no_crash() -> None:
    life, told = running(), []
    for attempt in range(50):
        step = starting(life=life).died(Death("ended", missing="no interface eth0"), float(attempt))
        life, told = step.life, told + [sentence for _, sentence in step.told]
    assert life.phase is Phase.WAITING
    assert life.restarts == new().restarts
    assert life.waiting.obstacles == ("no interface eth0",)
    assert len(told) == 1
    assert "no interface eth0; all sessions are kept" in told[0]
    assert starting(life=life).started().life.waiting.obstacles == ()


@pytest.mark.parametrize(("life", "restarts"), [(starting(life=running()), 0), (running(), 1)])
def test_who_was_killed_for_want_of_memory_is_waited_out(life: Life, restarts: int) -> None:
    step = life.died(replace(KILLED, short_of_memory=True), 5.0)
    assert step.told == (("warning", SHORT_OF_MEMORY),)
    assert (step.life.phase, step.life.restarts.total) == (Phase.WAITING, restarts)
    for _ in range(50):
        step = running(step.life).died(replace(KILLED, short_of_memory=True), 5.0)
    assert not step.life.restarts.exhausted


def test_one_that_is_replaced_ends_in_order_and_is_followed_at_once() -> None:
    step = running().hand_over(1.0)
    assert step.do == (Do.HAND_OVER,)
    assert not step.life.serves
    after = step.life.died(IN_ORDER, 2.0)
    assert (after.told, after.life.restarts.total, after.life.due(2.0).do) == ((), 0, (Do.SPAWN,))


def test_one_that_crashes_while_it_is_replaced_has_crashed() -> None:
    assert running().hand_over(1.0).life.died(KILLED, 2.0).life.restarts.total == 1


def test_one_that_is_too_slow_to_be_replaced_is_no_crash() -> None:
    late = running().hand_over(1.0).life.due(1.0 + STOP_LIMIT_S).life
    after = late.died(KILLED, 6.0)
    ((level, told),) = after.told
    assert (level, "packets in its hands are lost" in told) == ("warning", True)
    assert (after.life.restarts.total, after.life.due(6.0).do) == (0, (Do.SPAWN,))


@pytest.mark.parametrize("event", [Life.hand_over, Life.stop])
def test_one_that_does_not_end_in_time_is_killed_once(event: object) -> None:
    life = event(running(), 1.0).life  # type: ignore[operator]
    assert life.due(1.0 + STOP_LIMIT_S - 0.1).do == ()
    late = life.due(1.0 + STOP_LIMIT_S)
    assert late.do == (Do.KILL,)
    assert late.life.due(100.0).do == ()


@pytest.mark.parametrize("life", [starting(), running(), running().hand_over(0.5).life])
def test_the_end_is_asked_of_a_worker_process_once_and_then_waited_for(life: Life) -> None:
    step = life.stop(1.0)
    assert (step.do, step.life.phase) == ((Do.STOP,), Phase.STOPPING)
    assert step.life.stop(1.5) == Step(step.life)
    assert step.life.died(IN_ORDER, 2.0) == Step(replace(step.life, phase=Phase.ENDED))


def test_without_a_worker_process_the_run_ends_at_once() -> None:
    assert new().stop(1.0) == Step(replace(new(), phase=Phase.ENDED))


def test_packets_in_the_hands_of_one_that_does_not_end_in_order_are_told_as_lost() -> None:
    ((level, told),) = running().stop(1.0).life.died(KILLED, 2.0).told
    assert (level, told) == (
        "warning",
        "the worker process was killed by SIGKILL; packets in its hands are lost",
    )


def test_a_second_interrupt_means_at_once() -> None:
    first = running().interrupted(1.0)
    assert first.do == (Do.STOP,)
    second = first.life.interrupted(1.1)
    assert second.do == (Do.KILL,)
    assert "was told to end at once" in second.life.died(KILLED, 1.2).told[0][1]


EVENTS = st.sampled_from(
    ["wait", "started", "condemn", "hand_over", "stop", "interrupted", "died", "missing", "memory", "order"]
)


@given(st.lists(st.tuples(EVENTS, st.floats(min_value=0, max_value=50)), max_size=60))
def test_whatever_happens_there_is_one_worker_process_at_most_and_an_end(
    events: list[tuple[str, float]],
) -> None:
    life, alive, now_s = new(limit=1000), False, 0.0
    deaths = {
        "died": KILLED,
        "missing": Death("ended", missing="it"),
        "memory": replace(KILLED, short_of_memory=True),
        "order": IN_ORDER,
    }

    def take(step: Step) -> None:
        nonlocal life, alive
        life = step.life
        for what in step.do:
            assert alive is (what is not Do.SPAWN)
            if what is Do.SPAWN:
                alive = True
                take(life.spawned(LIMIT_S, now_s))

    for event, wait_s in events:
        now_s += wait_s
        if event in deaths and alive:
            alive = False
            take(life.died(deaths[event], now_s))
        elif event == "started" and alive:
            take(life.started())
        elif event == "condemn" and alive:
            take(life.condemn("stalled", now_s))
        elif event == "hand_over" and life.serves:
            take(life.hand_over(now_s))
        elif event == "stop":
            take(life.stop(now_s))
        elif event == "interrupted":
            take(life.interrupted(now_s))
        if life.phase is not Phase.ENDED:
            take(life.due(now_s))
        assert alive is (life.phase not in {Phase.WAITING, Phase.ENDED})
    take(life.stop(now_s))
    if alive:
        alive = False
        take(life.died(KILLED, now_s))
    assert life.phase is Phase.ENDED
