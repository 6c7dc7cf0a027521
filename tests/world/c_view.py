# SPDX-License-Identifier: BSD-3-Clause
"""The C client's reader of WORLD_STATE, alone, behind the interface of the Python one."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

from cffi import FFI

from pyshim.protocol.world.about import World
from pyshim.protocol.world.record import Place, Record, Triple
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
)
from pyshim.protocol.world.view import Entered, Entity, EntityState, Left, ViewEvent

ROOT = Path(__file__).resolve().parents[2]
HEADERS = [
    ROOT / "dpdk_app" / "wire" / "world.h",
    *(ROOT / "client" / f"world_{name}.h" for name in ("body", "view")),
]
SOURCES = [
    *(ROOT / "client" / f"world_{name}.c" for name in ("body", "view")),
    ROOT / "dpdk_app" / "wire" / "utf8.c",
]
ROOMS = [ROOT / "client", ROOT / "dpdk_app", ROOT / "dpdk_app" / "include"]
NS = 1_000_000_000
NOTHING, RECORD, FULL, EMPTY = range(4)  # enum world_told


def _declarations() -> str:
    """The headers without what only a preprocessor reads."""
    texts = [header.read_text() for header in HEADERS]
    values = {
        name: str(int(value.removesuffix("U"), 0))
        for text in texts
        for name, value in re.findall(r"^#define (WORLD_\w+) (\d+|UINT32_MAX)\b", text, re.MULTILINE)
        if value != "UINT32_MAX"
    }
    text = "".join(texts[1:])
    text = re.sub(r"^#.*$", "", text, flags=re.MULTILINE)
    return re.sub(r"\bWORLD_\w+\b", lambda found: values.get(found.group(), found.group()), text)


def _triple(values: Any) -> Triple:
    x, y, z = values
    return x, y, z


class Reader:
    """The library of the two files, compiled with traps on undefined behaviour."""

    def __init__(self, directory: Path) -> None:
        made = directory / "world.so"
        checks = ["-fsanitize=undefined", "-fsanitize-undefined-trap-on-error", "-fno-sanitize-recover=all"]
        rooms = [f"-I{room}" for room in ROOMS]
        command = ["gcc", "-std=gnu17", "-O1", "-g", "-shared", "-fPIC", "-Wall", *checks, *rooms]
        subprocess.run([*command, *map(str, SOURCES), "-o", str(made)], check=True, timeout=120)
        self.ffi = FFI()
        self.ffi.cdef(_declarations())
        self.lib: Any = self.ffi.dlopen(str(made))
        self._code = self.ffi.new("struct world_code *")
        self.lib.world_code_make(self._code)
        self._body = self.ffi.new("struct world_body *")

    def decode(self, body: bytes) -> WorldState | None:
        """What it says; None: it is refused. Exceptions are by slot."""
        exact = self.ffi.new("uint8_t[]", body)
        if not self.lib.world_body_read(self._code, exact, len(body), self._body):
            return None
        found = self._body
        records, said = [], []
        base = body[3]
        present = int.from_bytes(body[4:8], "little")
        for slot in range(32):
            told = found.slot[slot]
            if told.what == RECORD and present >> slot & 1:
                assert told.age == base
                records.append((slot, self._record(told)))
            elif told.what != NOTHING:
                said.append(self._exception(slot, told))
            if found.game[slot].told:
                game = found.game[slot]
                said.append(Games(slot, game.version, bytes(game.data)[: game.bytes]))
        return WorldState(found.tick, found.epoch, base, tuple(records), tuple(said), self._strips(found))

    @staticmethod
    def _record(told: Any) -> Record:
        return Record(_triple(told.difference.velocity), _triple(told.difference.position))

    def _exception(self, slot: int, told: Any) -> SlotException:
        if told.what == RECORD:
            return Older(slot, told.age, self._record(told))
        if told.what == EMPTY:
            return Empty(slot)
        place = Place(_triple(told.spot.position), _triple(told.spot.velocity))
        return Full(slot, told.number, told.identity, Sort(told.sort), place)

    def _strips(self, found: Any) -> tuple[Strip, ...]:
        at, strips = found.strips_at, []
        for _ in range(found.strips):
            head = bytes(self.ffi.buffer(at, 5))
            glimpses = [self.lib.world_glimpse_at(at, index) for index in range(head[4])]
            cells = int.from_bytes(head[:2], "little"), int.from_bytes(head[2:4], "little")
            strips.append(Strip(*cells, tuple(Glimpse(one.number, one.x, one.y) for one in glimpses)))
            at += 5 + (head[4] * 36 + 7) // 8
        return tuple(strips)


def by_slot(state: WorldState) -> WorldState:
    """The same with its exceptions in the order in which the C reader tells them."""
    said = sorted(state.exceptions, key=lambda one: (one.slot, isinstance(one, Games)))
    return WorldState(state.tick, state.epoch, state.base, state.records, tuple(said), state.strips)


class CView:
    """The C table, with the calls of WorldView."""

    def __init__(self, reader: Reader, *, delay_s: float = 0.0, extrapolate_s: float = 0.25) -> None:
        self._reader, self._ffi, self._lib = reader, reader.ffi, reader.lib
        rules = [round(delay_s * NS), round(extrapolate_s * NS), 64]
        made = self._ffi.new("struct world_view_rules *", rules)
        self._memory = self._ffi.new("uint64_t[]", self._lib.world_view_size(made) // 8 + 1)
        self._view = self._ffi.cast("struct world_view *", self._memory)
        self._lib.world_view_make(self._view, made)

    def begin(self, world: World, datagram: int) -> list[ViewEvent]:
        known = self._ffi.new("struct world_known *")
        for name in ("epoch", "tick_hz", "cell_shift", "slots", "quantum_um", "low_mm", "radius"):
            setattr(known, name, getattr(world, name))
        known.tick = world.tick & 0xFFFFFFFF
        self._lib.world_view_begin(self._view, known, datagram)
        return self._news()

    def apply(self, body: bytes, datagram: int, now_s: float) -> list[ViewEvent]:
        exact = self._ffi.new("uint8_t[]", body)
        self._lib.world_view_apply(self._view, exact, len(body), datagram, round(now_s * NS))
        return self._news()

    def _entity(self, slot: int, who: Any) -> Entity:
        return Entity(slot, who.number, who.identity, Sort(who.sort))

    def _news(self) -> list[ViewEvent]:
        """What waits, by slot."""
        news, events = self._view.news, list[ViewEvent]()
        for slot in range(32):
            who = self._view.slot[slot]
            if news.left >> slot & 1:
                events.append(Left(self._entity(slot, news.who[slot])))
            if news.entered >> slot & 1:
                events.append(Entered(self._entity(slot, who.who)))
            if news.game >> slot & 1:
                data = bytes(who.game.data)[: who.game.bytes]
                events.append(EntityState(self._entity(slot, who.who), who.game.version, data))
        news.left = news.entered = news.game = news.world = 0
        return events

    def count(self, name: str) -> int:
        return int(getattr(self._view.counts, name))

    def place(self, slot: int, tick: int) -> Place | None:
        history = self._view.slot[slot].history
        at = tick % 64
        if not history.there >> at & 1 or history.tick[at] != tick & 0xFFFFFFFF:
            return None
        spot = history.spot[at]
        return Place(_triple(spot.position), _triple(spot.velocity))

    def seen(self, slot: int, at_s: float) -> tuple[tuple[float, float, float], float]:
        """Quanta, and ticks from the nearest frame that is known."""
        found = self._lib.world_view_seen(self._view, slot, round(at_s * NS))
        x, y, z = found.position
        return (x, y, z), found.beyond

    def glimpses(self) -> dict[int, tuple[int, int, int]]:
        sets = range(self._view.glimpse_sets * 8)
        kept = [self._view.glimpse[index] for index in sets]
        return {one.number: (one.tick, one.x, one.y) for one in kept if one.number != 0xFFFFFFFF}
