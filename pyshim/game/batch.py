# SPDX-License-Identifier: BSD-3-Clause
"""Many events at once: columns that are views of what C wrote, and bodies where the gateway wrote them."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any, Final

from pyshim._native._game import ffi, lib
from pyshim.game.events import (
    Detached,
    End,
    Event,
    Gap,
    How,
    Joined,
    Left,
    Listed,
    Message,
    Moved,
    Post,
    Published,
    Quality,
    Spoilt,
)

# struct pgg_event: type, player; of a message type, reliable, channel, priority, sender, where, length
_EVENT: Final = struct.Struct("<II B?BBI QI12x")
_EVENT_BYTES: Final = _EVENT.size
_WORDS: Final = _EVENT_BYTES // 4
_POSITION: Final = struct.Struct("<I3f3f")
_new: Final = tuple.__new__  # what Message() calls, after a function of its own


class Batch:
    """Events of one ring, in order. Everything of it is valid until the next batch, and harmless after that.

    Columns are one-dimensional `memoryview`s, an element for each event. Those from `message_types` on are of
    messages, and say nothing of other events; `kinds` tells which are: `Batch.MESSAGE`.
    """

    MESSAGE: Final = lib.PGG_MESSAGE

    __slots__ = ("_cdata", "_events", "_has_others", "bodies")

    def __init__(self, cdata: Any, raw: memoryview, n: int, bodies: memoryview, *, has_others: bool) -> None:
        """Of the first `n` events of an array."""
        self._cdata = cdata
        self._events = raw[: n * _EVENT_BYTES]
        self._has_others = has_others  # not messages all of them
        self.bodies = bodies  # bytes of the ring; a message's are those from its `starts` on

    def __len__(self) -> int:
        """How many events."""
        return len(self._events) // _EVENT_BYTES

    @property
    def kinds(self) -> memoryview:
        """Numbers of `enum pgg_event_type`."""
        return self._events.cast("I")[0::_WORDS]

    @property
    def players(self) -> memoryview:
        """Who joined, left or said it."""
        return self._events.cast("I")[1::_WORDS]

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
        return self._events.cast("I")[6::_WORDS]

    def body(self, i: int) -> memoryview:
        """The body of a message, where it lies."""
        start = int(self.starts[i])
        return self.bodies[start : start + int(self.lengths[i])]

    def events(self) -> Iterator[Event]:
        """All of them as values of their own."""
        return self._mixed() if self._has_others else self._messages()

    def _messages(self) -> Iterator[Message]:
        raw = self.bodies.tobytes()  # once: bodies are cut out of it
        return (
            _new(Message, (player, kind, raw[start : start + length], reliable, channel, priority))
            for _, player, kind, reliable, channel, priority, _, start, length in _EVENT.iter_unpack(
                self._events
            )
        )

    def _mixed(self) -> Iterator[Event]:
        raw, message = self.bodies.tobytes(), self.MESSAGE
        detail: Any = ffi.new("struct game_detail *")
        rows = enumerate(_EVENT.iter_unpack(self._events))
        for i, (event, player, kind, reliable, channel, priority, _, start, length) in rows:
            if event == message:
                yield _new(Message, (player, kind, raw[start : start + length], reliable, channel, priority))
            else:
                lib.game_detail(self._cdata + i, detail)
                yield _MAKERS[event](player, detail)


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
    return Joined(player, session, port, profile, How(how))


def _left(player: int, detail: Any) -> Event:
    return Left(player, detail.number[0], _text(lib.pgg_left_text(detail.number[1])))


def _moved(_: int, detail: Any) -> Event:
    raw = bytes(ffi.buffer(detail.at, detail.count * _POSITION.size))
    return Moved(tuple((one[0], one[1:4], one[4:7]) for one in _POSITION.iter_unpack(raw)))


def _quality(player: int, detail: Any) -> Event:
    cookie, round_trip_us, deviation_us, sent = detail.number
    return Quality(player, cookie, round_trip_us, deviation_us, sent, detail.count)


def _gap(_: int, detail: Any) -> Event:
    return Gap(detail.number[1], detail.number[0], _text(detail.text) or None)


_MAKERS: Final[dict[int, Callable[[int, Any], Event]]] = {
    lib.PGG_JOINED: _joined,
    lib.PGG_LEFT: _left,
    lib.PGG_MOVED: _moved,
    lib.PGG_QUALITY: _quality,
    lib.PGG_LISTED: lambda _, detail: Listed(detail.number[0]),
    lib.PGG_GAP: _gap,
    lib.PGG_SPOILT: lambda _, detail: Spoilt(string(detail.text)),
    lib.PGG_POST: lambda _, detail: Post(_text(detail.text), _bytes(detail)),
    lib.PGG_PUBLISHED: lambda _, detail: Published(_text(detail.text), _text(detail.topic), _bytes(detail)),
    lib.PGG_END: lambda _, detail: End(_text(detail.text)),
    lib.PGG_DETACHED: lambda _, detail: Detached(_text(detail.text)),
}
