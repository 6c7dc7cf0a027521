# SPDX-License-Identifier: BSD-3-Clause
"""Whoever has a ticket says what may be said, as fast as the line carries it: others lose nothing by it."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from pyshim.protocol.client.outgoing import Outgoing, Priority
from pyshim.protocol.session_crypto import TrafficKeys, next_secret, traffic_keys
from pyshim.protocol.session_wire import Header, Kind, MessageType, Prefix
from tests.session.attack import BURST, MIB, MOVE, STRANGER, as_configured, join
from tests.session.core_gateway import CoreGateway, plan
from tests.session.internet import Internet
from tests.session.model_world import say, texts
from tests.session.raw_player import RawPlayer

SECONDS = 3
TURNS = SECONDS * 50  # each 20 ms, with a burst of BURST: 3,200 datagrams a second
KEPT = 30  # words that wait for who attacks
AROUND = 28  # header and tag


@pytest.fixture
def gateway() -> Iterator[CoreGateway]:
    with CoreGateway(plan(as_configured())) as it:
        yield it
        it.check_books()


@dataclass
class Holder:
    """Has a ticket, is connected, and seals whatever it likes."""

    raw: RawPlayer
    flags: int = 0

    @property
    def keys(self) -> TrafficKeys:
        assert self.raw.keys is not None
        return self.raw.keys

    def sealed(self, kind: Kind, body: bytes) -> bytes:
        self.raw.sent += 1
        header = Header(kind, AROUND + len(body), self.raw.ticket.session, self.raw.sent, self.flags)
        return self.keys.client_to_gateway.seal(self.raw.sent, header.pack(), body)

    def data(self, messages: bytes = b"", wants: int = 1, ack: int = 0) -> bytes:
        return self.sealed(Kind.DATA, Prefix(ack=ack, wants=wants).pack() + messages)

    def update(self) -> None:
        """To the next key phase."""
        self.raw.secret = next_secret(self.raw.secret)
        self.raw.keys = traffic_keys(self.raw.secret)
        self.flags ^= 1


def message(kind: int, body: bytes, flags: int = 0) -> bytes:
    return struct.pack("<BBH", kind, flags, len(body)) + body


def probes(holder: Holder) -> bytes:
    return holder.sealed(Kind.PROBE, bytes(12))


def path_responses(holder: Holder) -> bytes:
    return holder.sealed(Kind.PATH_RESPONSE, bytes(8))


def busys(holder: Holder) -> bytes:
    """Fifty of a datagram, each of which asks for all that is kept."""
    return holder.data(message(MessageType.BUSY, struct.pack("<IBBH", 1, 6, 3, 0)) * 50)


def what_gateways_say(holder: Holder) -> bytes:
    bodies = {
        MessageType.LIMITS: struct.pack("<HH", 9, 0),
        MessageType.RESTARTED: bytes(50),
        MessageType.NUMBER: bytes(12),
        MessageType.PONG: bytes(4),
    }
    return holder.data(b"".join(message(kind, body) for kind, body in bodies.items()))


def pings(holder: Holder) -> bytes:
    return holder.data(message(MessageType.PING, bytes(4)) * 50)


def acknowledgements(holder: Holder) -> bytes:
    """Of what was never sent, and of all that was."""
    return holder.data(message(MessageType.HEARTBEAT, b""), ack=holder.raw.sent % 200)


def urgent_words(holder: Holder) -> bytes:
    """To the one who also hears others."""
    body = struct.pack("<IBBH", 8, 0, 0, 1) + b"!"
    return holder.data(message(MessageType.CHAT, body) * 50)


def key_updates(holder: Holder) -> bytes:
    holder.update()
    return holder.data(message(MessageType.HEARTBEAT, b""))


FLOODS = {
    "probes": probes,
    "path responses": path_responses,
    "BUSY": busys,
    "what gateways say": what_gateways_say,
    "pings": pings,
    "acknowledgements": acknowledgements,
    "urgent words": urgent_words,
    "key updates": key_updates,
}


class Others:
    """Two who move and say words to each other meanwhile."""

    def __init__(self, internet: Internet, gateway: CoreGateway) -> None:
        self.internet = internet
        self.alice, self.bob = join(internet, gateway.issue(7)), join(internet, gateway.issue(8))
        self.said = self.moved = 0

    def play(self, seconds: float) -> None:
        for player, to in ((self.alice, 8), (self.bob, 7)):
            move = Outgoing.unreliable(MessageType.MOVE, MOVE, Priority.URGENT)
            player.session.send(move, self.internet.now)
            if self.moved % 12 == 0:
                say(self.internet, player, f"{self.said}", to=to)
        self.said += self.moved % 12 == 0
        self.moved += 1
        self.internet.run(seconds)

    def lost_nothing(self, gateway: CoreGateway) -> bool:
        self.internet.run(2)
        words = [f"{number}" for number in range(self.said)]
        heard = [self.alice, self.bob]
        assert [[word for word in texts(player) if word != "!"] for player in heard] == [words, words]
        return gateway.stats().messages.received["move"] == 2 * self.moved


def held_for(gateway: CoreGateway, others: Others, number: int) -> Holder:
    """One for whom words wait, and who acknowledges none."""
    raw = RawPlayer(gateway, gateway.issue(number), number, others.internet.now)
    raw.connect()
    for count in range(KEPT):
        say(others.internet, others.bob, f"{count}", to=number)
    others.internet.run(1)
    return Holder(raw)


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
def test_who_says_as_much_as_the_line_carries_costs_others_nothing(
    gateway: CoreGateway, flood: Callable[[Holder], bytes]
) -> None:
    internet = Internet(gateway)
    others = Others(internet, gateway)
    holder = held_for(gateway, others, 9)
    resent = gateway.stats().messages.resent
    received = gateway.stats().messages.received
    sent = answered = 0
    for _ in range(TURNS):
        datagrams = [flood(holder) for _ in range(BURST)]
        sent += sum(map(len, datagrams))
        answers = gateway.burst([holder.raw.address] * BURST, datagrams, internet.now)
        answered += sum(len(answer) for _, answer in answers)
        others.play(0.02)
    assert others.lost_nothing(gateway)
    assert answered <= 1.1 * sent
    stats = gateway.stats()
    assert (stats.connections, stats.connected, stats.path_changes) == (3, 3, 0)
    assert stats.messages.memory_used < MIB
    assert stats.messages.resent - resent <= KEPT * 10 * (SECONDS + 4)
    within = {"ping": 16 + 8 * SECONDS, "chat": 2 * others.said + 32 + 8 * SECONDS}
    for name, most in within.items():
        assert stats.messages.received[name] - received[name] <= most + 2


def test_who_leaves_and_comes_again_as_fast_as_it_can_costs_others_nothing(gateway: CoreGateway) -> None:
    internet = Internet(gateway)
    others = Others(internet, gateway)
    raw = RawPlayer(gateway, gateway.issue(9), 9, internet.now)
    accepted = 0
    for turn in range(TURNS):
        raw.now, raw.nonce = internet.now, struct.pack("<QQ", turn, 0)
        raw.challenge()
        drop, answer = raw.send(raw.confirm())
        assert drop in (None, "connection_rate_limited")
        if drop is None:
            raw.welcome(answer)
            raw.sent = 0
            assert raw.drop(Holder(raw).sealed(Kind.CLOSE, b"\1" + bytes(7))) is None
            accepted += 1
        others.play(0.02)
    assert 10 <= accepted <= 11 + SECONDS
    assert others.lost_nothing(gateway)
    carol = join(internet, gateway.issue(10))
    assert carol.session.is_connected
    assert gateway.stats().connected == 3


def test_who_repeats_a_confirm_as_fast_as_it_can_keeps_nobody_out(gateway: CoreGateway) -> None:
    internet = Internet(gateway)
    others = Others(internet, gateway)
    raw = RawPlayer(gateway, gateway.issue(9), 9, internet.now)
    sent = answered = 0
    carol = None
    for turn in range(TURNS):
        if turn % 50 == 0:
            internet.run(1)  # the budget of handshakes grows again
            raw.now, raw.nonce = internet.now, struct.pack("<QQ", turn, 0)
            raw.challenge()
        confirm = raw.confirm()
        answers = gateway.burst([raw.address] * BURST, [confirm] * BURST, internet.now)
        sent += BURST * len(confirm)
        answered += sum(len(answer) for _, answer in answers)
        if turn == 50:
            carol = internet.join(gateway.issue(10))
        others.play(0.02)
    assert others.lost_nothing(gateway)
    assert carol is not None
    assert internet.run(5, lambda: carol.session.is_connected)
    assert answered <= sent
    assert gateway.stats().connections == 3 + SECONDS


def test_who_names_others_addresses_as_its_own_brings_them_less_than_it_sends(gateway: CoreGateway) -> None:
    """Each datagram seems to come from somewhere else, as if its player moved all the time."""
    internet = Internet(gateway)
    others = Others(internet, gateway)
    holder = held_for(gateway, others, 9)
    sent = answered = egress = 0
    for turn in range(TURNS):
        sources = [STRANGER + turn * BURST + at for at in range(BURST)]
        datagrams = [holder.data(message(MessageType.HEARTBEAT, b"")) for _ in sources]
        sent += sum(map(len, datagrams))
        for _, answer in gateway.burst(sources, datagrams, internet.now):
            answered += len(answer)
            assert not answer or answer[0] == Kind.PATH_CHALLENGE
        egress += sum(len(answer) for to, answer in gateway.due(internet.now) if to >= STRANGER)
        others.play(0.02)
    assert others.lost_nothing(gateway)
    assert 0 < answered < sent
    assert egress == 0
    assert (gateway.stats().path_changes, gateway.stats().connected) == (0, 3)
