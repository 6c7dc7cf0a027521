# SPDX-License-Identifier: BSD-3-Clause
"""Whether the kernel charges rings of io_uring to the memory that a user may lock."""

from __future__ import annotations

import ctypes
import errno
import os
import resource

_SETUP = 425  # of every architecture
_PARAMETERS_BYTES = 120  # struct io_uring_params

_libc = ctypes.CDLL(None, use_errno=True)


def charges_rings() -> bool:
    """Whether RLIMIT_MEMLOCK holds for rings that this process makes.

    It did before Linux 5.12 and does since 6.14, unless the process has CAP_IPC_LOCK outside of user
    namespaces. So the smallest ring is asked for while nothing may be locked: nothing is charged by that. For
    a moment the limit is that of all threads.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (0, hard))
    try:
        ring = _libc.syscall(_SETUP, 1, ctypes.create_string_buffer(_PARAMETERS_BYTES))
        failure = ctypes.get_errno()
    finally:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (soft, hard))
    if ring < 0:
        return failure == errno.ENOMEM  # else it is forbidden, or not there
    os.close(ring)
    return False
