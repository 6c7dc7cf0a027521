# SPDX-License-Identifier: BSD-3-Clause
"""Who a player has in sight, as WORLD_STATEs tell it: a table of slots, and of those who have none."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from pyshim.protocol.world.about import Vector, World
from pyshim.protocol.world.motion import History, TickClock
from pyshim.protocol.world.record import Record, applied
from pyshim.protocol.world.shapes import POSITION_BITS, SLOTS_MAX
from pyshim.protocol.world.state import Empty, Full, Games, Older, Sort, Strip, WorldState

_TICK_BITS: Final = 16
_FRAMES_BEHIND: Final = 3.0  # of the distance of frames: what is lost or late is mostly there by then
_MOMENT_PARTS = 256  # of a tick
_OWN_BEHIND: Final = 1.5  # of the distance of those that tell of somebody


@dataclass(frozen=True, slots=True)
class Entity:
    """Somebody in a world."""

    slot: int
    number: int  # of the world's
    identity: int  # of a player, its id; of others what the game says
    sort: Sort


@dataclass(frozen=True, slots=True)
class Entered:
    """Somebody came into sight."""

    entity: Entity


@dataclass(frozen=True, slots=True)
class Left:
    """Somebody is out of sight."""

    entity: Entity


@dataclass(frozen=True, slots=True)
class EntityState:
    """The game's own state of somebody in sight."""

    entity: Entity
    version: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Seen:
    """Somebody at a time."""

    entity: Entity
    position: Vector  # metres
    velocity: Vector  # metres per second
    beyond_s: float  # how far the time is from the nearest frame that tells of him; 0.0: it is between two
    state: bytes = b""  # the game's own state of him, as far as it has come


@dataclass(frozen=True, slots=True)
class GlimpseSeen:
    """Somebody who has no slot, when he was last told of."""

    number: int
    position: tuple[float, float]  # metres, on the ground
    age_s: float


ViewEvent = Entered | Left | EntityState


@dataclass(frozen=True, slots=True)
class ViewSettings:
    """How a game wants to see."""

    delay_s: float | None = None  # how long behind the newest frame; None: as often as frames come
    extrapolate_s: float = 0.25  # so long somebody goes on of whom nothing comes
    glimpses_max: int = 4096


@dataclass(slots=True)
class ViewCounts:
    """What was taken, and what was not."""

    states: int = 0  # bodies
    other_epoch: int = 0  # bodies of another world than the one that is known
    decoded: int = 0  # records
    undecodable: int = 0  # records whose baseline is not known
    impossible: int = 0  # records that lead where nobody can be
    late: int = 0  # who came or went, older than what is known of the slot
    stateless: int = 0  # a game's states of nobody that is known, or of who was in the slot before


@dataclass(slots=True)
class _Slot:
    told: int | None = None  # newest frame that told of it
    entity: Entity | None = None
    came: int = 0  # the frame that told first of the entity
    history: History = field(default_factory=History)
    games: tuple[int, Games] | None = None  # frame of the game's state, and that


def _is_elsewhere(one: Entity | None, player: Entity) -> bool:
    """Whether somebody is that player, in another slot."""
    return (
        one is not None
        and one.slot != player.slot
        and (one.sort, one.identity) == (Sort.PLAYER, player.identity)
        and player.sort is Sort.PLAYER
    )


