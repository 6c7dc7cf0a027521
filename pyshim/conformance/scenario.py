# SPDX-License-Identifier: BSD-3-Clause
"""A scenario: a part of the state machine as one function, and the checks that it decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from pyshim.conformance.checks import Check
from pyshim.conformance.loop import Script
from pyshim.conformance.peer import Peer, StoppedError

P_contra = TypeVar("P_contra", bound=Peer, contravariant=True)


@dataclass(frozen=True, slots=True)
class Scenario(Generic[P_contra]):
    """One function, by name."""

    play: Callable[[P_contra], Script]
    checks: tuple[Check, ...]
    once: bool = False  # the ticket is for one confirmation
    ttl_s: int = 3600  # of the ticket
    setting: object = None  # of the kit's end, where it is the gateway

    @property
    def name(self) -> str:
        """As it is asked for."""
        return self.play.__name__.replace("_", "-")

    @property
    def about(self) -> str:
        """What it does, in a sentence."""
        return (self.play.__doc__ or "").strip().splitlines()[0]

    def script(self, peer: P_contra) -> Script:
        """To be driven; why it stopped before its end is in the verdicts."""
        try:
            yield from self.play(peer)
        except StoppedError as why:
            peer.verdicts.stopped = str(why)
