# SPDX-License-Identifier: BSD-3-Clause
"""Two ports whose packet buffers are in two pools, as on two NUMA nodes, and one worker that serves both.

What sessions send on their own lies in buffers of the worker's first port, whichever way it leaves: each
must come back to the pool that it is from. The machine of a test has one node, so the planner is told of
two.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pyshim.protocol.client import Chat, Client
from tests.engines.engines import CPUS
from tests.network.namespace import Wire
from tests.network.players import NetworkGate, serving
from tests.session.deployment import Deployment, heard, playing, settings

pytestmark = pytest.mark.parametrize("engine", ["dpdk"], indirect=True, scope="module")

OTHER_GATE, OTHER_PLAYERS = "10.0.1.1", "10.0.1.2"
CHATS = 300
TWO_NODES = """
from pyshim.planner import memory

_one_node = memory._homes


def _two_nodes(*facts):
    return tuple(range(-1, len(_one_node(*facts)) - 1))  # whatever node, and node 0


memory._homes = _two_nodes
"""


@pytest.fixture
def second_wire(wire: Wire) -> Iterator[None]:
    wire.gate.run(
        *("ip", "link", "add", "gate1", "type", "veth"),
        *("peer", "name", "players1", "netns", wire.players.path),
    )
    wire.players.run("ethtool", "-K", "players1", "tx", "off")
    wire.players.run("ip", "address", "add", f"{OTHER_PLAYERS}/24", "dev", "players1")
    wire.gate.run("ip", "link", "set", "gate1", "up")
    wire.players.run("ip", "link", "set", "players1", "up")
    yield
    wire.gate.run("ip", "link", "delete", "gate1")


def two_ports(directory: Path) -> dict[str, Any]:
    given = settings("dpdk", control={"listen": f"unix:{directory}/control.sock"})
    (first,) = given["ports"]
    second = {
        "name": "game1",
        "device": "net_af_packet1,iface=gate1,framecnt=2048",
        "address": [f"{OTHER_GATE}/24"],
    }
    return {**given, "ports": [first, second], "workers": {"cpus": CPUS[:1]}, "eal": {"memory_mib": 256}}


def in_use(gate: NetworkGate) -> dict[str, float]:
    return {
        labels["pool"]: count
        for labels, count in gate.metrics().matching("pollgate_mempool_objects", state="in_use")
    }


def test_what_sessions_send_by_the_second_port_returns_to_the_pool_of_the_first(
    wire: Wire, second_wire: None, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(TWO_NODES)
    with serving(wire, two_ports(tmp_path), tmp_path, prefix=("env", f"PYTHONPATH={tmp_path}")) as gate:
        deployment = Deployment(wire, gate)
        here, there = deployment.issue(7), replace(deployment.issue(8), host=OTHER_GATE)
        assert len(in_use(gate)) == 2

        async def game() -> dict[str, float]:
            async with playing(here, there) as (alice, bob):
                await say(alice, bob, 8)
                before = in_use(gate)
                for _ in range(CHATS // 10):
                    await say(alice, bob, 8)
                    await say(bob, alice, 7)
                return before

        before = deployment.play(game)
        gate.wait_until(lambda: all(now <= before[pool] for pool, now in in_use(gate).items()))
        assert deployment.total("port_transmit_packets_total", port="game1") > CHATS // 10
        assert deployment.total("transmit_originated_packets_total") > CHATS // 10


async def say(speaker: Client, listener: Client, to: int) -> None:
    receipts = [speaker.chat(str(number), to=to) for number in range(5)]
    assert len(await heard(listener, Chat, 5)) == 5
    for receipt in receipts:
        await receipt
