# SPDX-License-Identifier: BSD-3-Clause
"""Messages that the operator sends to players, and their way to the worker process: one at a time, in order.

The management server's thread posts a message and waits; the supervisor's loop passes it on when the worker
process has answered the one before it. So messages never fill the control channel, which carries reloads too.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

WAITING_MAX = 256  # messages that wait for their turn


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


Answer = Callable[[SendResult], None]  # called once, from the supervisor's thread or the one that posted

_FULL = SendResult(
    SendOutcome.BUSY, f"{WAITING_MAX} messages are waiting to be sent already; try again in a moment"
)
_NO_WORKER = SendResult(SendOutcome.BUSY, "the worker process is not running; try again in a moment")
_LOST = SendResult(SendOutcome.BUSY, "the worker process ended; whether the message was sent is unknown")
_CLOSED = SendResult(SendOutcome.BUSY, "the gateway is ending")


class OperatorQueue:
    """Messages on their way from any thread to the supervisor's, which selects on `fileno`."""

    def __init__(self) -> None:
        """Nothing waits."""
        self._lock = threading.Lock()
        self._waiting: deque[tuple[OperatorMessage, Answer]] = deque()
        self._underway: tuple[int, Answer] | None = None
        self._number = 0
        self._closed = False
        self._bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    # ------------------------------------------------------------ any thread

    def send(self, operator_message: OperatorMessage, answer: Answer) -> None:
        """Post a message; `answer` is called when its fate is known."""
        with self._lock:
            refusal = _CLOSED if self._closed else _FULL if len(self._waiting) >= WAITING_MAX else None
            if refusal is None:
                self._waiting.append((operator_message, answer))
                os.eventfd_write(self._bell, 1)
        if refusal is not None:
            answer(refusal)

    # ------------------------------------------------------------ the supervisor's

    def fileno(self) -> int:
        """Readable when messages were posted."""
        return self._bell

    def hear(self) -> None:
        """Make `fileno` quiet."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._bell)

    def take(self) -> tuple[int, OperatorMessage] | None:
        """The next message and its number, when none is under way."""
        with self._lock:
            if self._underway is not None or not self._waiting:
                return None
            self._number += 1
            operator_message, answer = self._waiting.popleft()
            self._underway = (self._number, answer)
            return self._number, operator_message

    def settle(self, number: int, result: SendResult) -> None:
        """The worker process said what became of a message."""
        with self._lock:
            if self._underway is None or self._underway[0] != number:
                return
            (_, answer), self._underway = self._underway, None
        answer(result)

    def lose(self) -> None:
        """There is no worker process, or not any more: nobody waits for it."""
        self._end(_LOST, _NO_WORKER)

    def close(self) -> None:
        """Take no more messages; who still waits is told."""
        with self._lock:
            closed, self._closed = self._closed, True
        self._end(_LOST, _CLOSED)
        if not closed:
            os.close(self._bell)

    def _end(self, underway: SendResult, waiting: SendResult) -> None:
        with self._lock:
            told = [(answer, waiting) for _, answer in self._waiting]
            if self._underway is not None:
                told.append((self._underway[1], underway))
            self._waiting.clear()
            self._underway = None
        for answer, result in told:
            answer(result)
