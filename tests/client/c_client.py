# SPDX-License-Identifier: BSD-3-Clause
"""The C client behind the interface of the Python client's session, so that one network can hold both."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cffi import FFI

from pyshim.protocol.client.ticket import Ticket

NS = 1_000_000_000


def _declarations(header: Path) -> str:
    """The header without what only a preprocessor reads."""
    text = header.read_text()
    values = dict(re.findall(r"^#define (PGC_\w+) (\d+)", text, re.MULTILINE))
    text = re.sub(r"#ifdef __cplusplus\n.*?#endif", "", text, flags=re.DOTALL)
    text = re.sub(r"^#.*$", "", text, flags=re.MULTILINE)
    return re.sub(r"\bPGC_\w+\b", lambda found: values.get(found.group(), found.group()), text)


class Library:
    """The shared library, loaded."""

    def __init__(self, path: Path, header: Path) -> None:
        """Load `path`; its functions are declared by `header`."""
        self.ffi = FFI()
        self.ffi.cdef(_declarations(header))
        self.lib: Any = self.ffi.dlopen(str(path))


def _refused(correction: Any) -> tuple[Any, ...]:
    """Why, and what was said; nothing where the game has put the player there."""
    if correction.why == 0:
        return ()
    return (
        int(correction.why),
        tuple(map(float, correction.refused_position)),
        tuple(map(float, correction.refused_velocity)),
    )


@dataclass(frozen=True)
class Heard:
    """An event as plain values."""

    type: str  # CONNECTED, CHAT, ...
    player_id: int
    values: tuple[Any, ...] = ()


class CClient:
    """One C client, with what a game calls."""

    def __init__(self, library: Library, ticket: Ticket, **options: Any) -> None:
        """Make a client; it does not connect."""
        self.ffi, self.lib = library.ffi, library.lib
        made = self.ffi.new("struct pgc_options *")
        self.lib.pgc_options_init(made)
        made.session = ticket.session
        made.key = ticket.key
        for name, value in options.items():
            setattr(made, name, value)
        client = self.lib.pgc_new(made)
        assert client, "the library refused these options"
        self.client = self.ffi.gc(client, self.lib.pgc_free)
        names = self.ffi.typeof("enum pgc_event_type").elements
        self._names = {number: name.removeprefix("PGC_EVENT_") for number, name in names.items()}
        self.events: list[Heard] = []

    @property
    def is_connected(self) -> bool:
        return bool(self.lib.pgc_state(self.client) == self.lib.PGC_CONNECTED)

    def delivery(
        self, channel: int = 1, receipt: int = 0, priority: int = 1, *, reliable: bool = True
    ) -> Any:
        return self.ffi.new("struct pgc_delivery *", [reliable, channel, priority, receipt])

    def chat(self, target: int, text: str | bytes, delivery: Any = None) -> int:
        data = text.encode() if isinstance(text, str) else text
        return int(self.lib.pgc_chat(self.client, target, 0, data, len(data), delivery or self.ffi.NULL))

    def bulk(self, target: int, data: bytes, delivery: Any = None) -> int:
        return int(self.lib.pgc_bulk(self.client, target, data, len(data), delivery or self.ffi.NULL))

    def move(self, position: tuple[float, ...], velocity: tuple[float, ...] = (0.0, 0.0, 0.0)) -> int:
        return int(self.lib.pgc_move(self.client, position, velocity, self.ffi.NULL))

    def attack(self, target: int, attack: int, direction: tuple[float, ...]) -> int:
        return int(self.lib.pgc_attack(self.client, target, attack, direction, self.ffi.NULL))

    def skill(self, skill: int, target: int) -> int:
        return int(self.lib.pgc_skill(self.client, skill, target, self.ffi.NULL))

    def say(self, number: int, body: bytes, delivery: Any = None) -> int:
        return int(self.lib.pgc_say(self.client, number, body, len(body), delivery or self.ffi.NULL))

    def game(self, number: int, body: bytes, delivery: Any = None) -> int:
        return int(self.lib.pgc_game(self.client, number, body, len(body), delivery or self.ffi.NULL))

    def ping(self, token: int) -> int:
        return int(self.lib.pgc_ping(self.client, token))

    def statistics(self) -> Any:
        out = self.ffi.new("struct pgc_statistics *")
        self.lib.pgc_read_statistics(self.client, out)
        return out

    def listen(self) -> None:
        """Take every event that waits."""
        event = self.ffi.new("struct pgc_event *")
        while self.lib.pgc_next_event(self.client, event):
            self.events.append(self._heard(event))

    def _heard(self, event: Any) -> Heard:
        said = getattr(event, "as")
        name = self._names[event.type]
        values: dict[str, Callable[[], tuple[Any, ...]]] = {
            "CONNECTED": lambda: (
                said.connected.expires_in_s,
                said.connected.idle_timeout_ms,
                said.connected.max_datagram,
            ),
            "CLOSED": lambda: (said.closed.reason, said.closed.likely_denial),
            "DELIVERED": lambda: (said.delivery.receipt,),
            "LOST": lambda: (said.delivery.receipt,),
            "CHAT": lambda: (said.chat.target_id, self._bytes(said.chat.text, said.chat.bytes).decode()),
            "ATTACK": lambda: (said.attack.attack_id, tuple(map(float, said.attack.direction))),
            "SKILL": lambda: (said.skill.skill_id, said.skill.target_id),
            "RESTARTED": lambda: tuple(said.restarted.lost),
            "PONG": lambda: (said.pong.token,),
            "BULK": lambda: (self._bytes(said.bytes.data, said.bytes.bytes),),
            "INVENTORY": lambda: (self._bytes(said.bytes.data, said.bytes.bytes),),
            "CORRECTION": lambda: (
                tuple(map(float, said.correction.position)),
                tuple(map(float, said.correction.velocity)),
                *_refused(said.correction),
            ),
            "GAME": lambda: (
                said.game.message_type,
                self._bytes(said.game.data, said.game.bytes),
                said.game.channel if said.game.reliable else None,
            ),
        }
        if name in ("WORLD", "ENTER", "LEAVE", "STATE"):
            return Heard(name, event.player_id, self._of_world(name, said))
        return Heard(name, event.player_id, values[name]())

    def _of_world(self, name: str, said: Any) -> tuple[Any, ...]:
        if name == "WORLD":
            text = self.ffi.string(said.world.name).decode()
            return (text, said.world.slots, said.world.tick_hz, said.world.radius)
        if name == "STATE":
            data = self._bytes(said.state.data, said.state.bytes)
            return (said.state.entity.number, said.state.version, data)
        return (said.entity.slot, said.entity.number, said.entity.identity, said.entity.is_player)

    def in_sight(self, at_s: float) -> dict[int, tuple[tuple[float, ...], tuple[float, ...], int]]:
        """By number: position, velocity, and how far the time is from what is known."""
        out = self.ffi.new("struct pgc_sight[]", 32)
        count = self.lib.pgc_in_sight(self.client, round(at_s * NS), out)
        seen = [out[index] for index in range(count)]
        return {one.entity.number: (tuple(one.position), tuple(one.velocity), one.beyond_ms) for one in seen}

    def glimpses(self, at_s: float, room: int = 4096) -> dict[int, tuple[tuple[float, ...], int]]:
        """By number: position and age."""
        out = self.ffi.new("struct pgc_glimpse[]", room)
        count = self.lib.pgc_glimpses(self.client, round(at_s * NS), out, room)
        return {one.number: (tuple(one.position), one.age_ms) for one in out[0:count]}

    def _bytes(self, pointer: Any, count: int) -> bytes:
        return bytes(self.ffi.buffer(pointer, count))


class CSession(CClient):
    """A client without a socket. Time is what the caller says; it begins to connect at once."""

    def __init__(self, library: Library, ticket: Ticket, now: float, **options: int) -> None:
        """Make a client whose clock stands at `now`."""
        self.now_ns = int(now * NS)
        self._clock = library.ffi.callback("uint64_t(void *)", lambda _context: self.now_ns)
        super().__init__(library, ticket, clock_ns=self._clock, **options)
        assert self.lib.pgc_connect(self.client) == 0

    def next_due(self) -> float:
        due = int(self.lib.pgc_due_ns(self.client))
        return float("inf") if due == 2**64 - 1 else -(-due // 1000) / 1e6

    def due(self, now: float) -> list[bytes]:
        self.now_ns = max(self.now_ns, round(now * NS))
        out = self.ffi.new("uint8_t[1400]")
        datagrams = []
        while length := self.lib.pgc_transmit(self.client, out):
            datagrams.append(bytes(self.ffi.buffer(out, length)))
            assert len(datagrams) < 1000, "it never stops to send"
        self.listen()
        return datagrams

    def moved(self, now: float) -> None:
        self.now_ns = max(self.now_ns, round(now * NS))
        self.lib.pgc_moved(self.client)

    def receive(self, datagram: bytes, now: float, came: float | None = None) -> None:
        """A datagram is looked at now, and came to this host then."""
        self.now_ns = max(self.now_ns, round(now * NS))
        self.listen()
        if came is None:
            assert self.lib.pgc_receive(self.client, datagram, len(datagram)) == 0
        else:
            assert self.lib.pgc_receive_at(self.client, datagram, len(datagram), round(came * NS)) == 0
        self.listen()


class Game(CClient):
    """A client with a socket of this host."""

    def __init__(self, library: Library, ticket: Ticket, *, connect: bool = True, **options: int) -> None:
        """Make a client; with `connect` it begins at once."""
        super().__init__(library, ticket, **options)
        self.ticket = ticket
        if connect:
            self.open()

    def open(self) -> None:
        """Begin to connect."""
        assert self.lib.pgc_open(self.client, self.ticket.host.encode(), self.ticket.port) == 0

    def play(self, seconds: float) -> None:
        """Receive and send until something is heard, at most so long."""
        assert self.lib.pgc_poll(self.client, round(seconds * 1000)) >= 0
        self.listen()
