# SPDX-License-Identifier: BSD-3-Clause
"""What a game may change about its client; the defaults suit a game with 20 to 60 updates a second."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from pyshim.protocol.client.phases import RULES, PhaseRules
from pyshim.protocol.session_wire import DATAGRAM_SIZES
from pyshim.protocol.world.view import ViewSettings


@dataclass(frozen=True, slots=True)
class Settings:
    """Times and limits of a client."""

    connect_timeout_s: float = 10.0  # of one attempt
    keep_trying_s: float = 60.0  # to reconnect, before the game is told that it is over
    backoff_s: tuple[float, float] = (0.25, 8.0)  # between attempts to reconnect: first, longest
    silence_s: float | None = None  # of the gateway, before it counts as gone; None: as it says
    heartbeat_s: float = 2.0  # without anything to say, one says that the player is there; or sooner
    flush_s: float = 0.005  # what is not urgent waits so long for company
    acknowledge_s: float = 0.025
    resend_min_s: float = 0.0  # before a message is sent again, however short the round trip
    queue_bytes: int = 262_144  # of messages that wait or are not acknowledged
    hold_bytes: int = 524_288  # of received messages that wait for one before them
    events: int = 4096  # that the game has not taken; after that, messages are left to be sent again
    datagram_sizes: tuple[int, ...] = DATAGRAM_SIZES  # to try, largest first
    phases: PhaseRules = RULES  # when keys are updated
    view: ViewSettings = field(default_factory=ViewSettings)  # of the world around the player
    key_log: Callable[[str], None] | None = None  # told a line of a key file for each key phase
