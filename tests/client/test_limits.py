# SPDX-License-Identifier: BSD-3-Clause
"""C clients and the limits of a gateway: they know them, and what is too much at once arrives later."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from pyshim.plan import REQUEST_TYPES, ListenerPolicy
from tests.client.c_client import Library
from tests.client.world import World, c, heard
from tests.session.attack import as_configured, policy
from tests.session.core_gateway import NO_LIMITS, CoreGateway, plan

TRANSFER = bytes(65_528)
OK = 0


@pytest.fixture
def gateway() -> Iterator[CoreGateway]:
    """As whoever configures nothing gets it."""
    with CoreGateway(plan(as_configured())) as it:
        yield it
        it.check_books()


def test_33_words_and_two_transfers_that_compress_arrive_and_nothing_is_refused(
    library: Library, gateway: CoreGateway
) -> None:
    world = World(library, gateway)
    alice = world.connected(7)
    for receipt in range(1, 34):
        assert c(alice).chat(7, f"{receipt}", c(alice).delivery(1, receipt=receipt)) == OK
    for receipt in (34, 35):
        assert c(alice).bulk(7, TRANSFER, c(alice).delivery(2, receipt=receipt, priority=2)) == OK
        assert world.internet.run(30, lambda: (receipt,) in heard(alice, "DELIVERED"))  # noqa: B023
    assert world.internet.run(30, lambda: len(heard(alice, "DELIVERED")) == 35)
    world.internet.run(5)
    assert [text for _, text in heard(alice, "CHAT")] == [f"{number}" for number in range(1, 34)]
    assert heard(alice, "BULK") == [(TRANSFER,)] * 2
    assert heard(alice, "CLOSED") == heard(alice, "LOST") == []
    assert not any(gateway.stats().messages.refused.values())


def test_who_keeps_to_the_limit_of_the_games_own_is_refused_none_of_its_types(library: Library) -> None:
    at = REQUEST_TYPES.index("game")
    pps, burst = [0] * len(REQUEST_TYPES), [1] * len(REQUEST_TYPES)
    pps[at], burst[at] = 1, 6
    delivery = replace(NO_LIMITS, message_pps=tuple(pps), message_burst=tuple(burst))
    with CoreGateway(plan(policy(delivery=delivery))) as gateway:
        world = World(library, gateway)
        alice = world.connected(7)
        said = ((64, 1), (199, 2801), (100, 1401), (65, 0), (66, 1400))  # 1, 3 and 2; 1 and 1 more
        for receipt, (kind, size) in enumerate(said, 1):
            assert c(alice).game(kind, bytes(size), c(alice).delivery(0, receipt=receipt, priority=0)) == OK
        world.internet.run(0.9)
        assert heard(alice, "DELIVERED") == [(1,), (2,), (3,)]
        assert world.internet.run(10, lambda: len(heard(alice, "DELIVERED")) == len(said))
        assert gateway.stats().messages.received["game"] == len(said)
        assert not any(gateway.stats().messages.refused.values())
        gateway.check_books()


def test_who_keeps_to_the_limit_of_datagrams_says_all_of_it_in_fewer(library: Library) -> None:
    limits = replace(policy(), listeners=(ListenerPolicy(0, 1, session_pps=10, session_burst=20),))
    with CoreGateway(plan(limits)) as gateway:
        world = World(library, gateway)
        alice = world.connected(7, receipts=200)
        for receipt in range(1, 101):
            assert c(alice).chat(7, f"{receipt}", c(alice).delivery(1, receipt=receipt, priority=0)) == OK
            assert c(alice).move((1.0, 2.0, 3.0)) == OK
            world.internet.run(0.01)
        assert world.internet.run(30, lambda: len(heard(alice, "DELIVERED")) == 100)
        assert gateway.stats().messages.received["move"] == 100
        assert gateway.stats().dropped["session_rate_limited"] == 0
        gateway.check_books()
