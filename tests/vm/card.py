# SPDX-License-Identifier: BSD-3-Clause
"""What every card must do, whichever driver of the kernel's has given it away.

A class of tests inherits from Card; its module says which MACHINE, and to which DRIVER the card is given.
"""

from __future__ import annotations

import asyncio
import re
import threading
from functools import partial
from typing import Any, ClassVar

import pytest

from pyshim.protocol.client import Bulk, Chat, Connected, Disconnected
from tests.network.namespace import GATE4, GATE6, PLAYERS_INTERFACE
from tests.network.players import Crowd, Growth, all_play, is_balanced
from tests.network.tagged import STACKS, TaggedPlayers
from tests.session.deployment import PATIENCE_S, Deployment, heard, kill, playing, quiet
from tests.vm.guest import CARD_MAC, Guest
from tests.vm.wire import acknowledged_moves, echoes, inject, refused_frames

LONGEST4, LONGEST6 = 1500 - 28, 1500 - 48  # payload of an echo that fills the MTU


# A card goes by the offsets in its descriptor. qemu looks for the UDP header itself, and takes a second tag
# for one only behind an S-tag: else the checksum leaves as we left it, and the players' kernel drops it.
NOT_COMPUTED_BY_QEMU = {"two 802.1Q"}


def is_dropped(grown: Growth, reason: str) -> bool:
    return grown.dropped(reason) >= 1


