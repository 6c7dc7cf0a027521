# SPDX-License-Identifier: BSD-3-Clause
"""The memory between workers and processes: it is given on, and nothing in it is lost by a worker's death."""

from __future__ import annotations

import fcntl
import mmap
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyshim.bus.files import LEFT_MAX, Files, Given
from pyshim.dataplane.game import Left, first_position, released
from pyshim.errors import UnavailableError
from pyshim.plan import game_file_bytes

RING_BYTES = 4096
HEAD_BYTES = 640
WORD = 8
MESSAGE = 1 << 48
PLAYER_MESSAGE = 1 << 48 | 5 << 32  # GAME_MESSAGE
BEGUN_AT = 512
MAGIC_AT, SIZE_AT, FIRST_AT, MARK_AT = 256, 264, 272, 528
MAGIC = 0x676E697267500001


@pytest.fixture
def files() -> Iterator[Files]:
    made = Files(2, RING_BYTES, lambda: 1 << 30)
    made.make(0, "arena")
    yield made
    made.close()


def worker_writes(fd: int, position: int, messages: int, word: int = MESSAGE) -> int:
    """As a worker that has mapped the file: so many messages without a body; where the next one goes."""
    with mmap.mmap(fd, HEAD_BYTES + RING_BYTES) as memory:
        for _ in range(messages):
            at = HEAD_BYTES + position % RING_BYTES
            memory[at : at + 8] = word.to_bytes(8, "little")
            position += 8
        begun = int.from_bytes(memory[BEGUN_AT : BEGUN_AT + 8], "little") + messages
        memory[BEGUN_AT : BEGUN_AT + 8] = begun.to_bytes(8, "little")
    return position


def attach(files: Files) -> mmap.mmap:
    """A process comes, and maps what it writes to worker 0, which reads it from then on."""
    files.give(0, "arena")
    own = next(one.fds[1] for one in files.for_process(0) if one.worker == 0)
    mapped = mmap.mmap(own, HEAD_BYTES + RING_BYTES)
    files.hear(0)
    return mapped


def reads(memory: mmap.mmap, position: int) -> None:
    memory[:8] = position.to_bytes(8, "little")


def leave(files: Files) -> None:
    """It is gone, and the workers have read what it wrote to the end."""
    files.ended(0, "arena", tuple(released(fd) for fd in files.for_worker(0)[4:]))


def worker_moves(fd: int, begins_at: int) -> None:
    """As a worker that goes on in a blank file."""
    with mmap.mmap(fd, HEAD_BYTES + RING_BYTES) as memory:
        for at, number in (
            (SIZE_AT, RING_BYTES),
            (FIRST_AT, begins_at),
            (MARK_AT, begins_at),
            (MAGIC_AT, MAGIC),
        ):
            memory[at : at + 8] = number.to_bytes(8, "little")


def of_worker_0(given: Iterator[Given]) -> list[tuple[int, int]]:
    return [(one.incarnation, one.fds[0]) for one in given if one.worker == 0]


def test_a_worker_gets_nothing_of_a_process_before_that_has_mapped_it(files: Files) -> None:
    assert len(files.for_worker(0)) == 4  # files and bells
    files.give(0, "arena")
    assert len(files.for_worker(0)) == 4
    given = list(files.for_process(0))
    assert [(one.worker, one.incarnation) for one in given] == [(0, 1), (1, 1)]
    assert all(os.fstat(fd).st_size == HEAD_BYTES + RING_BYTES for one in given for fd in one.fds[:2])
    # Taking the pages is left to who maps them: with large rings it takes longer than the supervisor may.
    assert all(os.fstat(fd).st_blocks * 512 < game_file_bytes(RING_BYTES) for fd in given[0].fds[:2])
    mmap.mmap(given[0].fds[1], RING_BYTES).close()
    own = files.hear(0)
    assert own == tuple(one.fds[1] for one in given)
    assert files.for_worker(0)[4:] == own
    with pytest.raises(PermissionError):
        mmap.mmap(own[0], RING_BYTES)


def test_what_a_process_has_sealed_itself_is_not_heard(files: Files) -> None:
    files.give(0, "arena")
    own = next(files.for_process(0)).fds[1]
    fcntl.fcntl(own, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SEAL)
    with pytest.raises(UnavailableError, match="cannot be sealed against writing: Operation not permitted"):
        files.hear(0)
    assert len(files.for_worker(0)) == 4


