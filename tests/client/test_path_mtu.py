# SPDX-License-Identifier: BSD-3-Clause
"""The path carries less in mid-session or after a move, or more: C client and C core on a network."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pyshim.plan import ListenerPolicy, Policy
from tests.client.c_client import CSession, Library
from tests.client.world import World, c, heard
from tests.session.core_gateway import NO_LIMITS, CoreGateway, plan
from tests.session.internet import Player
from tests.session.paths import BULK, TO_GATEWAY, TO_PLAYER, WAYS, Path, run, wait


@pytest.fixture
def gateway() -> Iterator[CoreGateway]:
    with CoreGateway(plan(Policy(30 * 10**9, 0, 1, (ListenerPolicy(0, 1),), NO_LIMITS))) as it:
        yield it


def send_bulk(player: Player) -> None:
    """To the player himself: over the path in both directions."""
    game: CSession = c(player)
    assert game.bulk(7, BULK) == 0


def bulks(player: Player) -> int:
    """How many came, all of them right."""
    came = [data for *_, data in heard(player, "BULK")]
    assert came == [BULK] * len(came)
    return len(came)


def stayed(player: Player) -> bool:
    """Nobody was thrown out, nobody came again."""
    return (
        player.session.is_connected and len(heard(player, "CONNECTED")) == 1 and not heard(player, "CLOSED")
    )


@pytest.mark.parametrize("ways", WAYS.values(), ids=WAYS)
def test_bulk_arrives_where_the_path_shrinks_in_mid_session(
    library: Library, gateway: CoreGateway, ways: frozenset[bool]
) -> None:
    world = World(library, gateway)
    path = Path(world.internet)
    alice = world.connected(7)
    send_bulk(alice)
    assert world.internet.run(5, lambda: len(path.sizes) > 60)
    path.carries, path.ways = 600, ways
    assert run(world.internet, gateway, 60, lambda: bulks(alice) == 1)
    path.watch()
    send_bulk(alice)
    assert run(world.internet, gateway, 60, lambda: bulks(alice) == 2)
    for way in ways:  # it is known by now
        assert path.longest_data(way) <= 508
    assert stayed(alice)
    gateway.check_books()


@pytest.mark.parametrize("notices", [True, False], ids=["it knows", "a NAT"])
def test_bulk_arrives_where_the_player_moves_to_a_narrower_path(
    library: Library, gateway: CoreGateway, notices: bool
) -> None:
    world = World(library, gateway)
    path = Path(world.internet)
    alice = world.connected(7)
    send_bulk(alice)
    assert world.internet.run(5, lambda: len(path.sizes) > 60)
    world.internet.move_away(alice)
    path.carries = 600
    if notices:
        c(alice).moved(world.internet.now)
        path.watch()
    assert run(world.internet, gateway, 60, lambda: bulks(alice) == 1)
    if notices:
        assert path.longest_data(TO_GATEWAY) <= 508  # at once
    path.watch()
    send_bulk(alice)
    assert run(world.internet, gateway, 60, lambda: bulks(alice) == 2)
    assert max(path.longest_data(TO_GATEWAY), path.longest_data(TO_PLAYER)) <= 508
    assert stayed(alice)
    gateway.check_books()


def test_after_a_move_both_ends_find_out_what_the_path_carries(
    library: Library, gateway: CoreGateway
) -> None:
    world = World(library, gateway)
    path = Path(world.internet)
    alice = world.connected(7)
    world.internet.move_away(alice)
    c(alice).moved(world.internet.now)
    path.watch()
    wait(world.internet, gateway, 5)
    assert path.probes(TO_GATEWAY) == path.probes(TO_PLAYER) == [1000, 1232, 1400]
    send_bulk(alice)
    assert run(world.internet, gateway, 20, lambda: bulks(alice) == 1)
    assert min(path.longest_data(TO_GATEWAY), path.longest_data(TO_PLAYER)) > 508  # two pieces
    gateway.check_books()


def test_a_connection_that_was_granted_508_searches_for_more_later(
    library: Library, gateway: CoreGateway
) -> None:
    world = World(library, gateway)
    path = Path(world.internet, carries=508)
    alice = world.join(gateway.issue(7))
    assert run(world.internet, gateway, 20, lambda: alice.session.is_connected)
    wait(world.internet, gateway, 20)  # a search in vain
    path.carries = 1500
    path.watch()
    wait(world.internet, gateway, 620)
    assert path.probes(TO_GATEWAY) == path.probes(TO_PLAYER) == [1000, 1232, 1400]
    send_bulk(alice)
    assert run(world.internet, gateway, 20, lambda: bulks(alice) == 1)
    assert min(path.longest_data(TO_GATEWAY), path.longest_data(TO_PLAYER)) > 508  # two pieces


def test_a_game_that_wants_short_datagrams_sends_no_longer_ones(
    library: Library, gateway: CoreGateway
) -> None:
    world = World(library, gateway)
    path = Path(world.internet)
    alice = world.connected(7, max_datagram=600)
    send_bulk(alice)
    assert run(world.internet, gateway, 30, lambda: bulks(alice) == 1)
    wait(world.internet, gateway, 20)
    assert max(size for way, _, size in path.sizes if way is TO_GATEWAY) == 600
    assert max(path.probes(TO_PLAYER)) == 1400  # it takes them
    assert stayed(alice)


def test_a_datagram_that_its_own_host_refuses_makes_the_next_ones_short(
    library: Library, gateway: CoreGateway
) -> None:
    world = World(library, gateway)
    path = Path(world.internet)
    alice = world.connected(7)
    game = c(alice)

    def loses(to_gateway: bool, datagram: bytes) -> bool:
        refused = to_gateway and len(datagram) > 600
        if refused:
            game.lib.pgc_too_long_for_path(game.client)  # as a socket's EMSGSIZE does
        return refused

    path.loses = loses
    send_bulk(alice)
    assert run(world.internet, gateway, 30, lambda: bulks(alice) == 1)
    assert sum(size > 508 for way, kind, size in path.sizes if way is TO_GATEWAY and kind == 5) <= 4
    assert stayed(alice)
