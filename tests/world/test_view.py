# SPDX-License-Identifier: BSD-3-Clause
"""The table of who is in sight: what is lost or late, wraps of ticks, and places between frames."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from pyshim.protocol.session_wire import WireError
from pyshim.protocol.world.about import decode_world, encode_world
from pyshim.protocol.world.record import Place, Record
from pyshim.protocol.world.state import (
    Empty,
    Full,
    Games,
    Glimpse,
    Older,
    SlotException,
    Sort,
    Strip,
    WorldState,
    decode,
)
from pyshim.protocol.world.view import Entered, EntityState, Left, ViewEvent, ViewSettings, WorldView
from tests.world.model import WORLD, ModelGateway

HERE = Place((1000, 2000, 3000), (80, -80, 0))


def full(slot: int, number: int, place: Place = HERE) -> Full:
    return Full(slot, number, number + 100, Sort.PLAYER, place)


def state(
    tick: int, *said: SlotException, base: int = 0, records: dict[int, Record] | None = None
) -> WorldState:
    return WorldState(tick & 0xFFFF, WORLD.epoch, base, tuple((records or {}).items()), said)


class Player:
    """A view, with datagrams and frames counted."""

    def __init__(self, settings: ViewSettings | None = None, tick: int = 0) -> None:
        self.view = WorldView(settings)
        self.datagram = 1
        assert self.view.begin(replace(WORLD, tick=tick), 1) == []

    def take(self, one: WorldState, now_s: float = 0.0) -> list[ViewEvent]:
        self.datagram += 1
        return self.view.apply(one, self.datagram, now_s)

    def numbers(self) -> dict[int, int]:
        return {entity.slot: entity.number for entity in self.view.entities()}


# ---------------------------------------------------------------- who comes and goes


def test_who_is_told_in_full_enters_and_who_is_replaced_or_emptied_leaves() -> None:
    player = Player()
    (entered,) = player.take(state(1, full(0, 7)))
    assert isinstance(entered, Entered)
    assert (entered.entity.number, entered.entity.identity, entered.entity.slot) == (7, 107, 0)
    assert player.take(state(2, full(0, 7))) == []
    left, other = player.take(state(3, full(0, 8)))
    assert left == Left(entered.entity)
    assert isinstance(other, Entered)
    assert player.take(state(4, Empty(0), Empty(1))) == [Left(other.entity)]
    assert player.numbers() == {}


def test_what_comes_late_changes_nobody_who_is_told_of_since() -> None:
    player = Player()
    player.take(state(10, full(0, 7), full(1, 9)))
    player.take(state(12, Empty(1)))
    assert player.take(state(9, full(0, 6))) == []
    assert player.take(state(9, Empty(0))) == []
    assert player.take(state(11, full(1, 9))) == []
    assert player.numbers() == {0: 7}
    assert player.view.counts.late == 3


def test_a_player_is_in_one_slot_that_of_the_newest_full() -> None:
    """Whose EMPTY is lost comes again in another slot, and what was said of the one before comes late."""
    player = Player()
    (first,) = player.take(state(3, full(2, 7)))
    player.take(state(4, records={2: Record()}, base=1))
    again = replace(full(0, 9), identity=107)
    left, entered = player.take(state(5, again))
    assert left == Left(first.entity)
    assert isinstance(entered, Entered)
    assert player.numbers() == {0: 9}
    player.take(state(6, records={2: Record()}, base=2))
    assert player.numbers() == {0: 9}
    assert player.take(state(4, replace(full(1, 8), identity=107))) == []
    assert player.numbers() == {0: 9}
    assert player.view.counts.late == 1
    # What the game has under the same number is another one.
    player.take(state(7, replace(full(3, 10), identity=107, sort=Sort.OTHER)))
    assert player.numbers() == {0: 9, 3: 10}


def test_a_record_counts_as_told_of() -> None:
    player = Player()
    player.take(state(10, full(0, 7)))
    player.take(state(12, base=2, records={0: Record()}))
    assert player.take(state(11, Empty(0))) == []
    assert player.take(state(12, Empty(0))) != []


def test_a_record_without_its_baseline_is_skipped_and_counted() -> None:
    player = Player()
    player.take(state(10, full(0, 7)))
    player.take(state(13, Older(0, 2, Record()), Older(1, 3, Record())))
    assert (player.view.counts.undecodable, player.view.counts.decoded) == (2, 0)
    player.take(state(14, Older(0, 1, Record())))  # of a frame in which nothing could be decoded
    assert player.view.counts.undecodable == 3
    player.take(state(14, Older(0, 4, Record())))
    assert player.view.counts.decoded == 1


def test_what_comes_late_is_a_baseline_all_the_same() -> None:
    player = Player()
    player.take(state(10, full(0, 7)))
    player.take(state(40, Older(0, 30, Record())))
    player.take(state(20, Older(0, 10, Record())))
    player.take(state(51, Older(0, 31, Record())))
    assert player.view.counts.decoded == 3


def test_a_baseline_outlives_what_came_since_of_the_31_ticks_behind_it() -> None:
    player = Player()
    player.take(state(10, full(0, 7)))
    player.take(state(42, full(0, 7)))
    player.take(state(35, Older(0, 25, Record())))
    assert player.view.counts.decoded == 1


def test_the_places_of_who_was_in_a_slot_before_are_no_baselines() -> None:
    player = Player()
    player.take(state(10, full(0, 7)))
    player.take(state(11, full(0, 8)))
    player.take(state(12, Older(0, 2, Record())))
    assert player.view.counts.undecodable == 1


def test_a_record_that_leads_out_of_the_world_is_skipped_and_counted() -> None:
    player = Player()
    player.take(state(10, full(0, 7, Place((0, 0, 0), (-100, 0, 0)))))
    player.take(state(11, Older(0, 1, Record())))
    assert (player.view.counts.impossible, player.view.counts.decoded) == (1, 0)


def test_the_games_state_is_told_once_for_each_version() -> None:
    player = Player()
    events = player.take(state(1, full(0, 7), Games(0, 1, b"a"), Games(1, 1, b"nobody's")))
    assert [(one.version, one.data) for one in events if isinstance(one, EntityState)] == [(1, b"a")]
    assert player.view.counts.stateless == 1
    assert player.take(state(3, Games(0, 1, b"a"))) == []
    (changed,) = player.take(state(4, Games(0, 2, b"b")))
    assert isinstance(changed, EntityState)
    assert changed.data == b"b"
    assert player.take(state(3, Games(0, 1, b"a"))) == []
    _, _, again = player.take(state(5, full(0, 8), Games(0, 2, b"b")))
    assert isinstance(again, EntityState)


def test_versions_of_the_games_state_come_round() -> None:
    player = Player()
    player.take(state(1, full(0, 7), Games(0, 1, b"a")))
    (changed,) = player.take(state(3, Games(0, 1, b"after 256 changes")))
    assert isinstance(changed, EntityState)
    assert changed.data == b"after 256 changes"


def test_who_is_in_sight_is_shown_with_the_games_state() -> None:
    player = Player()
    player.take(state(1, full(0, 7), full(1, 8), Games(0, 1, b"a")))
    assert [one.state for one in player.view.in_sight(0.0)] == [b"a", b""]
    player.take(state(3, Games(0, 2, b"")))
    assert [one.state for one in player.view.in_sight(0.0)] == [b"", b""]
    player.take(state(4, full(0, 9), Games(1, 1, b"b")))
    assert [one.state for one in player.view.in_sight(0.0)] == [b"", b"b"]


def test_a_late_state_of_the_games_is_not_of_who_has_the_slot_now() -> None:
    player = Player()
    player.take(state(1, full(0, 7)))
    player.take(state(5, full(0, 8)))
    assert player.take(state(3, Games(0, 1, b"of 7"))) == []
    assert player.view.counts.stateless == 1
    (changed,) = player.take(state(5, Games(0, 1, b"of 8")))
    assert isinstance(changed, EntityState)
    assert changed.data == b"of 8"


# ---------------------------------------------------------------- epochs


def test_another_epoch_voids_all() -> None:
    player = Player()
    player.take(state(10, full(0, 7)))
    player.datagram += 1
    (left,) = player.view.begin(replace(WORLD, epoch=4, tick=500), player.datagram)
    assert isinstance(left, Left)
    assert player.take(state(11, full(0, 7))) == []
    assert player.view.counts.other_epoch == 1
    player.take(replace(state(500, Older(0, 1, Record())), epoch=4))
    assert player.view.counts.undecodable == 1


def test_a_late_datagram_does_not_bring_an_epoch_back() -> None:
    player = Player()
    player.take(state(10, full(0, 7)))
    assert player.view.begin(replace(WORLD, epoch=2), 1) == []
    assert player.view.world is not None
    assert player.view.world.epoch == WORLD.epoch
    assert player.numbers() == {0: 7}


def test_nothing_counts_before_a_world_is_known_or_after_the_connection() -> None:
    view = WorldView()
    assert view.apply(state(1, full(0, 7)), 1, 0.0) == []
    assert (view.counts.other_epoch, view.in_sight(0.0), view.glimpses(0.0)) == (1, (), ())
    view.begin(WORLD, 2)
    view.apply(state(1, full(0, 7)), 3, 0.0)
    assert len(view.end()) == 1
    view.begin(WORLD, 1)
    assert len(view.apply(state(1, full(0, 7)), 2, 0.0)) == 1


def test_a_world_that_is_none_voids_the_one_before_and_states_of_either() -> None:
    view = WorldView()
    state = WorldState(tick=WORLD.tick, epoch=WORLD.epoch, base=0, exceptions=(full(0, 1),))
    view.begin(WORLD, 1)
    assert view.apply(state, 1, 0.0)
    nowhere = decode_world(encode_world(replace(WORLD, epoch=WORLD.epoch + 1, tick_hz=0, name="-")))
    assert [type(event) for event in view.begin(nowhere, 2)] == [Left]
    assert view.world is None
    for epoch in (WORLD.epoch, WORLD.epoch + 1):  # on their way, or never sent
        assert not view.apply(replace(state, epoch=epoch), 3, 0.1)
    assert not view.begin(WORLD, 1)  # it comes late
    assert view.world is None
    view.begin(replace(WORLD, epoch=WORLD.epoch + 2), 4)
    assert view.world is not None


def test_a_world_is_read_as_it_was_written_and_refused_when_it_cannot_be() -> None:
    body = encode_world(WORLD)
    assert decode_world(body) == WORLD
    for broken in (
        body[:-1],
        body + b"x",
        body[:34],
        body[:4] + b"\0" * 4 + body[8:],
        body[:2] + b"\x08" + body[3:],
    ):
        with pytest.raises(WireError):
            decode_world(broken)
    with pytest.raises(WireError):
        decode_world(encode_world(replace(WORLD, name="x" * 32)))
    with pytest.raises(WireError):
        decode_world(body[:-1] + b"\xff")


# ---------------------------------------------------------------- a network


def play(
    gateway: ModelGateway, view: WorldView, steps: int, *, loss: float, late: int, change: float
) -> None:
    """Some datagrams are lost, the others come up to `late` steps late; what comes is acknowledged.

    All that the gateway holds for known is known here, as it was.
    """
    on_way: list[tuple[int, int, bytes]] = []
    acks: list[tuple[int, int]] = []
    for step in range(steps):
        datagram, body = gateway.step(change=change)
        if gateway.rng.random() >= loss:
            on_way.append((step + gateway.rng.randrange(late + 1), datagram, body))
        for due in sorted(one for one in on_way if one[0] <= step):
            on_way.remove(due)
            view.apply(decode(due[2]), due[1], step / 60)
            acks.append((step + 1 + gateway.rng.randrange(late + 1), due[1]))
        for ack in [one for one in acks if one[0] <= step]:
            acks.remove(ack)
            gateway.acknowledged(ack[1])
        check(gateway, view)


def check(gateway: ModelGateway, view: WorldView) -> None:
    while gateway.known:
        index, number, tick = gateway.known.popleft()
        slot, told = view._slots[index], gateway.slots[index]
        if told.number == number and told.since <= tick:
            assert slot.entity is not None
            assert slot.entity.number == number
            assert slot.history.get(tick) == gateway.place(number, tick)


@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_lost_or_late_who_is_known_is_where_he_was(seed: int) -> None:
    rng = Random(seed)
    gateway = ModelGateway(rng, walkers=20, slots=12, tick=65_400)
    view = WorldView()
    view.begin(replace(WORLD, tick=65_400), 0)
    play(gateway, view, 500, loss=0.05 * (seed % 4), late=seed, change=0.01)
    assert view.counts.impossible == 0
    assert view.counts.decoded > 2000
    for entity in view.entities():
        for tick in range(gateway.tick - 63, gateway.tick + 1):
            place = view._slots[entity.slot].history.get(tick)
            assert place is None or place == gateway.place(entity.number, tick)


def test_without_loss_nothing_is_skipped_and_both_have_the_same_in_sight() -> None:
    gateway = ModelGateway(Random(7), walkers=20, slots=32)
    view = WorldView()
    view.begin(WORLD, 0)
    play(gateway, view, 300, loss=0.0, late=0, change=0.01)
    counts = view.counts
    assert (counts.undecodable, counts.impossible, counts.late) == (0, 0, 0)
    told = {index: slot.number for index, slot in enumerate(gateway.slots) if slot.number is not None}
    assert {entity.slot: entity.number for entity in view.entities()} == told


def test_who_stays_for_more_ticks_than_are_told_apart_stays_decodable() -> None:
    gateway = ModelGateway(Random(1), walkers=2, slots=2, tick=0, ticks=15)
    gateway._change(gateway.slots[0])
    view = WorldView()
    view.begin(WORLD, 0)
    play(gateway, view, 9000, loss=0.01, late=0, change=0.0)
    assert gateway.tick > 2 * 65_536
    assert view.counts.undecodable < 300
    assert view.counts.decoded > 7000


# ---------------------------------------------------------------- between frames


def test_between_two_frames_who_is_shown_is_between_their_places() -> None:
    player = Player(ViewSettings(delay_s=2 / 60))
    for tick in range(0, 21, 2):
        player.take(state(tick, full(0, 7, Place((1000 + 10 * tick, 0, 0), (80, 0, 0)))), now_s=tick / 60)
    (seen,) = player.view.in_sight(15.5 / 60)
    low = WORLD.low_mm[0] / 1000
    assert seen.position[0] == pytest.approx(low + (1000 + 10 * 13.5) * 0.01)
    assert seen.velocity[0] == pytest.approx(80 / 8 * 0.01 * 60)
    assert seen.beyond_s == 0.0


def test_after_the_last_frame_who_is_shown_goes_on_for_a_while_and_stands() -> None:
    player = Player(ViewSettings(delay_s=0.0, extrapolate_s=0.5))
    player.take(state(60, full(0, 7, Place((1000, 0, 0), (80, 0, 0)))), now_s=1.0)
    (soon,), (later,), (latest,) = (player.view.in_sight(at) for at in (1.25, 1.5, 9.0))
    assert soon.position[0] - WORLD.low_mm[0] / 1000 == pytest.approx(10 + 15 * 0.1)
    assert soon.beyond_s == pytest.approx(0.25)
    assert later.position == pytest.approx(latest.position)
    assert later.position[0] - WORLD.low_mm[0] / 1000 == pytest.approx(10 + 30 * 0.1)


def test_the_delay_is_three_times_the_distance_of_frames() -> None:
    player = Player()
    for tick in range(0, 1200, 3):
        player.take(state(tick, full(0, 7, Place((1000 + tick, 0, 0), (8, 0, 0)))), now_s=5 + tick / 60)
    (seen,) = player.view.in_sight(5 + 1197 / 60)
    assert seen.position[0] - WORLD.low_mm[0] / 1000 == pytest.approx((1000 + 1197 - 9) * 0.01, abs=1e-4)


def test_who_is_told_of_seldom_is_shown_further_behind_and_still_between_two_frames() -> None:
    player = Player()
    for tick in range(0, 600):
        said = [full(0, 7, Place((1000 + tick, 0, 0), (8, 0, 0)))]
        if tick % 8 == 0:
            said.append(full(1, 8, Place((5000 + tick, 0, 0), (0, 0, 0))))
        player.take(state(tick, *said), now_s=tick / 60)
        if tick > 300:
            often, seldom = player.view.in_sight(tick / 60)
            assert often.beyond_s == seldom.beyond_s == 0.0
            assert often.position[0] - WORLD.low_mm[0] / 1000 == pytest.approx((1000 + tick - 3) * 0.01)
            assert seldom.position[0] - WORLD.low_mm[0] / 1000 == pytest.approx(
                (5000 + tick - 12) * 0.01, abs=0.01
            )


def test_datagrams_that_wait_on_their_way_do_not_hold_the_clock_back() -> None:
    player = Player(ViewSettings(delay_s=0.0))
    for tick in range(0, 600):
        late = 0.08 if tick % 5 == 0 else 0.0
        player.take(state(tick, full(0, 7, Place((1000 + tick, 0, 0), (8, 0, 0)))), now_s=tick / 60 + late)
    (seen,) = player.view.in_sight(599 / 60)
    assert seen.position[0] - WORLD.low_mm[0] / 1000 == pytest.approx((1000 + 599) * 0.01, abs=0.01)


# ---------------------------------------------------------------- glimpses


def glimpsed(tick: int, *glimpses: Glimpse) -> WorldState:
    return replace(state(tick), strips=(Strip(3, 2, glimpses),))


def test_glimpses_are_kept_by_number_with_their_age() -> None:
    player = Player()
    player.take(glimpsed(60, Glimpse(5, 0, 255), Glimpse(6, 1, 1)), now_s=1.0)
    player.take(glimpsed(120, Glimpse(6, 2, 2)), now_s=2.0)
    player.take(glimpsed(90, Glimpse(6, 9, 9)), now_s=2.1)
    five, six = sorted(player.view.glimpses(3.0), key=lambda one: one.number)
    assert (five.number, six.number) == (5, 6)
    assert five.age_s == pytest.approx(2.0)
    assert six.age_s == pytest.approx(1.0)
    assert five.position[0] == pytest.approx(-1000 + (3 * 4096 + 8) * 0.01)
    assert five.position[1] == pytest.approx(2 + (2 * 4096 + 255 * 16 + 8) * 0.01)
    assert six.position[0] == pytest.approx(-1000 + (3 * 4096 + 2 * 16 + 8) * 0.01)


def test_who_has_a_slot_is_no_glimpse_and_the_oldest_are_forgotten() -> None:
    player = Player(ViewSettings(glimpses_max=3))
    player.take(glimpsed(1, *(Glimpse(number, 0, 0) for number in range(5))))
    assert {one.number for one in player.view.glimpses(0.0)} == {2, 3, 4}
    player.take(state(2, full(0, 3)))
    assert {one.number for one in player.view.glimpses(0.0)} == {2, 4}


def test_a_glimpse_outside_of_the_world_is_none() -> None:
    player = Player()
    player.take(replace(state(1), strips=(Strip(512, 0, (Glimpse(1, 0, 0),)),)))
    assert player.view.glimpses(0.0) == ()
