# SPDX-License-Identifier: BSD-3-Clause
"""What strangers can do to a gateway: each attack beside a player who goes on."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator
from random import Random

import pytest

from pyshim.protocol.client import Connected
from pyshim.protocol.client.ticket import Ticket
from pyshim.protocol.session_wire import Kind, confirm_without_proof, pack_hello
from tests.session.attack import BURST, MIB, STRANGER, as_configured, forged, join, resident_bytes, state_of
from tests.session.core_gateway import CoreGateway, plan
from tests.session.internet import Internet
from tests.session.model_world import say


def test_a_million_spoofed_hellos_leave_nothing_behind_and_get_no_more_than_they_bring() -> None:
    count, random = 1_000_000, Random(1)
    with CoreGateway(plan(as_configured())) as gateway:
        internet = Internet(gateway)
        alice = join(internet, gateway.issue(7))
        target = gateway.issue(8)
        hello = pack_hello(target.session, bytes(16))
        came, left, drops = 0, 0, Counter[str | None]()

        def wave(size: int) -> None:
            nonlocal came, left
            for _ in range(size // BURST):
                nonces = random.randbytes(16 * BURST)
                datagrams = [hello[:16] + nonces[16 * k : 16 * k + 16] + hello[32:] for k in range(BURST)]
                sources = [random.randrange(1 << 20, 1 << 23) for _ in range(BURST)]
                internet.now += BURST / 1e6  # a million a second
                for drop, answer in gateway.burst(sources, datagrams, internet.now):
                    drops[drop] += 1
                    came += len(hello)
                    left += len(answer)

        wave(BURST * 1000)  # so that everything that is made once is made
        before, memory = state_of(gateway), resident_bytes()
        already = gateway.stats()
        wave(count - BURST * 1000)
        assert resident_bytes() - memory < MIB
        assert state_of(gateway) == before
        assert left <= came
        assert sum(drops.values()) == count
        assert drops.keys() <= {None, "source_rate_limited", "handshake_budget"}
        stats = gateway.stats()
        assert (stats.connected, stats.connections, stats.sessions_active) == (1, already.connections, 0)
        assert stats.handled["session_hello"] == drops[None] + 1
        gateway.check_books()
        # Alice never noticed, and a player with a key gets in.
        delivery = say(internet, alice, "still here", to=7)
        assert internet.run(5, lambda: delivery.done)
        assert delivery.failure is None
        join(internet, target)


def requests(ticket: Ticket, unknown: int, random: Random) -> Iterator[bytes]:
    """Whatever a stranger may send: every kind, for a session that is and one that is not."""
    for session in (ticket.session, unknown, 0):
        nonce = random.randbytes(16)
        for version in (1, 2, 3):
            yield pack_hello(session, nonce, version)
        for size in (508, 1400):
            body = confirm_without_proof(session, size, nonce, random.randbytes(24), random.randbytes(32))
            yield body + random.randbytes(16)
        for kind in range(14):
            for size in (0, 1, 16):
                head = struct.pack("<BBHII", kind, 0, 12 + size, session, 1)
                yield head + random.randbytes(size)
        yield pack_hello(session, nonce)[:-1]
        yield forged(session, 1, random, 40)


def test_no_stranger_gets_more_bytes_than_he_sent(gateway: CoreGateway) -> None:
    internet, random = Internet(gateway), Random(2)
    ticket = gateway.issue(7)
    alice = join(internet, ticket)
    asked = answered = 0
    for at, datagram in enumerate(requests(ticket, ticket.session ^ 0x00F00000, random)):
        ((_, answer),) = gateway.burst([STRANGER + at], [datagram], internet.now)
        assert len(answer) <= len(datagram), Kind(datagram[0])
        asked += 1
        answered += answer != b""
    assert 0 < answered < asked
    heard = internet.run(10, lambda: any(address >= STRANGER for address, _ in gateway.due(internet.now)))
    assert not heard  # nothing is repeated to who asked once
    assert alice.session.is_connected
    gateway.check_books()


def test_confirm_with_a_strangers_cookie_or_a_guessed_key_changes_nothing(gateway: CoreGateway) -> None:
    internet, random = Internet(gateway), Random(3)
    ticket = gateway.issue(7)
    nonce = random.randbytes(16)
    ((_, challenge),) = gateway.burst([STRANGER], [pack_hello(ticket.session, nonce)], internet.now)
    cookie = challenge[28:52]
    confirm = confirm_without_proof(ticket.session, 508, nonce, cookie, random.randbytes(32))
    confirm += random.randbytes(16)
    before = state_of(gateway)
    attempts = [
        (STRANGER, confirm, "bad_proof"),  # a right cookie, no key
        (STRANGER + 1, confirm, "cookie_forged"),  # of another address
        (STRANGER, confirm.replace(nonce, random.randbytes(16)), "cookie_forged"),
        (STRANGER, confirm.replace(cookie, random.randbytes(24)), "cookie_forged"),
    ]
    for source, datagram, reason in attempts:
        assert gateway.burst([source], [datagram], internet.now) == [(reason, b"")]
    assert gateway.burst([STRANGER], [confirm], internet.now + 5) == [("cookie_old", b"")]
    assert state_of(gateway) == before
    assert gateway.stats().connections == 0


@pytest.mark.parametrize("where", ["her own address", "another", "everywhere"])
def test_a_flood_of_forged_packets_stops_no_message_of_the_session_that_it_names(where: str) -> None:
    with CoreGateway(plan(as_configured())) as gateway:
        internet, random = Internet(gateway), Random(4)
        ticket = gateway.issue(7)
        alice = join(internet, ticket)
        drops: Counter[str | None] = Counter()
        deliveries = []
        for at in range(300):
            if at % 20 == 0:
                deliveries.append(say(internet, alice, f"{at}", to=7))
            counters = [random.choice([at, at + 200, random.randrange(1 << 32)]) for _ in range(BURST)]
            datagrams = [forged(ticket.session, counter, random) for counter in counters]
            sources = {
                "her own address": [alice.address] * BURST,
                "another": [STRANGER] * BURST,
                "everywhere": [random.randrange(STRANGER, 1 << 20) for _ in range(BURST)],
            }[where]
            answers = gateway.burst(sources, datagrams, internet.now)
            assert all(answer == b"" for _, answer in answers)
            drops.update(drop for drop, _ in answers)
            internet.run(0.01)
        assert internet.run(10, lambda: all(delivery.done for delivery in deliveries))
        assert [delivery.failure for delivery in deliveries] == [None] * len(deliveries)
        assert drops.keys() <= {"bad_tag", "replayed", "source_rate_limited"}
        assert drops["bad_tag"] > 0
        if where == "another":
            assert drops["source_rate_limited"] > drops["bad_tag"]
        assert sum(isinstance(event, Connected) for event in alice.heard) == 1
        assert gateway.stats().connected == 1
        gateway.check_books()


def test_forged_close_and_path_response_do_nothing(gateway: CoreGateway) -> None:
    internet, random = Internet(gateway), Random(5)
    ticket = gateway.issue(7)
    alice = join(internet, ticket)
    for kind, size in ((Kind.CLOSE, 36), (Kind.PATH_RESPONSE, 36)):
        for source in (alice.address, STRANGER):
            datagram = forged(ticket.session, 5, random, size, kind)
            assert gateway.burst([source], [datagram], internet.now) == [("bad_tag", b"")]
    delivery = say(internet, alice, "hi", to=7)
    assert internet.run(5, lambda: delivery.done)
    assert gateway.stats().path_changes == 0
    assert sum(gateway.stats().closed.values()) == 0
