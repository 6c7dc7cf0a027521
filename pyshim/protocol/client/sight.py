# SPDX-License-Identifier: BSD-3-Clause
"""What a connection is told of the world around its player."""

from __future__ import annotations

from collections import deque

from pyshim.protocol.client.events import Event
from pyshim.protocol.client.intake import Whole
from pyshim.protocol.session_wire import MessageType
from pyshim.protocol.world.about import decode_world
from pyshim.protocol.world.state import decode
from pyshim.protocol.world.view import ViewSettings, WorldView


class Sight:
    """Takes WORLD and WORLD_STATE; `view` is what there is to see, `events` who came and went."""

    TYPES = frozenset({MessageType.WORLD, MessageType.WORLD_STATE})

    def __init__(self, settings: ViewSettings) -> None:
        """Nothing is seen yet."""
        self.view = WorldView(settings)
        self.events: deque[Event] = deque()

    def hear(self, whole: Whole, datagram: int, now: float) -> None:
        """One of TYPES came in a datagram of this number.

        Raises:
            WireError: its body is not what its type says; nothing is changed.
        """
        if whole.type == MessageType.WORLD:
            self.events.extend(self.view.begin(decode_world(whole.body), datagram))
        else:
            self.events.extend(self.view.apply(decode(whole.body), datagram, now))

    def end(self) -> None:
        """The connection is over."""
        self.events.extend(self.view.end())
