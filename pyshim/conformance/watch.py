# SPDX-License-Identifier: BSD-3-Clause
"""What is checked of every datagram that the other end sends, whatever the scenario."""

from __future__ import annotations

from collections.abc import Mapping

from pyshim.conformance import bodies, layout
from pyshim.conformance.checks import Check, Verdicts
from pyshim.conformance.layout import Kind, Message
from pyshim.conformance.loop import Arrival
from pyshim.conformance.peer import Heard, Peer, Traffic, Watcher

HEADER = Check(
    "header",
    "2",
    "Every datagram begins with its kind, length and session, and no flag or counter that is not its own",
)
LENGTH = Check(
    "length", "2", "Every kind has its length; DATA has at most what the handshake or a PROBE proved"
)
OPENS = Check(
    "opens", "5", "What is sealed opens with the connection's keys, under the counter of its header"
)
COUNTER_ONCE = Check(
    "counter-once",
    "5",
    "No counter is sent twice under the same keys, but for a CLOSE that is the same datagram",
)
COUNTER_FIRST = Check(
    "counter-next", "5", "Counters begin at 1 and go up by one in each sealed datagram that follows"
)
ACKS = Check(
    "acknowledges-received", "5", "ack and ack_bits name only what was sent to their sender and came"
)
ACK_DELAY = Check(
    "ack-delay", "5", "ack_delay is no longer than the time since the datagram that ack names was sent"
)
DATA_ZEROS = Check("data-zeros", "5", "Of wants only bit 0 is set, and the reserved byte of DATA is 0")
SEALED_ZEROS = Check("sealed-zeros", "9", "The reserved bytes of CLOSE and the bytes of a PROBE are 0")
MESSAGES = Check("messages", "14", "What lies in DATA are whole messages, at most 50, with flags that can be")
BODIES = Check("bodies", "14", "A message is of a type of its direction, with a body that its type allows")
IDS = Check(
    "message-ids", "6", "Ids of a channel begin at 0 and go up by one; a repeated id is the same message"
)
UNRELIABLE = Check(
    "reliable-types",
    "14",
    "HEARTBEAT, LIMITS and NUMBER are reliable on channel 3; BUSY, PING and PONG are not",
)
PIECES = Check(
    "pieces", "14", "A reliable body of more than 458 bytes goes in pieces of 458, with ids in a row"
)

EVERY_DATAGRAM = (
    HEADER,
    LENGTH,
    OPENS,
    COUNTER_ONCE,
    COUNTER_FIRST,
    ACKS,
    ACK_DELAY,
    DATA_ZEROS,
    SEALED_ZEROS,
    MESSAGES,
    BODIES,
    IDS,
    UNRELIABLE,
    PIECES,
)

_LENGTHS: Mapping[int, tuple[int, int]] = {
    Kind.HELLO: (72, 72),
    Kind.CHALLENGE: (68, 68),
    Kind.CONFIRM: (508, 1400),
    Kind.WELCOME: (508, 1400),
    Kind.DATA: (40, 1400),
    Kind.CLOSE: (36, 36),
    Kind.PATH_CHALLENGE: (36, 36),
    Kind.PATH_RESPONSE: (36, 36),
    Kind.DENIED: (48, 48),
    Kind.RESET: (28, 28),
    Kind.PROBE: (40, 1400),
}
_UNKNOWN_DELAY, _DELAY_HZ = 65_535, 16_000
_BOTH_WAYS = frozenset({Kind.DATA, Kind.CLOSE, Kind.PROBE})
_FROM_CLIENT = layout.FROM_CLIENT
_FROM_GATEWAY = frozenset(Kind) - layout.FROM_CLIENT | _BOTH_WAYS
_ON_CHANNEL_3 = frozenset({bodies.HEARTBEAT, bodies.LIMITS, bodies.NUMBER})
_NEVER_RELIABLE = frozenset({bodies.BUSY, bodies.PING, bodies.PONG, bodies.RESTARTED})


