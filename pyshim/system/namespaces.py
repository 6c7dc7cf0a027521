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


def with_mount(place: str, mount: str) -> tuple[str, ...]:
    """Put before a command, this runs it with a mount of its own at `place`, which `mount` makes.

    In a chroot `/` is often no mount, so `unshare` cannot keep from others whatever is mounted later. Then
    `place` itself is kept from them, if it is a mount.
    """
    private = f"{{ mount --make-rprivate / || mount --make-private {place}; }} 2>/dev/null"
    unshared = ("unshare", "--mount", "--propagation", "unchanged")
    return (*unshared, "sh", "-c", f'{private}; {mount} && exec "$@"', "sh")


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
