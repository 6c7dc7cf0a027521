# SPDX-License-Identifier: BSD-3-Clause
"""Whole worlds by `pollgate load`, and what its model must say of what their players saw and heard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.load.test_command import load, report_of
from tests.network.namespace import GATE4
from tests.network.players import PORT

MEADOW: dict[str, Any] = {
    "name": "meadow",
    "bounds": [[-500, -500, -10], [500, 500, 90]],
    "tick_hz": 20,
    "radius_m": 50,
    "leave_radius_m": 60,
}
TARGET = f"{GATE4}:{PORT}"
TALKATIVE = "move=94,attack=2,chat=2,skill=2"


@dataclass(frozen=True, slots=True)
class World:
    """So many players of world meadow, for so long."""

    players: int
    seconds: float

    def arguments(self, config: Path, *args: str, target: str = TARGET) -> tuple[str, ...]:
        """Of `pollgate load`, which gets its tickets from the gateway of this configuration."""
        return (
            target, "--issue", str(config), "--world", "meadow", "--mix", TALKATIVE, "--json",
            "--players", str(self.players), "--seconds", str(self.seconds), *args,
        )  # fmt: skip

    def play(self, config: Path, *args: str, before: Sequence[str] = ()) -> dict[str, Any]:
        """To the end; what the players saw, all of which is right."""
        return self.step(config, *args, before=before)["world"]  # type: ignore[no-any-return]

    def step(
        self,
        config: Path,
        *args: str,
        target: str = TARGET,
        before: Sequence[str] = (),
        strangers: bool = False,
    ) -> dict[str, Any]:
        """The same, with all else that players count, in a world in which there are others or none."""
        done = load(*self.arguments(config, *args, target=target), before=before)
        return self.judged(done.returncode, done.stdout, done.stderr, strangers=strangers)

    def judged(self, code: int, out: str, err: str, *, strangers: bool = False) -> dict[str, Any]:
        """The same of a load that has ended."""
        assert out, err
        step: dict[str, Any]
        (step,) = report_of(out)["steps"]
        assert step["sessions"]["connected"] == self.players
        seen: dict[str, Any] = step["world"]
        assert (seen["strangers"] > 0) == strangers
        assert (code, seen["faults"]) == (0, []), (seen, err)
        assert seen["checked"] > self.players * self.seconds * 20
        assert seen["aged"] < seen["checked"] / 100
        assert seen["looks"] > self.players / 4
        assert seen["due"] > 10 * seen["looks"]
        assert seen["entered"] > 10 * self.players
        events = seen["events"]
        assert events["said"] > self.players
        assert events["due"] > 5 * events["said"]
        return step
