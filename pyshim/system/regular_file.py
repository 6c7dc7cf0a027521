# SPDX-License-Identifier: BSD-3-Clause
"""Files that a user names are read when they are files: a FIFO or a device could be waited for, for ever."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

_FILE = "a file"
_DIRECTORY = "a directory"
_KINDS = (
    (stat.S_ISREG, _FILE),
    (stat.S_ISDIR, _DIRECTORY),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def kind_of(path: Path) -> str | None:
    """What is at `path`, links followed, with its article: "a file", "a FIFO"; None when nothing is.

    Raises:
        OSError: nobody can tell, as of a name that is too long or in a directory that is not ours to see.
    """
    try:
        return _kind(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _kind(mode: int) -> str:
    return next((kind for is_kind, kind in _KINDS if is_kind(mode)), "something else")


class NotRegularError(OSError):
    """It exists and is no regular file; `strerror` says what it is."""

    def __init__(self, path: Path, kind: str) -> None:
        """`kind` with its article."""
        super().__init__(errno.EINVAL, f"it is {kind}, and a regular file is needed", str(path))


def open_regular(path: Path) -> int:
    """A descriptor to read `path` with, the caller's to close; never waits.

    Raises:
        NotRegularError: it is something else.
        OSError: it cannot be opened.
        ValueError: there is a NUL in its name.
    """
    # Looked at before it is opened, because to open a device can have effects, and after it, because it may
    # have become another one in between.
    _check(path, path.stat().st_mode)
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        _check(path, os.fstat(fd).st_mode)
    except NotRegularError:
        os.close(fd)
        raise
    return fd


def read_regular(path: Path, bytes_max: int = -1) -> bytes:
    """The first `bytes_max` bytes of a regular file, or all of it. Raises as `open_regular` does."""
    return read_open(open_regular(path), path, bytes_max)


def read_open(fd: int, path: Path, bytes_max: int = -1) -> bytes:
    """Read a file that `open_regular` has opened, and close it.

    Raises:
        OSError: it cannot be read, or it is a file of the kernel's in which nothing is at the moment.
    """
    with os.fdopen(fd, "rb") as file:
        data: bytes | None = file.read(bytes_max)
    if data is None:  # one that would be waited for, such as /proc/kmsg
        raise OSError(errno.EAGAIN, "it has nothing to read at the moment", str(path))
    return data


def write_file(path: Path, data: bytes) -> None:
    """Write `data` to a new file in place of `path`, or into what it is if that is no file.

    Raises:
        OSError: it cannot be written; a FIFO that nobody reads is not waited for.
    """
    try:
        fd = os.open(
            path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC, 0o666
        )
    except OSError as problem:
        if problem.errno == errno.ENXIO:
            raise OSError(errno.ENXIO, "nobody reads the other end of it", str(path)) from problem
        raise
    os.set_blocking(fd, True)
    with os.fdopen(fd, "wb") as file:
        file.write(data)


def _check(path: Path, mode: int) -> None:
    kind = _kind(mode)
    if kind == _DIRECTORY:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if kind != _FILE:
        raise NotRegularError(path, kind)
