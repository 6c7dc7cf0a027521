# SPDX-License-Identifier: BSD-3-Clause
"""The appliance inside a virtual machine, for the tests' players outside."""

from __future__ import annotations

import contextlib
import http.client
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.appliance.conservation import books
from tests.issuing.gateway import Api
from tests.network.players import PORT, NetworkGate, ended_well
from tests.session.deployment import Deployment
from tests.session.deployment import settings as session_settings
from tests.vm import agent, remote
from tests.vm.guest import CARD, Guest

SESSION_PORT = 8081
CONTROL = "/run/control.sock"  # in the guest


class GuestGate(NetworkGate):
    """An appliance in a guest; what tests do to it is done there."""

    patience = 4  # an emulated processor is as many times as slow, on a host that has others to serve

    def __init__(self, guest: Guest, config: Mapping[str, Any], directory: Path, **how: Any) -> None:
        self.guest = guest
        runner = (sys.executable, "-P", str(Path(remote.__file__)))
        super().__init__(guest.wire.gate, config, directory, prefix=runner, **how)

    def write_config(self, config: Mapping[str, Any] | str) -> None:
        super().write_config(config)
        self.guest.write(self.config_path, self.config_path.read_text())

    def worker_pids(self) -> list[int]:
        found = self.guest.attempt("pgrep", "--full", "--", "-m pyshim.run.worker").stdout.split()
        return [int(pid) for pid in found]

    def signal_worker(self, number: int) -> int:
        pid = self.worker_pid()
        self.guest.run("kill", f"-{int(number)}", str(pid))
        return pid

    def _end(self) -> None:
        self.process.kill()  # the agent kills what it was
        self.process.wait(timeout=60 * self.patience)
        if workers := self.worker_pids():
            self.guest.attempt("kill", "-KILL", *map(str, workers))
        for reader in self._readers:
            reader.join(timeout=10)


class GuestApi(Api):
    """The control API of an appliance in a guest."""

    def __init__(self, guest: Guest) -> None:
        self._guest = guest

    def connection(self) -> http.client.HTTPConnection:
        made = http.client.HTTPConnection("localhost")
        made.sock = self._guest.wire.gate.call(lambda: remote.connect(CONTROL, 60 * GuestGate.patience))
        return made


def settings(*, queues: int = 1, huge_pages: bool = True, **changes: Any) -> dict[str, Any]:
    """A configuration for the card, with a listener of each profile, and limits that no test reaches."""
    defaults: dict[str, Any] = {
        "port": {"device": CARD, "queues": queues},
        "eal": {"huge_pages": huge_pages, "memory_mib": 64 * queues},
        # CPU 0 is for everything else. Whoever emulates the processors may take their time away for long.
        "workers": {"cpus": list(range(1, queues + 1)), "stall_timeout_s": 120},
        "listen": [{"port": PORT}, {"port": SESSION_PORT, "profile": "session"}],
        "host": {"reply_pps": 1_000_000, "reply_burst": 10_000},
        "metrics": {"listen": f"{agent.ADDRESS}:0"},
        "control": {"listen": f"unix:{CONTROL}"},
    }
    return session_settings("dpdk", **(defaults | changes))


def checked(guest: Guest, config: Mapping[str, Any], directory: Path) -> subprocess.CompletedProcess[str]:
    """What `pollgate check` says of a configuration in the guest."""
    gate = GuestGate(guest, config, directory)
    command = (sys.executable, "-P", "-m", "pyshim.cli", "check", "-c", str(gate.config_path))
    return guest.attempt(*command, timeout_s=60.0 * gate.patience)


@contextlib.contextmanager
def serving(guest: Guest, config: Mapping[str, Any], directory: Path) -> Iterator[Deployment]:
    """A running appliance that must end well: books balanced, every huge page back, no wild access."""
    faults = len(guest.faults())
    with GuestGate(guest, config, directory) as gate:
        yield Deployment(guest.wire, gate, GuestApi(guest))
        assert gate.stop() == 0, gate.stderr
        ended_well(gate)
        books(gate.summary)
    total, free = guest.huge_pages()
    assert free == total, f"{total - free} of {total} huge pages were not given back"
    assert guest.faults()[faults:] == []
