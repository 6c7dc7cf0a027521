# SPDX-License-Identifier: BSD-3-Clause
"""Memory that outlives a worker process: files without a name that the supervisor makes and passes on."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import mmap
import os
from typing import Self

from pyshim.errors import UnavailableError

_HUGE_PAGE_BYTES = 2 * 1024 * 1024
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL


def memory_file(name: str, size_bytes: int, flags: int = 0) -> int:
    """A new, zeroed memory file that cannot shrink; returns its descriptor, the caller's to close.

    Raises:
        UnavailableError: the kernel refused.
    """
    try:
        fd = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING | flags)
        try:
            os.ftruncate(fd, size_bytes)
            # Nobody can shrink it under a poll loop: that would be a SIGBUS.
            fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
        except OSError:
            os.close(fd)
            raise
    except OSError as problem:
        raise UnavailableError(
            f"a memory file of {size_bytes} bytes ({name}) cannot be made: {problem.strerror}; "
            + _what_to_do(problem)
        ) from problem
    return fd


def _what_to_do(problem: OSError) -> str:
    if problem.errno == errno.EFBIG:
        return "raise the limit on the size of files (ulimit -f; systemd: LimitFSIZE)"
    return "check the memory limits of this process"


class SessionState:
    """The sessions' memory file: made and kept by the supervisor, mapped by every worker process in turn."""

    def __init__(self, fd: int, *, huge_pages: bool) -> None:
        """Hold `fd`, which becomes this object's to close."""
        self.fd = fd
        self.huge_pages = huge_pages

    @classmethod
    def create(cls, size_bytes: int, *, huge_pages: bool) -> Self:
        """A new file, all zero; in huge pages if asked and enough of them are free, else in ordinary ones.

        Raises:
            UnavailableError: no memory file of this size can be made.
        """
        if huge_pages:
            whole = -(-size_bytes // _HUGE_PAGE_BYTES) * _HUGE_PAGE_BYTES
            with contextlib.suppress(UnavailableError):
                fd = memory_file("pollgate-sessions", whole, os.MFD_HUGETLB | os.MFD_HUGE_2MB)
                try:
                    # Mapping reserves the pages for the life of the file: no later touch can fail.
                    mmap.mmap(fd, whole).close()
                except OSError:
                    os.close(fd)
                else:
                    return cls(fd, huge_pages=True)
        return cls(memory_file("pollgate-sessions", size_bytes), huge_pages=False)

    @property
    def size_bytes(self) -> int:
        """Size of the file; at least what was asked for."""
        return os.fstat(self.fd).st_size

    def map(self) -> mmap.mmap:
        """The memory itself, left out of core dumps: issued keys are in it. The caller closes it.

        Raises:
            UnavailableError: there is not enough of it.
        """
        try:
            memory = mmap.mmap(self.fd, self.size_bytes)
            memory.madvise(mmap.MADV_DONTDUMP)
        except OSError as problem:
            raise UnavailableError(
                f"{self.size_bytes >> 20} MiB of session memory cannot be mapped ({problem.strerror}); lower "
                "sessions.capacity or give this host more memory"
            ) from problem
        return memory

    def close(self) -> None:
        """Close the file; the memory lives on in whoever else has it."""
        os.close(self.fd)

    def __enter__(self) -> Self:
        """Nothing more to do: it is open from its making."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()
