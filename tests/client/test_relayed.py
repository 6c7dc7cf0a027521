# SPDX-License-Identifier: BSD-3-Clause
"""Whoever has a ticket says to others whatever a datagram can hold: it ends nothing of theirs."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from random import Random

import pytest

from pyshim.plan import ListenerPolicy, Policy
from pyshim.protocol.session_wire import PIECE_BYTES, MessageType
from tests.client.c_client import Library
from tests.client.test_outages import Talker, joined
from tests.client.world import World, c
from tests.session.core_gateway import NO_LIMITS, CoreGateway, plan
from tests.session.raw_player import RawPlayer
from tests.session.test_ticket_holder import Holder

DATAGRAMS = 4000
RELIABLE, COMPRESSED, FRAGMENT = 2, 1, 4
UNORDERED = 3


@pytest.fixture
def gateway() -> Iterator[CoreGateway]:
    limits = Policy(30 * 10**9, 0, 1, (ListenerPolicy(0, 1),), NO_LIMITS)
    with CoreGateway(plan(limits, issued_capacity=64, message_memory_mib=64)) as it:
        yield it
        it.check_books()


class Speaker:
    """Bodies of every type, right and wrong, under flags of every kind; ids that follow."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.ids = [0] * 4

    def body(self, kind: int, target: int) -> bytes:
        random = self.random
        size = random.choice([0, 1, 4, 20, 100, random.randrange(400)])
        some = random.randbytes(size)
        if random.random() < 0.3:
            return some
        text = "ä\0\ufeff☃".encode() * (size // 8) or b"a"
        right: dict[int, bytes] = {
            MessageType.ATTACK: struct.pack("<II", target, 1)
            + random.choice([bytes(12), random.randbytes(12)]),
            MessageType.CHAT: struct.pack("<IBBH", target, 1, random.random() < 0.1, len(text)) + text,
            MessageType.SKILL: struct.pack("<II", 1, target),
            MessageType.BULK: struct.pack("<I", target) + some,
        }
        return right.get(kind, some)

    def message(self, target: int) -> bytes:
        random = self.random
        kind = random.choice([2, 3, 5, 7, 7, 10, 11, 13, 64, 199, 202, 203, 205, 206, 207, 208])
        channel = random.randrange(4) if random.random() < 0.8 else 0
        reliable = channel != 0 or random.random() < 0.5
        flags = random.randrange(4) << 6 | (RELIABLE | channel << 4 if reliable else 0)
        body = self.body(kind, target)
        if random.random() < 0.2:
            flags |= COMPRESSED
            packed = zlib.compress(body)
            length = len(body) + (random.random() < 0.2)
            body = struct.pack("<I", length) + packed[: len(packed) - (random.random() < 0.1)]
        return self.head(kind, flags, channel, len(body)) + body

    def pieces(self, target: int) -> list[bytes]:
        """A whole of several pieces, of a type that may be so or not."""
        random = self.random
        kind, channel = random.choice([2, 3, 7, 7, 130, 206]), random.randrange(3)
        body = struct.pack("<I", target) + random.randbytes(random.randrange(PIECE_BYTES, 4000))
        flags = random.randrange(4) << 6 | RELIABLE | FRAGMENT | channel << 4
        cut = [body[at : at + PIECE_BYTES] for at in range(0, len(body), PIECE_BYTES)]
        return [
            self.head(kind, flags, channel, 4 + len(part)) + struct.pack("<HH", index, len(cut)) + part
            for index, part in enumerate(cut)
        ]

    def head(self, kind: int, flags: int, channel: int, size: int) -> bytes:
        if not flags & RELIABLE:
            return struct.pack("<BBH", kind, flags, size)
        self.ids[channel] += 1
        return struct.pack("<BBHH", kind, flags, size, (self.ids[channel] - 1) & 0xFFFF)


def test_whatever_is_said_to_others_ends_nothing_of_theirs(library: Library, gateway: CoreGateway) -> None:
    world = World(library, gateway)
    talkers: list[Talker] = joined(world, gateway, 2)
    internet, random = world.internet, Random(8)
    raw = RawPlayer(gateway, gateway.issue(9), 9, internet.now, max_datagram=1400)
    raw.connect()
    holder, speaker = Holder(raw), Speaker(random)
    for turn in range(DATAGRAMS):
        target = random.choice([1, 2])
        if turn % 20 == 0:
            datagrams = [holder.data(piece) for piece in speaker.pieces(target)]
        else:
            datagrams = [holder.data(b"".join(speaker.message(target) for _ in range(3)))]
        for datagram in datagrams:
            assert raw.send(datagram)[0] is None
        internet.run(0.01)
        if turn % 100 == 0:
            for one in talkers:
                one.chat(one.number % 2 + 1, internet.now)
    internet.run(5)
    stats = gateway.stats()
    assert (stats.connected, sum(stats.closed.values())) == (3, 0)  # it broke no rule that ends its own
    assert stats.messages.skipped > DATAGRAMS / 4
    assert min(stats.messages.sent[name] for name in ("attack", "chat", "skill", "bulk")) > 100
    assert c(talkers[0].player).statistics().datagrams_refused == 0
    for one in talkers:
        words = [word for word in one.words() if word.isdigit()]
        assert words == [f"{number}" for number in range(talkers[one.number % 2].said)]
        assert not one.was_lost()
