# SPDX-License-Identifier: BSD-3-Clause
"""Who has which name: every order of events without a process."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyshim.bus.messages import Hello, Reason, RefusedError
from pyshim.bus.registry import (
    Detach,
    DropFiles,
    End,
    GiveRings,
    GiveUp,
    Hear,
    MakeFiles,
    Phase,
    Presence,
    Refuse,
    Registry,
    Renew,
    Step,
    TakeRings,
    Welcome,
    Why,
)

ARENA = Hello("arena", wants_moves=True, token=b"", version="1")
LOBBY = Hello("lobby", wants_moves=False, token=b"", version="1")


def attached(processes: int = 2) -> Registry:
    step = Registry(processes).hello(1, 100, ARENA, 0.0)
    return step.registry.mapped(0, step.registry.places[0].files).registry


def test_a_process_is_welcome_when_the_workers_have_its_rings() -> None:
    arriving = Registry(2).hello(1, 100, ARENA, 0.0)
    assert arriving.do == (MakeFiles(0), GiveRings(0))
    arrived = arriving.registry.mapped(0, 1)
    assert arrived.do == (Welcome(0), Presence(0))
    place = arrived.registry.places[0]
    assert (place.name, place.phase, place.pid, place.wants_moves) == ("arena", Phase.HERE, 100, True)


def heard(processes: int = 2) -> Registry:
    """The same, and it has mapped what it writes."""
    step = attached(processes).heard("arena")
    assert step.do == (Hear(0),)
    return step.registry


def test_the_next_process_is_welcome_when_what_the_last_one_wrote_has_been_read() -> None:
    gone = heard().gone(1, "is gone", 1.0)
    assert gone.do == (Presence(0), End(0))
    waiting = gone.registry.hello(2, 200, ARENA, 2.0)
    assert waiting.do == ()
    assert waiting.registry.ended(0, 99).do == ()  # of other files
    ended = waiting.registry.ended(0, 1)
    assert ended.do == (Welcome(0), Presence(0))
    assert ended.registry.ended(0, 1).do == ()
    assert gone.registry.ended(0, 1).do == ()
    assert gone.registry.ended(0, 1).registry.hello(2, 200, ARENA, 2.0).do == (Welcome(0), Presence(0))


def test_a_worker_process_that_dies_before_it_has_read_to_the_end_leaves_that_to_the_next() -> None:
    waiting = heard().gone(1, "is gone", 1.0).registry.hello(2, 200, ARENA, 2.0).registry
    following = waiting.worker_gone().mapped(0, 1)
    assert following.do == (End(0),)
    assert following.registry.ended(0, 1).do == (Welcome(0), Presence(0))


def test_what_the_last_process_left_that_makes_no_sense_is_not_blamed_on_the_next() -> None:
    waiting = heard().gone(1, "is gone", 1.0).registry.hello(2, 200, ARENA, 2.0).registry
    broken = waiting.broken(0, "an entry of no kind", 3.0)
    assert broken.do == (TakeRings(0), DropFiles(0, Why.BROKEN), MakeFiles(0), GiveRings(0))
    ((level, sentence),) = broken.told
    assert (level, sentence) == (
        "warning",
        "what game process arena left is given up, and the next one gets other memory: an entry of no kind",
    )
    files = broken.registry.places[0].files
    assert broken.registry.mapped(0, files).do == (Welcome(0), Presence(0))


def test_without_memory_for_what_it_writes_a_process_is_refused() -> None:
    (refuse,) = attached().unwelcome(0, "too little", 1.0).do
    assert refuse == Refuse(
        1, Reason.MEMORY, "there is no memory for the rings of game process arena: too little"
    )


def test_a_name_of_a_route_has_its_rings_before_its_process_comes() -> None:
    routed = Registry(2).route(["lobby", "arena"])
    assert routed.do == (MakeFiles(0), GiveRings(0), MakeFiles(1), GiveRings(1))
    assert routed.registry.indexes(["arena", "lobby"]) == {"arena": 1, "lobby": 0}
    ready = routed.registry.mapped(1, 2).registry
    assert ready.hello(1, 100, ARENA, 0.0).do == (Welcome(1), Presence(1))


def test_a_name_is_refused_while_its_owner_lives_and_goes_on_in_the_same_files_after_that() -> None:
    registry = attached()
    (refuse,) = registry.hello(2, 200, ARENA, 1.0).do
    assert refuse == Refuse(2, Reason.TAKEN, "the name arena is taken by process 100, which lives")
    gone = registry.gone(1, "is gone", 2.0)  # it never mapped them, and has what workers write
    assert gone.do == (Presence(0), End(0))
    again = gone.registry.ended(0, 1).registry.hello(2, 200, ARENA, 3.0)
    assert again.do == (Welcome(0), Presence(0))
    assert again.registry.places[0].files == registry.places[0].files


def test_no_more_names_than_processes() -> None:
    registry = attached(1)
    step = registry.hello(2, 200, LOBBY, 2.0)
    assert step.registry == registry
    (refuse,) = step.do
    assert isinstance(refuse, Refuse)
    assert refuse.reason is Reason.FULL
    assert "there is no room for lobby: game.processes allows 1 names" in refuse.text
    with pytest.raises(RefusedError, match="no room for lobby"):
        registry.route(["lobby"])


def test_a_name_that_is_away_longest_gives_its_place_to_a_new_one() -> None:
    registry = attached().hello(2, 200, LOBBY, 1.0).registry.mapped(1, 2).registry
    registry = registry.gone(2, "is gone", 2.0).registry.gone(1, "is gone", 3.0).registry
    step = registry.hello(3, 300, Hello("match-1", wants_moves=False, token=b"", version=""), 4.0)
    assert step.do == (
        TakeRings(1),
        DropFiles(1, Why.GIVEN_UP),
        GiveUp(1, "lobby"),
        MakeFiles(1),
        GiveRings(1),
    )
    assert step.told == (
        ("info", "the name lobby of a game process that is away is given up: match-1 has its place"),
    )
    assert {index: place.name for index, place in step.registry.places.items()} == {0: "arena", 1: "match-1"}
    assert step.registry.mapped(1, 2) == Step(step.registry)  # of the files before
    assert step.registry.mapped(1, 3).do == (Welcome(1), Presence(1))
    back = step.registry.mapped(1, 3).registry.hello(4, 400, LOBBY, 5.0)
    assert GiveUp(0, "arena") in back.do


def test_a_name_that_a_route_has_is_never_given_up() -> None:
    registry = Registry(2).route(["arena"]).registry.hello(1, 100, LOBBY, 0.0).registry
    registry = registry.mapped(1, 2).registry
    third = Hello("third", wants_moves=False, token=b"", version="")
    (refuse,) = registry.hello(2, 200, third, 1.0).do
    assert isinstance(refuse, Refuse)
    assert refuse.text.endswith("allows 2 names, and these are attached or in routes: arena, lobby")
    away = registry.gone(1, "is gone", 1.0).registry
    assert GiveUp(1, "lobby") in away.hello(2, 200, third, 2.0).do
    routed = away.route(["arena", "match-1"])
    assert GiveUp(1, "lobby") in routed.do
    assert routed.registry.indexes(["arena", "match-1"]) == {"arena": 0, "match-1": 1}
    with pytest.raises(RefusedError, match="no room for third"):
        routed.registry.route(["arena", "match-1", "third"])


def test_an_index_stays_a_names_when_no_route_names_it_any_more() -> None:
    routed = Registry(3).route(["arena"]).registry
    other = routed.route(["lobby"])
    assert other.registry.indexes(["arena", "lobby"]) == {"arena": 0, "lobby": 1}
    assert [place.routed for place in other.registry.places.values()] == [False, True]
    assert other.registry.route(["arena", "lobby"]).do == ()


def test_whoever_breaks_its_ring_is_detached_and_the_next_gets_other_files() -> None:
    registry = attached()
    files = registry.places[0].files
    broken = registry.broken(0, "an entry of no kind", 1.0)
    detach, *others = broken.do
    assert detach == Detach(1, "arena is detached: an entry of no kind")
    assert others == [TakeRings(0), DropFiles(0, Why.BROKEN), MakeFiles(0), GiveRings(0)]
    late = broken.registry.mapped(0, files)  # of the files before
    assert late == Step(broken.registry)
    assert broken.registry.hello(2, 200, ARENA, 2.0).do == ()
    assert broken.registry.places[0].files != files


def test_the_next_worker_process_maps_all_and_those_who_are_there_get_what_is_new() -> None:
    registry = attached().hello(2, 200, LOBBY, 1.0).registry.worker_gone()
    assert registry.mapped(0, 1).do == (Renew(0),)
    assert registry.mapped(1, 2).do == (Welcome(1), Presence(1))
    away = registry.gone(1, "is gone", 2.0).registry
    assert away.mapped(0, 1).do == (End(0),)


def test_a_process_that_comes_while_there_is_no_worker_process_waits_for_the_next() -> None:
    registry = attached().gone(1, "is gone", 1.0).registry.worker_gone()
    waiting = registry.hello(2, 200, ARENA, 2.0)
    assert waiting.do == ()
    following = waiting.registry.mapped(0, 1)
    assert following.do == (End(0),)
    assert following.registry.ended(0, 1).do == (Welcome(0), Presence(0))


def test_without_memory_it_is_refused_and_the_next_asks_again() -> None:
    step = Registry(2).hello(1, 100, ARENA, 0.0).registry.unmade(0, "too little")
    (refuse,) = step.do
    assert refuse == Refuse(
        1, Reason.MEMORY, "there is no memory for the rings of game process arena: too little"
    )
    assert step.registry.hello(2, 200, ARENA, 1.0).do == (MakeFiles(0), GiveRings(0))


def test_rings_that_no_worker_can_map_are_given_up() -> None:
    arriving = Registry(2).hello(1, 100, ARENA, 0.0).registry
    refuse, drop = arriving.unmappable(0, 1, "no", 1.0).do
    assert isinstance(refuse, Refuse)
    assert refuse.reason is Reason.MEMORY
    assert drop == DropFiles(0, Why.UNMAPPED)
    detach, drop = attached().worker_gone().unmappable(0, 1, "no", 1.0).do
    assert isinstance(detach, Detach)
    assert drop == DropFiles(0, Why.UNMAPPED)


KINDS = ("hello", "gone", "mapped", "heard", "ended", "broken", "worker", "route", "unmade")
EVENTS = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 4)), max_size=40)


@given(EVENTS)
def test_whatever_happens_a_name_has_one_index_and_one_process(events: list[tuple[str, int]]) -> None:
    registry, peers, known = Registry(3), 0, dict[str, int]()
    for time_s, (what, number) in enumerate(events):
        place, step = registry.places.get(number), Step(registry)
        match what:
            case "hello":
                peers += 1
                hello = Hello(f"name{number}", wants_moves=False, token=b"", version="")
                step = registry.hello(peers, 1000 + peers, hello, time_s)
            case "gone" if place is not None:
                step = registry.gone(place.peer, "is gone", time_s)
            case "mapped" if place is not None:
                step = registry.mapped(number, place.files)
            case "heard" if place is not None and place.phase is Phase.HERE:
                step = registry.heard(place.name)
            case "ended" if place is not None:
                step = registry.ended(number, place.files)
            case "broken":
                step = registry.broken(number, "it is", time_s)
            case "worker":
                step = Step(registry.worker_gone())
            case "unmade" if place is not None:
                step = registry.unmade(number, "none")
            case "route" if registry.index_of(f"name{number}") is not None:
                step = registry.route([f"name{number}"])
        given_up = {what.name: what.index for what in step.do if isinstance(what, GiveUp)}
        for name, index in given_up.items():
            assert (registry.places[index].name, registry.places[index].phase) == (name, Phase.AWAY)
            assert not registry.places[index].routed
        registry = step.registry
        names = {place.name: index for index, place in registry.places.items()}
        assert len(names) == len(registry.places) <= 3
        assert known.items() - given_up.items() <= names.items()
        known = names
        holders = [place.peer for place in registry.places.values() if place.phase is not Phase.AWAY]
        assert len(set(holders)) == len(holders)
        for place in registry.places.values():  # nobody waits for what will not come
            assert not (place.ending and not place.mapped)
            waits = place.phase is Phase.ARRIVING
            assert not (waits and place.mapped and not place.ending), place
            assert not (place.phase is Phase.AWAY and place.mapped and place.used and not place.ending)
            assert place.used or not place.heard
