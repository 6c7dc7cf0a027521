# SPDX-License-Identifier: BSD-3-Clause
"""What other threads ask of the worker process: the operator's messages, and looks at worlds."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from selectors import EVENT_READ, BaseSelector

from pyshim.looks import ENTITY, LookQueue, LookResult
from pyshim.operator_messages import OperatorQueue
from pyshim.run import control

_ENTITIES_MAX = 1 << 20  # in a world


class Asking:
    """Both queues, as the supervisor's loop has them."""

    def __init__(self, operator_queue: OperatorQueue, look_queue: LookQueue) -> None:
        """Both stay the caller's."""
        self._operator_queue = operator_queue
        self._look_queue = look_queue
        self._shown_in: int | None = None  # memory file of the look under way

    def watch(self, selector: BaseSelector, go_on: Callable[[], None]) -> None:
        """Have `go_on` called when something was posted."""
        for queue in (self._operator_queue, self._look_queue):
            selector.register(queue.fileno(), EVENT_READ, go_on)

    def go_on(self, channel: control.Channel | None) -> None:
        """Something was posted, or the worker process is done with one: give it the next.

        `channel` is None while no worker process serves.
        """
        self._operator_queue.hear()
        self._look_queue.hear()
        if channel is None:
            self.lose()
            return
        if (message := self._operator_queue.take()) is not None:
            channel.send(control.Deliver(*message))
        if (look := self._look_queue.take()) is not None:
            self._shown_in = os.memfd_create("pollgate-look", os.MFD_CLOEXEC)
            number, asked = look
            channel.send(control.LookAt(number, asked.world, asked.player_id, (self._shown_in,)))

    def heard(self, message: control.Delivered | control.LookedAt) -> None:
        """The worker process is done with one."""
        match message:
            case control.Delivered(number, result):
                self._operator_queue.settle(number, result)
            case control.LookedAt(number):
                self._look_queue.settle(number, self._read(message))

    def _read(self, message: control.LookedAt) -> LookResult:
        """A worker process may say anything."""
        with self._file() as fd:
            if fd is None or message.problem:
                return LookResult(message.problem or "the worker process showed nothing")
            count = min(message.entities, _ENTITIES_MAX)
            entities = os.pread(fd, count * ENTITY.size, 0)
        whole = len(entities) // ENTITY.size * ENTITY.size
        seen = tuple(message.seen) if message.found else None
        return LookResult(tick=message.tick, entities=entities[:whole], seen=seen)

    @contextmanager
    def _file(self) -> Iterator[int | None]:
        fd, self._shown_in = self._shown_in, None
        try:
            yield fd
        finally:
            if fd is not None:
                os.close(fd)

    def lose(self) -> None:
        """There is no worker process, or not any more."""
        self._operator_queue.lose()
        self._look_queue.lose()
        with self._file():
            pass
