# SPDX-License-Identifier: BSD-3-Clause
"""What an operator sees of a game that falls behind, or that nothing leads to."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyshim.protocol.client import Client
from tests.bus.process import Process
from tests.bus.test_attach import config, listed
from tests.bus.test_players import OWN, ticket
from tests.gate import Gate

RING_KIB = 4


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    with Gate(config(tmp_path, ring_kib=RING_KIB, routes=[{"to": "arena"}]), tmp_path) as made:
        yield made


def test_of_a_process_that_does_not_read_the_log_the_api_and_the_metrics_tell(gate: Gate) -> None:
    def counted(name: str, **labels: str) -> float:
        return gate.metrics().value(f"pollgate_game_{name}", process="arena", **labels)

    async def play() -> int:
        said = 0
        async with Client(ticket(gate, 7)) as player:
            while not counted("messages_lost_total", reason="full"):
                for _ in range(5):
                    await player.say(OWN, b"x" * 200)
                said += 5
        return said

    with Process(gate.directory / "game.sock") as process:
        assert counted("ring_used_ratio", worker="0") == 0
        process.attach("arena")
        said = asyncio.run(play())
        gate.wait_for_line(
            r"warning: game process arena does not keep up: .*\d messages? so far; .*game\.ring_kib"
        )
        gate.wait_until(lambda: 0.9 < counted("ring_used_ratio", worker="0") <= 1)
        (arena,) = listed(gate)
        lost = counted("messages_lost_total", reason="full")
        assert (arena["lost"]["full"], arena["lost"]["away"]) == (lost, 0)
        assert arena["delivered"] == said - lost
        assert (arena["orders"], sum(arena["orders_refused"].values())) == (0, 0)
        (unread,) = arena["unread_bytes"]
        assert 0.9 * RING_KIB * 1024 < unread <= RING_KIB * 1024
        assert arena["routed"]
    gate.stop()
    assert gate.stderr.count("does not keep up") == 1
