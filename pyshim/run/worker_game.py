# SPDX-License-Identifier: BSD-3-Clause
"""What a worker process does about game processes, for the supervisor that they are attached to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from pyshim.dataplane import Gateway
from pyshim.errors import InternalError, PollgateError
from pyshim.run import control

_ENDING_MS = 2  # between two looks whether a ring has been read to its end: somebody waits for that


class Games:
    """The game processes of a worker process."""

    def __init__(self, channel: control.Channel, gateway: Gateway) -> None:
        """There is none yet."""
        self._channel = channel
        self._gateway = gateway
        self._ending: dict[int, int] = {}  # numbers of files, by process

    def obey(self, order: control.GameOrder) -> None:
        """Do what the supervisor wants, and say so where it waits for that."""
        match order:
            case control.GameRings():
                self._channel.send(control.GameMapped(order.process, order.files, self._map(order)))
            case control.GameHear():
                self._hear(order)
            case control.GamePresence(process, present, wants_moves):
                # Of rings that could not be mapped the supervisor knows, or will in a moment.
                with suppress(InternalError):
                    self._gateway.game_presence(process, present=present, wants_moves=wants_moves)
            case control.GameEnd():
                self._end(order)
            case control.GameDetach(process):
                self._ending.pop(process, None)
                self._gateway.game_detach(process)

    def report(self) -> None:
        """Say which processes the workers have given up, or read to the end."""
        while (broken := self._gateway.game_broken()) is not None:
            self._ending.pop(broken[0], None)
            self._channel.send(control.GameBroken(*broken))
        for process, files in tuple(self._ending.items()):
            read = self._gateway.game_ended(process)
            if read is not None:
                del self._ending[process]
                self._channel.send(control.GameEnded(process, files, read))

    def wait_ms(self, most_ms: int) -> int:
        """Until the next report() is due."""
        return min(_ENDING_MS, most_ms) if self._ending else most_ms

    def _map(self, rings: control.GameRings) -> str:
        """Map the rings of every worker, or of none; returns why not."""
        try:
            for worker, its in enumerate(rings.by_worker):
                self._gateway.game_attach(
                    rings.process, worker, its, present=rings.present, wants_moves=rings.wants_moves
                )
        except PollgateError as problem:
            self._gateway.game_detach(rings.process)
            return str(problem) or type(problem).__name__
        finally:
            _close(rings.fds)
        return ""

    def _hear(self, order: control.GameHear) -> None:
        with self._told(order):
            for worker, fd in enumerate(order.fds):
                self._gateway.game_hear(order.process, worker, fd)

    def _end(self, order: control.GameEnd) -> None:
        with self._told(order):
            for worker, fds in enumerate(order.by_worker):
                self._gateway.game_end(order.process, worker, fds)
            self._ending[order.process] = order.files

    @contextmanager
    def _told(self, order: control.GameHear | control.GameEnd) -> Iterator[None]:
        """What cannot be heard, or ended, is told as rings that cannot be mapped."""
        try:
            yield
        except InternalError:
            return  # rings that could not be mapped
        except PollgateError as problem:
            self._gateway.game_detach(order.process)
            self._channel.send(control.GameMapped(order.process, order.files, str(problem)))
        finally:
            _close(order.fds)


def _close(fds: tuple[int, ...]) -> None:
    for fd in fds:
        os.close(fd)
