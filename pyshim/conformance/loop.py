# SPDX-License-Identifier: BSD-3-Clause
"""Drives scenarios: each is a generator that yields until when it waits, and is sent what came.

Time and network are injected: sockets and the clock of this machine (`sockets.py`), or models with their own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar


@dataclass(frozen=True, slots=True)
class Arrival:
    """A datagram that came."""

    datagram: bytes
    at_s: float
    via: int  # which of the port's sockets, from 0
    source: Any  # where an answer goes


class Port(Protocol):
    """The sockets of one scenario. The first exists at once, others from their first use."""

    def send(self, datagram: bytes, via: int = 0, to: Any = None) -> None:
        """Send from one of the sockets; `to` is needed where the scenario is the gateway."""

    def close(self) -> None:
        """Close them."""


class Network(Protocol):
    """Where ports are, and the clock."""

    def now(self) -> float:
        """Seconds, from any zero."""

    def wait(self, ports: Sequence[Port], until_s: float) -> tuple[Port, Arrival] | None:
        """The next datagram of any of the ports; None when it is `until_s` before one came."""


T = TypeVar("T")
Steps = Generator[float, Arrival | None, T]
"""Yields until when to wait; is sent what came, or None. A part of a scenario may return something."""
Script = Steps[None]


@dataclass(slots=True)
class Play:
    """A scenario that is being played."""

    port: Port
    script: Script
    end: Callable[[], None]  # called once, whatever happens
    until_s: float = 0.0


def drive(network: Network, plays: Sequence[Callable[[], Play]], at_once: int) -> None:
    """Play all of them, so many at a time; each is made when its turn comes."""
    waiting = deque(plays)
    running: list[Play] = []
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                play = waiting.popleft()()
                running.append(play)
                _go_on(play, None, running, first=True)
            _turn(network, running)
    finally:
        for play in running:
            play.script.close()
            play.end()


def _turn(network: Network, running: list[Play]) -> None:
    if not running:
        return
    came = network.wait([play.port for play in running], min(play.until_s for play in running))
    if came is not None:
        port, arrival = came
        _go_on(next(play for play in running if play.port is port), arrival, running)
        return
    now = network.now()
    for play in [play for play in running if play.until_s <= now]:
        _go_on(play, None, running)


def _go_on(play: Play, arrival: Arrival | None, running: list[Play], *, first: bool = False) -> None:
    try:
        play.until_s = next(play.script) if first else play.script.send(arrival)
    except StopIteration:
        running.remove(play)
        play.end()
