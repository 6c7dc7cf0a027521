# SPDX-License-Identifier: BSD-3-Clause
"""`pollgate load --world` where there is little to judge: a single player, and too short a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.gate import Gate
from tests.load.test_command import load, report_of
from tests.load.worlds import MEADOW
from tests.ports import free_port

SLOW = MEADOW | {"name": "slow", "tick_hz": 4}


@pytest.fixture
def ports() -> tuple[int, int, int]:
    return free_port(), free_port(), free_port()


@pytest.fixture
def gate(tmp_path: Path, ports: tuple[int, int, int]) -> Iterator[Gate]:
    session, plain, slow = ports
    config = {
        "engine": "epoll",
        "ports": [{"name": "game0", "address": ["127.0.0.1/8"]}],
        "listen": [
            {"port": session, "profile": "session", "world": "meadow"},
            {"port": plain, "profile": "plain", "world": "meadow"},
            {"port": slow, "profile": "session", "world": "slow"},
        ],
        "worlds": [MEADOW, SLOW],
    }
    with Gate(config, tmp_path) as made:
        yield made


def play(gate: Gate, port: int, rules: str, *args: str) -> tuple[int, dict[str, Any]]:
    """What a step's players saw, and the exit code."""
    done = load(f"127.0.0.1:{port}", rules, str(gate.config_path), "--json", *args)
    assert done.stdout, done.stderr
    (step,) = report_of(done.stdout)["steps"]
    return done.returncode, step["world"]


@pytest.mark.alone
@pytest.mark.parametrize("profile", ["session", "plain"])
def test_who_is_alone_sees_nobody_and_that_is_right(
    gate: Gate, ports: tuple[int, int, int], profile: str
) -> None:
    port, rules = (ports[0], "--issue") if profile == "session" else (ports[1], "--rules")
    args = ("--world", "meadow", "--players", "1", "--seconds")
    code, seen = play(gate, port, rules, *args, "6")
    if not seen[
        "looks"
    ]:  # that takes 16 ticks without a gap, which a busy machine may not have in so short a time
        code, seen = play(gate, port, rules, *args, "60")
    assert (code, seen["faults"], seen["warnings"]) == (0, [], [])
    assert seen["looks"] > 0
    assert (seen["checked"], seen["due"], seen["missing"], seen["entered"]) == (0, 0, 0, 0)


def test_a_step_too_short_for_the_tick_rate_says_that_nobody_was_judged(
    gate: Gate, ports: tuple[int, int, int]
) -> None:
    args = ("--world", "slow", "--mix", "move=1", "--seconds", "2", "--drain", "1", "--players")
    code, seen = play(gate, ports[2], "--issue", *args, "20")
    assert (code, seen["faults"], seen["looks"], seen["due"]) == (0, [], 0, 0), seen
    (warning,) = seen["warnings"]
    assert "at 4 Hz that takes up to 16 s" in warning

    code, seen = play(gate, ports[2], "--issue", *args, "1")
    assert (code, seen["faults"]) == (1, ["nobody was told of anybody: nothing could be checked"]), seen


@pytest.mark.parametrize("speed", [1, 7])
def test_whom_they_have_in_sight_is_judged_or_it_is_said_that_they_walk_too_fast_for_that(
    gate: Gate, ports: tuple[int, int, int], speed: int
) -> None:
    args = ("--world", "slow", "--players", "20", "--seconds", "16", "--speed", str(speed))
    code, seen = play(gate, ports[2], "--issue", *args)
    assert (code, seen["faults"], seen["looks"] > 0, seen["due"] > 0) == (0, [], True, speed == 1)
    if speed == 1:
        assert seen["warnings"] == []
    else:
        (warning,) = seen["warnings"]
        assert "at 4 Hz that is who stays so for 4 s" in warning
