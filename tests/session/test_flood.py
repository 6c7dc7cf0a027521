# SPDX-License-Identifier: BSD-3-Clause
"""One address sends ten times what it may: nobody else waits any longer than without it."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from random import Random

import pytest

from pyshim.plan import REQUEST_TYPES
from pyshim.protocol.client.outgoing import Outgoing, Priority
from pyshim.protocol.session_wire import MessageType, pack_hello
from tests.session.attack import MOVE, STRANGER, as_configured, forged, join, unpaced
from tests.session.core_gateway import CoreGateway, plan
from tests.session.internet import Internet, LinkConditions, Player
from tests.session.model_world import say

STEP_S = 0.002
STEPS = 1000
WAY_S = (0.0195, 0.0215)  # so that nobody's packets always come just before the flood's
NOTICEABLE_S = 0.02
PLAYERS = 6
NEWCOMERS = 10
TIMES = 10


class Deployment:
    """Players who chat, and newcomers; how long each word and each connection took."""

    def __init__(self, gateway: CoreGateway) -> None:
        self.gateway = gateway
        self.internet = Internet(gateway, LinkConditions(delay_s=WAY_S))
        self.tickets = [gateway.issue(number) for number in range(1, PLAYERS + NEWCOMERS + 1)]
        self.players = [join(self.internet, ticket) for ticket in self.tickets[:PLAYERS]]
        self.arriving: list[tuple[float, Player]] = []
        self.waits_s: list[float] = []
        self.expected = 0

    def step(self, at: int) -> None:
        """What everybody does in two milliseconds."""
        if at % 20 == 0:
            self._speak(at // 20 % PLAYERS)
        if at % (STEPS // NEWCOMERS) == 0:
            self._arrive(at // (STEPS // NEWCOMERS))
        self.internet.run(STEP_S)
        for began, player in [one for one in self.arriving if one[1].session.is_connected]:
            self.waits_s.append(self.internet.now - began)
            self.arriving.remove((began, player))

    def _speak(self, index: int) -> None:
        began = self.internet.now
        delivery = say(self.internet, self.players[index], "word", to=(index + 1) % PLAYERS + 1)
        delivery.on_done(lambda: self.waits_s.append(self.internet.now - began))
        self.expected += 1

    def _arrive(self, index: int) -> None:
        self.arriving.append((self.internet.now, self.internet.join(self.tickets[PLAYERS + index])))
        self.expected += 1

    def p99_s(self) -> float:
        """When nobody waits any more."""
        for _ in range(5000):
            if len(self.waits_s) == self.expected:
                break
            self.step(1)
        assert len(self.waits_s) == self.expected
        return sorted(self.waits_s)[self.expected * 99 // 100]


Step = Callable[[int], None]


def nobody(_deployment: Deployment) -> Step:
    """All is quiet."""
    return lambda _at: None


def stranger(deployment: Deployment) -> Step:
    """From one address: HELLOs for a session, and sealed datagrams in the name of everybody who is there."""
    random, ticket = Random(1), deployment.gateway.issue(1000)
    count = round(TIMES * as_configured().listeners[0].source_pps * STEP_S)
    sessions = [one.session for one in deployment.tickets[:PLAYERS]]

    def step(_at: int) -> None:
        burst = [pack_hello(ticket.session, random.randbytes(16)) for _ in range(count // 2)]
        burst += [forged(random.choice(sessions), random.randrange(1 << 32), random) for _ in burst]
        deployment.gateway.burst([STRANGER] * len(burst), burst, deployment.internet.now)

    return step


def player(deployment: Deployment) -> Step:
    """By one who is connected: movements."""
    greedy = join(deployment.internet, deployment.gateway.issue(1000))
    unpaced(greedy)
    count = ceil(TIMES * as_configured().delivery.message_pps[REQUEST_TYPES.index("move")] * STEP_S)

    def step(_at: int) -> None:
        for _ in range(count):
            message = Outgoing.unreliable(MessageType.MOVE, MOVE, Priority.URGENT)
            greedy.session.send(message, deployment.internet.now)

    return step


@pytest.mark.parametrize(
    ("flood", "held_off"),
    [
        (stranger, lambda gateway: gateway.drops["source_rate_limited"]),
        (player, lambda gateway: gateway.stats().messages.over_limit),
    ],
)
def test_one_address_at_ten_times_its_rate_makes_nobody_else_wait(
    flood: Callable[[Deployment], Step], held_off: Callable[[CoreGateway], int]
) -> None:
    p99_s = []
    for kind in (nobody, flood):
        with CoreGateway(plan(as_configured())) as gateway:
            deployment = Deployment(gateway)
            disturb = kind(deployment)
            for at in range(STEPS):
                disturb(at)
                deployment.step(at)
            p99_s.append(deployment.p99_s())
            assert (held_off(gateway) > 100) == (kind is flood)
            gateway.check_books()
    quiet_s, flooded_s = p99_s
    assert flooded_s <= quiet_s + NOTICEABLE_S
