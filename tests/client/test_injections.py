# SPDX-License-Identifier: BSD-3-Clause
"""Someone on the path sees every datagram and sends what he likes to either end: both clients, the C core."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

import pytest

from pyshim.plan import ListenerPolicy, Policy
from pyshim.protocol import session as layers
from pyshim.protocol.session_wire import SEALED, Denial, Kind, read_header
from tests.client.c_client import Library
from tests.client.test_delays import talk
from tests.client.test_outages import TRANSFER_BYTES, Talker, check
from tests.client.world import World
from tests.session.attack import STRANGER, forged
from tests.session.core_gateway import NO_LIMITS, CoreGateway, plan
from tests.session.internet import Player

KEPT = 400  # datagrams of each player and direction


@pytest.fixture
def gateway() -> Iterator[CoreGateway]:
    limits = Policy(30 * 10**9, 0, 1, (ListenerPolicy(0, 1),), NO_LIMITS)
    with CoreGateway(plan(limits)) as it:
        yield it
        it.check_books()


def changed(datagram: bytes, at: int, to: int) -> bytes:
    return datagram[:at] + bytes([to]) + datagram[at + 1 :]


def ahead(datagram: bytes) -> bytes:
    """Under a counter that is still to come, so that it is not dropped as seen."""
    counter = (read_header(datagram).counter + 100) & 0xFFFFFFFF
    return datagram[:8] + counter.to_bytes(4, "little") + datagram[12:]


def resembling(datagram: bytes, random: Random) -> Iterator[bytes]:
    """One bit wrong, cut, longer, of another key phase, counter or kind."""
    at = random.randrange(len(datagram))
    yield changed(datagram, at, datagram[at] ^ 1 << random.randrange(8))
    yield datagram[:at]
    yield datagram + b"\0"
    if datagram[0] not in SEALED:
        return
    yield changed(datagram, 1, datagram[1] ^ 1)
    yield changed(ahead(datagram), 1, datagram[1] ^ 1)
    yield ahead(datagram)
    for kind in (Kind.CLOSE, Kind.PATH_RESPONSE, Kind.PATH_CHALLENGE, Kind.PROBE):
        yield changed(ahead(datagram), 0, kind)


def without_key(session: int, nonce: bytes, random: Random) -> Iterator[bytes]:
    """What a gateway could say, as far as anybody can write it."""
    head = {kind: layers.Session(kind=int(kind), session=session) for kind in Kind}
    yield bytes(head[Kind.RESET] / layers.Reset(token=random.randbytes(16)))
    challenge = layers.Challenge(client_nonce=nonce, cookie=random.randbytes(24))
    yield layers.challenge(head[Kind.CHALLENGE], challenge, random.randbytes(32))
    for reason in Denial:
        denied = layers.Denied(client_nonce=nonce, reason=int(reason), proof=random.randbytes(16))
        yield bytes(head[Kind.DENIED] / denied)
    yield forged(session, 1, random, 1400, Kind.WELCOME)
    for kind, size in ((Kind.DATA, 100), (Kind.CLOSE, 36), (Kind.PROBE, 1400), (Kind.PATH_CHALLENGE, 36)):
        yield forged(session, random.randrange(1 << 32), random, size, kind)


@dataclass
class Injector:
    """`Internet.on_wire`: loses nothing; what it makes arrives at once, before what it saw."""

    world: World
    players: dict[int, Player]  # by session
    random: Random = field(default_factory=lambda: Random(9))
    seen: dict[tuple[int, bool], list[bytes]] = field(default_factory=dict)
    nonces: dict[int, bytes] = field(default_factory=dict)
    injected: int = 0
    from_elsewhere_bytes: int = 0
    answers: Counter[int] = field(default_factory=Counter)  # to elsewhere, by kind
    answer_bytes: int = 0

    def __call__(self, to_gateway: bool, datagram: bytes) -> bool:
        session = read_header(datagram).session
        player = self.players.get(session)
        if player is None:
            return True
        if datagram[0] == Kind.HELLO:
            self.nonces[session] = datagram[16:32]
        seen = self.seen.setdefault((session, to_gateway), [datagram])
        fakes = [*resembling(datagram, self.random), self.random.choice(seen), seen[0]]
        seen.append(datagram)
        del seen[:-KEPT]
        for fake in fakes:
            self.inject(player, fake, to_gateway=to_gateway)
        for fake in without_key(session, self.nonces[session], self.random):
            self.inject(player, fake, to_gateway=False)
        return True

    def inject(self, player: Player, fake: bytes, *, to_gateway: bool) -> None:
        now = self.world.internet.now
        if not to_gateway:
            player.session.receive(fake, now)
            self.injected += 1
            return
        for source in (player.address, STRANGER, STRANGER + 1):
            self.injected += 1
            for to, answer in self.world.gateway.receive(source, fake, now):
                if to < STRANGER:
                    continue  # it would only be what comes twice
                self.answers[answer[0]] += 1
                self.answer_bytes += len(answer)
            self.from_elsewhere_bytes += len(fake) * (source >= STRANGER)


def test_who_injects_whatever_he_likes_ends_doubles_and_moves_nothing(
    library: Library, gateway: CoreGateway
) -> None:
    world = World(library, gateway)
    internet = world.internet
    tickets = [gateway.issue(number) for number in (1, 2)]
    players = [world.join(tickets[0]), internet.join(tickets[1])]
    players[0].address = internet.new_address()
    internet.on_wire = injector = Injector(
        world, {ticket.session: player for ticket, player in zip(tickets, players, strict=True)}
    )
    assert internet.run(1, lambda: all(player.session.is_connected for player in players))
    talkers = [Talker(number, player) for number, player in enumerate(players, start=1)]
    sent = [internet.random.randbytes(TRANSFER_BYTES) for _ in talkers]
    for one, data in zip(talkers, sent, strict=True):
        one.transfer(one.number % 2 + 1, data, internet.now)
    talk(world, talkers, 10)
    assert gateway.stats().path_changes == 0
    for player in players:  # really, as behind a NAT
        internet.move_away(player)
    talk(world, talkers, 10)
    check(world, talkers, transfers=2)  # each word once and in order
    assert sorted(data for one in talkers for data in one.transfers()) == sorted(sent)
    stats = gateway.stats()
    assert (stats.connections, stats.path_changes, sum(stats.closed.values())) == (2, 2, 0)
    assert injector.injected > 50_000
    assert injector.answers.keys() <= {Kind.CHALLENGE, Kind.DENIED, Kind.PATH_CHALLENGE}
    assert injector.answer_bytes < injector.from_elsewhere_bytes / 20
    assert stats.messages.received["move"] >= 2 * 20 * 20 * 0.98  # what came from him first came once
