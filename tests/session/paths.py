# SPDX-License-Identifier: BSD-3-Clause
"""Paths that swallow long datagrams without a word, as with a tunnel and a firewall; and a bulk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from pyshim.protocol.session_wire import Kind
from tests.session.core_gateway import CoreGateway
from tests.session.internet import Internet

TO_GATEWAY, TO_PLAYER = True, False
BOTH = frozenset({TO_GATEWAY, TO_PLAYER})
WAYS = {"to the gateway": frozenset({TO_GATEWAY}), "to the player": frozenset({TO_PLAYER}), "both ways": BOTH}
BULK = Random(1).randbytes(65_000)  # not compressible: about a hundred datagrams


@dataclass
class Path:
    """Carries `carries` bytes in the directions `ways`, and any length in others."""

    internet: Internet
    carries: int = 1500
    ways: frozenset[bool] = BOTH
    loses: Callable[[bool, bytes], bool] = lambda _to_gateway, _datagram: False
    longest: dict[tuple[bool, int], int] = field(default_factory=dict)  # by direction and kind, since `watch`
    sizes: list[tuple[bool, int, int]] = field(default_factory=list)  # direction, kind, bytes, since `watch`

    def __post_init__(self) -> None:
        self.internet.on_wire = self._pass

    def _pass(self, to_gateway: bool, datagram: bytes) -> bool:
        kind, size = datagram[0], len(datagram)
        self.sizes.append((to_gateway, kind, size))
        self.longest[to_gateway, kind] = max(size, self.longest.get((to_gateway, kind), 0))
        is_too_long = size > self.carries and to_gateway in self.ways
        return not is_too_long and not self.loses(to_gateway, datagram)

    def watch(self) -> None:
        """Remember lengths from now on."""
        self.longest.clear()
        self.sizes.clear()

    def longest_data(self, to_gateway: bool) -> int:
        return self.longest.get((to_gateway, Kind.DATA), 0)

    def probes(self, to_gateway: bool) -> list[int]:
        return [size for way, kind, size in self.sizes if way is to_gateway and kind == Kind.PROBE]


def run(internet: Internet, gateway: CoreGateway, seconds: float, until: Callable[[], bool]) -> bool:
    """Let time pass while the gateway's sweep does what a worker's does between bursts."""
    end = internet.now + seconds
    while internet.now < end and not until():
        gateway.expire(internet.now)
        internet.run(min(0.1, end - internet.now), until)
    return until()


def wait(internet: Internet, gateway: CoreGateway, seconds: float) -> None:
    """The same for long, while nothing is said."""
    before, gateway.poll_s = gateway.poll_s, 0.1
    end = internet.now + seconds
    while internet.now < end:
        gateway.expire(internet.now)
        internet.run(min(1.0, end - internet.now))
    gateway.poll_s = before
