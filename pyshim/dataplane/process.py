# SPDX-License-Identifier: BSD-3-Clause
"""What the data plane does to the process that it runs in: privileges, watchdog, EAL, its log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyshim.dataplane.library import check, ffi, lib, new_error


def limit_capabilities(kept: int) -> None:
    """Keep, in this process and whatever it starts, these capabilities at most; before there are threads.

    Raises:
        UnavailableError: the kernel refuses it.
    """
    error = new_error()
    check(lib.pg_limit_capabilities(kept, error), error)


def gain_nothing() -> None:
    """no_new_privs, for this process and whatever it starts.

    Raises:
        UnavailableError: the kernel refuses it.
    """
    error = new_error()
    check(lib.pg_gain_nothing(error), error)


def watchdog(seconds: int) -> None:
    """End this process unless this is called again within `seconds`; twice that, if it was frozen."""
    lib.pg_watchdog(seconds)


def wake_when_orphaned() -> None:
    """Have the kernel send SIGCONT when the process that started this one is gone.

    Raises:
        UnavailableError: the kernel refuses it.
    """
    error = new_error()
    check(lib.pg_wake_when_orphaned(error), error)


def eal_init(arguments: Sequence[str]) -> tuple[Any, ...]:
    """Initialise EAL with these arguments; once per process.

    Returns what EAL keeps pointers to and reorders: the caller holds it for as long as it uses DPDK.

    Raises:
        UnavailableError: EAL or the kernel refused.
    """
    error = new_error()
    words = [ffi.new("char[]", word.encode()) for word in ("pollgate", *arguments)]
    argv: Any = ffi.new("char *[]", [*words, ffi.NULL])
    check(lib.pg_eal_init(len(words), argv, error), error)
    return argv, *words


def log_to(fd: int, *, debug: bool) -> None:
    """Send the lines of EAL and its drivers to `fd`; -1 drops them."""
    lib.pg_log_to(fd, debug)
