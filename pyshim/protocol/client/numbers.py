# SPDX-License-Identifier: BSD-3-Clause
"""The numbers under which a connection travels: the one issued, and on each further network another.

So nobody who sees both networks knows by the headers that the player is the same.
"""

from __future__ import annotations

from pyshim.protocol.client.congestion import NEVER
from pyshim.protocol.session_control import Number

_BEFORE_S = 3.0  # how long the number before is taken, once the gateway has left it


class Numbers:
    """Those of one connection: which is written, and which are taken."""

    def __init__(self, issued: int, spare: Number) -> None:
        """The number issued is written. `spare`: WELCOME's."""
        self.used = Number(issued)
        self._before: Number | None = None
        self._before_until = NEVER
        self._spare = spare

    def give(self, spare: Number) -> None:
        """NUMBER: another spare, instead of one that was not used; late, if it was used meanwhile."""
        if spare.session != self.used.session:
            self._spare = spare

    def moved(self) -> None:
        """On another network: write the spare from now on, if there is one."""
        if self._spare.session:
            self._before, self._before_until = self.used, NEVER
            self.used, self._spare = self._spare, Number(0)

    def find(self, session: int, now: float) -> Number | None:
        """Which of them it is; None: none that is taken."""
        if session == self.used.session:
            return self.used
        if self._before is not None and session == self._before.session and now < self._before_until:
            return self._before
        return None

    def heard(self, under: Number, now: float) -> None:
        """Something authentic came under one of them."""
        if under is self.used and self._before_until == NEVER:
            self._before_until = now + _BEFORE_S
