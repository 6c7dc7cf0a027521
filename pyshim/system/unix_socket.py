# SPDX-License-Identifier: BSD-3-Clause
"""Local sockets in the file system, which their owner alone may use."""

from __future__ import annotations

import os
import socket
from pathlib import Path

_BACKLOG = 64


def listen_at(path: Path) -> socket.socket:
    """A socket that listens at `path`, the caller's to close; one that a dead process left there is replaced.

    Raises:
        OSError: it cannot be had; EADDRINUSE when somebody listens there.
    """
    _remove_stale(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)  # from its first moment
    try:
        listener.bind(str(path))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(before)
    return listener


def _remove_stale(path: Path) -> None:
    """Remove a socket that a dead process left, and nothing else."""
    if not path.is_socket():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
