# SPDX-License-Identifier: BSD-3-Clause
"""What comes in: every reliable message once, in the order of its channel; and what was taken so far."""

from __future__ import annotations

from dataclasses import dataclass, field

from pyshim.protocol.client.compression import expand
from pyshim.protocol.client.fragments import Reassembly, ViolationError
from pyshim.protocol.session_wire import (
    CHANNEL_WINDOW,
    CHANNELS,
    UNORDERED,
    WANTS_ANSWER,
    Message,
    MessageType,
    Prefix,
    WireError,
    ack_delay,
    check_body,
)

ACKNOWLEDGE_AT = 16  # datagrams that wait for it: one names 33
_ACK_BITS = 32


class NoRoomError(Exception):
    """Too much waits already; the datagram is not taken, and its messages come again."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A message as it was said."""

    type: int
    body: bytes
    channel: int
    reliable: bool


def _ahead(message_id: int, expected: int) -> int:
    """How far ahead of the oldest that is missing; negative: it was delivered."""
    return ((message_id - expected + 0x8000) & 0xFFFF) - 0x8000


@dataclass(slots=True)
class _Channel:
    expected: int = 0  # oldest id not received
    held: dict[int, Message | None] = field(default_factory=dict)  # ahead of it; None: delivered already
    reassembly: Reassembly = field(default_factory=Reassembly)


class Intake:
    """The receiving half of a connection's messages."""

    def __init__(self, allowed: frozenset[MessageType], hold_bytes: int) -> None:
        """Nothing was received. `allowed`: the types that come this way."""
        self._allowed = allowed
        self._hold_bytes = hold_bytes
        self._channels = tuple(_Channel() for _ in range(CHANNELS))
        self._held_bytes = 0

    @property
    def held_bytes(self) -> int:
        """What waits for a message before it, and what is being joined."""
        return self._held_bytes + sum(channel.reassembly.held_bytes for channel in self._channels)

    def admit(self, messages: list[Message]) -> list[Message]:
        """May all of a datagram's messages be taken? Expanded and checked, for `take`; nothing is changed.

        Raises:
            WireError: one of them cannot be.
            NoRoomError: too much would have to wait.
        """
        admitted = []
        waiting = 0
        for message in messages:
            ahead = self._ahead(message)
            whole = message
            if message.piece is None:
                whole = _expanded(message)
                check_body(whole.type, whole.body, self._allowed)
            elif message.type not in self._allowed:
                raise WireError(f"message type {message.type} is not one that comes this way")
            if ahead > 0 and message.channel != UNORDERED:
                waiting += len(whole.body)  # as it is held
            admitted.append(whole)
        if waiting and self._held_bytes + waiting > self._hold_bytes:
            raise NoRoomError
        return admitted

    def _ahead(self, message: Message) -> int:
        """How far a message is ahead of the oldest missing one of its channel; 0 if it is not reliable.

        Raises:
            WireError: further than it can be.
        """
        if message.message_id is None:
            return 0
        expected = self._channels[message.channel].expected
        ahead = _ahead(message.message_id, expected)
        if ahead >= CHANNEL_WINDOW:
            raise WireError(f"id {message.message_id}, when {expected} is the oldest missing")
        return ahead

    def take(self, admitted: list[Message]) -> list[Whole]:
        """The messages of an admitted datagram that are new and whose turn it is.

        Raises:
            ViolationError: the peer broke a rule that only shows when it is a message's turn.
        """
        taken: list[Whole] = []
        for message in admitted:
            if message.message_id is None:
                taken.append(_whole(message))
                continue
            channel = self._channels[message.channel]
            if _ahead(message.message_id, channel.expected) >= 0 and message.message_id not in channel.held:
                self._receive(channel, message, taken)
        return taken

    def _receive(self, channel: _Channel, message: Message, taken: list[Whole]) -> None:
        assert message.message_id is not None
        if message.channel == UNORDERED:
            taken.append(_whole(message))
            channel.held[message.message_id] = None
        else:
            channel.held[message.message_id] = message
            self._held_bytes += len(message.body)
        while channel.expected in channel.held:
            turn = channel.held.pop(channel.expected)
            channel.expected = (channel.expected + 1) & 0xFFFF
            if turn is not None:
                self._held_bytes -= len(turn.body)
                self._deliver(channel, turn, taken)

    def _deliver(self, channel: _Channel, message: Message, taken: list[Whole]) -> None:
        whole = channel.reassembly.feed(message)
        if whole is None:
            return
        if message.piece is not None:
            try:
                whole = _expanded(whole)
                check_body(whole.type, whole.body, self._allowed)
            except WireError as error:
                raise ViolationError(f"joined: {error}") from error
        taken.append(_whole(whole))


def _expanded(message: Message) -> Message:
    if not message.compressed:
        return message
    body = expand(message.type, message.body)
    return Message(message.type, body, message.channel, message.message_id)


def _whole(message: Message) -> Whole:
    return Whole(message.type, message.body, message.channel, message.message_id is not None)


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
