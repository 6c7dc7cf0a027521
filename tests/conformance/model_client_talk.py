# SPDX-License-Identifier: BSD-3-Clause
"""The model client's half of a connection: what it takes, acknowledges, repeats and refuses."""
# ruff: noqa: PLR0911 - a branch for each fault

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field

from pyshim.conformance import bodies, layout
from pyshim.conformance.client_numbers import ANOTHER_NETWORK
from pyshim.conformance.layout import Data, Header, Kind, Message
from pyshim.conformance.peer import Traffic
from tests.conformance.virtual import Reply


@dataclass
class Connection:
    """What follows a WELCOME."""

    traffic: Traffic
    idle_s: float
    token: bytes
    heard_s: float
    said_s: float
    newest: int = 0
    seen: set[int] = field(default_factory=set)
    ids: dict[int, int] = field(default_factory=dict)
    expected: dict[int, int] = field(default_factory=lambda: {0: 0, 1: 0, 2: 0, 3: 0})
    early: dict[tuple[int, int], Message] = field(default_factory=dict)
    pieces: dict[int, dict[int, Message]] = field(default_factory=dict)
    queue: list[Message] = field(default_factory=list)
    under_way: dict[int, tuple[float, list[Message]]] = field(default_factory=dict)
    held: list[tuple[float, Message]] = field(default_factory=list)  # until BUSY's time
    backoff_s: float = 0.2
    measured: bool = False
    owes_s: float = math.inf
    owed: int = 0
    asked: bool = False
    bucket: dict[int, tuple[float, float, float, float]] = field(default_factory=dict)
    epoch: int = 0
    closed_s: float | None = None  # we closed
    last_close_s: float = -math.inf
    reason: int = 0
    chat_s: float = 0.0
    phase_s: float = -math.inf
    spare: int = 0
    before: tuple[int, float] = (0, math.inf)  # the number before, and until when it is taken


