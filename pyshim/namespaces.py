# SPDX-License-Identifier: BSD-3-Clause
"""Linux namespaces of the calling thread, by ctypes: Python has these calls from 3.12 on."""

from __future__ import annotations

import ctypes
import os

CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000

MS_REC = 1 << 14
MS_PRIVATE = 1 << 18

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


def mount(source: str, target: str, kind: str | None = None, flags: int = 0) -> None:
    """mount(2) without data.

    Raises:
        OSError: the kernel refuses.
    """
    kind_bytes = kind.encode() if kind is not None else None
    _check(_libc.mount(source.encode(), target.encode(), kind_bytes, ctypes.c_ulong(flags), None))


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