class RuleWatch(Watcher):
    """Judges each datagram by itself, and against those before it of the same connection."""

    def __init__(self, verdicts: Verdicts, session: int, *, of_client: bool) -> None:
        """Of a client or of a gateway, that was given the number `session`."""
        self._verdicts = verdicts
        self._numbers = {session}
        self._of_client = of_client
        self._said: dict[int, _Said] = {}  # by connection

    def allow(self, number: int) -> None:
        """A further number of the session."""
        self._numbers.add(number)

    def too_short(self, arrival: Arrival) -> None:
        """Fewer than 12 bytes."""
        self._verdicts.judge(HEADER, False, f"a datagram of {len(arrival.datagram)} bytes came")

    def broken(self, error: layout.BrokenMessageError) -> None:
        """Not messages."""
        self._verdicts.judge(MESSAGES, False, f"{error}")

    def see(self, peer: Peer, heard: Heard) -> None:
        """Judge it."""
        if not self._header_is_right(heard):
            return
        self._length(heard)
        if heard.kind not in layout.SEALED:
            return
        if heard.traffic is None:
            if peer.traffics and not self._is_late(peer, heard):
                self._verdicts.judge(OPENS, False, f"{heard} opens under no keys of a connection")
            return
        self._verdicts.judge(OPENS, True, f"{heard} opened")
        said = self._said.setdefault(id(heard.traffic), _Said())
        said.count(self._verdicts, heard)
        self._sealed(heard, heard.traffic)
        for message in heard.messages:
            self._message(message, heard)
            said.message(self._verdicts, message)

    @staticmethod
    def _is_late(peer: Peer, heard: Heard) -> bool:
        """A WELCOME is opened by who asked for it, which is the handshake's to judge."""
        return heard.kind == Kind.WELCOME or any(traffic.over for traffic in peer.traffics)

    def _header_is_right(self, heard: Heard) -> bool:
        header = heard.header
        wrong = ""
        if header.kind not in (_FROM_CLIENT if self._of_client else _FROM_GATEWAY):
            wrong = f"kind {header.kind}, which does not go this way"
        elif header.length != len(heard.datagram):
            wrong = f"length {header.length} in {len(heard.datagram)} bytes"
        elif header.session not in self._numbers:
            wrong = f"session {header.session}, where {min(self._numbers)} was issued"
        elif header.flags & ~(1 if header.kind in layout.SEALED else 0):
            wrong = f"flags {header.flags:#04x}"
        elif header.kind not in layout.SEALED and header.counter:
            wrong = f"counter {header.counter} in {heard}"
        return self._verdicts.judge(HEADER, not wrong, wrong or f"{heard}: as it should be")

    def _length(self, heard: Heard) -> None:
        least, most = _LENGTHS[heard.kind]
        if heard.kind == Kind.DATA and heard.traffic is not None:
            most = self._proved(heard.traffic)
        holds = least <= len(heard.datagram) <= most
        allowed = f"{least}" if least == most else f"{least} to {most}"
        self._verdicts.judge(LENGTH, holds, f"{heard}; {allowed} are allowed")

    @staticmethod
    def _proved(traffic: Traffic) -> int:
        """What the path may be believed to carry: each PROBE that came was acknowledged."""
        probes = (len(heard.datagram) for heard in traffic.heard if heard.kind == Kind.PROBE)
        return max(traffic.size, *probes, 0)

    def _sealed(self, heard: Heard, traffic: Traffic) -> None:
        if heard.kind in (Kind.CLOSE, Kind.PROBE):
            zeros = heard.secret[1:] if heard.kind == Kind.CLOSE else heard.secret
            self._verdicts.judge(SEALED_ZEROS, not any(zeros), f"{heard} holds {zeros[:16].hex()}")
        if heard.data is None:
            return
        data = heard.data
        self._verdicts.judge(MESSAGES, True, f"{len(data.messages)} whole messages in {heard}")
        self._verdicts.judge(
            DATA_ZEROS,
            not data.wants & 0xFE and not data.reserved,
            f"wants {data.wants}, reserved {data.reserved}",
        )
        never = sorted(set(layout.named(data.ack, data.ack_bits)) - traffic.sent)
        self._verdicts.judge(
            ACKS, not never, f"{heard} acknowledges {never[:8] if never else 'only what it was sent'}"
        )

        sent_s = traffic.sent_s.get(data.ack)
        if sent_s is not None and data.ack_delay != _UNKNOWN_DELAY:
            said_s, passed_s = data.ack_delay / _DELAY_HZ, heard.at_s - sent_s
            self._verdicts.judge(
                ACK_DELAY,
                said_s <= passed_s + 0.005,
                f"{said_s * 1000:.1f} ms are said where {passed_s * 1000:.1f} ms passed",
            )

    def _message(self, message: Message, heard: Heard) -> None:
        name = f"a message of type {message.type}"
        known = bodies.FROM_CLIENT if self._of_client else bodies.FROM_GATEWAY
        new = message.type >= 200 and not self._of_client  # of a later version
        body: bytes | None = message.body
        wrong = "" if message.type in known or new else "which does not go this way"
        if not wrong and message.compressed and message.type not in bodies.COMPRESSIBLE and not new:
            wrong = "compressed, which its type is not"
        if not wrong and message.compressed and not message.piece:
            body = bodies.expand(message.body)
            wrong = "whose compressed body does not expand to what it says" if body is None else ""
        if not wrong and not message.piece:
            wrong = bodies.what_is_wrong(message.type, body or b"")
        self._verdicts.judge(BODIES, not wrong, f"{name}{f': {wrong}' if wrong else ' as its type allows'}")
        if message.type in _ON_CHANNEL_3:
            holds = message.id is not None and message.channel == 3
            self._verdicts.judge(UNRELIABLE, holds, f"{name} on channel {message.channel}, id {message.id}")
        if message.type in _NEVER_RELIABLE:
            self._verdicts.judge(UNRELIABLE, message.id is None, f"{name} with id {message.id}")
        self._cut(message, name, heard)

    def _cut(self, message: Message, name: str, heard: Heard) -> None:
        if message.id is None:
            return
        longest = 462 if message.channel == 3 and not self._of_client else layout.PIECE_BYTES
        if not message.piece:
            self._verdicts.judge(
                PIECES, len(message.body) <= longest, f"{name} of {len(message.body)} bytes in one piece"
            )
            return
        index, count = layout.piece_of(message)
        length = len(message.body) - 4
        holds = length == layout.PIECE_BYTES if index < count - 1 else 1 <= length <= layout.PIECE_BYTES
        self._verdicts.judge(PIECES, holds, f"{name}: piece {index} of {count} has {length} bytes")


