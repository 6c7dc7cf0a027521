# SPDX-License-Identifier: BSD-3-Clause
"""Sealed messages of the game's own, taken by a worker that forwards them to a process, or to nobody."""

from __future__ import annotations

import re
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

_SILENT_DEVICE = "net_null0,no-rx=1"  # what comes is put in front of the loop
_TALKERS = 256  # players of round trips: their keys stay in the cache
_LIMITS = SealedLimits("{}", "{messages_pps: {game: 0}}")
_DEVICE = re.compile(r'device: ".*"')
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


@dataclass(frozen=True, slots=True)
class RoundTrips:
    """How long answers took, from a message in the worker's hands to its answer in the device's."""

    trips: int  # that were looked at
    p50_s: float
    p99_s: float
    lost: int  # messages without an answer
    heard: int  # by the process, since it started


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
        self._talk = {routed: directory / f"talk-{routed}.yaml" for routed in (False, True)}
        for routed, config in self._talk.items():
            text = (self._routed if routed else self.replay.config).read_text()
            config.write_text(_DEVICE.sub(f'device: "{_SILENT_DEVICE}"', text, count=1))
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

    def converse(self, seconds: float, *, routed: bool) -> RoundTrips:
        """Messages one by one, each when the one before was answered: by the process, or acknowledged.

        Raises:
            UnavailableError: it does not run, or nothing is answered.
        """
        reader = str(self._reader) if routed else ""
        arguments = (str(self._talk[routed]), str(_TALKERS), str(seconds), reader, str(self._cpu))
        found = run_module("pyshim.bench.rig.round_trip_server", "the gateway", arguments, seconds)
        trips = RoundTrips(**found)
        if trips.trips == 0:
            raise UnavailableError("no message was answered: others have the CPU of one of the two sides")
        return trips
