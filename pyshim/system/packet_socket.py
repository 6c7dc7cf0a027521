# SPDX-License-Identifier: BSD-3-Clause
"""One end of a conversation with a child process: whole packets over a local socket (SOCK_SEQPACKET)."""

from __future__ import annotations

import os
import socket
from array import array
from collections.abc import Sequence
from typing import Self

from pyshim.errors import InternalError

PACKET_BYTES_MAX = 128 * 1024  # below the send buffer that Linux gives a local socket


class PacketSocket:
    """One end. The end of the stream means that the other side is gone."""

    def __init__(self, end: socket.socket) -> None:
        """Take over one end of a SOCK_SEQPACKET pair."""
        self._socket = end

    @classmethod
    def pair(cls) -> tuple[Self, Self]:
        """Two connected ends."""
        one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        return cls(one), cls(other)

    @classmethod
    def of_fd(cls, fd: int) -> Self:
        """The end behind an inherited descriptor."""
        return cls(socket.socket(fileno=fd))

    def fileno(self) -> int:
        """For select and for passing on."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close this end; the other side reads the end of the stream."""
        self._socket.close()

    def send_packet(self, data: bytes, *, wait: bool, fds: Sequence[int] = ()) -> bool:
        """Send one packet, with descriptors, which stay the caller's; False when the other side is gone.

        Raises:
            InternalError: it is too long, or `wait` is false and the other side does not read.
        """
        if len(data) > PACKET_BYTES_MAX:
            raise InternalError(f"a control message of {len(data)} bytes; the limit is {PACKET_BYTES_MAX}")
        try:
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", fds))] if fds else []
            self._socket.sendmsg([data], rights, socket.MSG_NOSIGNAL | (0 if wait else socket.MSG_DONTWAIT))
        except BlockingIOError as problem:
            raise InternalError("the control socket is full: the other side does not read it") from problem
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def receive_packet(self, *, wait: bool) -> bytes | None:
        """The next packet, None when the other side is gone.

        Raises:
            BlockingIOError: `wait` is false and there is none yet.
            InternalError: it is longer than any that is sent.
        """
        received = self.receive_with_descriptors(wait=wait, most=0)
        return None if received is None else received[0]

    def receive_with_descriptors(self, *, wait: bool, most: int) -> tuple[bytes, tuple[int, ...]] | None:
        """Likewise, with the descriptors that came with it, at most so many and the caller's to close."""
        # socket.recv_fds() of Python 3.11 takes flags and ignores them.
        how = socket.MSG_CMSG_CLOEXEC | (0 if wait else socket.MSG_DONTWAIT)
        fds = array("i")
        room = socket.CMSG_SPACE(most * fds.itemsize) if most else 0
        try:
            data, rights, flags, _ = self._socket.recvmsg(PACKET_BYTES_MAX, room, how)
        except ConnectionResetError:
            return None
        for level, kind, said in rights:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds.frombytes(said[: len(said) - len(said) % fds.itemsize])
        if flags & socket.MSG_TRUNC:
            for fd in fds:
                os.close(fd)
            raise InternalError(f"a control message of more than {PACKET_BYTES_MAX} bytes")
        return (data, tuple(fds)) if data else None
