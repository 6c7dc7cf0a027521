# SPDX-License-Identifier: BSD-3-Clause
"""Linux namespaces of the calling thread, by ctypes: Python has these calls from 3.12 on."""

from __future__ import annotations

import ctypes
import os

CLONE_NEWNET = 0x40000000

_libc = ctypes.CDLL(None, use_errno=True)


def unshare(flags: int) -> None:
    """Give the calling thread new namespaces; processes that it starts from now on are inside.

    Raises:
        OSError: the kernel refuses; without root it does.
    """
    _check(_libc.unshare(flags))


def setns(fd: int, flags: int) -> None:
    """Move the calling thread into the namespace behind a file descriptor.

    Raises:
        OSError: the kernel refuses.
    """
    _check(_libc.setns(fd, flags))


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
