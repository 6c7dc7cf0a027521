# SPDX-License-Identifier: BSD-3-Clause
"""A gateway that does what PROTOCOL.md says, or has one fault: what the kit must pass, and what it must find."""

from __future__ import annotations

import hmac
import math
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pyshim.conformance import bodies, layout
from pyshim.conformance.layout import Data, Header, Kind, Limit, Message, Secret, Welcome
from pyshim.conformance.peer import Traffic
from pyshim.protocol.client.ticket import Ticket
from tests.conformance.virtual import Reply

IDLE_MS = 10_000
CHAT = Limit(bodies.CHAT, 8, 480)
BULK = Limit(bodies.BULK, 200, 60_000)
GATEWAY = 7 << 24


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


class ModelGateway:
    """Datagrams in, datagrams out. `fault` names what it does wrong."""

    def __init__(self, fault: str = "") -> None:
        self.fault = fault
        self.issued: dict[int, Issued] = {}
        self._secret = os.urandom(32)
        self._numbers = iter(range(GATEWAY + 1, GATEWAY + 100_000, 3))
        self._out: list[Reply] = []
        self.now = 1000.0

    def has(self, *faults: str) -> bool:
        return self.fault in faults

    # ------------------------------------------------------------ issuing, as the kit asks for it

    def issue(self, *, ttl_s: int = 3600, once: bool = False) -> Ticket:
        number = next(self._numbers)
        key = os.urandom(32)
        self.issued[number] = Issued(number & 0xFFFF, key, self.now + ttl_s, once)
        return Ticket(number, key, "127.0.0.1", 1)

    def give_back(self, ticket: Ticket) -> None:
        pass

    def revoke(self, session: int) -> None:
        issued = self.issued[session]
        issued.revoked = True
        for line in issued.connections:
            if not self.has("revoked-unclosed"):
                self._close(line, 4)

    # ------------------------------------------------------------ rim

    def receive(self, datagram: bytes, source: Any, now: float) -> list[Reply]:
        self.now = now
        self._take(datagram, source)
        return self._flush()

    def due(self, now: float) -> list[Reply]:
        self.now = now
        for line in self._lines():
            self._tend(line)
        return self._flush()

    def next_due(self) -> float:
        return min((self._next(line) for line in self._lines()), default=math.inf)

    def _flush(self) -> list[Reply]:
        out, self._out = self._out, []
        return out

    def _lines(self) -> Iterator[Line]:
        for issued in self.issued.values():
            yield from (line for line in issued.connections if not line.is_over and line.closed_s is None)

    def _next(self, line: Line) -> float:
        times = [line.owes_s, line.heard_s + IDLE_MS / 1000 * (3 if self.has("idle-late") else 1)]
        times += [at + line.backoff_s for at, _ in line.under_way.values()]
        times.append(line.issued.expires_s)
        if line.queue and (line.queue[0].id is None or len(line.under_way) < 32):
            times.append(self.now)
        return max(self.now, min(times))

    def _tend(self, line: Line) -> None:
        if self.now >= line.issued.expires_s:
            if self.has("expired-unclosed"):
                line.is_over = True
            else:
                self._close(line, 3)
            return
        if self.now >= line.heard_s + IDLE_MS / 1000 * (3 if self.has("idle-late") else 1):
            self._close(line, 2)
            return
        for counter, (at, messages) in list(line.under_way.items()):
            if self.now >= at + line.backoff_s:
                del line.under_way[counter]
                if not self.has("never-repeats"):
                    line.queue[:0] = messages
                limit = 0.02 if self.has("repeats-in-bursts") else 1.0
                line.backoff_s = min(limit, 2 * line.backoff_s)
                if self.has("ends-by-count") and line.backoff_s >= 1.0:
                    self._close(line, 2)
                    return
        if (line.queue and (line.queue[0].id is None or len(line.under_way) < 32)) or line.owes_s <= self.now:
            self._data(line)

    # ------------------------------------------------------------ clear datagrams

    def _take(self, datagram: bytes, source: Any) -> None:
        if len(datagram) < 12:
            return
        header = layout.read_header(datagram)
        if header.length != len(datagram) and not self.has("takes-wrong-lengths"):
            return
        if header.session >> 24 != GATEWAY >> 24 and not self.has("answers-for-others"):
            return
        if header.kind == Kind.HELLO or (self.has("answers-any-kind") and len(datagram) == 72):
            self._hello(datagram, header, source)
        elif header.kind == Kind.CONFIRM:
            self._confirm(datagram, header, source)
        elif header.kind in layout.SEALED and header.kind in layout.FROM_CLIENT:
            self._sealed(datagram, header, source)
        elif self.has("answers-forgeries") and header.kind not in (Kind.WELCOME, 0):
            self._out.append((layout.pack_reset(header.session, bytes(16)), source))

    def _hello(self, datagram: bytes, header: Header, source: Any) -> None:
        if len(datagram) != 72 and not self.has("takes-wrong-lengths"):
            return
        if header.flags or header.counter or (any(datagram[32:]) and not self.has("takes-padding")):
            return
        version, reserved = struct.unpack_from("<HH", datagram, 12)
        nonce = datagram[16:32]
        if reserved:
            return
        if version != layout.VERSION:
            if not self.has("denies-no-version"):
                self._out.append((layout.pack_denied(header.session, nonce, 2, None), source))
            return
        issued = self.issued.get(header.session)
        if issued is None and self.has("silent-for-unknown"):
            return
        key = issued.key if issued is not None else self._secret
        if self.has("challenge-unproved"):
            key = bytes(32)
        cookie = self._cookie(header.session, nonce, source, self.now)
        answer = layout.pack_challenge(header.session, nonce, cookie, key)
        if self.has("challenge-long"):
            answer = answer[:2] + struct.pack("<H", 69) + answer[4:] + b"\0"
        if self.has("header-flags"):
            answer = answer[:1] + b"\4" + answer[2:]
        self._out.append((answer, source))

    def _cookie(self, session: int, nonce: bytes, source: Any, at: float) -> bytes:
        if self.has("same-cookie"):
            at, nonce = 0.0, bytes(16)
        stamp = struct.pack("<d", at)
        who = b"" if self.has("cookie-any-address") else repr(source).encode()
        what = b"" if self.has("cookie-any-nonce") else nonce
        return stamp + hmac.digest(self._secret, stamp + who + what + struct.pack("<I", session), "sha256")[:16]

    def _confirm(self, datagram: bytes, header: Header, source: Any) -> None:
        size = len(datagram)
        if not 508 <= size <= 1400 and not self.has("takes-any-size"):
            return
        version, said = struct.unpack_from("<HH", datagram, 12)
        nonce, cookie, share = datagram[16:32], datagram[32:56], datagram[56:88]
        if version != layout.VERSION and not self.has("welcomes-any-version"):
            return
        if said != size and not self.has("takes-said"):
            return
        (at,) = struct.unpack_from("<d", cookie)
        right = self._cookie(header.session, nonce, source, 0.0 if math.isnan(at) else at) == cookie
        if not right and not self.has("same-cookie"):
            return
        limit = {"cookie-short": 1.0, "cookie-long": 60.0}.get(self.fault, 4.0)
        if self.now - at > limit and not self.has("same-cookie"):
            return
        issued = self.issued.get(header.session)
        if issued is None:
            if self.has("denies-unknown"):
                self._out.append((layout.pack_denied(header.session, nonce, 3, None), source))
            return
        if not layout.confirm_is_proved(datagram, issued.key) and not self.has("takes-unproved"):
            return
        if any(datagram[88:-16]) and not self.has("takes-confirm-padding"):
            return
        reason = 4 if issued.revoked else 3 if self.now >= issued.expires_s else 5 if issued.used else 0
        if reason:
            key = bytes(32) if self.has("denies-unproved") else issued.key
            self._out.append((layout.pack_denied(header.session, nonce, reason, key), source))
            return
        self._welcome(issued, header.session, datagram, at, source)

    def _welcome(self, issued: Issued, session: int, datagram: bytes, at: float, source: Any) -> None:
        size = len(datagram)
        nonce, share = datagram[16:32], datagram[56:88]
        same = datagram[16:88]
        line = issued.connections[-1] if issued.connections else None
        repeated = line is not None and line.confirm == same and not self.has("welcome-anew")
        if repeated and line is not None:
            if not line.used_data and not self.has("welcome-never-smaller"):
                line.granted = min(line.granted, size)
            if self.has("welcome-larger"):
                line.granted = size
            if line.is_over:
                return
        else:
            if at <= issued.newest_cookie and not self.has("cookie-any-order"):
                return
            issued.newest_cookie = max(at, issued.newest_cookie)
            line = self._begin(issued, session, nonce, share, same, source, size)
            if line is None:
                return
            if issued.once and self.has("once-at-confirm"):
                issued.used = True
        line.peer = source
        line.heard_s = self.now
        grant = 1232 if self.has("grants-less") and line.granted > 1232 else line.granted
        line.traffic.size = grant
        limits: tuple[Limit, ...] = (CHAT, BULK, CHAT) if self.has("limits-twice") else (CHAT, BULK)
        welcome = Welcome(
            issued.player_id,
            max(1, int(issued.expires_s - self.now)),
            IDLE_MS,
            grant,
            line.token,
            line.spare,
            line.spare_offset,
            limits,
        )
        secret = welcome.pack(grant, padding=b"\1" if self.has("welcome-padding") else b"")
        if self.has("counter-jumps"):
            line.traffic.counter += 100
        if self.has("counter-twice"):
            line.traffic.counter = 0
        self._out.append((line.traffic.seal(Kind.WELCOME, secret, clear=line.clear), source))

    def _begin(
        self, issued: Issued, session: int, nonce: bytes, share: bytes, same: bytes, source: Any, size: int
    ) -> Line | None:
        secret, server_nonce = Secret(), os.urandom(16)
        z = secret.agree(share)
        if not any(z) and not self.has("takes-share-0"):
            return None
        first = layout.first_secret(issued.key, z, session, (nonce, server_nonce), (share, secret.share))
        traffic = Traffic([first], False, session, size, {session: (0, 0)})
        line = Line(
            issued, traffic, same, server_nonce + secret.share, source, size, os.urandom(16), self.now, chat_s=self.now
        )
        self._draw_spare(line)
        if issued.connections and not self.has("old-keys-live"):
            issued.connections[-1].is_over = True
        issued.connections.append(line)
        return line

    def _draw_spare(self, line: Line) -> None:
        line.spare = line.traffic.session if self.has("same-spare") else next(self._numbers)
        line.spare_offset = struct.unpack("<II", os.urandom(8))
        if not self.has("same-spare"):
            line.traffic.offsets[line.spare] = line.spare_offset

    # ------------------------------------------------------------ sealed datagrams

    def _sealed(self, datagram: bytes, header: Header, source: Any) -> None:
        for issued in self.issued.values():
            for line in reversed(issued.connections):
                if header.session not in line.traffic.offsets:
                    continue
                if line.is_over and line is issued.connections[-1]:
                    if len(datagram) >= (36 if self.has("reset-short") else 40) and not self.has("no-reset"):
                        token = bytes(16) if self.has("reset-token") else line.token
                        self._out.append((layout.pack_reset(header.session, token), source))
                    if self.has("talks-after-close"):
                        line.is_over = False
                        self._data(line)
                        line.is_over = True
                elif not line.is_over and self._opened(line, datagram, header, source):
                    return

    def _opened(self, line: Line, datagram: bytes, header: Header, source: Any) -> bool:
        if header.flags & ~1 and not self.has("takes-flags"):
            return False
        if header.kind in (Kind.CLOSE, Kind.PATH_RESPONSE) and len(datagram) != 36:
            return False
        if len(datagram) > 1400 or (len(datagram) < 40 and header.kind in (Kind.DATA, Kind.PROBE)):
            return False
        if line.old_number and self.now - line.old_number[1] > 3 and not self.has("keeps-number"):
            line.traffic.offsets.pop(line.old_number[0], None)
            line.old_number = None
        found = line.traffic.open(datagram, header)
        if found is None:
            line.is_over = self.has("dies-of-forgeries")
            return False
        counter, phase, secret = found
        if phase < line.traffic.heard_phase and (self.now - line.phase_s > 3 or self.has("forgets-phase")):
            return False
        window = {"window-short": 100, "window-long": 10_000}.get(self.fault, 256)
        if (counter <= line.newest - window or counter in line.seen) and not (
            self.has("takes-replays") and counter > line.newest - window
        ):
            return False
        is_newest = counter > line.newest
        line.newest = max(line.newest, counter)
        line.seen.add(counter)
        line.heard_s = self.now
        if line.closed_s is not None:
            self._close_again(line)
            return True
        if phase > line.traffic.heard_phase:
            if self.has("one-update") and phase > 1:
                return False
            line.traffic.heard_phase = phase
            line.phase_s = self.now
            if not self.has("keeps-phase"):
                line.traffic.phase = phase
        line.issued.used |= line.issued.once and not self.has("once-forever")
        self._number(line, header)
        if header.kind == Kind.CLOSE:
            line.is_over = True
        elif header.kind == Kind.PATH_RESPONSE:
            line.traffic.taken.add(counter)
            self._response(line, secret, source)
        elif header.kind == Kind.PROBE:
            line.traffic.taken.add(counter)
            if not self.has("no-probe-ack"):
                self._owe(line, at_once=True)
        else:
            self._where(line, source, is_newest)
            self._data_came(line, secret, counter)
        if not line.is_over and line.closed_s is None and (line.queue or line.at_once):
            self._data(line)
        return True

    def _number(self, line: Line, header: Header) -> None:
        if header.session == line.spare and line.spare and not self.has("ignores-spare"):
            line.old_number = (line.traffic.session, self.now)
            line.traffic.session = line.spare
            self._draw_spare(line)
            if not self.has("no-next-spare"):
                body = struct.pack("<III", line.spare, *line.spare_offset)
                self._queue(line, Message(bodies.NUMBER, body, 3))

    def _where(self, line: Line, source: Any, is_newest: bool) -> None:
        if source == line.peer or not is_newest or self.has("never-moves"):
            return
        if self.has("moves-at-once"):
            line.peer = source
            return
        for where in (source, *(() if self.has("asks-only-new") else (line.peer,))):
            token = os.urandom(8)
            line.tokens[token] = (where, self.now)
            self._out.append((line.traffic.seal(Kind.PATH_CHALLENGE, token), where))

    def _response(self, line: Line, token: bytes, source: Any) -> None:
        where, at = line.tokens.get(token, (None, -math.inf))
        if self.has("ignores-responses"):
            return
        if self.now - at > 4 or (where != source and not self.has("moves-for-anybody")):
            return
        if self.has("moves-for-anybody"):
            line.peer = where
        elif where != line.peer and line.before is None:
            line.before = (line.peer, self.now)
            line.peer = where
        elif line.before is not None and where == line.before[0] and self.now - line.before[1] < 4:
            if not self.has("never-back"):
                line.peer = where

    # ------------------------------------------------------------ DATA in

    def _data_came(self, line: Line, secret: bytes, counter: int) -> None:
        line.used_data = True
        try:
            data = layout.read_data(secret)
        except layout.BrokenMessageError:
            if not self.has("forgives"):
                self._close(line, 7)
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
        delay = 5.0 if self.has("acks-late", "acks-one-of-many", "ignores-wants") else 0.02
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
        if message.type == bodies.PING:
            if not self.has("no-pong"):
                self._queue(line, Message(bodies.PONG, message.body), reliable=False)
            return 0
        if message.type == bodies.UNKNOWN and self.has("unknown-closes"):
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
                self._deliver(line, Message(message.type, body, message.channel, 0, message.compressed, priority=message.priority))

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
        if len(message.body) > layout.PIECE_BYTES and not (self.has("never-cuts") and len(message.body) < 65536):
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
        return line.traffic.seal(Kind.CLOSE, bytes([line.reason, *([1] * 7 if self.has("close-reserved") else [0] * 7)]))

    def _close_again(self, line: Line) -> None:
        if self.now - (line.closed_s or 0) > 3 or self.has("closes-once"):
            line.is_over = True
        elif self.now - line.last_close_s >= 0.1 or self.has("closes-always"):
            line.last_close_s = self.now
            self._out.append((self._close_datagram(line), line.peer))