class TalkingClient:
    """A client that is connected. `fault` names what it does wrong."""

    def __init__(self, fault: str = "") -> None:
        self.fault = fault
        self.is_over = False
        self.now = 1000.0
        self._out: list[Reply] = []
        self.network: str | None = None  # where it is

    def has(self, *faults: str) -> bool:
        return self.fault in faults

    def _limit(self, connection: Connection, limits: tuple[layout.Limit, ...]) -> None:
        if not self.has("no-limits"):
            connection.bucket = {
                one.type: (float(one.burst), self.now, float(one.burst), one.per_minute / 66)
                for one in limits
            }

    def _send(self, datagram: bytes) -> None:
        self._out.append((datagram, self.network))

    def _may(self, connection: Connection, kind: int) -> bool:
        if kind not in connection.bucket:
            return True
        left, at_s, burst, per_s = connection.bucket[kind]
        left = min(burst, left + (self.now - at_s) * per_s)
        connection.bucket[kind] = (left - (left >= 1), self.now, burst, per_s)
        return left >= 1

    def _say(self, connection: Connection, message: Message) -> None:
        """With the next id of its channel."""
        identity = connection.ids.get(message.channel, 0)
        connection.ids[message.channel] = (identity + (500 if self.has("ids-jump") else 1)) & 0xFFFF
        if self.has("ids-ahead"):
            connection.ids[message.channel] += 100
        channel = 0 if self.has("heartbeat-channel") and message.type == bodies.HEARTBEAT else message.channel
        connection.queue.append(Message(message.type, message.body, channel, identity))
        connection.said_s = self.now

    # ------------------------------------------------------------ sealed datagrams

    def _sealed(self, connection: Connection, datagram: bytes, header: Header) -> None:
        if header.kind in layout.FROM_CLIENT - {Kind.DATA, Kind.CLOSE, Kind.PROBE}:
            return
        if header.kind in (Kind.CLOSE, Kind.PATH_CHALLENGE) and len(datagram) != 36:
            return
        if header.kind in (Kind.DATA, Kind.PROBE) and len(datagram) < 40:
            return
        traffic = connection.traffic
        if not self._is_taken(connection, header.session):
            return
        found = traffic.open(datagram, header)
        if found is None:
            self.is_over = self.has("dies-of-forgeries")
            return
        counter, phase, secret = found
        if phase < traffic.heard_phase and (self.now - connection.phase_s > 3 or self.has("forgets-phase")):
            return
        window = {"window-short": 100, "window-long": 10_000}.get(self.fault, 256)
        old = counter <= connection.newest - window
        if old or (counter in connection.seen and not self.has("takes-replays")):
            return
        connection.newest = max(connection.newest, counter)
        connection.seen.add(counter)
        if connection.closed_s is not None:
            self._close_again(connection)
            return
        connection.heard_s = self.now
        if phase > traffic.heard_phase:
            if self.has("one-update") and phase > 1:
                return
            traffic.heard_phase, connection.phase_s = phase, self.now
            if not self.has("keeps-phase"):
                traffic.phase = phase
        self._opened(connection, header.kind, secret, counter)

    # ------------------------------------------------------------ numbers

    def _is_taken(self, connection: Connection, number: int) -> bool:
        before, until_s = connection.before
        if number == before:
            return (self.now < until_s or self.has("keeps-before")) and not self.has("drops-before")
        if before and number == connection.traffic.session:
            connection.before = before, min(until_s, self.now + 3)
            return not self.has("drops-spare")
        return True

    def _given(self, connection: Connection, body: bytes) -> None:
        spare, *offset = struct.unpack("<III", body)
        if self.has("uses-number"):
            connection.traffic.session = connection.spare
        if connection.spare and self.has("keeps-spare"):
            return
        connection.spare = spare
        connection.traffic.offsets[spare] = (offset[0], offset[1])

    def _moves(self, connection: Connection) -> None:
        if self.has("stays"):
            return
        traffic = connection.traffic
        self.network = f"after {self.network}"
        connection.owes_s = self.now
        if self.has("keeps-number"):
            return
        if connection.spare or self.has("writes-zero"):
            connection.before = traffic.session, math.inf
            traffic.session, connection.spare = connection.spare, 0
        elif self.has("goes-back"):
            traffic.session = min(traffic.offsets.keys() - {0})
        if self.has("forgets-offset"):
            traffic.offsets[traffic.session] = 0, traffic.offsets[traffic.session][1]

    def _opened(self, connection: Connection, kind: int, secret: bytes, counter: int) -> None:
        traffic = connection.traffic
        if kind == Kind.CLOSE:
            reason = secret[0]
            fault = "ignores-unknown-close" if reason < 128 else "ignores-kicks"
            if self.has("ignores-close") or (reason > 9 and self.has(fault)):
                return
            self.is_over = True
        elif kind == Kind.PATH_CHALLENGE:
            traffic.taken.add(counter)
            token = bytes(8) if self.has("path-token") else secret
            self._send(traffic.seal(Kind.PATH_RESPONSE, token))
        elif kind == Kind.PROBE and (not any(secret) or self.has("takes-probes")):
            traffic.taken.add(counter)
            if not self.has("no-probe-ack"):
                self._data(connection)
        elif kind == Kind.DATA:
            self._data_came(connection, secret, counter)

    def _data_came(self, connection: Connection, secret: bytes, counter: int) -> None:
        try:
            data = layout.read_data(secret)
        except layout.BrokenMessageError:
            if not self.has("forgives"):
                self._close(connection, 7)
            return
        if (data.wants & 0xFE or data.reserved) and not self.has("takes-wants"):
            return
        if any(one.type == bodies.BUSY for one in data.messages):
            self._heed(connection, data)
        self._heed_acknowledgement(connection, data)
        if self.has("skips-datagrams") and any(one.type == bodies.UNKNOWN for one in data.messages):
            data = Data(data.ack, data.ack_bits, wants=1)
        if self.has("at-most-49") and len(data.messages) > 49:
            return
        refused = 0
        for message in data.messages:
            refused = refused or self._message(connection, message)
            if connection.closed_s is not None:
                return
        if refused and not self.has("no-busy"):
            said = bodies.busy(counter, refused, data.messages[0].type, 100)
            connection.queue.append(Message(bodies.BUSY, said))
        if not refused:
            connection.traffic.taken.add(counter)
        if data.messages or self.has("acks-acks"):
            connection.owed += 1
            connection.owes_s = min(connection.owes_s, self.now + (6.5 if self._is_slow() else 0.02))
            at_once = data.wants & 1 or (connection.owed >= 16 and not self.has("acks-one-of-many"))
            if (at_once and not self.has("ignores-wants")) or connection.queue or self.has("acks-acks"):
                self._data(connection)

    def _is_slow(self) -> bool:
        return self.has("acks-late", "ignores-wants", "acks-one-of-many")

    def _heed_acknowledgement(self, connection: Connection, data: Data) -> None:
        sent = connection.traffic.counter
        believes = self.has("believes-any-ack")
        if data.ack > sent and not believes:
            return
        named = set(layout.named(data.ack, data.ack_bits)) if data.ack <= sent else set(range(sent + 1))
        for one in named & connection.under_way.keys():
            connection.measured = True
            if not self.has("forgets-acks"):
                del connection.under_way[one]
                connection.backoff_s = 0.2

    def _heed(self, connection: Connection, data: Data) -> None:
        for message in data.messages:
            if message.type != bodies.BUSY or len(message.body) != 8 or self.has("ignores-busy"):
                continue
            counter, _, _, retry_ms = struct.unpack("<IBBH", message.body)
            if counter in connection.under_way:
                _, messages = connection.under_way.pop(counter)
                if not self.has("drops-busy"):
                    connection.held += [(self.now + retry_ms / 1000, one) for one in messages]
            elif self.has("dies-of-busy"):
                self.is_over = True

    def _message(self, connection: Connection, message: Message) -> int:
        """Why it is refused; 0: it is not."""
        if message.type == bodies.PING and len(message.body) == 4 and not message.compressed:
            if not self.has("no-pong"):
                connection.queue.append(Message(bodies.PONG, message.body))
            return 0
        if message.type == bodies.UNKNOWN and self.has("unknown-closes"):
            self._close(connection, 7)
            return 0
        if message.type in bodies.GAME and message.type > 127 and self.has("games-own-closes"):
            self._close(connection, 7)
            return 0
        if message.type == bodies.RESTARTED:
            self._restarted(connection, message.body)
            return 0
        if message.id is None:
            self._deliver(connection, message)
            return 0
        expected = connection.expected[message.channel]
        ahead = (message.id - expected) & 0xFFFF
        if ahead >= 32768 or (message.channel, message.id) in connection.early:
            if self.has("refuses-behind"):
                return 4
            return 0
        if ahead > 255 and not self.has("takes-far"):
            return 4
        connection.early[message.channel, message.id] = message
        while (message.channel, expected) in connection.early:
            self._arrived(connection, connection.early[message.channel, expected])
            expected += 1
        connection.expected[message.channel] = expected
        return 0

    def _restarted(self, connection: Connection, body: bytes) -> None:
        epoch, *numbers = struct.unpack("<H4H32s4H", body)
        if self.has("ignores-restarted") or (epoch == connection.epoch and not self.has("restarts-again")):
            return
        connection.epoch = epoch
        next_in, next_out = numbers[:4], numbers[5:]
        if not self.has("says-it-again"):
            for counter, (at, messages) in list(connection.under_way.items()):
                left = [one for one in messages if (one.id or 0) >= next_in[one.channel]]
                connection.under_way[counter] = (at, left)
            connection.queue = [
                one for one in connection.queue if one.id is None or one.id >= next_in[one.channel]
            ]
        connection.early.clear()
        connection.expected = dict(enumerate(next_out))

    def _arrived(self, connection: Connection, message: Message) -> None:
        if not message.piece:
            self._deliver(connection, message)
            return
        index, count = layout.piece_of(message)
        parts = connection.pieces.setdefault(message.channel, {})
        if any(layout.piece_of(one)[1] != count for one in parts.values()) or (
            index < count - 1 and len(message.body) != 462
        ):
            if not self.has("forgives-pieces"):
                self._close(connection, 7)
            return
        if self.has("never-joins"):
            self._close(connection, 7)
            return
        parts[index] = message
        if len(parts) == count:
            connection.pieces.pop(message.channel)

    def _deliver(self, connection: Connection, message: Message) -> None:
        body: bytes | None = message.body
        if message.compressed:
            body = bodies.expand(message.body) if message.type in bodies.COMPRESSIBLE else None
        if body is None or bodies.what_is_wrong(message.type, body):
            if self.has("bad-body-closes") or (self.has("bad-stream-closes") and message.compressed):
                self._close(connection, 7)
            return
        if message.type == bodies.LIMITS and not self.has("keeps-limits"):
            self._limit(connection, layout.read_limits(body[4:], struct.unpack_from("<H", body, 2)[0]))
        if message.type == bodies.NUMBER:
            self._given(connection, message.body)
        if message.type == bodies.CHAT + bodies.EVENT and ANOTHER_NETWORK.encode() in message.body:
            self._moves(connection)

    # ------------------------------------------------------------ DATA out

    def _data(self, connection: Connection) -> None:
        traffic = connection.traffic
        room = traffic.size - 100
        window = 100 if self.has("burst", "no-window") else 32 if connection.measured else 4
        queue = connection.queue
        if self.has("no-window", "burst") and queue:
            for message in queue:
                self._datagram(connection, [message])
            queue.clear()
        messages: list[Message] = []
        while queue and room >= len(queue[0].body) + 6 and len(messages) < 50:
            if len(connection.under_way) >= window and queue[0].id is not None:
                break
            messages.append(queue.pop(0))
            room -= len(messages[-1].body) + 6
        if messages or not math.isinf(connection.owes_s) or not queue:
            self._datagram(connection, messages)
        if queue and len(connection.under_way) >= window:
            connection.chat_s = self.now  # no room: later

    def _seal_data(self, connection: Connection, said: Data, rest: bytes) -> bytes:
        traffic, number = connection.traffic, connection.traffic.session
        if self.has("mixes-numbers") and not said.messages and connection.before[0]:
            traffic.session = connection.before[0]
        datagram = traffic.seal(Kind.DATA, said.pack(rest))
        traffic.session = number
        return datagram

    def _datagram(self, connection: Connection, messages: list[Message]) -> None:
        traffic = connection.traffic
        connection.owes_s = math.inf
        kept = self.has("acks-one-of-many") and connection.owed > 20
        connection.owed = 0
        said = traffic.acknowledgement(messages=tuple(messages))
        if kept:
            said = Data(said.ack, 0, 0, 0, 0, tuple(messages))
        if self.has("acks-unsent"):
            said = Data(said.ack + 1000, said.ack_bits, 0, 0, 0, tuple(messages))
        if self.has("delay-wrong"):
            said = Data(said.ack, said.ack_bits, 60_000, 0, 0, tuple(messages))
        if self.has("data-reserved"):
            said = Data(said.ack, said.ack_bits, 0, 2, 1, tuple(messages))
        rest = b"\1" if self.has("messages-cut") else b""
        if self.has("body-wrong"):
            rest = Message(bodies.MOVE, b"x").pack()
        if self.has("long-piece"):
            rest = Message(bodies.BULK, bodies.bulk(0, bytes(600)), 2, 0).pack()
        if self.has("too-long"):
            rest = Message(127, bytes(1400 - 100)).pack()
        if self.has("counter-jumps"):
            traffic.counter += 20
        datagram = self._seal_data(connection, said, rest)
        if self.has("tag-wrong"):
            datagram = datagram[:-1] + bytes([datagram[-1] ^ 1])
        if self.has("header-session"):
            datagram = datagram[:4] + b"\1\2\3\4" + datagram[8:]
        if self.has("counter-repeats") and traffic.counter > 3:
            traffic.counter -= 1
        self._send(datagram)
        reliable = [one for one in messages if one.id is not None]
        if reliable:
            connection.under_way[traffic.counter] = (self.now, reliable)

    def _close(self, connection: Connection, reason: int) -> None:
        connection.closed_s, connection.reason = self.now, 9 if self.has("close-reason") else reason
        connection.last_close_s = self.now
        zeros = [1] * 7 if self.has("close-reserved") else [0] * 7
        self._send(connection.traffic.seal(Kind.CLOSE, bytes([connection.reason, *zeros])))

    def _close_again(self, connection: Connection) -> None:
        if self.now - (connection.closed_s or 0) > 3 or self.has("closes-once"):
            return
        if self.now - connection.last_close_s >= 0.1 or self.has("closes-always"):
            connection.last_close_s = self.now
            self._send(connection.traffic.seal(Kind.CLOSE, bytes([connection.reason, *bytes(7)])))
