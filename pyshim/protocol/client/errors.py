# SPDX-License-Identifier: BSD-3-Clause
"""Why a game could not connect, or what it said did not arrive: a class for each thing that a game can do."""

from __future__ import annotations

from pyshim.errors import UnavailableError, UsageError
from pyshim.protocol.session_wire import Denial


class NotConnectedError(UnavailableError):
    """There is no connection, and there will be none: whatever else ended it for good derives from this."""


class Denied(NotConnectedError):  # noqa: N818 - what a game catches is named after what happened
    """The gateway refused the session, and proved that it is the one that issued it."""

    def __init__(self, reason: Denial, text: str) -> None:
        """Say why; `reason` for programs."""
        super().__init__(text)
        self.reason = reason


class Expired(Denied):
    """The time that the session was issued for is over: issue another."""


class Revoked(Denied):
    """The operator took the session back."""


class TimedOut(NotConnectedError):  # noqa: N818
    """Nothing came that proves that the gateway is there; `likely` says what the client saw instead."""

    def __init__(self, likely: str, after_s: float) -> None:
        """Keep the likely reason for programs."""
        super().__init__(f"no connection after {after_s:g} s: {likely}")
        self.likely = likely


class Closed(NotConnectedError):  # noqa: N818
    """The connection was ended in a way that does not allow another one."""


class Undelivered(UnavailableError):  # noqa: N818
    """A reliable message was not acknowledged. It may have arrived: its acknowledgement can be lost, too."""


class QueueFull(UnavailableError):  # noqa: N818
    """More is waiting to be sent than the client keeps; send less, or await what was sent."""


class BadTicketError(UsageError):
    """What the control API is said to have issued is not a session."""


_DENIALS = {
    Denial.VERSION: "the gateway speaks another version of the protocol; this client speaks version 2",
    Denial.EXPIRED: "the session has expired; issue another one",
    Denial.REVOKED: "the session was revoked; a player who is issued another one loses the first",
    Denial.CONSUMED: "the session may be confirmed once only, and was; issue another one",
    Denial.FULL: "the gateway is full; try again later",
}


def likely(reason: Denial) -> str:
    """A denial as a sentence."""
    return _DENIALS[reason]


def denied(reason: Denial) -> Denied:
    """The exception for a proved denial."""
    kind = {Denial.EXPIRED: Expired, Denial.REVOKED: Revoked}.get(reason, Denied)
    return kind(reason, _DENIALS[reason])
