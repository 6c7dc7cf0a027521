# SPDX-License-Identifier: BSD-3-Clause
"""The path carries less in mid-session or after a move, or more: Python client and C core."""

from __future__ import annotations

from random import Random

import pytest

from pyshim.protocol.client import Bulk, Connected
from pyshim.protocol.client.outgoing import Delivery, Outgoing, Priority
from pyshim.protocol.session_bodies import bulk_body
from pyshim.protocol.session_wire import Kind, MessageType
from tests.session.attack import STRANGER, forged, join
from tests.session.core_gateway import CoreGateway
from tests.session.internet import Internet, Player
from tests.session.paths import BULK, TO_GATEWAY, TO_PLAYER, WAYS, Path, run, wait


def send_bulk(internet: Internet, player: Player, data: bytes = BULK) -> Delivery:
    """To the player himself: over the path in both directions."""
    outgoing = Outgoing.reliable(MessageType.BULK, bulk_body(7, data), Priority.BULK, 2)
    player.session.send(outgoing, internet.now)
    assert outgoing.delivery is not None
    return outgoing.delivery


def bulks(player: Player) -> int:
    """How many came, all of them right."""
    came = [event.data for event in player.heard if isinstance(event, Bulk)]
    assert came == [BULK] * len(came)
    return len(came)


def stayed(player: Player) -> bool:
    """Nobody was thrown out, nobody came again."""
    return player.session.is_connected and sum(isinstance(event, Connected) for event in player.heard) == 1


def carries(gateway: CoreGateway) -> int:
    """What the gateway believes, as the control API tells it."""
    info = gateway.table.of_player(7)
    assert info is not None
    assert info.connection is not None
    return info.connection.max_datagram


def under_way(internet: Internet, path: Path) -> bool:
    """Let the bulk begin to arrive in both directions."""
    before = len(path.sizes)
    return internet.run(5, lambda: len(path.sizes) > before + 60)


@pytest.mark.parametrize("ways", WAYS.values(), ids=WAYS)
def test_bulk_arrives_where_the_path_shrinks_in_mid_session(
    gateway: CoreGateway, ways: frozenset[bool]
) -> None:
    internet = Internet(gateway)
    path = Path(internet)
    alice = join(internet, gateway.issue(7))
    send_bulk(internet, alice)
    assert under_way(internet, path)
    path.carries, path.ways = 600, ways
    assert run(internet, gateway, 60, lambda: bulks(alice) == 1)
    assert stayed(alice)
    path.watch()
    send_bulk(internet, alice)
    assert run(internet, gateway, 60, lambda: bulks(alice) == 2)
    for way in ways:  # it is known by now
        assert path.longest_data(way) <= 508
    assert stayed(alice)
    gateway.check_books()


@pytest.mark.parametrize("notices", [True, False], ids=["it knows", "a NAT"])
def test_bulk_arrives_where_the_player_moves_to_a_narrower_path(gateway: CoreGateway, notices: bool) -> None:
    internet = Internet(gateway)
    path = Path(internet)
    alice = join(internet, gateway.issue(7))
    send_bulk(internet, alice)
    assert under_way(internet, path)
    internet.move_away(alice)
    path.carries = 600
    if notices:
        alice.session.moved(internet.now)
        path.watch()
    assert run(internet, gateway, 60, lambda: bulks(alice) == 1)
    if notices:
        assert path.longest_data(TO_GATEWAY) <= 508  # at once
    path.watch()
    send_bulk(internet, alice)
    assert run(internet, gateway, 60, lambda: bulks(alice) == 2)
    assert max(path.longest_data(TO_GATEWAY), path.longest_data(TO_PLAYER)) <= 508
    assert stayed(alice)
    gateway.check_books()


def test_after_a_move_both_ends_find_out_what_the_path_carries(gateway: CoreGateway) -> None:
    internet = Internet(gateway)
    path = Path(internet)
    alice = join(internet, gateway.issue(7))
    internet.move_away(alice)
    alice.session.moved(internet.now)
    path.watch()
    wait(internet, gateway, 5)
    assert path.probes(TO_GATEWAY) == [1000, 1232, 1400]
    assert path.probes(TO_PLAYER) == [1000, 1232, 1400]  # the Python client acknowledged each
    path.watch()
    send_bulk(internet, alice)
    assert run(internet, gateway, 20, lambda: bulks(alice) == 1)
    assert min(path.longest_data(TO_GATEWAY), path.longest_data(TO_PLAYER)) > 508  # two pieces
    gateway.check_books()


