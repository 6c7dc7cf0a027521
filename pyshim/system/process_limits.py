# SPDX-License-Identifier: BSD-3-Clause
"""Limits of this process that the worker processes inherit: raised to what a run needs, as far as it may."""

from __future__ import annotations

import resource

from pyshim.errors import UnavailableError


def raise_descriptor_limit(needed: int) -> None:
    """Allow at least so many file descriptors; a limit that is higher stays.

    Raises:
        UnavailableError: the hard limit is lower, and this process may not raise it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    enough = hard if hard == resource.RLIM_INFINITY else max(needed, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, enough))
    except (OSError, ValueError) as problem:
        raise UnavailableError(
            f"{needed} file descriptors are needed and this process may have {hard}; raise the hard limit "
            "(ulimit -Hn; systemd: LimitNOFILE; container: --ulimit nofile)"
        ) from problem


def raise_cpu_time_limit() -> None:
    """Allow as much CPU time as the hard limit does; the kernel ends a process at the soft one already."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (hard, hard))
