# SPDX-License-Identifier: BSD-3-Clause
"""The gateway's process dies with messages under way, and connections of both clients go on with the next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Protocol

import pytest

from pyshim.plan import REQUEST_TYPES, DeliveryPolicy, Policy
from pyshim.protocol.client import Bulk, Chat, Disconnected
from pyshim.protocol.client.events import Lost
from pyshim.protocol.client.outgoing import Outgoing, Priority
from pyshim.protocol.session_bodies import bulk_body, chat_body
from pyshim.protocol.session_wire import PIECE_BYTES, MessageType
from tests.client.c_client import Library
from tests.client.world import World, c, heard
from tests.session.attack import policy
from tests.session.core_gateway import NO_LIMITS, CoreGateway
from tests.session.internet import LinkConditions, Player

CHANNELS = range(4)
BAD = LinkConditions(loss=0.1, doubling=0.1, delay_s=(0.01, 0.08))


class Client(Protocol):
    """What the tests ask of a client, whichever it is."""

    player: Player

    def chat(self, target: int, text: str, channel: int, priority: int) -> None: ...
    def bulk(self, target: int, data: bytes, channel: int) -> None: ...
    def delivered(self) -> int: ...
    def chats(self) -> list[str]: ...
    def bulks(self) -> list[bytes]: ...
    def lost(self) -> Counter[int]: ...
    def ended(self) -> bool: ...


@dataclass
class InC:
    """The C client."""

    player: Player
    said: int = 0

    def _delivery(self, channel: int, priority: int) -> Any:
        self.said += 1
        return c(self.player).delivery(channel, receipt=self.said, priority=priority)

    def chat(self, target: int, text: str, channel: int, priority: int) -> None:
        assert c(self.player).chat(target, text, self._delivery(channel, priority)) == 0

    def bulk(self, target: int, data: bytes, channel: int) -> None:
        assert c(self.player).bulk(target, data, self._delivery(channel, 2)) == 0

    def delivered(self) -> int:
        return len(heard(self.player, "DELIVERED"))

    def chats(self) -> list[str]:
        return [text for _, text in heard(self.player, "CHAT")]

    def bulks(self) -> list[bytes]:
        return [data for (data,) in heard(self.player, "BULK")]

    def lost(self) -> Counter[int]:
        lost: Counter[int] = Counter()
        for one in heard(self.player, "RESTARTED"):
            lost.update(dict(enumerate(one)))
        return +lost

    def ended(self) -> bool:
        return bool(heard(self.player, "CLOSED") or heard(self.player, "LOST"))


@dataclass
class InPython:
    """The Python client."""

    player: Player
    now: Callable[[], float]
    said: list[Outgoing] = field(default_factory=list)

    def _say(self, outgoing: Outgoing) -> None:
        self.said.append(outgoing)
        self.player.session.send(outgoing, self.now())

    def chat(self, target: int, text: str, channel: int, priority: int) -> None:
        body = chat_body(target, 0, text)
        self._say(Outgoing.reliable(MessageType.CHAT, body, Priority(priority), channel))

    def bulk(self, target: int, data: bytes, channel: int) -> None:
        self._say(Outgoing.reliable(MessageType.BULK, bulk_body(target, data), Priority.BULK, channel))

    def delivered(self) -> int:
        return sum(one.delivery is not None and one.delivery.done for one in self.said)

    def chats(self) -> list[str]:
        return [event.text for event in self.player.heard if isinstance(event, Chat)]

    def bulks(self) -> list[bytes]:
        return [event.data for event in self.player.heard if isinstance(event, Bulk)]

    def lost(self) -> Counter[int]:
        lost: Counter[int] = Counter()
        for event in self.player.heard:
            if isinstance(event, Lost):
                lost[event.channel] += event.messages
        return lost

    def ended(self) -> bool:
        failed = any(one.delivery is not None and one.delivery.failure is not None for one in self.said)
        return failed or any(isinstance(event, Disconnected) for event in self.player.heard)


Join = Callable[[int], Client]


@pytest.fixture
def gateway() -> Iterator[CoreGateway]:
    with CoreGateway() as it:
        yield it


@pytest.fixture
def world(library: Library, gateway: CoreGateway, request: pytest.FixtureRequest) -> World:
    return World(library, gateway, seed=getattr(request, "param", 1))


@pytest.fixture(params=["C", "Python"])
def join(request: pytest.FixtureRequest, world: World, gateway: CoreGateway) -> Join:
    def in_c(player_id: int) -> Client:
        return InC(world.connected(player_id, receipts=10_000))

    def in_python(player_id: int) -> Client:
        player = world.internet.join(gateway.issue(player_id, once=True))
        assert world.internet.run(30, lambda: player.session.is_connected)
        world.internet.run(0.2)
        return InPython(player, lambda: world.internet.now)

    return in_c if request.param == "C" else in_python


def crash(world: World, gateway: CoreGateway, policy: Policy | None = None) -> None:
    """At a moment at which datagrams are under way both ways."""
    gateway.crash(policy)
    world.internet.run(0)


def chatter(
    world: World, clients: dict[int, Client], random: Random, said: Counter[tuple[int, int, int]]
) -> None:
    """Everybody says something to somebody, on any channel."""
    for speaker, client in clients.items():
        listener, channel = random.choice(list(clients)), random.choice(CHANNELS)
        key = (speaker, listener, channel)
        text = f"{speaker} {listener} {channel} {said[key]} {'x' * random.choice((0, 0, 10, 400))}"
        client.chat(listener, text, channel, random.randrange(3))
        said[key] += 1
    world.internet.run(random.uniform(0, 0.03))


def check_chats(clients: dict[int, Client], said: Counter[tuple[int, int, int]]) -> int:
    """Of each channel, what was heard, once and in order, and what is told to be lost are all."""
    lost = 0
    for listener, client in clients.items():
        assert not client.ended()
        chats = [tuple(map(int, text.split()[:4])) for text in client.chats()]
        assert len(chats) == len(set(chats)), "something was heard twice"
        for channel in CHANNELS:
            to = sum(count for (_, other, on), count in said.items() if (other, on) == (listener, channel))
            came = [chat for chat in chats if chat[2] == channel]
            assert len(came) + client.lost()[channel] == to, f"{listener}, channel {channel}"
            if channel != CHANNELS[-1]:
                for speaker in clients:
                    numbers = [number for one, _, _, number in came if one == speaker]
                    assert numbers == sorted(numbers)
        lost += client.lost().total()
    return lost


@pytest.mark.parametrize("world", range(1, 5), indirect=True)
def test_crashes_lose_nothing_that_players_say_and_tell_exactly_what_was_said_to_them(
    world: World, gateway: CoreGateway, join: Join
) -> None:
    random = Random(world.internet.seed)
    clients = {number: join(number) for number in (7, 8, 9)}
    said: Counter[tuple[int, int, int]] = Counter()
    world.internet.conditions = BAD
    for _ in range(5):
        for _ in range(random.randrange(10, 60)):
            chatter(world, clients, random, said)
        crash(world, gateway)
    for _ in range(20):
        chatter(world, clients, random, said)
    world.internet.conditions = LinkConditions()
    world.internet.run(30)
    for speaker, client in clients.items():
        assert client.delivered() == sum(count for (one, _, _), count in said.items() if one == speaker)
    assert check_chats(clients, said) > 0, "nothing was under way when the gateway died"
    assert gateway.stats().connections == 0, "somebody connected again"


@pytest.mark.parametrize("while_s", [0.05, 0.3, 0.8])
def test_transfer_goes_on_after_a_crash_or_is_told_to_be_lost(
    world: World, gateway: CoreGateway, join: Join, while_s: float
) -> None:
    alice, bob = join(7), join(8)
    data = Random(1).randbytes(60_000)
    alice.bulk(8, data, 1)
    world.internet.run(while_s)
    crash(world, gateway)
    alice.chat(8, "7 8 1 0", 1, 1)
    world.internet.run(60)
    assert alice.delivered() == 2
    assert bob.chats() == ["7 8 1 0"]
    event_bytes = 8 + len(data)
    assert (bob.bulks(), bob.lost()[1]) in (([data], 0), ([], -(-event_bytes // PIECE_BYTES)))
    assert not alice.ended()
    assert not bob.ended()


def test_player_who_only_listens_hears_of_a_crash(world: World, gateway: CoreGateway, join: Join) -> None:
    alice, bob = join(7), join(8)
    world.internet.on_wire = lambda to_gateway, _: to_gateway  # nothing that the gateway says arrives
    for number in range(3):
        alice.chat(8, f"7 8 3 {number}", 3, 1)
    world.internet.run(0.1)
    crash(world, gateway)
    world.internet.on_wire = lambda _to_gateway, _datagram: True
    assert world.internet.run(60, lambda: bob.lost().total() > 0)
    assert bob.lost() == Counter({3: 3})
    assert bob.chats() == []


def chats_limited(per_s: int, burst: int) -> DeliveryPolicy:
    pps, bursts = [0] * len(REQUEST_TYPES), [1] * len(REQUEST_TYPES)
    pps[REQUEST_TYPES.index("chat")], bursts[REQUEST_TYPES.index("chat")] = per_s, burst
    return replace(NO_LIMITS, message_pps=tuple(pps), message_burst=tuple(bursts))


def test_player_keeps_to_the_limits_of_each_process_although_all_say_version_1(
    world: World, gateway: CoreGateway, join: Join
) -> None:
    alice = join(7)
    said = 0
    for per_s, burst, all_at_once in ((2, 2, False), (100, 50, True), (2, 2, False), (100, 50, True)):
        crash(world, gateway, policy(delivery=chats_limited(per_s, burst)))
        alice.chat(7, f"{said}", 1, 1)
        world.internet.run(1)
        gateway.expire(world.internet.now)  # who is connected is told in this turn
        world.internet.run(5)
        for number in range(1, 11):
            alice.chat(7, f"{said + number}", 1, 1)
        said += 11
        assert world.internet.run(2, lambda: alice.delivered() == said) is all_at_once  # noqa: B023
        assert world.internet.run(20, lambda: alice.delivered() == said)  # noqa: B023
        assert not any(gateway.stats().messages.refused.values())
    assert alice.chats() == [f"{number}" for number in range(said)]
    assert not alice.ended()
