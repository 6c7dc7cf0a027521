# SPDX-License-Identifier: BSD-3-Clause
"""A command in the guest, as if it ran here: its output, its exit code, and the signals that it is sent.

python remote.py COMMAND [ARGUMENT...]     from inside the namespace from which the guest is reached
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from typing import Any

ADDRESS = ("192.168.77.2", 7000)  # where tests/vm/agent.py listens
FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)


class Command:
    """A command that runs in the guest; killed there when this is closed."""

    def __init__(self, argv: Sequence[str], text: str = "", timeout_s: float | None = None) -> None:
        self._socket = socket.create_connection(ADDRESS, timeout=timeout_s or 60.0)
        self._socket.settimeout(timeout_s)
        self._send(argv=list(argv), input=text)

    def _send(self, **what: Any) -> None:
        self._socket.sendall(json.dumps(what).encode() + b"\n")

    def signal(self, number: int) -> None:
        """Send the command a signal."""
        with contextlib.suppress(OSError):  # it may just have ended
            self._send(signal=number)

    def events(self) -> Iterator[tuple[str, Any]]:
        """What it says and at last how it ends: ("out", text), ("err", text), ("exit", code)."""
        with self._socket, self._socket.makefile("r") as stream:
            for line in stream:
                ((name, value),) = json.loads(line).items()
                yield name, value
                if name == "exit":
                    return
        raise ConnectionError("the guest is gone")


def connect(path: str, timeout_s: float) -> socket.socket:
    """A connection to a unix socket in the guest."""
    connection = socket.create_connection(ADDRESS, timeout=timeout_s)
    connection.sendall(json.dumps({"connect": path}).encode() + b"\n")
    if connection.recv(1) != b"\n":
        connection.close()
        raise ConnectionRefusedError(f"nobody listens at {path} in the guest")
    return connection


def main() -> int:
    """Run the command of the command line."""
    command = Command(sys.argv[1:])
    for number in FORWARDED:
        signal.signal(number, lambda number, _: command.signal(number))
    for name, value in command.events():
        if name == "exit":
            return int(value) if value >= 0 else 128 - int(value)
        stream = sys.stdout if name == "out" else sys.stderr
        stream.write(value)
        stream.flush()
    return os.EX_SOFTWARE  # not reached: events() ends with an exit, or raises


if __name__ == "__main__":
    sys.exit(main())
