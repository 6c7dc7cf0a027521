# SPDX-License-Identifier: BSD-3-Clause
"""Rings in huge pages, where there are any: the same rings, and never what a worker process needs."""

from __future__ import annotations

import asyncio
import mmap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pyshim.bus.files import Files
from pyshim.bus.pages import HugePages
from pyshim.dataplane.game import is_huge, released
from pyshim.game import Game, Message
from pyshim.host.memory import free_huge_pages
from pyshim.plan import HUGE_PAGE_BYTES, GamePlan, KeptPages
from pyshim.protocol.client import Client
from tests.bus.process import MAPPED, Process, head, wait_until_sealed
from tests.bus.test_attach import config, listed
from tests.bus.test_players import OWN, answer, hears, ticket
from tests.gate import Gate

TOTAL = Path("/proc/sys/vm/nr_hugepages")
RING_BYTES = 1 << 20
Reserve = Callable[[int], None]


@pytest.fixture
def reserve() -> Iterator[Reserve]:
    """So many huge pages are free during the test."""
    before = int(TOTAL.read_text())

    def have_free(pages: int) -> None:
        wanted = before - sum(free_huge_pages(HUGE_PAGE_BYTES).values()) + pages
        try:
            TOTAL.write_text(str(wanted))
        except OSError:
            pytest.skip("reserving huge pages takes root")
        if sum(free_huge_pages(HUGE_PAGE_BYTES).values()) != pages:
            pytest.skip("this machine has no room for so many huge pages")

    yield have_free
    if int(TOTAL.read_text()) != before:
        TOTAL.write_text(str(before))


def free() -> int:
    return sum(free_huge_pages(HUGE_PAGE_BYTES).values())


# ---------------------------------------------------------------- who may have them


@pytest.mark.parametrize(
    ("free_by_node", "kept", "pages", "may"),
    [
        ({0: 4}, (), 4, True),
        ({0: 4}, (), 5, False),
        ({}, (), 1, False),
        ({0: 4}, (KeptPages(0, 2),), 2, True),
        ({0: 4}, (KeptPages(0, 2),), 3, False),
        ({0: 4, 1: 9}, (KeptPages(0, 2),), 3, False),  # they could all be of node 0
        ({0: 4, 1: 9}, (KeptPages(1, 6),), 3, True),
        ({0: 4}, (KeptPages(1, 1),), 1, False),
    ],
)
def test_what_a_worker_process_needs_is_kept(
    free_by_node: dict[int, int], kept: tuple[KeptPages, ...], pages: int, may: bool
) -> None:
    plan = GamePlan(huge_pages=True, kept=kept)
    huge = HugePages(plan, lambda: free_by_node)
    assert huge.may_take(pages) is may
    huge.worker_has_its_own = True
    assert huge.may_take(pages) is (sum(free_by_node.values()) >= pages)
    assert not HugePages(GamePlan(huge_pages=False), lambda: free_by_node).may_take(pages)


# ---------------------------------------------------------------- memory


def made(may_be_huge: Callable[[int], bool]) -> Files:
    files = Files(1, RING_BYTES, lambda: 1 << 30, may_be_huge)
    files.make(0, "arena")
    files.give(0, "arena")
    return files


def test_files_in_huge_pages_are_sealed_and_go_on_like_others(reserve: Reserve) -> None:
    reserve(4)
    files = made(lambda _pages: True)
    try:
        assert (files.pages(0), free()) == ("huge", 2)
        (given,) = files.for_process(0)
        with mmap.mmap(given.fds[1], HUGE_PAGE_BYTES) as memory:
            (own,) = files.hear(0)
            with pytest.raises(PermissionError):
                memory.madvise(mmap.MADV_REMOVE)
            with pytest.raises(PermissionError):
                mmap.mmap(own, HUGE_PAGE_BYTES)
            memory[:8] = (48).to_bytes(8, "little")
            assert released(own) == 48
        files.seal(0)
        files.renew(0, "arena", attached=True)
        files.ended(0, "arena", (48,))
        files.give(0, "arena")
        assert (files.pages(0), is_huge(files.for_worker(0)[0])) == ("huge", True)
    finally:
        files.drop(0)
        files.close()
    assert free() == 4


def test_where_they_end_ordinary_pages_follow(reserve: Reserve) -> None:
    reserve(1)
    files = made(lambda _pages: True)  # as if others took them in the same moment
    try:
        assert (files.pages(0), free()) == ("both", 0)
    finally:
        files.close()


# ---------------------------------------------------------------- a gateway


def echoes(gate: Gate) -> None:
    async def play() -> None:
        async with Client(ticket(gate, 7)) as player:
            for body in (b"x", b"y" * 60_000):
                await player.say(OWN, body)
                (said,) = await asyncio.to_thread(hears, game, Message)
                game.send(7, OWN, said.body)
                game.flush()
                assert (await answer(player)).body == body

    with Game(gate.directory / "game.sock", "arena") as game:
        asyncio.run(play())


def pages_of(gate: Gate) -> Any:
    (arena,) = listed(gate)
    return arena["pages"]


def test_players_and_processes_speak_through_huge_pages(tmp_path: Path, reserve: Reserve) -> None:
    reserve(16)
    with Gate(config(tmp_path, ring_kib=1024, huge_pages="auto", routes=[{"to": "arena"}]), tmp_path) as gate:
        echoes(gate)
        assert pages_of(gate) == "huge"
        gate.kill_worker()
        gate.wait_ready()
        echoes(gate)
        assert pages_of(gate) == "huge"
        with Process(gate.directory / "game.sock") as process:
            (rings,) = process.arrive("other")
            with mmap.mmap(rings.fds[1], HUGE_PAGE_BYTES) as memory:
                process.say(head(MAPPED))
                wait_until_sealed(rings.fds[1])
                with pytest.raises(PermissionError):
                    memory.madvise(mmap.MADV_REMOVE)
        assert gate.stop() == 0
    assert free() == 16


@pytest.mark.parametrize(("pages", "huge"), [(0, "auto"), (16, "never")])
def test_without_huge_pages_or_the_wish_for_them_they_are_ordinary(
    tmp_path: Path, reserve: Reserve, pages: int, huge: str
) -> None:
    reserve(pages)
    wanted = config(tmp_path, ring_kib=1024, huge_pages=huge, routes=[{"to": "arena"}])
    with Gate(wanted, tmp_path) as gate:
        echoes(gate)
        assert pages_of(gate) == "ordinary"
        assert free() == pages


def test_a_worker_process_that_needs_them_finds_its_own_whenever_it_starts(
    tmp_path: Path, reserve: Reserve
) -> None:
    reserve(32 + 2)
    game = config(tmp_path, ring_kib=1024, huge_pages="auto", routes=[{"to": "arena"}])["game"]
    wanted = {
        "eal": {"memory_mib": 64, "huge_pages": True},
        "ports": [{"name": "game0", "device": "net_null0", "address": ["10.0.0.1/24"], "queues": 1}],
        "sessions": {"capacity": 1000},  # a page
        "listen": [{"port": 8080, "profile": "session"}],
        "game": game,
    }
    with Gate(wanted, tmp_path) as gate:
        assert free() < 2
        for _ in range(2):
            with Process(gate.directory / "game.sock") as process:
                process.attach("arena")
                gate.kill_worker()
                gate.wait_ready()
        assert gate.stop() == 0
    assert free() == 32 + 2
