# SPDX-License-Identifier: BSD-3-Clause
"""A device asks to be reset while players play: opened again in order, and nobody loses anything.

The event comes the way that a driver's does, through DPDK's list of callbacks, in a worker process of the
appliance as it is installed; only who says it is the test's (raise_event.c).
"""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from pyshim.protocol.client import Chat, Client, Connected, Disconnected
from tests.network.namespace import Wire
from tests.network.players import Crowd, NetworkGate, Traffic, all_play, config, heartbeat, serving
from tests.session.deployment import Deployment, heard, playing, quiet, settings

NOTICED_S = 30.0  # a bound for busy machines
REOPENINGS = "pollgate_worker_reopenings_total"
EVENTS = {"reset": "RTE_ETH_EVENT_INTR_RESET", "recovery failed": "RTE_ETH_EVENT_RECOVERY_FAILED"}


@dataclass(frozen=True, slots=True)
class Driver:
    """What a driver would say, when it is told to."""

    prefix: Sequence[str]
    when: Path

    def asks_for_a_reset(self, gate: NetworkGate, times: int) -> None:
        self.when.touch()
        gate.wait_metric(REOPENINGS, times, NOTICED_S)
        gate.wait_ready(NOTICED_S)


def number_of(event: str, flags: Sequence[str], directory: Path) -> str:
    """Of an event in this DPDK; a release that has it not skips the test."""
    source = directory / "number.c"
    source.write_text(
        f'#include <rte_ethdev.h>\n#include <stdio.h>\nint main(void) {{ printf("%d", {event}); }}\n'
    )
    built = subprocess.run(
        ("cc", *flags, source, "-o", directory / "number"), capture_output=True, text=True, check=False
    )
    if built.returncode != 0:
        pytest.skip(f"this DPDK has no {event}")
    return subprocess.run((directory / "number",), capture_output=True, text=True, check=True).stdout


@pytest.fixture(params=list(EVENTS))
def driver(request: pytest.FixtureRequest, tmp_path: Path) -> Driver:
    asked = subprocess.run(("pkg-config", "--cflags", "libdpdk"), capture_output=True, text=True, check=True)
    flags = asked.stdout.split()
    library, when = tmp_path / "raise_event.so", tmp_path / "now"
    source = Path(__file__).with_name("raise_event.c")
    subprocess.run(("cc", "-shared", "-fPIC", *flags, source, "-o", library, "-ldl"), check=True)
    said = {
        "LD_PRELOAD": str(library),
        "RAISE_WHEN": str(when),
        "RAISE_FOR": "net_af_packet0",
        "RAISE_EVENT": number_of(EVENTS[request.param], flags, tmp_path),
    }
    return Driver(("env", *(f"{name}={value}" for name, value in said.items())), when)


def test_players_of_the_plain_profile_play_on_through_resets(
    wire: Wire, crowd: Crowd, driver: Driver, tmp_path: Path
) -> None:
    with serving(wire, config(), tmp_path, prefix=driver.prefix) as gate:
        players = crowd.players(20)
        all_play(players, lambda number: [heartbeat(number)])
        first = gate.worker_pid()
        for times in (1, 2):
            with Traffic(players) as traffic:
                traffic.await_sent(10)
                driver.asks_for_a_reset(gate, times)
                traffic.await_answer(NOTICED_S)
        assert gate.worker_pid() != first
        assert gate.stderr.count("port game0: its device asks to be reset; it is opened again") == 2
        for player in players:
            player.catch_up()
            player.is_ignored(heartbeat(player.id + 1000))  # its session is still its own
        samples = gate.metrics()
        assert samples.value("pollgate_sessions_admitted_total") == len(players)
        assert samples.value("pollgate_worker_restarts_total") == 0
        assert samples.value("pollgate_drops_total", reason="worker_lost") == 0


def test_players_of_the_session_profile_are_told_nothing_and_miss_nothing(
    wire: Wire, driver: Driver, tmp_path: Path
) -> None:
    control = {"listen": f"unix:{tmp_path}/control.sock"}
    with serving(wire, settings("dpdk", control=control), tmp_path, prefix=driver.prefix) as gate:
        deployment = Deployment(wire, gate)
        tickets = [deployment.issue(7), deployment.issue(8, family=6)]

        async def talk(alice: Client, bob: Client, said: str) -> None:
            receipt = alice.chat(said, to=8)
            assert [chat.text for chat in await heard(bob, Chat)] == [said]
            await receipt

        async def game() -> None:
            async with playing(*tickets) as (alice, bob):
                for player in (alice, bob):
                    await heard(player, Connected)
                await talk(alice, bob, "before")
                for player in (alice, bob):
                    await quiet(player)
                await asyncio.to_thread(driver.asks_for_a_reset, gate, 1)
                await talk(alice, bob, "after")
                for player in (alice, bob):
                    assert not any(isinstance(event, Disconnected) for event in player.session.events)

        deployment.play(game)
        assert deployment.total("session_connections_total") == len(tickets)
        assert deployment.total("worker_restarts_total") == 0
