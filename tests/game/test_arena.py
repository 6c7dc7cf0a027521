# SPDX-License-Identifier: BSD-3-Clause
"""The example games: the same arena in C and in Python, against a gateway of the tests' own."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.game.installed import EXAMPLES, Installed
from tests.game.stand_in import StandIn

BOUND_S = 120
SEND, SEND_GROUP, GROUP_JOIN, PLACE = 1, 3, 4, 8  # bus/records.h
HEALTH, SCORE, MISSED = 64, 65, 66


@pytest.fixture(params=["C", "Python"])
def command(request: pytest.FixtureRequest, installed: Installed) -> list[str]:
    """How to start the game."""
    if request.param == "Python":
        return [sys.executable, str(EXAMPLES / "arena.py")]
    flags = ["-I", str(installed.header.parent), str(installed.source), "-D_POSIX_C_SOURCE=200809L"]
    return [str(installed.compile("gcc", EXAMPLES / "arena.c", "arena", "-std=c17", *flags))]


class Arena:
    """The game, and its gateway of one worker."""

    def __init__(self, command: list[str], gate: StandIn) -> None:
        self.gate = gate
        self.process = subprocess.Popen([*command, gate.path], stdout=subprocess.PIPE, text=True)
        assert self.line() == "arena: attached"

    def line(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def order(self) -> tuple[int, bytes]:
        """What the game says next."""
        until = time.monotonic() + BOUND_S
        while (found := self.gate.order()) is None:
            assert time.monotonic() < until
        return found

    def sent(self, player: int, message_type: int, *numbers: int) -> None:
        """It is this."""
        kind, record = self.order()
        assert (kind, struct.unpack_from("<I", record)[0], record[12]) == (SEND, player, message_type)
        assert record[16:] == struct.pack(f"<{len(numbers)}I", *numbers)

    def join(self, player: int) -> None:
        self.gate.do(f"join 0 {player}")
        assert self.line() == f"arena: player {player} is in"
        assert self.order() == (GROUP_JOIN, struct.pack("<II", 1, player))


@pytest.fixture
def arena(command: list[str], program: Path) -> Iterator[Arena]:
    with StandIn(program) as gate:
        arena = Arena(command, gate)
        yield arena
        arena.process.kill()
        arena.process.wait(BOUND_S)
        assert arena.process.stdout
        arena.process.stdout.close()


def test_four_blows_beat_somebody_and_all_are_told(arena: Arena) -> None:
    for player in (7, 9):
        arena.join(player)
    for left in (75, 50, 25, 0):
        arena.gate.do("attack 0 7 9")
        kind, blow = arena.order()
        assert (kind, struct.unpack_from("<IIIB", blow)) == (SEND, (9, 0, 7, 202))  # an event of 7
        arena.sent(9, HEALTH, left, 7)
    assert arena.line() == "arena: player 7 beats 9: 1"
    kind, score = arena.order()
    assert (kind, struct.unpack_from("<IIIB", score)) == (SEND_GROUP, (1, 0, 0, SCORE))
    assert score[16:] == struct.pack("<III", 7, 1, 9)
    assert arena.order() == (PLACE, struct.pack("<I6f", 9, 0, 0, 0, 0, 0, 0))


def test_who_is_too_far_away_not_in_or_oneself_is_missed(arena: Arena) -> None:
    for player in (7, 9):
        arena.join(player)
    arena.gate.do("place 0 9 21")
    for target in (9, 8, 7):
        arena.gate.do(f"attack 0 7 {target}")
        arena.sent(7, MISSED, target)
    arena.gate.do("place 0 9 20")
    arena.gate.do("attack 0 7 9")
    assert arena.order()[1][12] == 202
    arena.gate.do("leave 0 9 1")
    assert arena.line() == "arena: player 9 is out: left"
    arena.sent(9, HEALTH, 75, 7)
    arena.gate.do("attack 0 7 9")
    arena.sent(7, MISSED, 9)


def test_chat_reaches_everybody_in_its_player_s_name(arena: Arena) -> None:
    arena.join(7)
    arena.gate.do("say 0 7 3 a-chat-message")
    kind, chat = arena.order()
    assert (kind, struct.unpack_from("<IIIB", chat)) == (SEND_GROUP, (1, 0, 7, 203))
    assert chat[16:] == b"a-chat-message"


def test_a_worker_that_started_again_gets_its_groups_back(arena: Arena) -> None:
    arena.join(7)
    arena.gate.do("replace 0 0")
    arena.gate.do("list 0 7")
    assert arena.order() == (GROUP_JOIN, struct.pack("<II", 1, 7))


@pytest.mark.parametrize("end", ["gateway", "SIGINT"])
def test_it_ends_well(arena: Arena, end: str) -> None:
    if end == "gateway":
        arena.gate.close()
        assert arena.line() == "arena: the gateway ended"
    else:
        os.kill(arena.process.pid, signal.SIGINT)
    assert arena.process.wait(BOUND_S) == 0


def test_who_cannot_reach_it_is_told(command: list[str]) -> None:
    done = subprocess.run(
        [*command, "/nowhere"], capture_output=True, text=True, timeout=BOUND_S, check=False
    )
    assert done.returncode == 3
    assert done.stderr.startswith("arena: /nowhere: No such file or directory; is the gateway running")
    done = subprocess.run(command, capture_output=True, text=True, timeout=BOUND_S, check=False)
    assert done.returncode == 2
