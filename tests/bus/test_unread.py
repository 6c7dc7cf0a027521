# SPDX-License-Identifier: BSD-3-Clause
"""What a process does not read of its socket: little waits for it, and it is told why it is cut off."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyshim.bus.between import Between
from pyshim.bus.pages import HugePages, or_unavailable
from pyshim.bus.registry import Place
from pyshim.plan import GamePlan
from tests.bus.process import NOBODY, PAIR, TIMEOUT_S, Process, Said, open_, topic
from tests.bus.test_attach import config
from tests.gate import Gate

TOPICS_MAX = 256  # of a process
SAID_MAX = 4000  # packets; sockets hold fewer
TOPICS_WAIT = 16_384  # for one process
SAYS_HOW_IT_ENDS = """
import sys
from pyshim.game import Detached, End, Game
with Game(sys.argv[1], "stopped") as game:
    print("attached", flush=True)
    for batch in game.batches():
        for event in batch.events():
            if isinstance(event, Detached | End):
                print(type(event).__name__, event.text, flush=True)
"""


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    with Gate(config(tmp_path, processes=8), tmp_path) as made:
        yield made


@pytest.fixture
def path(gate: Gate) -> Path:
    return gate.directory / "game.sock"


def descriptors(gate: Gate) -> int:
    return len(list(Path(f"/proc/{gate.process.pid}/fd").iterdir()))


def is_done_with(process: Process) -> None:
    """All that it said has been taken: this is answered, unlike TOPIC."""
    process.say(open_("nobody-at-all"))
    assert hear(process).kind == NOBODY


def hear(process: Process) -> Said:
    """Its next packet; descriptors are let go of."""
    said = process.hear()
    assert said is not None
    for fd in process._fds:
        os.close(fd)
    process._fds.clear()
    return said


def test_who_opens_rings_without_end_and_reads_nothing_takes_few_descriptors(gate: Gate, path: Path) -> None:
    with Process(path) as other, Process(path) as floods:
        other.attach("other")
        floods.attach("floods")
        before = descriptors(gate)

        def is_taken() -> bool:
            for _ in range(3):
                try:
                    floods.say(open_("other"))
                except BlockingIOError:
                    is_done_with(other)  # the gateway has had a turn
                else:
                    return True
            return False

        floods.socket.setblocking(False)
        assert is_taken()
        assert hear(other).kind == PAIR
        said = 1
        while is_taken():
            said += 1
            assert said < SAID_MAX
        assert descriptors(gate) < before + 16
        with Process(path) as third:
            third.attach("third")
            third.say(open_("other"))
            assert hear(third).kind == PAIR
        floods.socket.settimeout(TIMEOUT_S)
        answers = [hear(floods) for _ in range(said)]  # each that was taken is answered
        assert {(one.kind, one.name) for one in answers} == {(PAIR, "other")}


def test_without_a_descriptor_to_read_how_much_memory_is_free_there_is_none_for_a_ring() -> None:
    said: list[bytes] = []

    def unreadable() -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    between = Between(4096, or_unavailable(unreadable), lambda _, packet, __: said.append(packet))
    between.open(Place("one", 1, peer=1), "other", Place("other", 2))
    (answer,) = said
    assert b"no memory for a ring to other: how much is free cannot be read: Too many open files" in answer
    assert not HugePages(GamePlan(path="/x", huge_pages=True), lambda: {0: unreadable()}).may_take(1)


def test_of_what_changes_again_and_again_a_process_that_does_not_read_has_the_last_waiting(
    gate: Gate, path: Path
) -> None:
    with Process(path) as deaf, Process(path) as talks:
        deaf.attach("deaf")
        talks.attach("talks")
        for number in range(TOPICS_WAIT):
            talks.say(topic(number % 2, on=number % 4 < 2))
        talks.say(topic(2))
        is_done_with(talks)
        heard = [hear(deaf)]
        while heard[-1].numbers[0] != 2:
            heard.append(hear(deaf))
        assert len(heard) < SAID_MAX
        assert [one.numbers for one in heard[-3:]] == [(0, 0), (1, 0), (2, 1)]
    assert "does not read" not in gate.stderr


def test_a_process_that_too_much_waits_for_is_cut_off_and_reads_why_and_the_others_go_on(
    gate: Gate, path: Path
) -> None:
    with subprocess.Popen(
        [sys.executable, "-P", "-c", SAYS_HOW_IT_ENDS, str(path)], stdout=subprocess.PIPE, text=True
    ) as stopped:
        try:
            assert stopped.stdout is not None
            assert stopped.stdout.readline() == "attached\n"
            stopped.send_signal(signal.SIGSTOP)
            for number in range(TOPICS_WAIT // TOPICS_MAX + 10):
                with Process(path) as one:
                    one.attach(f"name-{number}")
                    for of_it in range(TOPICS_MAX):
                        one.say(topic(of_it))
                    is_done_with(one)
            gate.wait_for_line(r"warning: game process stopped .* is detached: it does not read its socket")
            stopped.send_signal(signal.SIGCONT)
            assert stopped.stdout.readline() == "Detached it does not read its socket\n"
        finally:
            stopped.kill()
    assert gate.metrics().value("pollgate_game_detachments_total", reason="does_not_read") == 1
