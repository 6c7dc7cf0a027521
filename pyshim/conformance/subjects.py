# SPDX-License-Identifier: BSD-3-Clause
"""The client that is looked at: a process for each connection, or one that somebody starts by hand."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pyshim.conformance.peer import StoppedError
from pyshim.protocol.client.ticket import Ticket
from pyshim.system.private_file import private_file

_ENDS_S = 5.0
PLACES = ("ticket", "session", "key", "address")


def as_json(ticket: Ticket) -> dict[str, str | int]:
    """As the control API issues it."""
    host = f"[{ticket.host}]" if ":" in ticket.host else ticket.host
    key = base64.urlsafe_b64encode(ticket.key).rstrip(b"=").decode()
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    return {"session": ticket.session, "key": key, "address": f"{host}:{ticket.port}", "expires": now}


def write_ticket(ticket: Ticket, path: Path) -> dict[str, str | int]:
    """For its owner's eyes only; returns what it says."""
    said = as_json(ticket)
    with private_file(path, "the ticket") as file:
        file.write(json.dumps(said) + "\n")
    return said


@dataclass(slots=True)
class Started:
    """A command with `{ticket}`, `{session}`, `{key}`, `{address}`, which are also in its environment."""

    command: Sequence[str]
    directory: Path  # for the ticket
    is_shown: bool  # what it writes
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self, ticket: Ticket) -> None:
        """End the one before, and start it with a ticket.

        Raises:
            StoppedError: the command cannot be run.
        """
        self.stop()
        path = self.directory / f"{ticket.session}.json"
        path.unlink(missing_ok=True)
        said = {
            "ticket": str(path),
            **{name: str(value) for name, value in write_ticket(ticket, path).items()},
        }
        words = list(self.command)
        for name in PLACES:
            words = [word.replace(f"{{{name}}}", said[name]) for word in words]
        environment = os.environ | {f"POLLGATE_{name.upper()}": said[name] for name in PLACES}
        output = sys.__stderr__ if self.is_shown else subprocess.DEVNULL
        try:
            # Input that stays open and says nothing: a client that reads lines goes on.
            self._process = subprocess.Popen(
                words,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env=environment,
                start_new_session=True,
            )
        except OSError as problem:
            raise StoppedError(f"{words[0]} cannot be run: {problem.strerror}") from problem

    def stop(self) -> None:
        """End it and what it started."""
        process, self._process = self._process, None
        if process is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_ENDS_S)
                break
        if process.stdin is not None:
            process.stdin.close()


@dataclass(slots=True)
class ByHand:
    """Somebody starts it, when told to."""

    path: Path  # where the ticket is written
    scenario: str

    def start(self, ticket: Ticket) -> None:
        """Say that it is time."""
        self.path.unlink(missing_ok=True)
        write_ticket(ticket, self.path)
        print(f"{self.scenario}: start the client anew, with the ticket in {self.path}", file=sys.stderr)

    def stop(self) -> None:
        """It is told by the next."""
