# SPDX-License-Identifier: BSD-3-Clause
"""What is said after a CLOSE: CLOSE again to who goes on talking, and a question whether it was heard."""

from __future__ import annotations

from dataclasses import dataclass

from pyshim.protocol.client.congestion import NEVER
from pyshim.protocol.session_wire import CloseReason

_EVERY_S = 0.1  # at most
_FOR_S = 3.0


@dataclass(slots=True)
class Farewell:
    """A CLOSE that this end has said."""

    reason: CloseReason
    until: float  # then nothing more is said
    again_at: float  # not before
    ask_at: float  # when to ask whether the gateway has heard; NEVER: nobody wants to know

    @classmethod
    def said(cls, reason: CloseReason, now: float) -> Farewell:
        """It leaves now. A game that leaves asks, as nobody will be here to say it again."""
        return cls(reason, now + _FOR_S, now + _EVERY_S, now if reason is CloseReason.LEFT else NEVER)

    def say_again(self, now: float) -> bool:
        """Whether to say it again, to who has talked as if it had not heard."""
        if not self.again_at <= now < self.until:
            return False
        self.again_at = now + _EVERY_S
        return True

    def ask(self, now: float) -> bool:
        """Whether to ask: a PING is answered with PONG by who has not heard, and with RESET by who has."""
        if now < self.ask_at:
            return False
        is_over = now >= self.until
        self.ask_at = NEVER if is_over else min(now + _EVERY_S, self.until)
        return not is_over
