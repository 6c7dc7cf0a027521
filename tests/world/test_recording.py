# SPDX-License-Identifier: BSD-3-Clause
"""What workers did to the worlds is kept, and done again it is the same, with each engine."""

from __future__ import annotations

import asyncio
import json
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engines.engines import ALL
from tests.issuing.gateway import Api
from tests.network.namespace import Wire
from tests.session.deployment import Deployment, founded, kill, playing, settings
from tests.world.test_appliance import MEADOW, seen, standing, until

pytestmark = ALL

FAST = MEADOW | {"tick_hz": 60}
BROOK = MEADOW | {"name": "brook"}  # with nobody in it


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    return tmp_path / "world.rec"


@pytest.fixture
def deployment(wire: Wire, engine: str, tmp_path: Path, recorded: Path) -> Iterator[Deployment]:
    record = {"path": str(recorded), "seconds": 300, "memory_mib": 16}
    world = settings(
        engine, listener={"world": "meadow"}, worlds=[FAST, BROOK], record=record, sessions={"capacity": 64}
    )
    with founded(wire, world, tmp_path) as it:
        yield it


def replay(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pyshim", "replay", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def parts(path: Path) -> dict[str, Any]:
    """Of each world, what came of the only worker's part."""
    found = replay(path, "--json")
    assert found.returncode == 0, found.stderr
    return {part["world"]: part for part in json.loads(found.stdout)["parts"]}


def walk(deployment: Deployment, seconds: float) -> None:
    """One stands, and one walks along x at 5 m/s."""
    tickets = [deployment.issue(7), deployment.issue(8)]

    async def game() -> None:
        async with playing(*tickets) as (alice, bob), standing((alice, (0, 3, 1))):
            began = asyncio.get_running_loop().time()
            while (now := asyncio.get_running_loop().time() - began) < seconds:
                bob.move((5 * now, 0, 2), (5, 0, 0))
                await asyncio.sleep(0.02)
            await until(lambda: 8 in seen(alice))

    deployment.play(game)


def test_what_was_recorded_is_done_again_to_the_bit(deployment: Deployment, recorded: Path) -> None:
    walk(deployment, 6)  # somebody gets another rank meanwhile
    answer = Api(deployment.gate)("POST", "/v1/recording")
    assert answer.status == 201
    assert answer.body["path"] == str(recorded)
    assert answer.body["bytes"] == recorded.stat().st_size
    assert recorded.read_bytes().endswith(f"sha256 {answer.body['sha256']}\n".encode())
    found = parts(recorded)
    assert found["meadow"]["frames"] > 100
    assert found["brook"]["frames"] > 30
    assert {part["differing"] for part in found.values()} == {0}
    rows = [json.loads(line) for line in replay(recorded, "--player", "8", "--json").stdout.splitlines()]
    moving = [row for row in rows if row["vx_mps"] > 0]
    assert len(moving) > 60
    assert all(math.isclose(row["vx_mps"], 5, abs_tol=0.05) for row in moving)
    assert all(row["world"] == "meadow" and abs(row["z_m"] - 2) < 0.006 for row in moving)
    assert moving[-1]["x_m"] - moving[0]["x_m"] > 5


def test_a_file_that_was_changed_is_told_apart(
    deployment: Deployment, recorded: Path, tmp_path: Path
) -> None:
    walk(deployment, 2)
    deployment.gate.stop()  # which writes it, too
    data = recorded.read_bytes()
    assert parts(recorded)["meadow"]["differing"] == 0
    # Each movement of rank 1 in world 0: its x by a quantum, 256 units. A frame has the last of some.
    begin = data.index(b"\n", data.index(b"\n") + 1) + 1
    journal = bytearray(data[begin:])
    at = -1
    while (at := journal.find(b"\x04\x00\x00\x00\x01\x00\x00\x00", at + 1)) >= 0:
        journal[at + 9] ^= 1
    changed = tmp_path / "changed.rec"
    changed.write_bytes(data[:begin] + journal)
    found = replay(changed)
    assert found.returncode == 1
    assert "not what was published" in found.stdout


def test_a_crash_leaves_what_led_to_it(deployment: Deployment, recorded: Path) -> None:
    walk(deployment, 1)
    kill(deployment, 1)
    crash = recorded.with_name(recorded.name + ".crash")
    deadline = 30.0
    while not crash.exists() and deadline > 0:
        deadline -= 0.1
        asyncio.run(asyncio.sleep(0.1))
    assert parts(crash)["meadow"]["differing"] == 0
    walk(deployment, 1)
    deployment.gate.stop()
    found = parts(recorded)  # of the worker process before, too
    assert found["meadow"]["frames"] > parts(crash)["meadow"]["frames"]
    assert found["meadow"]["differing"] == 0
