# SPDX-License-Identifier: BSD-3-Clause
"""The socket where game processes attach, and the connection of one: nothing here waits."""

from __future__ import annotations

import array
import errno
import os
import select
import socket
import struct
from collections.abc import Sequence
from contextlib import suppress
from enum import Enum, auto
from pathlib import Path

from pyshim.bus.messages import PACKET_BYTES_MAX
from pyshim.bus.waiting import Waiting
from pyshim.errors import UnavailableError
from pyshim.plan import GamePlan
from pyshim.system.spare_descriptor import SpareDescriptor, is_scarce
from pyshim.system.unix_socket import listen_for_packets

HELLO_LIMIT_S = 10.0  # for its first word
STRANGERS_MAX = 32  # connections without a name
MAPPED_LIMIT_S = 10.0  # to map its rings
LEAVE_LIMIT_S = 2.0  # to read why it is refused
# What may be on its way to a process. The last word has room beside what it has not read.
SOCKET_BYTES = 64 * 1024
LAST_WORD_BYTES = 2 * SOCKET_BYTES

_CREDENTIALS = struct.Struct("3i")
# Of descriptors, too many may be on their way at once.
_LATER = frozenset({errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM, errno.ETOOMANYREFS})

_ELSE = "name another place"
_WHAT_TO_DO = {
    errno.EADDRINUSE: "another gateway is there, or a file that is no socket: name another place",
    errno.ENOENT: "make its directory, or name another place",
}


class Door:
    """The socket in the file system."""

    def __init__(self, plan: GamePlan) -> None:
        """Listen; a socket that a dead gateway left there is replaced.

        Raises:
            UnavailableError: somebody listens there, or the place is not to be had.
        """
        self._path = Path(plan.path)
        self._spare = SpareDescriptor("game")
        try:
            self._socket = listen_for_packets(self._path)
        except OSError as problem:
            self._spare.close()
            what = problem.strerror or str(problem)
            raise UnavailableError(
                f"game.listen: unix:{plan.path} cannot be listened on: {what}; "
                + _WHAT_TO_DO.get(problem.errno or 0, _ELSE)
            ) from problem
        try:
            os.chown(self._path, plan.uid, plan.gid)
            self._path.chmod(plan.mode)
            self._status = self._path.stat()
        except OSError as problem:
            self.close()
            raise UnavailableError(
                f"game.permissions: owner, group or mode of {plan.path} cannot be set: {problem.strerror}; "
                "start the gateway as a user who may, or leave out game.owner and game.group"
            ) from problem

    def fileno(self) -> int:
        """Readable when somebody comes."""
        return self._socket.fileno()

    def accept(self) -> socket.socket | None:
        """Whoever comes next; None when there is nobody, or no descriptor for them now."""
        try:
            return self._socket.accept()[0]
        except OSError as problem:  # also one that has gone again
            if is_scarce(problem):
                self._spare.refuse(self._socket, problem)
            return None

    def close(self) -> None:
        """Nobody attaches any more; the file goes, unless it is another's by now."""
        self._socket.close()
        self._spare.close()
        with suppress(OSError):
            now = self._path.stat()
            ours = getattr(self, "_status", now)
            if (now.st_dev, now.st_ino) == (ours.st_dev, ours.st_ino):
                self._path.unlink()


class Standing(Enum):
    """Of a connection."""

    SILENT = auto()  # has not said HELLO
    NAMED = auto()  # has a name, or will in a moment
    GIVEN = auto()  # has its rings, and has not said yet that it has mapped them
    LEAVING = auto()  # was told why it may not stay


class Peer:
    """One connection: a process, as the kernel names it, and what is on its way to it."""

    def __init__(self, number: int, end: socket.socket, now_s: float) -> None:
        """Take over an accepted connection.

        Raises:
            OSError: the kernel does not say whose it is.
        """
        self.number = number
        self.standing = Standing.SILENT
        self.until_s = now_s + HELLO_LIMIT_S  # unless it is NAMED: then it has time
        self._socket = end
        end.setblocking(False)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BYTES)
        said = end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        self.pid, self.uid, _ = _CREDENTIALS.unpack(said)
        self.pidfd: int | None = None
        with suppress(OSError):  # of a process elsewhere, or that is gone already: the stream ends, too
            self.pidfd = os.pidfd_open(self.pid)
        self._waiting = Waiting()
        self.gone = False  # nothing reaches it any more

    def fileno(self) -> int:
        """Readable when it says something, or ends."""
        return self._socket.fileno()

    def is_late(self, now_s: float) -> bool:
        """Whether it should have said or done something by now."""
        return self.standing is not Standing.NAMED and now_s >= self.until_s

    @property
    def is_stranger(self) -> bool:
        """Whether it has no name, or none any more."""
        return self.standing in {Standing.SILENT, Standing.LEAVING}

    @property
    def is_dead(self) -> bool:
        """Whether its process has ended, though a child of it may have the connection."""
        return self.pidfd is not None and bool(select.select([self.pidfd], [], [], 0)[0])

    @property
    def has_waiting(self) -> bool:
        """Whether something waits until it reads."""
        return bool(self._waiting)

    def receive(self) -> bytes | None:
        """The next packet, cut off behind what the longest has; None at the end.

        Raises:
            BlockingIOError: there is none yet.
        """
        try:
            # Without room for descriptors: what comes with them is closed by the kernel.
            return self._socket.recv(PACKET_BYTES_MAX + 1) or None
        except BlockingIOError:
            raise
        except OSError:
            return None

    def send(self, data: bytes, fds: Sequence[int] = ()) -> bool:
        """Send a packet, or keep it until it reads; descriptors stay the caller's. False: it never reads."""
        if not self._waiting and self._sent(data, fds):
            return True
        return self._waiting.add(data, fds)

    def flush(self) -> None:
        """Send what waits, as far as it goes."""
        while self._waiting:
            if not self._sent(*self._waiting.first()):
                return
            self._waiting.drop_first()

    def _sent(self, data: bytes, fds: Sequence[int]) -> bool:
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        try:
            self._socket.sendmsg([data], rights, socket.MSG_NOSIGNAL | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError as problem:
            if problem.errno in _LATER:
                return False
            self.gone = True  # the end of the stream is read, too
        return True

    def give(self, now_s: float) -> None:
        """It gets its rings, and has so long to map them."""
        self.standing = Standing.GIVEN
        self.until_s = now_s + MAPPED_LIMIT_S

    def leave(self, word: bytes, now_s: float) -> None:
        """It is told why, and reads that later if not now; what it says is read away until it closes."""
        self.standing = Standing.LEAVING
        self.until_s = now_s + LEAVE_LIMIT_S
        self._waiting.clear()
        with suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LAST_WORD_BYTES)
            self._sent(word, ())
            self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """End the connection."""
        self._socket.close()
        if self.pidfd is not None:
            os.close(self.pidfd)
        self._waiting.clear()
