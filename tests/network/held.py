# SPDX-License-Identifier: BSD-3-Clause
"""Holds the poll loop of a gate still while the rest of its worker process goes on, as a busy host may do.

with held(gate):
    player.send(...)  # waits in the ring
    wire.players.run("ip", "link", "set", ...)  # seen by the process before its loop sees the message
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.gate import Gate

_DETACH, _SEIZE, _INTERRUPT = 17, 0x4206, 0x4207  # ptrace(2)
_WALL = 0x40000000  # waitpid(2): of threads, too
_LOOPS = ("rte-worker", "lcore-worker", "dpdk-worker")  # as releases of DPDK call their threads

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
_libc.ptrace.restype = ctypes.c_long


@contextmanager
def held(gate: Gate, *names: str) -> Iterator[None]:
    """Stop every poll loop for the time of the `with` block, or those whose threads' names begin like this.

    Give the gate a long workers.stall_timeout_s. The worker process may be killed meanwhile.
    """
    threads = _loops(gate.worker_pid(), names or _LOOPS)
    assert threads, "no thread of the worker process is a poll loop"
    for thread in threads:
        _ptrace(_SEIZE, thread)
        _ptrace(_INTERRUPT, thread)
        os.waitpid(thread, _WALL)
    try:
        yield
    finally:
        for thread in threads:
            _release(thread)


def _loops(pid: int, names: tuple[str, ...]) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(task.name) for task in tasks if (task / "comm").read_text().startswith(names)]


def _release(thread: int) -> None:
    try:
        _ptrace(_DETACH, thread)
    except ProcessLookupError:  # killed: its process is there until we have read so
        os.waitpid(thread, _WALL)


def _ptrace(request: int, thread: int) -> None:
    if _libc.ptrace(request, thread, None, None) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
