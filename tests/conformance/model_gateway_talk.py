# SPDX-License-Identifier: BSD-3-Clause
"""The model gateway's half of a connection: what it takes, delivers, refuses and repeats."""
# ruff: noqa: PLR0912 - a branch for each fault

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from typing import Any

from pyshim.conformance import bodies, layout
from pyshim.conformance.layout import Data, Kind, Message
from pyshim.conformance.peer import Traffic
from tests.conformance.virtual import Reply


@dataclass
class Issued:
    player_id: int
    key: bytes
    expires_s: float
    once: bool
    used: bool = False
    revoked: bool = False
    connections: list[Line] = field(default_factory=list)
    newest_cookie: float = -math.inf


@dataclass
class Line:
    """One connection."""

    issued: Issued
    traffic: Traffic
    confirm: bytes  # without max_datagram and proof: what a repetition repeats
    clear: bytes  # server nonce and share
    peer: Any
    granted: int
    token: bytes
    heard_s: float
    spare: int = 0
    spare_offset: tuple[int, int] = (0, 0)
    used_data: bool = False
    newest: int = 0
    seen: set[int] = field(default_factory=set)
    expected: dict[int, int] = field(default_factory=dict)  # next id by channel
    early: dict[tuple[int, int], Message] = field(default_factory=dict)
    pieces: dict[int, dict[int, Message]] = field(default_factory=dict)
    out_ids: dict[int, int] = field(default_factory=dict)
    queue: list[Message] = field(default_factory=list)
    under_way: dict[int, tuple[float, list[Message]]] = field(default_factory=dict)
    backoff_s: float = 0.2
    owes_s: float = math.inf
    at_once: bool = False
    owed: int = 0
    busy_s: float = -math.inf
    closed_s: float | None = None  # we closed
    last_close_s: float = -math.inf
    reason: int = 0
    is_over: bool = False
    tokens: dict[bytes, tuple[Any, float]] = field(default_factory=dict)
    before: tuple[Any, float] | None = None  # where it was before it moved
    old_number: tuple[int, float] | None = None
    phase_s: float = -math.inf
    chat_level: float = 8.0
    chat_s: float = 0.0