def test_when_the_worker_has_mapped_its_file_nobody_else_can_write_it(files: Files) -> None:
    worker = files.for_worker(0)[0]
    mmap.mmap(worker, RING_BYTES).close()
    files.seal(0)
    with pytest.raises(PermissionError):
        mmap.mmap(worker, RING_BYTES)
    with pytest.raises(PermissionError):
        os.ftruncate(worker, 0)


def test_the_next_process_writes_a_file_of_its_own_that_goes_on_as_the_worker_says(files: Files) -> None:
    worker = files.for_worker(0)[0]
    with attach(files) as memory:
        reads(memory, 1 << 40)  # what it leaves is not believed
        memory[HEAD_BYTES : HEAD_BYTES + 8] = bytes([9] * 8)
        first = files.for_worker(0)[4]
        before = os.fstat(first).st_ino
        os.pwrite(worker, (160).to_bytes(8, "little"), 0)  # so far the worker has read
        files.ended(0, "arena", (48, 0))
    files.give(0, "arena")
    own = next(files.for_process(0)).fds[1]
    assert os.fstat(own).st_ino != before
    assert (first_position(own), released(own)) == (160, 48)


def test_one_that_never_mapped_its_file_is_followed_as_if_it_had_not_been(files: Files) -> None:
    with attach(files):
        files.ended(0, "arena", (48, 0))
    files.give(0, "arena")
    own = next(files.for_process(0)).fds[1]
    os.pwrite(own, (1 << 40).to_bytes(8, "little"), 0)
    files.give(0, "arena")
    own = next(files.for_process(0)).fds[1]
    assert released(own) == 48


def test_what_a_process_had_not_read_of_a_dead_worker_comes_first(files: Files) -> None:
    with attach(files) as memory:
        first = files.for_worker(0)[0]
        end = worker_writes(first, 0, 5)
        files.seal(0)
        files.renew(0, "arena", attached=True)
        second = files.for_worker(0)[0]
        assert second != first
        assert of_worker_0(files.for_process(0)) == [(1, first), (2, second)]
        assert of_worker_0(files.new_for_process(0)) == [(2, second)]
        reads(memory, end - 8)
        leave(files)
        assert of_worker_0(files.for_process(0)) == [(1, first), (2, second)]
        files.ended(0, "arena", (end, 0))
        assert of_worker_0(files.for_process(0)) == [(2, second)]


def test_a_worker_that_died_before_it_had_the_file_leaves_it_to_the_next(files: Files) -> None:
    before = files.for_worker(0)
    files.renew(0, "arena", attached=False)
    assert files.for_worker(0) == before


def test_of_many_dead_workers_the_latest_files_are_kept(files: Files) -> None:
    position = 0
    for _ in range(LEFT_MAX + 2):
        position = worker_writes(files.for_worker(0)[0], position, 3)
        files.seal(0)
        files.renew(0, "arena", attached=False)
    kept = of_worker_0(files.for_process(0))
    assert [incarnation for incarnation, _ in kept] == list(range(4, LEFT_MAX + 4))
    read_from = position - (LEFT_MAX - 2) * 24 - WORD
    assert files.read(0)[0] == read_from
    assert not files.is_behind(0)
    # What was read of none of the others is a gap of so many, and then comes what is kept.
    with mmap.mmap(kept[0][1], HEAD_BYTES + RING_BYTES, prot=mmap.PROT_READ) as gap:
        at = HEAD_BYTES + read_from % RING_BYTES
        assert int.from_bytes(gap[at : at + WORD], "little") == 3 << 48 | 12
        assert int.from_bytes(gap[at + WORD : at + 2 * WORD], "little") == 0
    assert first_position(kept[1][1]) == read_from + WORD
    files.give(0, "arena")
    assert released(next(files.for_process(0)).fds[1]) == read_from


def test_what_nobody_read_of_dead_workers_and_of_rings_that_are_taken_away_is_counted(files: Files) -> None:
    position, counted = 0, Left()
    for turn in range(LEFT_MAX):
        position = worker_writes(files.for_worker(0)[0], position, 3, PLAYER_MESSAGE if turn else MESSAGE)
        files.seal(0)
        counted += files.renew(0, "arena", attached=False)
    assert counted == Left(records=6, messages=3)
    worker_writes(files.for_worker(0)[0], position, 2, PLAYER_MESSAGE)
    files.drop(0)
    assert files.bury(0) == Left(6 + 6 + 2, 6 + 2)  # the gap, two that are kept, the last one
    assert files.bury(0) == Left()


