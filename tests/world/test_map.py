# SPDX-License-Identifier: BSD-3-Clause
"""Operators see a world of a running gateway: in JSON and as a picture, with each engine."""

from __future__ import annotations

import asyncio
import math
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engines.engines import ALL
from tests.issuing.gateway import Api
from tests.network.namespace import Wire
from tests.session.deployment import Deployment, founded, playing, settings
from tests.world.test_appliance import MEADOW, seen, standing, until

pytestmark = ALL

BROOK = MEADOW | {"name": "brook"}
PLACES = {7: (0.0, 0.0, 1.0), 8: (30.0, 0.0, 2.0), 9: (0.0, 400.0, 3.0)}  # two near each other


@pytest.fixture
def deployment(wire: Wire, engine: str, tmp_path: Path) -> Iterator[Deployment]:
    world = settings(engine, listener={"world": "meadow"}, worlds=[MEADOW, BROOK], sessions={"capacity": 64})
    with founded(wire, world, tmp_path) as it:
        yield it


def draw(deployment: Deployment, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    config = deployment.gate.config_path
    return subprocess.run(
        [sys.executable, "-m", "pyshim", "map", "-c", config, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def all_are_shown(api: Api) -> bool:
    return bool(api("GET", "/v1/world/meadow").body["shown"] == len(PLACES))


def is_counted(counted: dict[str, Any]) -> bool:
    """All are in, and no tick is between its two counts."""
    ended = counted["ticks"] + counted["overruns"]
    durations = sum(counted["tick_duration"].values())
    timed = durations == ended > 0 and counted["tick_duration_cycles"] > 0
    return bool(timed and counted["players"] == len(PLACES))


def play(deployment: Deployment, look: Any) -> None:
    """Call `look` in a thread while players stand where they stand and see each other."""
    tickets = [deployment.issue(player) for player in PLACES]
    api = Api(deployment.gate)

    async def game() -> None:
        async with playing(*tickets) as clients:
            places = list(zip(clients, PLACES.values(), strict=True))
            async with standing(*places):
                await until(lambda: 8 in seen(clients[0]) and 7 in seen(clients[1]))
                await asyncio.to_thread(deployment.gate.wait_until, lambda: all_are_shown(api))
                await asyncio.to_thread(look)

    deployment.play(game)


def test_a_world_is_shown_as_it_is(deployment: Deployment) -> None:
    api = Api(deployment.gate)

    def look() -> None:
        listed = api("GET", "/v1/world").body["worlds"]
        assert [world["name"] for world in listed] == ["meadow", "brook"]
        deployment.gate.wait_until(lambda: is_counted(api("GET", "/v1/world").body["worlds"][0]["counted"]))
        world = api("GET", "/v1/world/meadow?cells=10&player=7").body
        assert (world["shown"], world["tick_hz"], world["radius_m"]) == (3, 20, 50)
        assert world["heat"]["cell_m"] == 100
        assert world["heat"]["cells"] == [[5, 5, 2], [5, 9, 1]]
        player = world["player"]
        assert player["velocity"] == [0, 0, 0]
        assert math.dist(player["position"], PLACES[7]) < 0.006
        (other,) = player["sees"]
        assert (other["identity"], other["player"]) == (8, True)
        assert math.isclose(other["distance_m"], math.dist(PLACES[7], PLACES[8]), abs_tol=0.02)
        assert api("GET", "/v1/world/brook").body["shown"] == 0
        for path, status, sentence in (
            ("/v1/world/pond", 404, "there is no world pond; there are: meadow, brook"),
            ("/v1/world/brook?player=7", 404, "player 7 is nowhere in world brook"),
            ("/v1/world/meadow?cells=0", 400, "cells: allowed is a whole number from 1 to 256"),
        ):
            refused = api("GET", path)
            assert (refused.status, refused.body["error"]) == (status, sentence)

    play(deployment, look)


def test_a_world_is_drawn(deployment: Deployment, tmp_path: Path) -> None:
    def look() -> None:
        found = draw(deployment, "--world", "meadow", "--player", "7", "-o", tmp_path / "a.svg")
        assert found.returncode == 0, found.stderr
        assert re.fullmatch(r"\S+a.svg: world meadow with 3 entities at tick \d+\n", found.stdout)
        picture = (tmp_path / "a.svg").read_text()
        assert picture.lstrip().startswith("<?xml")
        assert "ticks by how long they took at most (ms)" in picture
        found = draw(deployment, "--world", "brook", "-o", tmp_path / "a.png")
        assert found.returncode == 0, found.stderr
        assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
        for arguments, sentence in (
            (("-o", tmp_path / "a.png"), "--world: this gateway has meadow, brook; name one of them\n"),
            (
                ("-o", tmp_path / "a.jpg"),
                f"{tmp_path}/a.jpg: a picture is written to a file whose name ends in .png or .svg\n",
            ),
        ):
            found = draw(deployment, *arguments)
            assert (found.returncode, found.stderr) == (2, sentence)

    play(deployment, look)
