# SPDX-License-Identifier: BSD-3-Clause
"""The library of game processes as `meson install` leaves it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.client.installed import check
from tests.game.installed import Installed
from tests.game.stand_in import build

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Configured without the gateway, as a game studio would, and installed below a directory."""
    directory = tmp_path_factory.mktemp("game")
    build, prefix = directory / "build", directory / "prefix"
    tools = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"CC": "gcc", "PATH": tools}
    options = ["-Dpython=false", "-Dgateway=false", "-Dtests=false", f"--prefix={prefix}", "--libdir=lib"]
    check(["meson", "setup", build, ROOT, *options], env=environment)
    check(["meson", "install", "-C", build], env=environment)
    return Installed(prefix, directory)


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gateway of the tests' own."""
    return build(tmp_path_factory.mktemp("stand_in"))
