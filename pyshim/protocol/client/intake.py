# SPDX-License-Identifier: BSD-3-Clause
"""What comes in: every reliable message once, in the order of its channel; and what was taken so far."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from pyshim.protocol.client.compression import expand
from pyshim.protocol.client.fragments import Reassembly
from pyshim.protocol.session_bodies import check_body
from pyshim.protocol.session_control import Restarted
from pyshim.protocol.session_wire import (
    CHANNEL_WINDOW,
    CHANNELS,
    UNORDERED,
    WANTS_ANSWER,
    BusyReason,
    Message,
    MessageType,
    Prefix,
    WireError,
    ack_delay,
)

ACKNOWLEDGE_AT = 16  # datagrams that wait for it: one names 33
_ACK_BITS = 32


@dataclass(frozen=True, slots=True)
class Whole:
    """A message as it was said."""

    type: int
    body: bytes
    channel: int
    reliable: bool
    priority: int = 0


@dataclass(slots=True)
class Taken:
    """What came of a datagram."""

    whole: list[Whole] = field(default_factory=list)
    skipped: int = 0  # that were not understood
    refused: BusyReason | None = None  # of the first that was: the datagram is not taken
    refused_type: int = 0
    blocked: set[int] = field(default_factory=set)  # channels on which one was


def _ahead(message_id: int, expected: int) -> int:
    """How far ahead of the oldest that is missing; negative: it was delivered."""
    return ((message_id - expected + 0x8000) & 0xFFFF) - 0x8000


@dataclass(slots=True)
class _Channel:
    expected: int = 0  # oldest id not received
    held: dict[int, Message | None] = field(default_factory=dict)  # ahead of it; None: nothing to deliver
    reassembly: Reassembly = field(default_factory=Reassembly)


class Intake:
    """The receiving half of a connection's messages."""

    def __init__(self, allowed: frozenset[int], hold_bytes: int) -> None:
        """Nothing was received. `allowed`: the types that come this way."""
        self._allowed = allowed
        self._hold_bytes = hold_bytes
        self._channels = tuple(_Channel() for _ in range(CHANNELS))
        self._held_bytes = 0

    @property
    def held_bytes(self) -> int:
        """What waits for a message before it, and what is being joined."""
        return self._held_bytes + sum(channel.reassembly.held_bytes for channel in self._channels)

    def take(self, messages: list[Message], *, has_room: bool = True) -> Taken:
        """Take each message of a datagram that is new and understood; `has_room`: the game takes messages.

        Raises:
            ViolationError: the peer broke a rule that only shows when it is a message's turn.
        """
        taken = Taken()
        for message in messages:
            if message.message_id is None:
                self._take_unreliable(message, taken, has_room=has_room)
            else:
                self._take_reliable(message, message.message_id, taken, has_room=has_room)
        return taken

    def _take_unreliable(self, message: Message, taken: Taken, *, has_room: bool) -> None:
        whole = self._whole(message)
        if whole is None:
            taken.skipped += 1
        elif has_room or whole.type <= MessageType.WORLD_STATE:
            taken.whole.append(whole)

    def _take_reliable(self, message: Message, message_id: int, taken: Taken, *, has_room: bool) -> None:
        channel = self._channels[message.channel]
        ahead = _ahead(message_id, channel.expected)
        if ahead < 0 or message_id in channel.held:
            return
        refused = None
        if message.channel in taken.blocked:
            refused = taken.refused
        elif ahead >= CHANNEL_WINDOW:
            refused = BusyReason.ORDER
        elif not has_room:
            refused = BusyReason.RECEIVER
        elif ahead and message.channel != UNORDERED and self._is_too_much(message):
            refused = BusyReason.SESSION_MEMORY
        if refused is not None:
            taken.blocked.add(message.channel)
            if taken.refused is None:
                taken.refused, taken.refused_type = refused, message.type
            return
        self._receive(channel, message_id, message, taken)

    def _is_too_much(self, message: Message) -> bool:
        return self._held_bytes + len(message.body) > self._hold_bytes

    def _receive(self, channel: _Channel, message_id: int, message: Message, taken: Taken) -> None:
        kept: Message | None = message
        if message.piece is None or message.type not in self._allowed:
            whole = self._whole(message)
            if whole is None:
                taken.skipped += 1
                kept = None
            elif message.channel == UNORDERED:
                taken.whole.append(whole)
                kept = None
            else:
                kept = replace(message, body=whole.body, compressed=False)
        channel.held[message_id] = kept
        self._held_bytes += 0 if kept is None else len(kept.body)
        while channel.expected in channel.held:
            turn = channel.held.pop(channel.expected)
            channel.expected = (channel.expected + 1) & 0xFFFF
            if turn is not None:
                self._held_bytes -= len(turn.body)
                self._deliver(channel, turn, taken)

    def _deliver(self, channel: _Channel, message: Message, taken: Taken) -> None:
        joined = channel.reassembly.feed(message)
        if joined is None:
            return
        whole = self._whole(joined)
        if whole is None:
            taken.skipped += 1
        else:
            taken.whole.append(whole)

    def _whole(self, message: Message) -> Whole | None:
        """Expanded and checked; None: it is not understood."""
        try:
            body = expand(message.type, message.body) if message.compressed else message.body
            check_body(message.type, body, self._allowed)
        except WireError:
            return None
        return Whole(
            message.type, body, message.channel, message.message_id is not None, min(message.priority, 2)
        )

    def restarted(self, restarted: Restarted) -> list[int]:
        """The gateway forgot what it said: go on where it does; returns how many are lost, by channel."""
        lost = []
        for number, channel in enumerate(self._channels):
            expected = (channel.expected - channel.reassembly.pieces) & 0xFFFF
            missing = max(0, _ahead(restarted.next_out[number], expected))
            if number == UNORDERED:
                missing -= sum(_ahead(message_id, expected) < missing for message_id in channel.held)
            lost.append(missing)
            self._channels[number].expected = restarted.next_out[number]
            channel.held.clear()
            channel.reassembly = Reassembly()
        self._held_bytes = 0
        return lost


class Acknowledgements:
    """Which datagrams were taken, and by when the peer is to know."""

    def __init__(self, delay_s: float) -> None:
        """None yet."""
        self._delay_s = delay_s
        self._newest = 0
        self._came_at = 0.0  # the newest
        self._bits = 0
        self._waiting = 0
        self.due = float("inf")

    def take(self, counter: int, now: float) -> None:
        """A datagram was opened and, if it has messages, they were taken."""
        age = self._newest - counter
        if age < 0:
            before = self._bits << 1 | 1 if self._newest else 0
            self._bits = (before << min(-age - 1, _ACK_BITS)) & ((1 << _ACK_BITS) - 1)
            self._newest, self._came_at = counter, now
        elif 0 < age <= _ACK_BITS:
            self._bits |= 1 << (age - 1)

    def owe(self, now: float, *, at_once: bool) -> None:
        """The one just taken has messages: it wants to be acknowledged."""
        self._waiting += 1
        soon = at_once or self._waiting >= ACKNOWLEDGE_AT
        self.due = min(self.due, now if soon else now + self._delay_s)

    def prefix(self, now: float, *, wants_answer: bool = False) -> Prefix:
        """What a DATA that leaves now acknowledges."""
        self._waiting = 0
        self.due = float("inf")
        wants = WANTS_ANSWER if wants_answer else 0
        return Prefix(self._newest, self._bits, ack_delay(now - self._came_at), wants)
