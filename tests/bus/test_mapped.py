# SPDX-License-Identifier: BSD-3-Clause
"""What a process writes is its own to fill, and nobody's to spoil, from when it has mapped it."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import fcntl
import mmap
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyshim.game import Game, Joined, Message
from pyshim.protocol.client import Client, GameMessage
from tests.bus.process import DETACHED, MAPPED, Process, head, wait_until_sealed
from tests.bus.test_attach import config
from tests.bus.test_players import OWN, ticket
from tests.gate import TIMEOUT_S, Gate


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    directory = tmp_path_factory.mktemp("bus")
    with Gate(config(directory, processes=32), directory) as made:
        yield made


@pytest.fixture
def path(gate: Gate) -> Path:
    return gate.directory / "game.sock"


def test_no_holes_are_punched_in_what_a_process_writes_though_it_has_it_mapped(path: Path) -> None:
    with Process(path) as process:
        (rings,) = process.arrive("puncher")
        own = rings.fds[1]
        with mmap.mmap(own, 640 + 16 * 1024) as memory:
            memory.madvise(mmap.MADV_REMOVE, 4096)  # until then it can; the workers get whole pages
            process.say(head(MAPPED))
            wait_until_sealed(own)
            with pytest.raises(PermissionError):
                memory.madvise(mmap.MADV_REMOVE)
            libc = ctypes.CDLL(None, use_errno=True)
            keep_size, punch_hole = 1, 2
            assert libc.fallocate(own, keep_size | punch_hole, ctypes.c_long(0), ctypes.c_long(4096)) == -1
            assert ctypes.get_errno() == errno.EPERM
            assert process.hears_nothing()


def test_a_process_that_seals_its_memory_itself_is_detached_and_the_next_is_in(
    gate: Gate, path: Path
) -> None:
    with Process(path) as process:
        (rings,) = process.arrive("sealer")
        fcntl.fcntl(rings.fds[1], fcntl.F_ADD_SEALS, fcntl.F_SEAL_SEAL)
        process.say(head(MAPPED))
        said = process.hear()
        assert said is not None
        assert (said.kind, "cannot be sealed against writing" in said.text) == (DETACHED, True)
    gate.wait_for_line(r"game process sealer \(process \d+\) is detached: a memory file cannot be sealed")
    with Process(path) as process:
        process.attach("sealer")


def test_a_process_that_never_maps_its_rings_is_not_heard_and_detached(gate: Gate, path: Path) -> None:
    before = gate.metrics().value("pollgate_game_detachments_total", reason="broken")
    with Process(path) as process:
        (rings,) = process.arrive("never")
        os.pwrite(rings.fds[1], bytes([9] * 8), 640)  # would be an entry of no kind
        said = process.hear()  # after 10 seconds
        assert said is not None
        text = "it did not say for 10 s that it has mapped its rings (MAPPED)"
        assert (said.kind, said.text) == (DETACHED, text)
        assert process.hear() is None
    gate.wait_for_line(re.escape(f"is detached: {text}"))
    assert gate.metrics().value("pollgate_game_detachments_total", reason="broken") == before


def test_mapped_is_said_once(path: Path) -> None:
    with Process(path) as process:
        process.attach("twice")
        process.say(head(MAPPED))
        said = process.hear()
        assert said is not None
        assert (said.kind, "said MAPPED again" in said.text) == (DETACHED, True)


def test_who_is_gone_reads_nothing_of_what_is_said_to_the_next_and_rings_nobody(tmp_path: Path) -> None:
    path, secret = tmp_path / "game.sock", b"SECRET OF THE NEXT"

    async def play(gate: Gate, old_bell: int, spied: mmap.mmap) -> None:
        async with Client(ticket(gate, 7)) as player:
            await player.say(OWN, secret)
            with Game(path, "arena") as game:
                events: list[object] = []
                while not any(isinstance(event, Joined) for event in events):
                    assert await asyncio.to_thread(game.wait, TIMEOUT_S)
                    events += game.poll().events()
                assert [said.body for said in events if isinstance(said, Message)] == [secret]
                assert spied.find(secret) == -1
                os.set_blocking(old_bell, True)
                os.eventfd_write(old_bell, (1 << 64) - 2)  # whoever writes there now waits
                game.send(7, OWN, b"heard")
                await asyncio.to_thread(game.flush)
                async for event in player.events():
                    if isinstance(event, GameMessage):
                        assert event.body == b"heard"
                        break

    with Gate(config(tmp_path, routes=[{"to": "arena"}]), tmp_path) as gate, Process(path) as old:
        (rings,) = old.attach("arena")
        with mmap.mmap(rings.fds[0], 640 + 16 * 1024, prot=mmap.PROT_READ) as spied:
            old.say(head(MAPPED))
            assert old.hear() is not None  # it is detached, and keeps what it has
            with Process(path) as other:
                other.attach("arena")  # so workers are done with the old one
            asyncio.run(play(gate, rings.fds[2], spied))
