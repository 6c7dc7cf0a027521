# SPDX-License-Identifier: BSD-3-Clause
"""Files that a device's arguments have a driver make: can it, and what is there already?

A driver that opens a FIFO waits for its reader, one that opens a disk writes over it, and most say nothing
but an error number.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from pyshim.system.regular_file import kind_of

_SOCKET_NAME_BYTES_MAX = 107  # sun_path, without the NUL at its end (unix(7))


def output_problems(key: str, path: Path) -> Iterator[str]:
    """What is wrong with a file a driver writes; `key` names it. /dev/null is allowed, and keeps nothing."""
    try:
        kind = kind_of(path)
        if kind == "a directory":
            yield f"{key}={path} is a directory; name a file in it"
        elif kind == "a FIFO":
            yield f"{key}={path} is a FIFO, which would be waited for until somebody reads it; name a file"
        elif kind not in (None, "a file") and os.path.realpath(path) != os.devnull:
            yield f"{key}={path} is {kind}, which would be written over; name a file"
        elif kind is None:
            yield from _place_problems(key, path)
        elif not os.access(path, os.W_OK):
            yield f"{key}={path} cannot be written by uid {os.geteuid()}"
    except OSError as problem:
        yield _unseen(key, path, problem)


def socket_problems(key: str, path: Path, *, serves: bool) -> Iterator[str]:
    """What is wrong with a socket that a driver `serves`, or else connects to, now or when it exists."""
    if len(os.fsencode(path)) > _SOCKET_NAME_BYTES_MAX:
        yield f"{key}={path} is longer than the {_SOCKET_NAME_BYTES_MAX} bytes that a socket's name may have"
        return
    try:
        kind = kind_of(path)
        if kind not in (None, "a socket"):
            yield f"{key}={path} is {kind}; name a socket, or a place where nothing is yet"
        elif kind is None and serves:
            yield from _place_problems(key, path)
    except OSError as problem:
        yield _unseen(key, path, problem)


def _place_problems(key: str, path: Path) -> Iterator[str]:
    if kind_of(path.parent) != "a directory":
        yield f"{key}={path} cannot be made: {path.parent} is not a directory; create it"
    elif not os.access(path.parent, os.W_OK):
        yield f"{key}={path} cannot be made by uid {os.geteuid()}: {path.parent} is not its to write to"


def _unseen(key: str, path: Path, problem: OSError) -> str:
    return f"{key}={path} cannot be looked at by uid {os.geteuid()}: {problem.strerror}"