class Card:
    """A card behind one wire."""

    settings: ClassVar[dict[str, Any]]
    computes_checksums = True  # of what we send, by qemu's model of the card

    def test_2048_moves_are_all_answered(self, deployment: Deployment, crowd: Crowd) -> None:
        players = crowd.players(32) + crowd.players(32, family=6)
        assert acknowledged_moves(players, 32) == 2048
        deployment.gate.wait_until(lambda: is_balanced(deployment.gate.metrics()))

    def test_a_neighbour_finds_us_by_arp_and_by_neighbour_discovery(
        self, guest: Guest, deployment: Deployment
    ) -> None:
        grown = Growth(deployment.gate)
        said = guest.wire.players.run("arping", "-c", "2", "-w", "60", "-I", PLAYERS_INTERFACE, GATE4)
        assert set(re.findall(r"\[([0-9A-F:]{17})\]", said)) == {CARD_MAC.upper()}
        for address, kind in ((GATE4, "arp"), (GATE6, "neighbor_solicitation")):
            guest.wire.players.run("ip", "neighbour", "flush", "to", address)
            assert echoes(guest.wire.players, address, [56]) == []
            shown = guest.wire.players.run("ip", "neighbour", "show", address)
            assert f"lladdr {CARD_MAC}" in shown
            assert grown.handled(kind) >= 1

    @pytest.mark.parametrize(("address", "longest"), [(GATE4, LONGEST4), (GATE6, LONGEST6)])
    def test_pings_of_every_size_come_back(
        self, guest: Guest, deployment: Deployment, address: str, longest: int
    ) -> None:
        assert echoes(guest.wire.players, address, range(longest + 1)) == []

    def test_players_behind_vlan_tags_play(self, guest: Guest, deployment: Deployment, stack: str) -> None:
        with TaggedPlayers(guest.wire, STACKS[stack]) as tagged:
            for address in (GATE4, GATE6):
                assert echoes(tagged.namespace, address, (0, 56, 1400)) == []
            if self.computes_checksums and stack in NOT_COMPUTED_BY_QEMU:
                return
            behind = Crowd(tagged.namespace)
            try:
                players = [*behind.players(10), *behind.players(10, family=6)]
                assert acknowledged_moves(players, 5) == 5 * len(players)
            finally:
                behind.close()

    def test_wrong_checksums_are_refused_and_counted(
        self, guest: Guest, deployment: Deployment, crowd: Crowd
    ) -> None:
        player = crowd.player()
        for name, (reason, frame) in refused_frames().items():
            grown = Growth(deployment.gate)
            inject(guest.wire.players, frame)
            deployment.gate.wait_until(partial(is_dropped, grown, reason))
            assert acknowledged_moves([player], 1) == 1, name
            assert grown.dropped(reason) == 1, name
            assert grown.of("pollgate_messages_total", type="heartbeat") == 0, name

    def test_a_session_says_and_hears_everything(self, guest: Guest, deployment: Deployment) -> None:
        tickets = [deployment.issue(7), deployment.issue(8, family=6)]
        data = bytes(range(256)) * 255

        async def game() -> None:
            async with playing(*tickets) as (alice, bob):
                await heard(alice, Connected)
                alice.move((1.5, -2.25, 3.0), (0.0, 1.0, 0.0))
                await alice.chat("héllo ✓", to=8)
                assert await heard(bob, Chat) == [Chat(7, 8, 0, "héllo ✓")]
                there = bob.bulk(data, to=7)
                assert await heard(alice, Bulk) == [Bulk(8, 7, data)]
                await there

        deployment.play(game)
        assert deployment.position(tickets[0].session) == [1.5, -2.25, 3.0]

    def test_a_killed_worker_takes_no_session_with_it(
        self, guest: Guest, deployment: Deployment, crowd: Crowd
    ) -> None:
        players = crowd.players(20) + crowd.players(20, family=6)
        all_play(players)
        restarts = deployment.total("worker_restarts_total") + 1
        grown = Growth(deployment.gate)
        ticket = deployment.issue(9)

        async def game() -> None:
            async with playing(ticket) as (alice,):
                await alice.chat("before", to=9)
                await heard(alice, Chat)
                await quiet(alice)
                await asyncio.to_thread(partial(kill, deployment, restarts))
                await alice.chat("after", to=9)
                await heard(alice, Chat)
                assert not any(isinstance(event, Disconnected | Connected) for event in alice.session.events)

        deployment.play(game, PATIENCE_S * deployment.gate.patience)
        assert acknowledged_moves(players, 1) == len(players)
        assert grown.of("pollgate_sessions_admitted_total") == 0

    def test_a_reload_loses_no_packet(self, guest: Guest, deployment: Deployment, crowd: Crowd) -> None:
        players = crowd.players(20)
        said = deployment.gate.stderr.count("configuration reloaded")
        deployment.gate.write_config({**self.settings, "host": {"reply_pps": 10_000, "reply_burst": 10_000}})
        over = threading.Event()
        rounds = 0

        def reload() -> None:
            deployment.gate.reload()
            deployment.gate.wait_until(lambda: deployment.gate.stderr.count("configuration reloaded") > said)

        def reloading() -> None:
            try:
                reload()
            finally:
                over.set()

        thread = threading.Thread(target=reloading)
        thread.start()
        while not over.is_set() or rounds == 0:
            assert acknowledged_moves(players, 1) == len(players)
            rounds += 1
        thread.join()
        assert deployment.gate.stderr.count("configuration reloaded") > said

    def test_a_cable_that_is_pulled_and_plugged_in_again_is_noticed(
        self, guest: Guest, deployment: Deployment, crowd: Crowd
    ) -> None:
        def link(state: int) -> bool:
            return deployment.total("port_link_up") == state

        players = crowd.players(10)
        assert link(1)
        guest.set_link(False)
        deployment.gate.wait_until(lambda: link(0))
        guest.set_link(True)
        deployment.gate.wait_until(lambda: link(1))
        assert acknowledged_moves(players, 2) == 2 * len(players)


class Spread:
    """A card with two queues, each served by a worker of its own."""

    def test_flows_are_spread_over_the_queues_and_each_stays_at_its_own(
        self, deployment: Deployment, crowd: Crowd
    ) -> None:
        grown = Growth(deployment.gate)
        players = crowd.players(100) + crowd.players(100, family=6)
        assert acknowledged_moves(players, 2) == 2 * len(players)
        admitted = [grown.of("pollgate_sessions_admitted_total", worker=worker) for worker in "01"]
        assert min(admitted) > 0
        assert sum(admitted) == len(players)
        moves = [grown.of("pollgate_messages_total", worker=worker, type="move") for worker in "01"]
        assert moves == [2 * one for one in admitted]
