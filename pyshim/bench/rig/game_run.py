# SPDX-License-Identifier: BSD-3-Clause
"""Sealed messages of the game's own, taken by a worker that forwards them to a process, or to nobody."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pyshim.bench.rig.bus_ways import compile_reader
from pyshim.bench.rig.game_server import PROCESS
from pyshim.bench.rig.placement import Placement
from pyshim.bench.rig.sealed import SealedLimits, SealedReplay, prepare_sealed
from pyshim.bench.rig.sealed_frames import write_sealed_game
from pyshim.bench.rig.sealed_run import ServerRun, run_module
from pyshim.dataplane import tsc_hz
from pyshim.errors import InternalError, UnavailableError

_LIMITS = SealedLimits("{}", "{messages_pps: {game: 0}}")
_GAME = "game: {{listen: 'unix:{socket}', routes: [{{types: [game], to: [{process}]}}]}}\n"


@dataclass(frozen=True, slots=True)
class Forwarded:
    """What one measurement showed; counts are from the start to the end."""

    run: ServerRun
    taken: int
    delivered: int  # that the process could read
    lost: int  # because its ring was full

    @property
    def messages_per_s(self) -> float:
        """That the worker takes in a second of its own: what others had of its CPU is left out."""
        return tsc_hz() / self.run.cycles_per_packet


class Forwarding:
    """The capture, with a route to a process and without."""

    def __init__(self, directory: Path, players: int, placement: Placement) -> None:
        """Write everything that a measurement needs.

        Raises:
            PollgateError: there is no memory, or no compiler.
        """
        self.replay: SealedReplay = prepare_sealed(
            directory, "game", players, huge_pages=False, limits=_LIMITS, write=write_sealed_game
        )
        self._routed = directory / "routed.yaml"
        route = _GAME.format(socket=directory / "attach.sock", process=PROCESS)
        self._routed.write_text(self.replay.config.read_text() + route)
        self._reader = compile_reader(directory)
        self._cpu = placement.generator

    def measure(self, seconds: float, *, routed: bool) -> Forwarded:
        """Once.

        Raises:
            UnavailableError: it does not run, or refuses packets.
            InternalError: a message is in no counter, or in two.
        """
        config, reader = (self._routed, str(self._reader)) if routed else (self.replay.config, "")
        sessions = str(self.replay.capture.sessions)
        arguments = (str(config), sessions, str(seconds), reader, str(self._cpu))
        found = run_module("pyshim.bench.rig.game_server", "the gateway", arguments, seconds)
        run = ServerRun(**found["run"])
        if run.refused:
            raise UnavailableError(f"{run.refused:,} of the capture's packets were refused")
        offered, delivered, lost = found["offered"], found["delivered"], sum(found["lost"].values())
        to = "process" if routed else "nobody"
        if not (
            found["taken"] == found["dispatched"][to] == sum(found["dispatched"].values())
            and offered == delivered + lost == (found["taken"] if routed else 0)
            and found["heard"] == delivered
        ):
            raise InternalError(f"the books do not balance: {found}")
        return Forwarded(run, found["taken"], delivered, lost)
