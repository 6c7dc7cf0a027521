# SPDX-License-Identifier: BSD-3-Clause
"""Messages that the operator sends to players, and their way to the worker process."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pyshim.worker_queue import WAITING_MAX, Refusals, WorkerQueue


@dataclass(frozen=True, slots=True)
class OperatorMessage:
    """One message, as the data plane takes it."""

    session: int
    type: int  # of the wire: CHAT_EVENT, BULK_EVENT, or one that the game gives
    body: bytes  # after the sender's player_id, which is 0
    channel: int = 0
    reliable: bool = True
    priority: int = 1  # 0 urgent, 1 normal, 2 bulk


class SendOutcome(StrEnum):
    """What became of a message."""

    SENT = "sent"  # on its way to the worker that owns the session
    REFUSED = "refused"  # that session is not connected
    BUSY = "busy"  # try again


@dataclass(frozen=True, slots=True)
class SendResult:
    """What became of a message, and why in a sentence; no text when it was sent."""

    outcome: SendOutcome
    text: str = ""


_FULL = SendResult(
    SendOutcome.BUSY, f"{WAITING_MAX} messages are waiting to be sent already; try again in a moment"
)
_NO_WORKER = SendResult(SendOutcome.BUSY, "the worker process is not running; try again in a moment")
_LOST = SendResult(SendOutcome.BUSY, "the worker process ended; whether the message was sent is unknown")
_CLOSED = SendResult(SendOutcome.BUSY, "the gateway is ending")


class OperatorQueue(WorkerQueue[OperatorMessage, SendResult]):
    """Messages on their way to the worker process."""

    def __init__(self) -> None:
        """Nothing waits."""
        super().__init__(Refusals(full=_FULL, no_worker=_NO_WORKER, lost=_LOST, closed=_CLOSED))
