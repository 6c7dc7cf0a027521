# SPDX-License-Identifier: BSD-3-Clause
"""`pollgate map`: asks a running gateway for a world, and writes the picture."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from pyshim.errors import UnavailableError, UsageError

KINDS = (".png", ".svg")
BETWEEN_S = 1.0  # the two looks that rates are made of


class Asks(Protocol):
    """A connection to a gateway's control API."""

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """One request; its answer's JSON."""


def check_output(path: Path) -> None:
    """Raises UsageError or UnavailableError: no picture can be written to it."""
    if path.suffix.lower() not in KINDS:
        raise UsageError(f"{path}: a picture is written to a file whose name ends in {' or '.join(KINDS)}")
    if find_spec("matplotlib") is None:
        raise UnavailableError(
            "pollgate map needs matplotlib, which is not installed; install it with: "
            f"{sys.executable} -m pip install matplotlib"
        )


def write_map(asks: Asks, world: str | None, player: int | None, path: Path) -> str:
    """Look twice, draw, and write; returns what was done, a sentence.

    Raises:
        UsageError: there is no such world or player.
        UnavailableError: no gateway answers, or no file can be written.
    """
    check_output(path)
    from pyshim.views import world_map  # noqa: PLC0415 - only a picture needs matplotlib

    name = world or _only_world(asks)
    before, since = _look(asks, name, player), time.monotonic()
    time.sleep(BETWEEN_S)
    shown = _look(asks, name, player)
    figure = world_map.draw(shown, before, time.monotonic() - since)
    try:
        world_map.save(figure, path)
    except OSError as problem:
        raise UnavailableError(f"{path}: the picture cannot be written: {problem.strerror}") from problem
    return f"{path}: world {name} with {shown['shown']} entities at tick {shown['tick']}"


def _only_world(asks: Asks) -> str:
    names = [str(world["name"]) for world in asks.ask("GET", "/v1/world")["worlds"]]
    if len(names) != 1:
        raise UsageError(f"--world: this gateway has {', '.join(names)}; name one of them")
    return names[0]


def _look(asks: Asks, name: str, player: int | None) -> Mapping[str, Any]:
    query = f"?player={player}" if player is not None else ""
    found: Mapping[str, Any] = asks.ask("GET", f"/v1/world/{name}{query}")
    return found
