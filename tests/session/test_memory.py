# SPDX-License-Identifier: BSD-3-Clause
"""Accounts that fill a worker's memory with messages that never are complete: others lose nothing."""

from __future__ import annotations

import struct

import pytest

from pyshim.plan import ListenerPolicy, Policy
from pyshim.protocol.client.outgoing import Outgoing, Priority
from pyshim.protocol.session_bodies import bulk_body
from pyshim.protocol.session_wire import MESSAGE_HEAD_BYTES, PIECE_BYTES, MessageType
from tests.session.attack import MIB, join
from tests.session.core_gateway import NO_LIMITS, CoreGateway, plan
from tests.session.internet import Internet
from tests.session.model_world import say, texts
from tests.session.raw_player import RawPlayer

ACCOUNTS = 257
MEMORY_MIB = 64
PIECES = 143  # of 144
IN_ONE = 2  # pieces of a datagram of 1,000 bytes


def piece(channel: int, index: int) -> bytes:
    """One of a message of 144 pieces, whose ids begin with 0."""
    flags = 2 | 4 | channel << 4 | 2 << 6
    head = struct.pack("<BBHH", MessageType.BULK, flags, 4 + PIECE_BYTES, index)
    assert len(head) == MESSAGE_HEAD_BYTES + 2
    return head + struct.pack("<HH", index, 144) + bytes(PIECE_BYTES)


def attack(gateway: CoreGateway, now: float, *, in_order: bool) -> list[RawPlayer]:
    """Each sends all pieces but one on every channel that joins them: the last is missing, or the first."""
    attackers = []
    for account in range(ACCOUNTS):
        attacker = RawPlayer(gateway, gateway.issue(1000 + account), 1000 + account, now, max_datagram=1000)
        attacker.connect()
        attackers.append(attacker)
    first = 0 if in_order else 1
    for at in range(first, first + PIECES, IN_ONE):
        for channel in range(3):
            pieces = b"".join(piece(channel, index) for index in range(at, min(at + IN_ONE, first + PIECES)))
            for chunk in range(0, ACCOUNTS, 64):
                some = attackers[chunk : chunk + 64]
                gateway.burst([one.address for one in some], [one.quick(pieces) for one in some], now)
    return attackers


@pytest.mark.parametrize("in_order", [True, False], ids=["the last is missing", "the first is missing"])
def test_257_accounts_with_pieces_that_never_complete_cost_others_nothing(in_order: bool) -> None:
    limits = Policy(30 * 10**9, 0, 1, (ListenerPolicy(0, 1),), NO_LIMITS)
    with CoreGateway(plan(limits, issued_capacity=512, message_memory_mib=MEMORY_MIB)) as gateway:
        internet = Internet(gateway)
        alice, bob = join(internet, gateway.issue(7)), join(internet, gateway.issue(8))
        attack(gateway, internet.now, in_order=in_order)
        assert gateway.stats().messages.memory_used <= MEMORY_MIB * MIB // 2 + MIB
        data = internet.random.randbytes(65_528)
        bulk = Outgoing.reliable(MessageType.BULK, bulk_body(8, data), Priority.BULK, 2)
        alice.session.send(bulk, internet.now)
        deliveries = []
        for number in range(100):
            deliveries.append(say(internet, alice, f"{number}", to=8))
            internet.run(0.01)
        assert internet.run(10, lambda: all(delivery.done for delivery in deliveries))
        assert internet.run(20, lambda: bulk.delivery is not None and bulk.delivery.done)
        internet.run(1)
        assert texts(bob) == [f"{number}" for number in range(100)]
        assert [event.data for event in bob.heard if getattr(event, "data", None)] == [data]
        assert not any(gateway.stats().messages.lost.values())
        gateway.expire(internet.now + 6)
        assert gateway.stats().messages.memory_used < MIB  # what made no progress for 5 s is given back