class TalkingGateway:
    """A gateway whose players are connected. `fault` names what it does wrong."""

    def __init__(self, fault: str = "") -> None:
        self.fault = fault
        self.now = 1000.0
        self._out: list[Reply] = []

    def has(self, *faults: str) -> bool:
        return self.fault in faults

    # ------------------------------------------------------------ DATA in

    def _data_came(self, line: Line, secret: bytes, counter: int) -> None:
        line.used_data = True
        try:
            data = layout.read_data(secret)
        except layout.BrokenMessageError:
            if not self.has("forgives"):
                self._close(line, 7)
            return
        if (data.wants & 0xFE or data.reserved) and not self.has("takes-wants"):
            return
        sent = line.traffic.counter
        if data.ack <= sent or self.has("believes-any-ack"):
            named = set(layout.named(data.ack, data.ack_bits)) if data.ack <= sent else set(range(sent + 1))
            for one in named & line.under_way.keys():
                if not self.has("forgets-acks"):
                    del line.under_way[one]
                    line.backoff_s = 0.2
        refused = 0
        blocked: set[int] = set()
        if self.has("skips-datagrams") and any(one.type == bodies.UNKNOWN for one in data.messages):
            data = Data(data.ack, data.ack_bits, wants=1)
        if self.has("at-most-49") and len(data.messages) > 49:
            return
        for message in data.messages:
            if message.channel in blocked and message.id is not None:
                continue
            reason = self._message(line, message)
            if line.closed_s is not None:
                return
            if reason:
                refused = refused or reason
                blocked.add(message.channel)
        if refused and not self.has("busy-acknowledged"):
            self._busy(line, counter, refused, data)
        else:
            if refused:
                self._busy(line, counter, refused, data)
            line.traffic.taken.add(counter)
        if data.messages or self.has("acks-acks"):
            line.owed += 1
            at_once = bool(data.wants & 1) or line.owed >= 16 or (self.has("acks-acks"))
            if self.has("acks-late") or self.has("acks-one-of-many"):
                at_once = bool(data.wants & 1) and not self.has("acks-late")
            if self.has("ignores-wants"):
                at_once = line.owed >= 16
            self._owe(line, at_once=at_once)

    def _owe(self, line: Line, *, at_once: bool) -> None:
        delay = 9.0 if self.has("acks-late", "acks-one-of-many", "ignores-wants") else 0.02
        line.owes_s = min(line.owes_s, self.now + delay)
        if self.has("ignores-wants"):
            line.owes_s = self.now + 7.0
            at_once = False
        line.at_once = line.at_once or at_once

    def _busy(self, line: Line, counter: int, reason: int, data: Data) -> None:
        if self.now - line.busy_s < 0.1 and not self.has("busy-always"):
            return
        if self.has("no-busy"):
            return
        line.busy_s = self.now
        said = bodies.busy(counter, reason, data.messages[0].type, 100)
        self._queue(line, Message(bodies.BUSY, said), reliable=False)

    def _message(self, line: Line, message: Message) -> int:
        """Why it is refused; 0: it is not."""
        if message.type == bodies.PING and len(message.body) == 4 and not message.compressed:
            if not self.has("no-pong"):
                self._queue(line, Message(bodies.PONG, message.body), reliable=False)
            return 0
        if message.type == bodies.UNKNOWN and self.has("unknown-closes"):
            self._close(line, 7)
            return 0
        if message.type in bodies.GAME and message.type > 127 and self.has("games-own-closes"):
            self._close(line, 7)
            return 0
        if message.id is None:
            self._deliver(line, message)
            return 0
        return self._reliable(line, message)

    def _reliable(self, line: Line, message: Message) -> int:
        identity = message.id or 0
        expected = line.expected.get(message.channel, 0)
        ahead = (identity - expected) & 0xFFFF
        if ahead >= 32768 or (message.channel, identity) in line.early:
            if self.has("delivers-twice"):
                self._deliver(line, message)
            return 0
        if ahead > 255 and not self.has("takes-far"):
            return 4
        if not self._within_limits(line, message):
            return 1
        if (message.channel == 3) != self.has("order-swapped"):
            line.early[message.channel, identity] = message
            self._arrived(line, message)
            while (message.channel, line.expected.get(message.channel, 0)) in line.early:
                line.expected[message.channel] = line.expected.get(message.channel, 0) + 1
            return 0
        line.early[message.channel, identity] = message
        while (message.channel, expected) in line.early:
            self._arrived(line, line.early[message.channel, expected])
            expected = (expected + 1) & 0xFFFF
        line.expected[message.channel] = expected
        return 0

    def _within_limits(self, line: Line, message: Message) -> bool:
        if message.type != bodies.CHAT or self.has("no-limits"):
            return True
        level = min(8.0, line.chat_level + (self.now - line.chat_s) * 8)
        if level < 1 or (self.has("never-again") and line.chat_level < 1):
            return False
        line.chat_level, line.chat_s = level - 1, self.now
        return True

    def _arrived(self, line: Line, message: Message) -> None:
        if not message.piece:
            self._deliver(line, message)
            return
        index, count = layout.piece_of(message)
        parts = line.pieces.setdefault(message.channel, {})
        if any(layout.piece_of(one)[1] != count for one in parts.values()) or (
            index < count - 1 and len(message.body) != 462
        ):
            if not self.has("forgives-pieces"):
                self._close(line, 7)
            return
        parts[index] = message
        if len(parts) == count:
            body = b"".join(parts[n].body[4:] for n in range(count))
            line.pieces.pop(message.channel)
            if not self.has("loses-pieces") and not (self.has("loses-long") and len(body) > 10_000):
                self._deliver(
                    line,
                    Message(
                        message.type, body, message.channel, 0, message.compressed, priority=message.priority
                    ),
                )

    def _deliver(self, line: Line, message: Message) -> None:
        body: bytes | None = message.body
        if message.compressed:
            body = bodies.expand(message.body) if message.type in bodies.COMPRESSIBLE else None
        wrong = body is None or bodies.what_is_wrong(message.type, body)
        if wrong or body is None:
            if self.has("bad-body-closes") or (self.has("bad-stream-closes") and message.compressed):
                self._close(line, 7)
            return
        if message.compressed and self.has("never-expands"):
            return
        if message.type not in (bodies.ATTACK, bodies.CHAT, bodies.SKILL, bodies.BULK):
            return
        target = struct.unpack_from("<I", body, 4 if message.type == bodies.SKILL else 0)[0]
        if target != line.issued.player_id:
            if self.has("refuses-near") and target == 0:
                self._close(line, 7)
            return
        event = bodies.event(0 if self.has("event-sender") else target, body)
        channel = 0 if self.has("event-channel") else message.channel
        priority = 1 if self.has("event-priority") else message.priority
        self._queue(
            line,
            Message(message.type + bodies.EVENT, event, channel, priority=priority),
            reliable=message.id is not None,
        )

    # ------------------------------------------------------------ DATA out

    def _queue(self, line: Line, message: Message, *, reliable: bool = True) -> None:
        if not reliable:
            line.queue.append(message)
            return
        first = line.out_ids.get(message.channel, 0)
        numbered = Message(message.type, message.body, message.channel, first, priority=message.priority)
        if self.has("ids-jump"):
            first += 1000
            numbered = Message(message.type, message.body, message.channel, first, priority=message.priority)
        parts = [numbered]
        if len(message.body) > layout.PIECE_BYTES and not (
            self.has("never-cuts") and len(message.body) < 65536
        ):
            parts = layout.cut(numbered)
        line.out_ids[message.channel] = (first + len(parts)) & 0xFFFF
        line.queue += parts

    def _data(self, line: Line) -> None:
        messages: list[Message] = []
        room = line.traffic.size - 100
        while line.queue and room >= len(line.queue[0].body) + 6 and len(messages) < 50:
            if len(line.under_way) >= 32 and line.queue[0].id is not None:
                break
            messages.append(line.queue.pop(0))
            room -= len(messages[-1].body) + 6
        if line.queue and not messages and len(line.queue[0].body) > room:
            messages.append(line.queue.pop(0))
        line.owes_s, line.at_once = math.inf, False
        kept = 1 if self.has("acks-one-of-many") and line.owed > 20 else 0
        line.owed = 0
        said = line.traffic.acknowledgement(messages=tuple(messages))
        if self.has("acks-unsent"):
            said = Data(said.ack + 1000, said.ack_bits, 0, 0, 0, tuple(messages))
        if kept:
            said = Data(said.ack, 0, 0, 0, 0, tuple(messages))
        if self.has("delay-wrong"):
            said = Data(said.ack, said.ack_bits, 60_000, 0, 0, tuple(messages))
        if self.has("data-reserved"):
            said = Data(said.ack, said.ack_bits, 0, 2, 1, tuple(messages))
        rest = b"\1" if self.has("messages-cut") else b""
        if self.has("body-wrong") and messages:
            rest = Message(bodies.LIMITS, b"x", 3, 999).pack()
        if self.has("pings-reliably"):
            rest = Message(bodies.PING, b"abcd", 0, 0).pack()
        datagram = line.traffic.seal(Kind.DATA, said.pack(rest))
        if self.has("tag-wrong"):
            datagram = datagram[:-1] + bytes([datagram[-1] ^ 1])
        if self.has("counter-repeats") and line.traffic.counter > 3:
            line.traffic.counter -= 1
        self._out.append((datagram, line.peer))
        reliable = [one for one in messages if one.id is not None]
        if reliable:
            line.under_way[line.traffic.counter] = (self.now, reliable)

    def _close(self, line: Line, reason: int) -> None:
        line.closed_s, line.reason = self.now, 9 if self.has("close-reason") else reason
        line.last_close_s = self.now
        self._out.append((self._close_datagram(line), line.peer))

    def _close_datagram(self, line: Line) -> bytes:
        return line.traffic.seal(
            Kind.CLOSE, bytes([line.reason, *([1] * 7 if self.has("close-reserved") else [0] * 7)])
        )

    def _close_again(self, line: Line) -> None:
        if self.now - (line.closed_s or 0) > 3 or self.has("closes-once"):
            line.is_over = True
        elif self.now - line.last_close_s >= 0.1 or self.has("closes-always"):
            line.last_close_s = self.now
            self._out.append((self._close_datagram(line), line.peer))
