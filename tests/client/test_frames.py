# SPDX-License-Identifier: BSD-3-Clause
"""Games that look once a frame, on a clock of its own: what bulk gets, and what it adds for others.

`pytest -rP` shows the figures.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest

from pyshim.plan import ListenerPolicy, Policy
from tests.client.bottleneck import LINK_BITS_PER_S, PLAYERS, added, run
from tests.client.c_client import Library
from tests.client.world import World, c, heard
from tests.session.core_gateway import NO_LIMITS, CoreGateway, plan
from tests.session.model_gateway import ModelGateway

ADDED_MS = 50
SECONDS = 5
FASTER_BITS_PER_S = 10_000_000
USED = 0.7  # of the link: who takes nothing adds nothing


@pytest.fixture
def gateways() -> Iterator[list[CoreGateway]]:
    limits = Policy(30 * 10**9, 0, 1, (ListenerPolicy(0, 1),), NO_LIMITS)
    made = [CoreGateway(plan(limits, issued_capacity=64, message_memory_mib=64)) for _ in range(2)]
    yield made
    for gateway in made:
        gateway.close()


@pytest.mark.parametrize(
    ("frames_hz", "senders", "way"),
    [
        pytest.param(60, PLAYERS, "up", marks=pytest.mark.full),
        (60, PLAYERS, "down"),
        (30, PLAYERS, "up"),
        pytest.param(30, PLAYERS, "down", marks=pytest.mark.full),
        (30, 1, "up"),
        (30, 1, "down"),
    ],
)
def test_bulk_of_games_that_look_once_a_frame_adds_no_50_ms_over_a_link_of_1_mbit(
    library: Library, gateways: list[CoreGateway], frames_hz: int, senders: int, way: str
) -> None:
    base = run(library, gateways[0], "c", seconds=2, frames_hz=frames_hz)
    loaded = run(library, gateways[1], "c", seconds=SECONDS, frames_hz=frames_hz, **{way: senders})
    figures = {
        "movement": added(base.moves, loaded.moves),
        "round trip of a ping": added(base.round_trips, loaded.round_trips),
    }
    used = loaded.carried[way == "up"] * 8 / LINK_BITS_PER_S / SECONDS
    for name, (middle_ms, late_ms) in figures.items():
        print(f"{frames_hz} Hz, {senders} {way}, {name}: +{middle_ms:.0f} ms median, +{late_ms:.0f} ms p95")
        assert max(middle_ms, late_ms) < ADDED_MS
    print(f"the link carried {used:.0%}")
    assert used > USED


@pytest.mark.parametrize("way", ["up", "down"])
@pytest.mark.parametrize(("frames_hz", "share"), [(60, 1 / 2), (30, 1 / 4)])
def test_a_game_that_looks_once_a_frame_has_a_share_of_what_one_that_waits_has(
    library: Library, gateways: list[CoreGateway], frames_hz: int, share: float, way: str
) -> None:
    """Over a link of 10 Mbit/s and a round trip of 40 ms."""
    carried = [
        run(library, gateway, "c", seconds=3, frames_hz=hz, bits_per_s=FASTER_BITS_PER_S, **{way: 1}).carried
        for gateway, hz in zip(gateways, [0, frames_hz], strict=True)
    ]
    waiting, looking = (figures[way == "up"] / 3000 for figures in carried)
    print(f"{way}: {waiting:.0f} KB/s waiting, {looking:.0f} KB/s at {frames_hz} Hz")
    assert looking > share * waiting


def test_nothing_is_said_again_to_a_game_whose_frames_are_longer_than_the_timeout(
    library: Library, gateways: list[CoreGateway]
) -> None:
    """By the gateway, and by the Python client's way to count in the model."""
    for gateway in (gateways[0], ModelGateway(Random(1).randbytes)):
        world = World(library, gateway)
        player = world.connected()
        player.frame_s = 0.13  # a round trip and what a peer may wait are 65 ms
        for number in range(30):
            assert c(player).chat(7, f"number {number}", c(player).delivery(1, priority=0)) == 0
            world.internet.run(0.5)
        assert [values[-1] for values in heard(player, "CHAT")] == [
            f"number {number}" for number in range(30)
        ]
        assert c(player).statistics().duplicates == 0
        assert c(player).statistics().resent == 0
