# SPDX-License-Identifier: BSD-3-Clause
"""What the supervisor tells the worker process of game processes."""

from __future__ import annotations

from pyshim.bus.files import Files
from pyshim.bus.registry import Phase, Place
from pyshim.run import control


class Orders:
    """Orders about places, each by its index; without a worker process they go nowhere."""

    def __init__(self, files: Files) -> None:
        """There is no worker process yet."""
        self._files = files
        self.channel: control.Channel | None = None

    def _send(self, order: control.GameOrder) -> None:
        if self.channel is not None:
            self.channel.send(order)

    def rings(self, index: int, place: Place) -> None:
        """Map what there is."""
        here = place.phase is Phase.HERE
        wants_moves, read = here and place.wants_moves, self._files.read(index)
        fds = self._files.for_worker(index)
        self._send(
            control.GameRings(index, place.name, place.files, wants_moves, here, place.heard, read, fds)
        )

    def hear(self, index: int, place: Place) -> None:
        """Read what the process writes.

        Raises:
            UnavailableError: it has sealed that itself.
        """
        self._send(control.GameHear(index, place.files, self._files.hear(index)))

    def end(self, index: int, place: Place) -> None:
        """Read that to its end, and write other files.

        Raises:
            UnavailableError: there is no memory for those.
        """
        self._send(control.GameEnd(index, place.files, self._files.end(index, place.name)))

    def detach(self, index: int) -> None:
        """Let go of the rings."""
        self._send(control.GameDetach(index))

    def presence(self, index: int, place: Place) -> None:
        """Know whether somebody is there."""
        here = place.phase is Phase.HERE
        self._send(control.GamePresence(index, here, here and place.wants_moves))
