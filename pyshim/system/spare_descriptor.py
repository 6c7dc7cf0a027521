# SPDX-License-Identifier: BSD-3-Clause
"""What a server does with a connection when no file descriptor is left for it: takes it, and closes it.

Left where it is, it would keep the listening socket readable, and a loop that waits for that turning.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import socket
import time

_SCARCE = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_PAUSE_S = 0.05  # where not even the spare one helps
_REMIND_S = 60.0

_log = logging.getLogger(__name__)


def is_scarce(problem: OSError) -> bool:
    """Whether a connection could not be taken for want of descriptors or memory."""
    return problem.errno in _SCARCE


class SpareDescriptor:
    """Kept for the moment in which there is no other one; of one listening socket and its thread."""

    def __init__(self, server: str) -> None:
        """`server` is its name in sentences."""
        self._server = server
        self._fd = _open()
        self._told_s: float | None = None

    def refuse(self, listener: socket.socket, problem: OSError) -> None:
        """Close the next connection of a listener at which `problem` was met, and say so once a minute."""
        self._tell(problem)
        self.close()
        try:
            connection, _ = socket.socket.accept(listener)
        except OSError:
            time.sleep(_PAUSE_S)
        else:
            connection.close()
        self._fd = _open()

    def close(self) -> None:
        """Give it back."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _tell(self, problem: OSError) -> None:
        now_s = time.monotonic()
        if self._told_s is None or now_s - self._told_s >= _REMIND_S:
            self._told_s = now_s
            _log.warning(
                "warning: %s: connections are closed at once (%s); see `ulimit -n` (systemd: LimitNOFILE), "
                "and fs.file-max for the whole host",
                self._server,
                problem.strerror,
            )


def _open() -> int | None:
    with contextlib.suppress(OSError):
        return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    return None
