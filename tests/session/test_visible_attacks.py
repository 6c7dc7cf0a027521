# SPDX-License-Identifier: BSD-3-Clause
"""Attacks on the visible number: by who has seen a spare, who changes its own all the time, who delays."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from random import Random

import pytest

from pyshim.protocol.session_wire import HEADER_BYTES, PREFIX_BYTES, Header, Kind, MessageType, Prefix
from tests.session.attack import MIB, as_configured, forged, join
from tests.session.core_gateway import CoreGateway, plan
from tests.session.internet import Internet
from tests.session.model_world import say, texts
from tests.session.raw_player import RawPlayer
from tests.session.test_ticket_holder import Others

CHANGES = 2000
AGAIN = 20  # numbers are drawn: one that was given back may come again


@pytest.fixture
def gateway() -> Iterator[CoreGateway]:
    with CoreGateway(plan(as_configured())) as it:
        yield it
        it.check_books()


class Renamer:
    """A player who knows its spare, and may use it."""

    def __init__(self, gateway: CoreGateway, number: int, now: float) -> None:
        self.raw = RawPlayer(gateway, gateway.issue(number), number, now)
        self.raw.challenge()
        _, answer = self.raw.send(self.raw.confirm())
        welcome = self.raw.welcome(answer)
        self.raw.sent = 0
        self.session, self.offsets = self.raw.ticket.session, (0, 0)
        self.spare: int = welcome.spare
        self.spare_offsets = (welcome.spare_offset_client, welcome.spare_offset_gateway)
        self.newest = 1

    def rename(self) -> None:
        assert self.spare != 0
        self.session, self.offsets = self.spare, self.spare_offsets
        self.spare = 0

    def data(self, messages: bytes = b"") -> bytes:
        keys, raw = self.raw.keys, self.raw
        assert keys is not None
        raw.sent += 1
        secret = Prefix(ack=self.newest, ack_bits=0xFFFFFFFF, wants=1).pack() + messages
        counter = (raw.sent + self.offsets[0]) & 0xFFFFFFFF
        header = Header(Kind.DATA, HEADER_BYTES + len(secret) + 16, self.session, counter)
        return keys.client_to_gateway.seal(raw.sent, header.pack(), secret)

    def hear(self, answer: bytes) -> None:
        """It may bring the next spare."""
        assert self.raw.keys is not None
        _, session, shown = struct.unpack_from("<HII", answer, 2)
        assert session == self.session
        counter = (shown - self.offsets[1]) & 0xFFFFFFFF
        at = self.raw.keys.gateway_to_client.open(counter, answer, HEADER_BYTES)[PREFIX_BYTES:]
        self.newest = max(self.newest, counter)
        while at:
            kind, flags, size = struct.unpack_from("<BBH", at)
            body = at[4 + (flags & 2) :][:size]
            at = at[4 + (flags & 2) + size :]
            if kind == MessageType.NUMBER:
                self.spare, *offsets = struct.unpack("<III", body)
                self.spare_offsets = (offsets[0], offsets[1])


HEARTBEAT = struct.pack("<BBH", MessageType.HEARTBEAT, 0, 0)


def test_nobody_but_its_player_goes_over_to_a_spare(gateway: CoreGateway) -> None:
    """Even who has learned the spare and its offset can say nothing under it, and takes it from nobody."""
    random = Random(3)
    alice = Renamer(gateway, 7, 100.0)
    issued = alice.session
    for _ in range(1000):
        seen = alice.data(HEARTBEAT)
        shown = (alice.raw.sent + alice.spare_offsets[0]) & 0xFFFFFFFF
        under_spare = seen[:4] + struct.pack("<II", alice.spare, shown) + seen[12:]
        for fake in (under_spare, forged(alice.spare, (shown + 1) & 0xFFFFFFFF, random)):
            for source in (alice.raw.address, 99):
                assert gateway.burst([source], [fake], alice.raw.now) in (
                    [("bad_tag", b"")],
                    [("source_rate_limited", b"")],
                )
        drop, answer = alice.raw.send(seen)
        assert (drop, struct.unpack_from("<I", answer, 4)[0]) == (None, issued)
        alice.hear(answer)
        alice.raw.now += 0.5
    assert gateway.stats().number_changes == 0
    alice.rename()
    drop, answer = alice.raw.send(alice.data(HEARTBEAT))
    assert drop is None
    alice.hear(answer)
    assert gateway.stats().number_changes == 1
    assert alice.spare not in (0, alice.session, issued)


def test_what_was_said_under_a_number_is_not_taken_again_under_the_next(gateway: CoreGateway) -> None:
    alice = Renamer(gateway, 7, 100.0)
    said = [alice.data(HEARTBEAT) for _ in range(20)]
    for datagram in said:
        drop, answer = alice.raw.send(datagram)
        assert drop is None
        alice.hear(answer)
    alice.rename()
    assert alice.raw.drop(said[5]) == "replayed"
    drop, answer = alice.raw.send(alice.data(HEARTBEAT))
    assert drop is None
    alice.hear(answer)
    for at, datagram in enumerate(said, start=1):
        shown = (at + alice.offsets[0]) & 0xFFFFFFFF
        moved = datagram[:4] + struct.pack("<II", alice.session, shown) + datagram[12:]
        assert alice.raw.drop(moved) == alice.raw.drop(datagram) == "replayed"
    assert gateway.stats().number_changes == 1


def test_who_changes_its_number_as_fast_as_it_can_leaves_spares_to_all(gateway: CoreGateway) -> None:
    internet = Internet(gateway)
    others = Others(internet, gateway)
    mallory = Renamer(gateway, 9, internet.now)
    numbers = set()
    sent = answered = 0
    for turn in range(CHANGES):
        for _ in range(100):
            if mallory.spare:
                break
            datagram = mallory.data(HEARTBEAT)
            drop, answer = mallory.raw.send(datagram)
            sent, answered = sent + len(datagram), answered + len(answer)
            assert drop is None
            mallory.hear(answer)
            others.internet.run(0.001)
            mallory.raw.now = internet.now
        mallory.rename()
        numbers.add(mallory.session)
        if turn % 20 == 0:
            others.play(0.02)
    assert len(numbers) >= CHANGES - AGAIN
    assert gateway.stats().number_changes >= CHANGES - 1
    assert answered <= 1.5 * sent
    assert gateway.stats().messages.memory_used < MIB
    for player in (others.alice, others.bob):  # each goes to another network, and from there to the next
        for _ in range(2):
            internet.move_away(player)
            player.session.moved(internet.now)
            internet.run(1)
    assert gateway.stats().number_changes >= CHANGES - 1 + 4
    assert others.lost_nothing(gateway)
    assert Renamer(gateway, 10, internet.now).spare != 0


def test_what_is_held_over_a_change_of_number_comes_again_under_the_next(gateway: CoreGateway) -> None:
    """Held for 4 s it comes under a number that is nobody's: what it held is said again."""
    internet, random = Internet(gateway), Random(4)
    alice = join(internet, gateway.issue(7))
    internet.held_s = lambda _to_gateway, _datagram: 4.0 if random.random() < 0.2 else 0.0
    said = 0
    for _ in range(6):
        for _ in range(20):
            say(internet, alice, f"{said}", to=7)
            said += 1
            internet.run(0.2)
        internet.move_away(alice)
        alice.session.moved(internet.now)
    internet.held_s = lambda _to_gateway, _datagram: 0.0
    assert internet.run(30, lambda: len(texts(alice)) == said)
    internet.run(5)
    assert texts(alice) == [f"{number}" for number in range(said)]
    stats = gateway.stats()
    assert stats.number_changes >= 3
    assert (stats.connections, sum(stats.closed.values())) == (1, 0)
