# SPDX-License-Identifier: BSD-3-Clause
"""Many events at once: columns that are views of what C wrote, and bodies where the gateway wrote them."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from functools import partial
from operator import add, length_hint
from pathlib import Path
from typing import Any, Final

try:
    from pyshim._native._game import ffi, lib
except ModuleNotFoundError as error:
    if error.name != "pyshim._native._game":
        raise
    raise ImportError(
        f"{Path(__file__).parents[1]} is the sources of pollgate, where nothing is compiled: keep the game "
        "in another folder than the repository's root, and start it with the repository's .venv/bin/python"
    ) from error
from pyshim.game.events import (
    Became,
    Detached,
    End,
    EntityRefused,
    Event,
    Found,
    FoundOne,
    Gap,
    How,
    Joined,
    Left,
    Listed,
    Message,
    Moved,
    Post,
    Profile,
    Published,
    Quality,
    Spoilt,
    Why,
)

_EVENT_BYTES: Final = 40  # struct pgg_event
_WORDS: Final = _EVENT_BYTES // 4
_POSITION: Final = struct.Struct("<I3f3f")
_FOUND: Final = struct.Struct("<I3ffB3x")
_new_message: Final = partial(tuple.__new__, Message)


class Batch:
    """Events of one ring, in order. Everything of it is valid until the next batch, and harmless after that.

    Columns are one-dimensional `memoryview`s, an element for each event. Those from `message_types` on are of
    messages, and say nothing of other events; `kinds` tells which are: `Batch.MESSAGE`.
    """

    MESSAGE: Final = lib.PGG_MESSAGE

    __slots__ = ("_cdata", "_events", "_left", "_words", "bodies")

    def __init__(self, cdata: Any, raw: memoryview, n: int, bodies: memoryview) -> None:
        """Of the first `n` events of an array."""
        self._cdata = cdata
        self._events = raw[: n * _EVENT_BYTES]
        self._words = self._events.cast("I")
        self._left: Iterator[int] | None = None  # one for each event that events() has not yet given
        self.bodies = bodies  # bytes of the ring; a message's are those from its `starts` on

    def __len__(self) -> int:
        """How many events."""
        return len(self._events) // _EVENT_BYTES

    @property
    def given(self) -> int | None:
        """How many events `events()` has given, of its last call; None: it was not called."""
        return None if self._left is None else len(self) - length_hint(self._left)

    @property
    def kinds(self) -> memoryview:
        """Numbers of `enum pgg_event_type`."""
        return self._words[0::_WORDS]

    @property
    def players(self) -> memoryview:
        """Who joined, left or said it."""
        return self._words[1::_WORDS]

    @property
    def message_types(self) -> memoryview:
        """Types of messages."""
        return self._events[8::_EVENT_BYTES]

    @property
    def reliable(self) -> memoryview[bool]:
        """Whether they are repeated until they arrive."""
        return self._events.cast("?")[9::_EVENT_BYTES]

    @property
    def channels(self) -> memoryview:
        """Of reliable messages."""
        return self._events[10::_EVENT_BYTES]

    @property
    def priorities(self) -> memoryview:
        """Numbers of `Priority`."""
        return self._events[11::_EVENT_BYTES]

    @property
    def starts(self) -> memoryview:
        """Where in `bodies` each body begins."""
        return self._events.cast("Q")[2 :: _EVENT_BYTES // 8]

    @property
    def lengths(self) -> memoryview:
        """Bytes of each body."""
        return self._words[6::_WORDS]

    def body(self, i: int) -> memoryview:
        """The body of a message, where it lies."""
        start = int(self.starts[i])
        return self.bodies[start : start + int(self.lengths[i])]

    def events(self) -> Iterator[Event]:
        """All of them as values of their own."""
        kinds = self._events[0::_EVENT_BYTES].tobytes()
        if kinds.count(self.MESSAGE) == len(kinds):
            return self._messages()
        self._left = iter(range(len(kinds)))
        return map(self._event, self._left, kinds)

    def _messages(self) -> Iterator[Message]:
        starts, lengths = self.starts.tolist(), self.lengths.tolist()
        self._left = iter(self.players.tolist())
        if not starts:
            return iter(())
        first = min(starts)
        ends = list(map(add, starts, lengths))
        raw = self.bodies[first : max(ends)].tobytes()  # once: bodies are cut out of it
        if first:
            starts, ends = [start - first for start in starts], [end - first for end in ends]
        bodies = [raw[start:end] for start, end in zip(starts, ends, strict=True)]
        return map(
            _new_message,
            zip(
                self._left,
                self.message_types.tolist(),
                bodies,
                self.reliable.tolist(),
                self.channels.tolist(),
                self.priorities.tolist(),
                strict=True,
            ),
        )

    def _event(self, i: int, kind: int) -> Event:
        if kind == self.MESSAGE:
            return Message(
                self.players[i],
                self.message_types[i],
                self.body(i).tobytes(),
                self.reliable[i],
                self.channels[i],
                self.priorities[i],
            )
        detail = ffi.new("struct game_detail *")
        lib.game_detail(self._cdata + i, detail)
        return _MAKERS[kind](self.players[i], detail)


def string(cdata: Any) -> str:
    """What C wrote, ended by a zero."""
    raw: Any = ffi.string(cdata)
    return str(raw.decode(errors="replace"))


def _text(pointer: Any) -> str:
    return string(pointer) if pointer else ""


def _bytes(detail: Any) -> bytes:
    return bytes(ffi.buffer(detail.at, detail.count)) if detail.count else b""


def _joined(player: int, detail: Any) -> Event:
    session, port, profile, how = detail.number
    return Joined(player, session, port, Profile(profile), How(how), int(detail.client), _bytes(detail))


def _left(player: int, detail: Any) -> Event:
    return Left(player, detail.number[0], _text(lib.pgg_left_text(detail.number[1])))


def _moved(_: int, detail: Any) -> Event:
    raw = bytes(ffi.buffer(detail.at, detail.count * _POSITION.size))
    return Moved(tuple((one[0], one[1:4], one[4:7]) for one in _POSITION.iter_unpack(raw)))


def _quality(player: int, detail: Any) -> Event:
    cookie, round_trip_us, deviation_us, sent = detail.number
    return Quality(player, cookie, round_trip_us, deviation_us, sent, detail.count)


def _found(_: int, detail: Any) -> Event:
    cookie, became, tick, newest = detail.number
    raw = bytes(ffi.buffer(detail.at, detail.count * _FOUND.size))
    who = tuple(
        FoundOne(identity, sort == 0, (x, y, z), distance)
        for identity, x, y, z, distance, sort in _FOUND.iter_unpack(raw)
    )
    return Found(cookie, Became(became & 0xFF), tick, became >> 8, newest, int(detail.client), who)


def _gap(_: int, detail: Any) -> Event:
    return Gap(detail.number[1], detail.number[0], _text(detail.text) or None)


_MAKERS: Final[dict[int, Callable[[int, Any], Event]]] = {
    lib.PGG_JOINED: _joined,
    lib.PGG_LEFT: _left,
    lib.PGG_MOVED: _moved,
    lib.PGG_QUALITY: _quality,
    lib.PGG_ENTITY_REFUSED: lambda _, detail: EntityRefused(
        _text(detail.text), detail.number[0], Why(detail.number[1])
    ),
    lib.PGG_FOUND: _found,
    lib.PGG_LISTED: lambda _, detail: Listed(detail.number[0]),
    lib.PGG_GAP: _gap,
    lib.PGG_SPOILT: lambda _, detail: Spoilt(string(detail.text)),
    lib.PGG_POST: lambda _, detail: Post(_text(detail.text), _bytes(detail)),
    lib.PGG_PUBLISHED: lambda _, detail: Published(_text(detail.text), _text(detail.topic), _bytes(detail)),
    lib.PGG_END: lambda _, detail: End(_text(detail.text)),
    lib.PGG_DETACHED: lambda _, detail: Detached(_text(detail.text)),
}
