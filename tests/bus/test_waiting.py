# SPDX-License-Identifier: BSD-3-Clause
"""What is kept for a process that does not read, and what earlier writers left: as much as is allowed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyshim.bus import messages
from pyshim.bus.messages import Role
from pyshim.bus.pairs import LEFT_MAX, Pairs
from pyshim.bus.waiting import DESCRIPTORS_MAX, WAITING_MAX, Waiting

RING = 4096


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def fd() -> Iterator[int]:
    made = os.memfd_create("test")
    yield made
    os.close(made)


def said(waiting: Waiting) -> list[bytes]:
    found = []
    while waiting:
        found.append(waiting.first()[0])
        waiting.drop_first()
    return found


def test_of_what_is_about_the_same_the_newest_waits_in_its_place_in_the_order() -> None:
    waiting = Waiting()
    on, off = (messages.readers(7, "one", on=on) for on in (True, False))
    other, ends = messages.readers(8, "one", on=True), messages.pair(Role.ENDS, "one")
    nobody = messages.nobody("there is none")
    for packet in (on, other, ends, nobody, off, on, nobody, ends):
        assert waiting.add(packet, ())
    assert said(waiting) == [other, nobody, on, nobody, ends]  # each answer is heard


def test_so_many_packets_wait_and_no_more() -> None:
    waiting = Waiting()
    packets = [messages.readers(number, "one", on=True) for number in range(WAITING_MAX)]
    assert all(waiting.add(packet, ()) for packet in packets)
    assert not waiting.add(messages.readers(WAITING_MAX, "one", on=True), ())
    assert waiting.add(packets[0], ())
    assert said(waiting) == [*packets[1:], packets[0]]


def test_so_many_descriptors_wait_and_of_a_name_that_changes_hands_the_newest(fd: int) -> None:
    waiting, before = Waiting(), descriptors()
    reads = messages.pair(Role.READS, "again")
    for _ in range(DESCRIPTORS_MAX):
        assert waiting.add(reads, (fd, fd))
    assert descriptors() == before + DESCRIPTORS_MAX
    waiting.clear()
    assert descriptors() == before
    for number in range(DESCRIPTORS_MAX // 2):
        assert waiting.add(messages.pair(Role.READS, f"name-{number}"), (fd, fd))
    assert not waiting.add(messages.pair(Role.READS, "one-more"), (fd, fd))
    assert waiting.add(messages.nobody("without any"), ())
    assert waiting.add(messages.pair(Role.READS, "name-3"), (fd, fd))
    waiting.clear()
    assert descriptors() == before


def test_what_cannot_be_kept_leaves_nothing_open(fd: int) -> None:
    waiting, before = Waiting(), descriptors()
    assert not waiting.add(messages.pair(Role.READS, "one"), (fd, -1))
    assert descriptors() == before
    assert not waiting


def test_of_writers_that_come_and_go_while_nobody_reads_the_last_ones_files_are_kept() -> None:
    before, pairs = descriptors(), Pairs(RING, lambda: 1 << 30)
    made = []
    for writer in range(1, LEFT_MAX + 4):
        (written, _), is_new = pairs.open("writer", "reader", writer, 0)
        made.append(os.fstat(written).st_ino)
        assert is_new
        assert pairs.open("writer", "reader", writer, 0) == (
            pairs.open("writer", "reader", writer, 0)[0],
            False,
        )
    assert descriptors() == before + LEFT_MAX + 2
    ((name, by, given),) = pairs.come("reader")
    assert (name, by) == ("writer", LEFT_MAX + 3)
    assert given is not None
    assert len(given) == LEFT_MAX + 1
    assert descriptors() == before + 2
    ((_, _, given),) = pairs.come("reader")
    assert given is not None
    assert [os.fstat(written).st_ino for written, _ in given] == made[-1:]
    pairs.forget("reader")
    assert descriptors() == before
