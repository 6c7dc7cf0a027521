# SPDX-License-Identifier: BSD-3-Clause
"""A world behind a card: who plays in it sees, hits and hears the others, and `pollgate load` finds no fault.

A class of tests inherits from InAWorld; its module says which MACHINE, and which DRIVER has the card.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from pyshim.protocol.client import Attack, Chat, Client, Judged
from tests.load.worlds import MEADOW, World
from tests.network.namespace import GATE4
from tests.network.players import is_balanced
from tests.session.deployment import PATIENCE_S, Deployment, heard, playing
from tests.vm import remote
from tests.vm.gate import CONTROL, SESSION_PORT, settings
from tests.vm.guest import Guest
from tests.world.test_appliance import seen, standing, until

LOADED = World(players=60, seconds=8)


def world(**changes: Any) -> dict[str, Any]:
    """A configuration for the card, in which sealed players are in world meadow."""
    listen = [{"port": SESSION_PORT, "profile": "session", "world": "meadow"}]
    worlds = [MEADOW | {"tick_hz": 8, "combat": {}}]
    free = {"messages_pps": dict.fromkeys(("chat", "bulk", "move", "attack", "skill"), 0)}
    return settings(**{"listen": listen, "worlds": worlds, "delivery": free, **changes})


@contextlib.contextmanager
def control_of(guest: Guest, directory: Path) -> Iterator[str]:
    """A socket here that leads to the control API in the guest, for as long as the block."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(directory / "control.sock"))
        listener.listen()

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    here, _ = listener.accept()
                    there = guest.wire.gate.call(lambda: remote.connect(CONTROL, 4 * PATIENCE_S))
                    for ends in ((here, there), (there, here)):
                        threading.Thread(target=carry, args=ends, daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield f"unix:{directory}/control.sock"
        listener.shutdown(socket.SHUT_RDWR)  # accept() returns


def carry(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


async def hit(alice: Client, bob: Client) -> None:
    """Alice shoots at where she saw bob, until he has been there for as long as what she sees is old."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            alice.attack(8, 1, (1.0, 0.0, -0.02))
            [told], [felt] = await heard(alice, Attack), await heard(bob, Attack)
            assert told.judgement is not None
            assert told == felt
            if told.judgement.judged is Judged.HIT:
                return


class InAWorld:
    """Players of both families behind one card."""

    settings: ClassVar[dict[str, Any]] = world()

    def test_players_see_hit_and_hear_each_other(self, deployment: Deployment) -> None:
        tickets = [deployment.issue(7), deployment.issue(8, family=6), deployment.issue(9)]

        async def game() -> None:
            async with (
                playing(*tickets) as (alice, bob, carol),
                standing((carol, (0, 200, 0))),
                standing((alice, (0, 0, 0))),
            ):
                async with standing((bob, (30, 0, 0))):
                    await until(lambda: seen(alice).keys() == {8} and seen(bob).keys() == {7})
                    assert math.dist(seen(alice)[8], (30, 0, 0)) < 0.006
                    await hit(alice, bob)
                    await bob.chat("héllo ✓", to=0)
                    assert await heard(alice, Chat) == [Chat(8, 0, 0, "héllo ✓")]
                async with standing((bob, (0, 180, 0))):
                    await until(lambda: seen(carol).keys() == {8} and not seen(alice))

        deployment.play(game)

    def test_many_see_and_hear_what_they_should(
        self, guest: Guest, deployment: Deployment, tmp_path: Path
    ) -> None:
        with control_of(guest, tmp_path) as control:
            here = tmp_path / "gate.yaml"
            config = json.loads(deployment.gate.config_path.read_text())
            here.write_text(json.dumps(config | {"control": {"listen": control}}))
            target, before = f"{GATE4}:{SESSION_PORT}", guest.wire.players.prefix
            seen = LOADED.step(here, "--walk", "town", target=target, before=before)["world"]
        assert (seen["worlds"], seen["corrections"]) == (1, 0)
        deployment.gate.wait_until(lambda: is_balanced(deployment.gate.metrics()))
