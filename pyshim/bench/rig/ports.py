# SPDX-License-Identifier: BSD-3-Clause
"""Ports of this host for servers that are about to start, of which no two processes are given the same.

Whoever is given one keeps it as long as its process lives, whether or not a server is there: one that stops
and starts again finds its port free. The claim is a name that only one process can have: an abstract Unix
socket, which belongs to the network namespace, as ports do, and ends with the process.
"""

from __future__ import annotations

import itertools
import os
import socket
from pathlib import Path

from pyshim.errors import UnavailableError

_LOWEST = 18_000
_END = 1 << 16
_STRIDE = 997  # processes that begin one after the other begin far from each other
_CHOSEN_BY_KERNEL = Path("/proc/sys/net/ipv4/ip_local_port_range")

_numbers = itertools.count(os.getpid() * _STRIDE)


def free_port(kind: socket.SocketKind = socket.SOCK_DGRAM, address: str = "127.0.0.1") -> int:
    """One that nobody has at this moment, and that nobody else is given from now on.

    Raises:
        UnavailableError: there is none.
    """
    ports = _ports()
    for number in itertools.islice(_numbers, len(ports)):
        port = ports[number % len(ports)]
        if (claim := _claim(port)) is None:
            continue
        if _is_free(kind, address, port):
            claim.detach()  # open until the process ends
            return port
        claim.close()
    raise UnavailableError(f"no port from {ports[0]} to {ports[-1]} of {address} is free")


def _ports() -> range:
    """Those that the kernel never chooses for whoever names none; all, if it may choose any."""
    low, high = map(int, _CHOSEN_BY_KERNEL.read_text().split())
    return max(range(_LOWEST, low), range(max(_LOWEST, high + 1), _END), key=len) or range(_LOWEST, _END)


def _claim(port: int) -> socket.socket | None:
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        claim.bind(f"\0pollgate-port-{port}")
    except OSError:
        claim.close()
        return None
    return claim


def _is_free(kind: socket.SocketKind, address: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, kind) as probe:
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True
