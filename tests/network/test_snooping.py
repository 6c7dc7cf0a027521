# SPDX-License-Identifier: BSD-3-Clause
"""Behind a bridge that snoops neighbours find an IPv6 address only if its multicast group was reported."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.network.namespace import GATE6, PLAYERS4, PLAYERS6, Namespace
from tests.network.namespace import GATE_INTERFACE as GATE
from tests.network.players import Growth, NetworkGate, config

MAC = "02:00:00:00:00:99"
GROUP = "ff02::1:ff00:1"
LONG_S = 60.0  # a bound: queries come every two seconds


class Bridged:
    """A gate and players at two ports of a bridge that is its own querier, every two seconds."""

    def __init__(self) -> None:
        self.gate, self.switch, self.players = Namespace(), Namespace(), Namespace()
        for inside, name in ((self.gate, GATE), (self.players, "eth0")):
            inside.run("sysctl", "-qw", "net.ipv6.conf.default.addr_gen_mode=1")
            self.switch.run("ip", "link", "add", name, "type", "veth", "peer", "name", "end")
            self.switch.run("ip", "link", "set", "end", "netns", inside.path)
            inside.run("ip", "link", "set", "end", "name", name)
        self.gate.run("sysctl", "-qw", f"net.ipv6.conf.{GATE}.disable_ipv6=1")
        self.switch.run(
            *("ip", "link", "add", "br0", "type", "bridge", "mcast_snooping", "1", "mcast_querier", "1"),
            *("mcast_mld_version", "2", "mcast_query_interval", "200", "mcast_startup_query_interval", "200"),
            *("mcast_query_response_interval", "100", "mcast_membership_interval", "500"),
        )
        for name in (GATE, "eth0"):
            self.switch.run("ip", "link", "set", name, "master", "br0", "up")
        self.switch.run("ip", "link", "set", "br0", "up")
        self.players.run("ethtool", "-K", "eth0", "tx", "off")
        for address, flag in ((f"{PLAYERS4}/24", ()), (f"{PLAYERS6}/64", ("nodad",))):
            self.players.run("ip", "address", "add", address, "dev", "eth0", *flag)
        self.gate.run("ip", "link", "set", GATE, "up")
        self.players.run("ip", "link", "set", "eth0", "up")

    def close(self) -> None:
        for namespace in (self.gate, self.players, self.switch):
            namespace.close()

    def members(self) -> list[str]:
        """Groups that the bridge knows to be wanted at the gate's port."""
        shown = json.loads(self.switch.run("bridge", "-json", "mdb", "show", "dev", "br0"))
        return [entry["grp"] for one in shown for entry in one["mdb"] if entry["port"] == GATE]

    def resolves(self) -> bool:
        """Whether the players find the gate, whom they do not know yet."""
        self.players.attempt("ip", "-6", "neighbour", "flush", "dev", "eth0")
        return self.players.attempt("ping", "-6", "-n", "-c", "1", "-W", "5", GATE6).returncode == 0


def await_true(what: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + LONG_S
    while not what():
        assert time.monotonic() < deadline_s
        time.sleep(0.1)


@pytest.fixture
def bridged(namespaces: None) -> Iterator[Bridged]:
    try:
        made = Bridged()
    except AssertionError as problem:
        pytest.skip(f"this kernel makes no bridge that snoops: {problem}")
    yield made
    made.close()


def test_ipv6_works_behind_a_bridge_that_snoops_for_as_long_as_it_asks(
    bridged: Bridged, tmp_path: Path
) -> None:
    with NetworkGate(bridged.gate, config(port={"mac": MAC}), tmp_path) as gate:
        gate.wait_until(lambda: GROUP in bridged.members())
        grown = Growth(gate)
        # Longer than the bridge remembers a group of which it hears nothing.
        gate.wait_until(lambda: grown.handled("mld_query") >= 4, LONG_S)
        gate.wait_until(lambda: grown.of("pollgate_transmit_originated_packets_total") >= 4)
        assert bridged.members() == [GROUP]
        assert bridged.resolves()
        assert gate.stop() == 0
        # Told that it is left, the bridge asks once more, hears nothing and forgets.
        await_true(lambda: GROUP not in bridged.members())


def test_a_querier_of_version_1_is_answered_in_version_1(bridged: Bridged, tmp_path: Path) -> None:
    bridged.switch.run("ip", "link", "set", "br0", "type", "bridge", "mcast_mld_version", "1")
    with NetworkGate(bridged.gate, config(port={"mac": MAC}), tmp_path) as gate:
        grown = Growth(gate)
        gate.wait_until(lambda: grown.handled("mld_query") >= 4, LONG_S)
        assert bridged.members() == [GROUP]
        assert bridged.resolves()
        assert gate.stop() == 0
