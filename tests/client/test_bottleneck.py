# SPDX-License-Identifier: BSD-3-Clause
"""Bulk over a link of 1 Mbit/s that ten players share, on a clock of its own: what it adds for others.

`pytest -rP` shows the figures.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest

from pyshim.plan import ListenerPolicy, Policy
from pyshim.protocol.session_wire import MessageType, read_data, read_messages
from tests.client.bottleneck import LINK_BITS_PER_S, PLAYERS, added, join, run, say_bulk
from tests.client.c_client import Library
from tests.client.world import World
from tests.session.core_gateway import NO_LIMITS, CoreGateway, plan
from tests.session.internet import Sent
from tests.session.model_gateway import ModelGateway, Seat

ADDED_MS = 50
SECONDS = 5
USED = 0.7  # of the link: who takes nothing adds nothing


@pytest.fixture
def gateways() -> Iterator[list[CoreGateway]]:
    limits = Policy(30 * 10**9, 0, 1, (ListenerPolicy(0, 1),), NO_LIMITS)
    made = [CoreGateway(plan(limits, issued_capacity=64, message_memory_mib=64)) for _ in range(2)]
    yield made
    for gateway in made:
        gateway.close()


@pytest.mark.parametrize("way", ["up", "down"])
@pytest.mark.parametrize("senders", [1, PLAYERS])
@pytest.mark.parametrize("kind", ["c", "python"])
def test_bulk_adds_no_50_ms_to_what_others_say_over_a_link_of_1_mbit(
    library: Library, gateways: list[CoreGateway], kind: str, senders: int, way: str
) -> None:
    base = run(library, gateways[0], kind, seconds=2)
    loaded = run(library, gateways[1], kind, seconds=SECONDS, **{way: senders})
    figures = {
        "movement": added(base.moves, loaded.moves),
        "round trip of a ping": added(base.round_trips, loaded.round_trips),
    }
    used = loaded.carried[way == "up"] * 8 / LINK_BITS_PER_S / SECONDS
    for name, (middle_ms, late_ms) in figures.items():
        print(f"{kind} client, {senders} {way}, {name}: +{middle_ms:.0f} ms median, +{late_ms:.0f} ms p95")
        assert max(middle_ms, late_ms) < ADDED_MS
    print(f"the link carried {used:.0%}")
    assert used > USED


class Asked(ModelGateway):
    """Keeps of each datagram with a piece of bulk whether it asked for an answer at once."""

    def __init__(self) -> None:
        super().__init__(Random(1).randbytes)
        self.asked: list[bool] = []

    def _take(self, seat: Seat, counter: int, secret: bytes, now: float) -> Sent:
        prefix, body = read_data(secret)
        if any(message.type == MessageType.BULK for message in read_messages(body)):
            self.asked.append(prefix.wants_answer)
        return super()._take(seat, counter, secret, now)


@pytest.mark.parametrize("kind", ["c", "python"])
def test_each_datagram_with_bulk_asks_for_an_answer_at_once(library: Library, kind: str) -> None:
    gateway = Asked()
    world = World(library, gateway)
    player = join(world, gateway, 1, kind)
    assert world.internet.run(30, lambda: bool(player.session.is_connected))
    say_bulk(player, 1, world.internet)
    assert world.internet.run(60, lambda: any(kind == MessageType.BULK for _, kind, _ in gateway.taken))
    assert len(gateway.asked) > 50
    assert all(gateway.asked)
