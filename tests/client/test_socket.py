# SPDX-License-Identifier: BSD-3-Clause
"""The C client at its own socket, against the model gateway."""

from __future__ import annotations

import time

from pyshim.protocol.session_wire import Message, MessageType, Prefix, pack_messages
from tests.client.c_client import Game, Library
from tests.client.test_gateway import until
from tests.session.model_server import ModelServer


def named(prefix: Prefix) -> set[int]:
    """The counters that an acknowledgement names."""
    return {prefix.ack} | {prefix.ack - 1 - n for n in range(32) if prefix.ack_bits >> n & 1}


def test_each_of_many_datagrams_that_wait_in_the_socket_is_acknowledged(library: Library) -> None:
    with ModelServer() as server:
        game = Game(library, server.issue(7))
        until(game, lambda: game.is_connected)
        game.play(0.2)
        acknowledged: set[int] = set()
        with server.lock:
            _, seat = server.gateway.seat(7)
            heed = seat.sender.acknowledged

            def hear(prefix: Prefix, sent: int, now: float) -> None:
                acknowledged.update(named(prefix))
                heed(prefix, sent, now)

            seat.sender.acknowledged = hear  # type: ignore[method-assign]
            before = seat.sent
            skipped = pack_messages([Message(MessageType.BULK, bytes(8))])
            for _ in range(100):  # nothing that a game is told, so that all may be read at once
                server.send([(seat.address, server.gateway.say(7, time.monotonic(), skipped))])
        expected = set(range(before + 1, before + 101))
        until(game, lambda: expected <= acknowledged)
