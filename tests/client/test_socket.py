# SPDX-License-Identifier: BSD-3-Clause
"""The C client at its own socket, against the model gateway."""

from __future__ import annotations

import select
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pyshim.protocol.session_wire import Message, MessageType, Prefix, pack_messages
from tests.client.c_client import NS, CClient, Game, Library
from tests.client.test_gateway import until
from tests.session.model_server import ModelServer


def named(prefix: Prefix) -> set[int]:
    """The counters that an acknowledgement names."""
    return {prefix.ack} | {prefix.ack - 1 - n for n in range(32) if prefix.ack_bits >> n & 1}


@contextmanager
def heard(server: ModelServer) -> Iterator[list[Prefix]]:
    """Acknowledgements of player 7, as they come."""
    prefixes: list[Prefix] = []
    with server.lock:
        _, seat = server.gateway.seat(7)
        heed = seat.sender.acknowledged

        def hear(prefix: Prefix, sent: int, now: float) -> None:
            prefixes.append(prefix)
            heed(prefix, sent, now)

        seat.sender.acknowledged = hear  # type: ignore[method-assign]
    yield prefixes


def tell(server: ModelServer, datagrams: int, message: Message) -> int:
    """Each with such a message; the counter of the last."""
    with server.lock:
        _, seat = server.gateway.seat(7)
        for _ in range(datagrams):
            said = server.gateway.say(7, time.monotonic(), pack_messages([message]))
            server.send([(seat.address, said)])
        return seat.sent


NOTHING = Message(MessageType.BULK, bytes(8))  # that a game is told


def test_what_a_datagram_waits_for_the_game_is_in_ack_delay(library: Library) -> None:
    waits_s = 0.1
    with ModelServer() as server:
        game = Game(library, server.issue(7))
        until(game, lambda: game.is_connected)
        game.play(0.2)
        with heard(server) as prefixes:
            counter = tell(server, 1, NOTHING)
            time.sleep(waits_s)
            until(game, lambda: any(prefix.ack == counter for prefix in prefixes))
        delay_s = next(prefix.delay_s for prefix in prefixes if prefix.ack == counter)
        assert delay_s is None or delay_s >= waits_s - 0.001  # None: longer than it can tell


def test_an_age_that_cannot_be_is_not_believed(library: Library) -> None:
    """The client's clock stands still, as if that of the kernel's stamps had been set."""
    stands_at: list[int] = []
    clock = library.ffi.callback("uint64_t(void *)", lambda _: (stands_at or [time.monotonic_ns()])[0])
    with ModelServer() as server:
        ticket = server.issue(7)
        client = CClient(library, ticket, clock_ns=clock)

        def look() -> None:
            assert library.lib.pgc_poll(client.client, 0) >= 0
            client.listen()

        assert library.lib.pgc_open(client.client, ticket.host.encode(), ticket.port) == 0
        deadline = time.monotonic() + 60
        while not client.is_connected:
            assert time.monotonic() < deadline
            look()
        with heard(server) as prefixes:
            stands_at.append(time.monotonic_ns() + NS)
            look()
            counter = tell(server, 16, NOTHING)  # they are acknowledged at once
            time.sleep(0.1)
            while not any(prefix.ack == counter for prefix in prefixes):
                assert time.monotonic() < deadline
                look()
        assert [prefix.delay_s for prefix in prefixes if prefix.ack == counter] == [0]


def test_nothing_is_held_for_lost_while_its_acknowledgement_may_lie_in_the_socket(library: Library) -> None:
    with ModelServer() as server:
        game = Game(library, server.issue(7))
        until(game, lambda: game.is_connected)
        game.play(0.2)
        tell(server, 1, Message(MessageType.PONG, bytes(4)))
        assert game.chat(7, "hi", game.delivery(1, priority=0)) == 0
        fd = library.lib.pgc_fd(game.client)
        while not library.lib.pgc_event_waiting(game.client):  # PONG, which the game does not ask for yet
            assert library.lib.pgc_poll(game.client, 60_000) == 1
        assert select.select([fd], [], [], 60)[0]  # the acknowledgement
        time.sleep(1.1)  # longer than any timeout
        assert library.lib.pgc_poll(game.client, 0) == 1
        assert game.statistics().resent == 0
        game.listen()
        game.play(0)
        assert game.statistics().resent == 0


def test_each_of_many_datagrams_that_wait_in_the_socket_is_acknowledged(library: Library) -> None:
    with ModelServer() as server:
        game = Game(library, server.issue(7))
        until(game, lambda: game.is_connected)
        game.play(0.2)
        with heard(server) as prefixes:
            last = tell(server, 100, NOTHING)
            expected = set(range(last - 99, last + 1))
            until(game, lambda: expected <= set().union(*map(named, prefixes)))