def test_a_connection_that_was_granted_508_searches_for_more_later(gateway: CoreGateway) -> None:
    internet = Internet(gateway)
    path = Path(internet, carries=508)
    alice = internet.join(gateway.issue(7))
    assert run(internet, gateway, 20, lambda: alice.session.is_connected)
    assert alice.heard[0].max_datagram == 508  # type: ignore[union-attr]
    wait(internet, gateway, 20)  # a search in vain
    assert carries(gateway) == 508
    path.carries = 1500
    path.watch()
    wait(internet, gateway, 620)
    assert path.probes(TO_GATEWAY) == path.probes(TO_PLAYER) == [1000, 1232, 1400]
    assert carries(gateway) == 1400
    send_bulk(internet, alice)
    assert run(internet, gateway, 20, lambda: bulks(alice) == 1)
    assert min(path.longest_data(TO_GATEWAY), path.longest_data(TO_PLAYER)) > 508  # two pieces


def test_a_path_that_carries_no_more_is_asked_three_times_in_ten_minutes(gateway: CoreGateway) -> None:
    internet = Internet(gateway)
    path = Path(internet, carries=1250)
    alice = internet.join(gateway.issue(7))
    assert run(internet, gateway, 20, lambda: alice.session.is_connected)
    wait(internet, gateway, 590)
    assert path.probes(TO_GATEWAY) == path.probes(TO_PLAYER) == [1400, 1400, 1400]
    wait(internet, gateway, 30)
    assert path.probes(TO_GATEWAY) == path.probes(TO_PLAYER) == [1400] * 6
    assert stayed(alice)


def test_who_drops_what_he_likes_only_makes_datagrams_shorter(gateway: CoreGateway) -> None:
    internet = Internet(gateway)
    path = Path(internet, loses=lambda _way, datagram: datagram[0] == Kind.PROBE)
    alice = join(internet, gateway.issue(7))
    internet.move_away(alice)
    alice.session.moved(internet.now)
    wait(internet, gateway, 10)
    path.watch()
    send_bulk(internet, alice)
    assert run(internet, gateway, 20, lambda: bulks(alice) == 1)
    assert max(path.longest_data(TO_GATEWAY), path.longest_data(TO_PLAYER)) <= 508
    assert stayed(alice)


def test_who_sees_everything_and_injects_proves_no_size(gateway: CoreGateway) -> None:
    """He drops the PROBEs, sends copies of all else from two places, and forges what he likes."""
    internet = Internet(gateway)
    random = Random(7)
    seen: list[tuple[bool, bytes]] = []

    def loses(to_gateway: bool, datagram: bytes) -> bool:
        seen.append((to_gateway, datagram))
        return datagram[0] == Kind.PROBE and to_gateway

    path = Path(internet, loses=loses)
    ticket = gateway.issue(7)
    alice = join(internet, ticket)
    internet.move_away(alice)
    alice.session.moved(internet.now)
    for _ in range(50):
        run(internet, gateway, 0.1, lambda: False)
        for to_gateway, datagram in seen[-20:]:
            if to_gateway and datagram[0] != Kind.PROBE:
                internet.inject(STRANGER, datagram)
                internet.inject(alice.address, datagram)
            elif not to_gateway:
                alice.session.receive(datagram, internet.now)
        for size in (40, 508, 1000, 1400):
            for kind in (Kind.DATA, Kind.PROBE):
                fake = forged(ticket.session, random.randrange(1 << 32), random, size, kind)
                internet.inject(alice.address, fake)
                alice.session.receive(fake, internet.now)
    path.watch()
    send_bulk(internet, alice)
    assert run(internet, gateway, 20, lambda: bulks(alice) == 1)
    assert path.longest_data(TO_GATEWAY) <= 508
    assert stayed(alice)