class _Said:
    """What one connection's other end has said so far."""

    def __init__(self) -> None:
        self._counters: set[int] = set()
        self._close = b""
        self._messages: dict[tuple[int, int], Message] = {}
        self._highest: dict[int, int] = {}

    def count(self, verdicts: Verdicts, heard: Heard) -> None:
        same = heard.kind == Kind.CLOSE and self._close == heard.datagram
        if heard.kind == Kind.CLOSE:
            self._close = heard.datagram
        if same:
            return
        twice = heard.counter in self._counters
        verdicts.judge(COUNTER_ONCE, not twice, f"counter {heard.counter} {'again' if twice else 'once'}")
        self._counters.add(heard.counter)
        # Datagrams may overtake each other, and a few may be lost; a counter that jumps is neither.
        gap = heard.counter - len(self._counters)
        holds = heard.counter >= 1 and gap <= max(8, len(self._counters) // 2)
        verdicts.judge(
            COUNTER_FIRST, holds, f"counter {heard.counter} in the {len(self._counters)}th datagram that came"
        )

    def message(self, verdicts: Verdicts, message: Message) -> None:
        if message.id is None:
            return
        before = self._messages.get((message.channel, message.id))
        if before is not None:
            verdicts.judge(
                IDS,
                before == message,
                f"id {message.id} of channel {message.channel}: other bytes than before",
            )
            return
        self._messages[message.channel, message.id] = message
        expected = (self._highest.get(message.channel, -1) + 1) & 0xFFFF
        # What is urgent may leave before what was said earlier, within the 256 that may be on their way.
        ahead = (message.id - expected) & 0xFFFF
        ahead = ahead - 65536 if ahead > 32767 else ahead
        verdicts.judge(
            IDS,
            -256 < ahead < 256,
            f"id {message.id} of channel {message.channel}, where {expected} is the next",
        )
        if ahead >= 0:
            self._highest[message.channel] = message.id
