# SPDX-License-Identifier: BSD-3-Clause
"""What any thread asks of the worker process, and its way there: one at a time, in order.

The management server's thread posts a request and waits; the supervisor's loop passes it on when the worker
process has answered the one before it. So requests never fill the control channel, which carries reloads too.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

WAITING_MAX = 256  # requests that wait for their turn

Asked = TypeVar("Asked")
Told = TypeVar("Told")


@dataclass(frozen=True, slots=True)
class Refusals(Generic[Told]):
    """What is answered without the worker process."""

    full: Told  # too many are waiting
    no_worker: Told
    lost: Told  # it ended before it answered
    closed: Told  # the gateway ends


class WorkerQueue(Generic[Asked, Told]):
    """Requests on their way from any thread to the supervisor's, which selects on `fileno`."""

    def __init__(self, refusals: Refusals[Told]) -> None:
        """Nothing waits."""
        self._refusals = refusals
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Asked, Callable[[Told], None]]] = deque()
        self._underway: tuple[int, Callable[[Told], None]] | None = None
        self._number = 0
        self._closed = False
        self._bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    # ------------------------------------------------------------ any thread

    def send(self, asked: Asked, answer: Callable[[Told], None]) -> None:
        """Post a request.

        `answer` is called once, from the supervisor's thread or the one that posted.
        """
        with self._lock:
            full = len(self._waiting) >= WAITING_MAX
            refusal = self._refusals.closed if self._closed else self._refusals.full if full else None
            if refusal is None:
                self._waiting.append((asked, answer))
                os.eventfd_write(self._bell, 1)
        if refusal is not None:
            answer(refusal)

    # ------------------------------------------------------------ the supervisor's

    def fileno(self) -> int:
        """Readable when something was posted."""
        return self._bell

    def hear(self) -> None:
        """Make `fileno` quiet."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._bell)

    def take(self) -> tuple[int, Asked] | None:
        """The next request and its number, when none is under way."""
        with self._lock:
            if self._underway is not None or not self._waiting:
                return None
            self._number += 1
            asked, answer = self._waiting.popleft()
            self._underway = (self._number, answer)
            return self._number, asked

    def settle(self, number: int, told: Told) -> None:
        """The worker process answered one."""
        with self._lock:
            if self._underway is None or self._underway[0] != number:
                return
            (_, answer), self._underway = self._underway, None
        answer(told)

    def lose(self) -> None:
        """There is no worker process, or not any more: nobody waits for it."""
        self._end(self._refusals.lost, self._refusals.no_worker)

    def close(self) -> None:
        """Take no more; who still waits is told."""
        with self._lock:
            closed, self._closed = self._closed, True
        self._end(self._refusals.lost, self._refusals.closed)
        if not closed:
            os.close(self._bell)

    def _end(self, underway: Told, waiting: Told) -> None:
        with self._lock:
            told = [(answer, waiting) for _, answer in self._waiting]
            if self._underway is not None:
                told.append((self._underway[1], underway))
            self._waiting.clear()
            self._underway = None
        for answer, result in told:
            answer(result)