class WorldView:
    """A table that bodies are applied to, in the order in which they come.

    It holds for decoded what the gateway holds for decoded, so also what comes late is applied.
    """

    def __init__(self, settings: ViewSettings | None = None) -> None:
        """No world is known yet."""
        self._settings = settings or ViewSettings()
        self.world: World | None = None
        self._epoch: int | None = None  # of the newest WORLD
        self.counts = ViewCounts()
        self._slots = [_Slot() for _ in range(SLOTS_MAX)]
        self._glimpses: dict[int, tuple[int, int, int]] = {}  # by number: frame and position; oldest first
        self._newest_datagram = -1
        self._newest = 0  # frame
        self._clock = TickClock(1)

    def end(self) -> list[ViewEvent]:
        """The connection is over: what was seen is void, and the next one counts its datagrams anew."""
        events = self._void()
        self.world = self._epoch = None
        self._newest_datagram = -1
        return events

    def begin(self, world: World, datagram: int) -> list[ViewEvent]:
        """A WORLD came in a datagram of this number. Another epoch voids what was of the one before.

        One without a name says that the player is in none: `world` is None then.
        """
        if self._epoch is not None and (world.epoch == self._epoch or datagram <= self._newest_datagram):
            return []
        events = self._void()
        self.world = world if world.name else None
        self._epoch = world.epoch
        self._newest_datagram = datagram
        self._newest = world.tick - 1
        self._clock = TickClock(world.tick_hz or 1)
        return events

    def _void(self) -> list[ViewEvent]:
        events: list[ViewEvent] = [Left(slot.entity) for slot in self._slots if slot.entity is not None]
        self._slots = [_Slot() for _ in range(SLOTS_MAX)]
        self._glimpses = {}
        return events

    # ------------------------------------------------------------ taking

    def apply(self, state: WorldState, datagram: int, now_s: float) -> list[ViewEvent]:
        """A WORLD_STATE came, in a datagram of this number, at a time of the caller's clock."""
        if self.world is None or state.epoch != self.world.epoch:
            self.counts.other_epoch += 1
            return []
        self.counts.states += 1
        self._newest_datagram = max(self._newest_datagram, datagram)
        tick = self._widened(state.tick)
        if tick > self._newest or not self._clock.runs:
            self._clock.came(tick, now_s)
        self._newest = max(self._newest, tick)
        events: list[ViewEvent] = []
        for slot, record in state.records:
            self._take_record(slot, record, tick, state.base)
        self._take_exceptions(state, tick, events)
        for strip in state.strips:
            self._take_strip(strip, tick)
        return events

    def _widened(self, tick: int) -> int:
        """The frame next to the newest whose number ends like this."""
        half = 1 << _TICK_BITS - 1
        return self._newest + ((tick - self._newest + half) % (2 * half) - half)

    def _take_exceptions(self, state: WorldState, tick: int, events: list[ViewEvent]) -> None:
        for one in state.exceptions:
            match one:
                case Older():
                    self._take_record(one.slot, one.record, tick, one.age)
                case Full():
                    self._take_full(one, tick, events)
                case Empty():
                    self._replace(one.slot, tick, None, events)
                case Games():
                    self._take_games(one, tick, events)

    def _take_record(self, number: int, record: Record, tick: int, age: int) -> None:
        slot = self._slots[number]
        base = slot.history.get(tick - age)
        if base is None:
            self.counts.undecodable += 1
            return
        assert self.world is not None
        place = applied(base, record, age, self.world.velocity_parts)
        if not place.is_possible:
            self.counts.impossible += 1
            return
        self.counts.decoded += 1
        slot.history.put(tick, place)
        slot.told = tick if slot.told is None else max(slot.told, tick)

    def _take_full(self, full: Full, tick: int, events: list[ViewEvent]) -> None:
        slot = self._slots[full.slot]
        entity = Entity(full.slot, full.number, full.identity, full.sort)
        if slot.entity is not None and slot.entity.number == full.number:
            assert slot.told is not None
            slot.told, slot.entity = max(slot.told, tick), entity
        elif not self._enter(entity, tick, events):
            return
        self._slots[full.slot].history.put(tick, full.place)

    def _enter(self, entity: Entity, tick: int, events: list[ViewEvent]) -> bool:
        """Somebody comes into a slot, and out of any other: a player is in one at a time."""
        other = next((slot for slot in self._slots if _is_elsewhere(slot.entity, entity)), None)
        if other is not None and tick < other.came:
            self.counts.late += 1
            return False
        before = len(events)
        if not self._replace(entity.slot, tick, entity, events):
            return False
        if other is not None and other.entity is not None and other.told is not None:
            events.insert(
                before, Left(other.entity)
            )  # whoever goes by identities has the player there in the end
            # Whose slot it is by now may come later, of an older frame.
            self._slots[other.entity.slot] = _Slot(other.told)
        return True

    def _replace(self, number: int, tick: int, entity: Entity | None, events: list[ViewEvent]) -> bool:
        """Somebody else, or nobody, is in a slot: unless something newer is known of it."""
        slot = self._slots[number]
        if slot.told is not None and tick < slot.told:
            self.counts.late += 1
            return False
        if slot.entity is not None:
            events.append(Left(slot.entity))
        if entity is not None:
            events.append(Entered(entity))
        self._slots[number] = _Slot(tick, entity, tick)
        return True

    def _take_games(self, games: Games, tick: int, events: list[ViewEvent]) -> None:
        slot = self._slots[games.slot]
        if slot.entity is None or tick < slot.came:
            self.counts.stateless += 1
            return
        if slot.games is not None and tick < slot.games[0]:
            return
        is_new = slot.games is None or slot.games[1] != games  # versions come round: the bytes count, too
        slot.games = (tick, games)
        if is_new:
            events.append(EntityState(slot.entity, games.version, games.data))

    def _take_strip(self, strip: Strip, tick: int) -> None:
        assert self.world is not None
        shift = self.world.cell_shift
        if shift == 0:
            return
        for one in strip.glimpses:
            x = (strip.cell_x << shift) + (one.x << shift - 8) + (1 << shift - 9)
            y = (strip.cell_y << shift) + (one.y << shift - 8) + (1 << shift - 9)
            if (x | y) >> POSITION_BITS == 0:
                self._keep_glimpse(one.number, tick, x, y)

    def _keep_glimpse(self, number: int, tick: int, x: int, y: int) -> None:
        known = self._glimpses.get(number)
        if known is not None and known[0] > tick:
            return
        self._glimpses.pop(number, None)
        self._glimpses[number] = (tick, x, y)
        if len(self._glimpses) > self._settings.glimpses_max:
            del self._glimpses[next(iter(self._glimpses))]

    # ------------------------------------------------------------ looking

    def entities(self) -> tuple[Entity, ...]:
        """Who is in sight."""
        return tuple(slot.entity for slot in self._slots if slot.entity is not None)

    def _shown_tick(self, slot: _Slot, at_s: float) -> float:
        """The frame to show at a time: some behind the newest, so that mostly two are known around it."""
        delay_s = self._settings.delay_s
        if delay_s is None:
            often = _FRAMES_BEHIND * self._clock.interval_ticks
            return self._clock.at(at_s) - max(often, _OWN_BEHIND * slot.history.interval_ticks)
        return self._clock.at(at_s) - delay_s * self._clock.tick_hz

    def shown(self, at_s: float, player: int = 0) -> tuple[int, int] | None:
        """The moment that is shown of a player, or of all (0): a tick and 256ths of one. None: no world."""
        if self.world is None or not self._clock.runs:
            return None
        of = (slot for slot in self._slots if slot.entity is not None and slot.entity.identity == player != 0)
        parts = round(self._shown_tick(next(of, _Slot()), at_s) * _MOMENT_PARTS)
        return parts // _MOMENT_PARTS, parts % _MOMENT_PARTS

    def in_sight(self, at_s: float) -> tuple[Seen, ...]:
        """Who is in sight, and where to show them at a time of the caller's clock."""
        world = self.world
        if world is None:
            return ()
        most = self._settings.extrapolate_s * world.tick_hz
        found = []
        for slot in self._slots:
            if slot.entity is not None:
                shown = slot.history.at(self._shown_tick(slot, at_s), most, world.velocity_parts)
                position, velocity = world.position_m(shown.position), world.velocity_mps(shown.place)
                state = slot.games[1].data if slot.games is not None else b""
                beyond_s = shown.beyond_ticks / world.tick_hz
                found.append(Seen(slot.entity, position, velocity, beyond_s, state))
        return tuple(found)

    def glimpses(self, at_s: float) -> tuple[GlimpseSeen, ...]:
        """Those told of who have no slot."""
        world = self.world
        if world is None:
            return ()
        numbers = {entity.number for entity in self.entities()}
        now = self._clock.at(at_s)
        found = []
        for number, (tick, x, y) in self._glimpses.items():
            if number not in numbers:
                there = world.position_m((x, y, 0))
                age_s = max(0.0, now - tick) / world.tick_hz
                found.append(GlimpseSeen(number, (there[0], there[1]), age_s))
        return tuple(found)
