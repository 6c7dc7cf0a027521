# SPDX-License-Identifier: BSD-3-Clause
"""Ports for servers that tests start, of which no two processes of a test run are given the same."""

from __future__ import annotations

import itertools
import os
import socket

# Below those that the kernel chooses for whoever names none: between the look and the use, nobody gets it.
_FIRST, _COUNT = 18_000, 14_000
_STRIDE = 997  # processes that begin one after the other begin far from each other

_numbers = itertools.count(os.getpid() * _STRIDE)


def free_port(kind: socket.SocketKind = socket.SOCK_DGRAM, address: str = "127.0.0.1") -> int:
    """One that nobody has at this moment."""
    for number in itertools.islice(_numbers, _COUNT):
        port = _FIRST + number % _COUNT
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind((address, port))
            except OSError:
                continue
            return port
    raise AssertionError(f"no port from {_FIRST} to {_FIRST + _COUNT - 1} is free")