def test_an_attached_process_that_reads_nothing_of_many_workers_is_behind(files: Files) -> None:
    position = 0
    with attach(files):
        for number in range(LEFT_MAX):
            assert not files.is_behind(0), number
            position = worker_writes(files.for_worker(0)[0], position, 3)
            files.seal(0)
            files.renew(0, "arena", attached=True)
    assert files.is_behind(0)
    assert len(of_worker_0(files.for_process(0))) == LEFT_MAX + 1


def test_what_a_worker_left_that_makes_no_sense_is_told(files: Files) -> None:
    worker = files.for_worker(0)[0]
    os.pwrite(worker, bytes([9] * 8), HEAD_BYTES)  # an entry of no kind
    files.seal(0)
    with pytest.raises(UnavailableError, match="says what cannot be"):
        files.renew(0, "arena", attached=True)


def test_what_is_said_when_a_process_is_gone_is_in_a_file_that_it_does_not_have(files: Files) -> None:
    with attach(files):
        worker_file, *_ = files.for_worker(0)
        end = worker_writes(worker_file, 0, 3)
        files.seal(0)
        bell = next(files.for_process(0)).fds[2]
        after = files.end(0, "arena")
        assert len(set(after)) == 4
        assert files.for_worker(0)[0] == worker_file
        for fd, position in zip(after[:2], (end, 0), strict=True):
            worker_moves(fd, position)
        assert files.ended(0, "arena", (WORD, 0)) == Left()
    assert of_worker_0(files.for_process(0)) == [(1, worker_file), (2, after[0])]
    assert files.for_worker(0) == after
    given = list(files.for_process(0))
    assert [one.fds[2] for one in given] == [after[2], after[2], after[3]]
    assert given[2].fds[0] == after[1]  # nothing was said before
    assert bell not in after
    for fd in after[:2]:
        with pytest.raises(PermissionError):
            mmap.mmap(fd, RING_BYTES)
    files.ended(0, "arena", (end, 0))
    assert of_worker_0(files.for_process(0)) == [(2, after[0])]


def test_a_worker_that_dies_has_gone_on_in_the_next_file_or_has_not(files: Files) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    end = worker_writes(files.for_worker(0)[0], 0, 3)
    files.seal(0)
    one, other, *_ = files.for_worker(0)
    after = files.end(0, "arena")
    worker_moves(after[0], end)
    last = worker_writes(after[0], end, 2)
    assert files.renew(0, "arena", attached=False) == Left()
    assert of_worker_0(files.for_process(0)) == [(1, one), (2, after[0])]
    assert files.for_worker(0)[0] == after[0]  # the next worker goes on there, too
    (of_1,) = [given for given in files.for_process(0) if given.worker == 1 and given.incarnation == 2]
    assert of_1.fds[0] not in after
    assert first_position(files.for_worker(0)[1]) == 0
    assert other != files.for_worker(0)[1]
    assert len(list(Path("/proc/self/fd").iterdir())) == before + 1  # what nobody read
    worker_moves(files.end(0, "arena")[0], last)
    files.drop(0)
    assert files.bury(0).records == 5


def test_of_many_processes_that_read_nothing_the_latest_files_are_kept(files: Files) -> None:
    position, left = 0, Left()
    files.seal(0)
    for _ in range(LEFT_MAX + 2):
        written = files.end(0, "arena")[0]
        worker_moves(written, position)
        position = worker_writes(written, position, 3, PLAYER_MESSAGE)
        left += files.ended(0, "arena", (0, 0))
    assert len(of_worker_0(files.for_process(0))) == LEFT_MAX
    assert left == Left(6 + 9, 6 + 3)  # the two oldest files; then the gap in place of them, and the next
    assert not files.is_behind(0)


def test_memory_whose_pages_nobody_has_taken_yet_is_not_given_twice() -> None:
    files = Files(1, 1 << 20, lambda: 5 << 20)
    try:
        for index in range(3):
            files.make(index, f"match-{index}")
        with pytest.raises(UnavailableError, match="3 MiB are needed and 1 MiB available"):
            files.make(3, "match-3")
        for index in range(3):
            files.seal(index)  # the worker has mapped them: what is available says so
        files.make(3, "match-3")
    finally:
        files.close()


def test_without_memory_nothing_is_left_behind() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    poor = Files(2, 1 << 20, lambda: 3 << 20)
    with pytest.raises(UnavailableError, match="5 MiB are needed and 3 MiB available"):
        poor.make(0, "arena")
    assert len(list(Path("/proc/self/fd").iterdir())) == before
