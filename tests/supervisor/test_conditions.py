# SPDX-License-Identifier: BSD-3-Clause
"""What follows from how the ports are, as arithmetic: sentences, readiness, when to open again."""

from __future__ import annotations

import pytest

from pyshim.conditions import CALM_S, LONGEST_SPACING_S, Condition, Conditions, DeviceState
from pyshim.plan import PortPlan

WELL = Condition()
DOWN = Condition(DeviceState.DOWN, "eth0")
PORT = PortPlan("b", "net_null0", None, (), None, False, "auto", 0, 1, 64, 64, -1)
REPLACED = Condition(DeviceState.REPLACED, "eth0")
REOPENED = [
    DeviceState.REPLACED,
    DeviceState.STUCK,
    DeviceState.RESET,
    DeviceState.LEAVING,
    DeviceState.PEER_BACK,
    DeviceState.FILE_AWAY,
]
SERVING = [DeviceState.WELL, DeviceState.NARROW, DeviceState.ALONE]


def two(first: Condition, second: Condition = WELL) -> Conditions:
    return Conditions(("a", "b")).seen((first, second))[0]


def test_ports_that_are_well_from_the_start_are_not_spoken_of() -> None:
    conditions, told = Conditions(("a", "b")).seen((WELL, WELL))
    assert told == ()
    assert conditions.obstacles == ()


def test_each_change_is_told_once_and_the_end_of_it_too() -> None:
    conditions, told = Conditions(("a", "b")).seen((WELL, DOWN))
    assert told == ("port b: interface eth0 is down; bring it and its other end up (ip link set eth0 up)",)
    conditions, told = conditions.seen((WELL, DOWN))
    assert told == ()
    conditions, told = conditions.seen((WELL, WELL))
    assert told == ("port b: eth0 serves again",)


def test_what_was_down_when_it_was_planned_is_not_told_again() -> None:
    planned = [PortPlan("a", "net_tap0", None, (), None, False, "auto", 0, 1, 64, 64, -1, down="eth0"), PORT]
    begun = Conditions.of(planned)
    assert begun.obstacles != ()
    assert begun.seen((DOWN, WELL))[1] == ()
    assert begun.seen((WELL, WELL))[1] == ("port a: eth0 serves again",)
    gone = Condition(DeviceState.GONE, "eth0")
    assert len(begun.seen((gone, WELL))[1]) == 1


def test_every_state_has_a_sentence_that_names_the_port() -> None:
    for state in DeviceState:
        (_, told) = Conditions(("a",), (DOWN if state is DeviceState.WELL else WELL,)).seen(
            (Condition(state, "eth0", 1314),)
        )
        assert len(told) == 1
        assert told[0].startswith("port a: ")
        assert "{" not in told[0]


def test_a_narrow_port_serves_and_its_sentence_says_what_passes() -> None:
    narrow = Condition(DeviceState.NARROW, "eth0", 1314)
    conditions, told = Conditions(("a",)).seen((narrow,))
    assert conditions.obstacles == ()
    assert "more than 1300 bytes" in told[0]


def test_a_gate_that_waits_for_whoever_connects_is_ready() -> None:
    conditions, told = Conditions(("a",)).seen((Condition(DeviceState.ALONE, "/run/memif.sock"),))
    assert conditions.obstacles == ()
    assert told == ("port a: nobody is connected to /run/memif.sock; whoever connects is served",)


def test_a_cards_link_is_no_interface_that_a_command_brings_up() -> None:
    _, (told,) = Conditions(("a",)).seen((Condition(DeviceState.DOWN),))
    assert told == "port a: the link of its device is down; look at the cable and at its other end"


@pytest.mark.parametrize("state", [s for s in DeviceState if s not in SERVING])
def test_one_port_that_does_not_serve_is_an_obstacle(state: DeviceState) -> None:
    (obstacle,) = two(WELL, Condition(state, "eth0")).obstacles
    assert obstacle.startswith("port b: ")


@pytest.mark.parametrize("state", DeviceState)
def test_only_what_opening_again_helps_is_opened_again(state: DeviceState) -> None:
    assert two(Condition(state, "eth0")).reopening_due(0.0) == (state in REOPENED)


def test_reopenings_in_a_row_are_spaced_ever_wider_up_to_a_bound() -> None:
    conditions, now_s, waits = two(REPLACED), 1000.0, []
    for _ in range(9):
        due_s = next(now_s + t / 4 for t in range(1000) if conditions.reopening_due(now_s + t / 4))
        waits.append(due_s - now_s)
        now_s = due_s
        conditions = conditions.reopening(now_s)
    assert waits == [0, 1, 2, 4, 8, 16, LONGEST_SPACING_S, LONGEST_SPACING_S, LONGEST_SPACING_S]
    assert conditions.reopened == 9


def test_a_reopening_after_a_calm_time_is_a_first_one() -> None:
    conditions = two(REPLACED).reopening(10.0).reopening(11.0).reopening(13.0)
    assert not conditions.reopening_due(14.0)
    again = conditions.reopening(13.0 + CALM_S)
    assert again.reopening_due(13.0 + CALM_S + 1)
