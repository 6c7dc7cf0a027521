# SPDX-License-Identifier: BSD-3-Clause
"""Which processes of pollgate have a packet socket on which interface of this network namespace."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from pyshim.system.worker_process import is_worker

_INTERFACE, _INODE = 4, 8  # columns of /proc/net/packet


def gates_by_interface(proc: Path = Path("/proc")) -> dict[int, set[int]]:
    """Worker processes by index of the interface; those of other users are only seen by root."""
    of_socket = dict(_packet_sockets(proc))
    found: dict[int, set[int]] = defaultdict(set)
    if not of_socket:
        return found
    for process in proc.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if not is_worker((process / "cmdline").read_bytes()):
                continue
            for inode in _sockets(process):
                if interface := of_socket.get(inode):
                    found[interface].add(int(process.name))
    return found


def _packet_sockets(proc: Path) -> Iterator[tuple[str, int]]:
    """Inode and interface of each packet socket that is bound to one."""
    with contextlib.suppress(OSError):
        # Of the calling thread: the one that asks may be in another namespace than the process.
        for line in (proc / "thread-self/net/packet").read_text().splitlines()[1:]:
            fields = line.split()
            if len(fields) > _INODE and fields[_INTERFACE] != "0":
                yield fields[_INODE], int(fields[_INTERFACE])


def _sockets(process: Path) -> Iterator[str]:
    for entry in (process / "fd").iterdir():
        with contextlib.suppress(OSError):
            target = str(entry.readlink())
            if target.startswith("socket:["):
                yield target[8:-1]
