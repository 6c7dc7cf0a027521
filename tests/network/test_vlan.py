# SPDX-License-Identifier: BSD-3-Clause
"""Players and neighbours behind VLAN tags: answers come back through the same tags, or they would not arrive.

On a kernel interface the tags have a way of their own: the kernel takes the outermost one off, and each
driver puts it back into the frame in its own manner before the appliance sees it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from tests.network.namespace import GATE4, GATE6, GATE_INTERFACE, GATE_MAC, Wire
from tests.network.players import (
    KINDS,
    Crowd,
    Growth,
    NetworkGate,
    all_play,
    config,
    say_hello,
    serving,
)
from tests.network.tagged import C_TAG, STACKS, TAP, TaggedPlayers

AF_PACKET = config(port={"mac": GATE_MAC})
PCAP = config(port={"mac": GATE_MAC, "device": f"net_pcap0,iface={GATE_INTERFACE}"})

pytestmark = pytest.mark.skipif(not TAP.exists(), reason=f"no {TAP}: players' tags are put on behind a tap")


@pytest.fixture(scope="class")
def gate(
    wire: Wire, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NetworkGate]:
    with serving(wire, request.cls.settings, tmp_path_factory.mktemp("vlan")) as running:
        yield running


@pytest.fixture
def tagged(wire: Wire, gate: NetworkGate, stack: str) -> Iterator[TaggedPlayers]:
    with TaggedPlayers(wire, STACKS[stack]) as players:
        say_hello(players.namespace)
        yield players


class Tagged:
    """What holds for any device."""

    settings: ClassVar[dict[str, Any]]

    def test_a_tagged_host_pings_us(self, gate: NetworkGate, tagged: TaggedPlayers) -> None:
        grown = Growth(gate)
        for address in (GATE4, GATE6):
            for size in ("0", "56", "1400"):
                said = tagged.namespace.run("ping", "-n", "-c", "1", "-W", "10", "-s", size, address)
                assert "1 received" in said
        assert (grown.handled("icmp_echo"), grown.handled("icmpv6_echo")) == (3, 3)

    def test_tagged_and_untagged_players_are_acknowledged_side_by_side(
        self, gate: NetworkGate, tagged: TaggedPlayers, crowd: Crowd
    ) -> None:
        grown = Growth(gate)
        behind = Crowd(tagged.namespace)
        try:
            players = [
                *behind.players(20),
                *crowd.players(20),
                *behind.players(20, family=6),
                *crowd.players(20, family=6),
            ]
            for _ in range(2):
                assert all_play(players) == 80 * len(KINDS)
        finally:
            behind.close()
        assert grown.of("pollgate_sessions", state="active") == 80


# net_af_packet puts every tag back as one of 802.1Q, because rte_vlan_insert knows no other: behind an S-tag
# the appliance answers what it was shown.
@pytest.mark.parametrize("stack", [name for name, tags in STACKS.items() if tags[0][0] == C_TAG])
class TestAfPacket(Tagged):
    """The driver inserts the tag that the kernel reports in the ring."""

    settings = AF_PACKET


@pytest.mark.parametrize("stack", STACKS)
class TestPcap(Tagged):
    """libpcap inserts it, whichever kind it is."""

    settings = PCAP
