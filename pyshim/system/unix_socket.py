# SPDX-License-Identifier: BSD-3-Clause
"""Local sockets in the file system, which their owner alone may use, and what dead processes left of them."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_BACKLOG = 64
_LOCK_LIMIT_S = 1.0  # anybody who may look into a directory can hold its lock
_LOOK_S = 0.02


def listen_at(path: Path) -> socket.socket:
    """A socket that listens at `path`, the caller's to close; one that a dead process left there is replaced.

    Raises:
        OSError: it cannot be had; EADDRINUSE when somebody listens there.
    """
    return _listen(path, socket.SOCK_STREAM)


def listen_for_packets(path: Path) -> socket.socket:
    """Like `listen_at`, for conversations in whole packets; accepting never waits.

    Raises:
        OSError: as of `listen_at`.
    """
    listener = _listen(path, socket.SOCK_SEQPACKET)
    listener.setblocking(False)
    return listener


def _listen(path: Path, kind: socket.SocketKind) -> socket.socket:
    if is_left_behind(path):
        path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, kind)
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


def listen_among_ours(path: Path) -> socket.socket:
    """Like `listen_at`, in a directory of our own: sockets like it of dead processes are removed, too.

    Raises:
        OSError: as of `listen_at`.
    """
    with _alone_in(path.parent) as alone:
        if alone:
            _sweep(path.parent, path.suffix)
        return listen_at(path)


def is_left_behind(path: Path) -> bool:
    """Whether this is a socket that no process has any more; when in doubt, it is somebody's."""
    try:
        if not path.is_socket():
            return False
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
            # Of another type than whoever is there: the kernel says so, also of one that does not listen yet
            # or takes no connection, and its owner does not notice.
            probe.connect(str(path))
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return False


def _sweep(directory: Path, suffix: str) -> None:
    for path in directory.glob(f"*{suffix}"):
        if is_left_behind(path):
            with suppress(OSError):
                path.unlink()


@contextmanager
def _alone_in(directory: Path) -> Iterator[bool]:
    """Nobody else sweeps or replaces meanwhile: not what one found dead another has replaced is removed.

    False: the lock was not to be had in time.
    """
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield _locked(fd, time.monotonic() + _LOCK_LIMIT_S)
    finally:
        os.close(fd)


def _locked(fd: int, until_s: float) -> bool:
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until_s:
                return False
            time.sleep(_LOOK_S)
        except OSError:  # a file system without locks
            return False
        else:
            return True
