# SPDX-License-Identifier: BSD-3-Clause
"""What lies between two names when their processes change: read by the next, and not spoilt by the last."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyshim.game import FullError, Game, Post, Spoilt
from tests.bus.process import Process, open_
from tests.bus.test_attach import config
from tests.bus.test_players import hears
from tests.gate import Gate

RING = 16 * 1024
HEAD = 640


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    with Gate(config(tmp_path), tmp_path) as gate:
        yield gate.directory / "game.sock"


def post(game: Game, to: str, body: bytes) -> None:
    try:
        game.post(to, body)
    except FullError:  # it hears now that another reads
        game.post(to, body)
    game.flush()


def reads(game: Game, count: int) -> list[bytes]:
    found: list[bytes] = []
    while len(found) < count:
        found += [one.body for one in hears(game, Post)]
    return found


def test_what_was_posted_is_read_by_the_next_of_each_name_in_order(path: Path) -> None:
    with Game(path, "one") as one:
        with Game(path, "other") as other:
            post(one, "other", b"read")
            assert reads(other, 1) == [b"read"]
            other.wait(0)  # so it is given back
        post(one, "other", b"first")
        with Game(path, "other") as other:
            post(one, "other", b"second")
            assert reads(other, 2) == [b"first", b"second"]
            for number in range(4 * RING // 1024):  # there is room as far as this one has read
                post(one, "other", bytes([number]) * 1024)
                assert reads(other, 1) == [bytes([number]) * 1024]
                other.wait(0)
        post(one, "other", b"third")
    with Game(path, "one") as one:
        post(one, "other", b"fourth")
        with Game(path, "other") as other:
            post(one, "other", b"fifth")
            assert reads(other, 3) == [b"third", b"fourth", b"fifth"]


def test_whoever_had_a_name_before_spoils_nothing_of_the_next_one(path: Path) -> None:
    with Game(path, "victim") as victim, Process(path) as evil:
        evil.attach("evil")
        evil.say(open_("victim"))
        opened = evil.hear()
        assert opened is not None
        with mmap.mmap(opened.fds[0], HEAD + RING) as memory:
            memory[HEAD : HEAD + 8] = struct.pack("<Q", 9 << 48 | 9)  # an entry of no kind
            (spoilt,) = hears(victim, Spoilt)
            assert spoilt.process == "evil"
            evil.socket.close()
            with Game(path, "evil") as honest:
                post(honest, "victim", b"one")
                assert reads(victim, 1) == [b"one"]
                memory[0:HEAD] = b"x" * HEAD
                post(honest, "victim", b"two")
                assert reads(victim, 1) == [b"two"]
                post(victim, "evil", b"answered")
                assert reads(honest, 1) == [b"answered"]
