# SPDX-License-Identifier: BSD-3-Clause
"""The socket files that net_memif makes for its peers; it cannot make one over what a dead worker left."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from pyshim.host import parse_vdev
from pyshim.plan import Plan
from pyshim.system.unix_socket import is_left_behind

_DEFAULT = "/run/memif.sock"  # of the driver


def remove_stale_sockets(plan: Plan) -> None:
    """Before a worker process starts: unlink those of its sockets that nobody listens on.

    One that somebody does listen on stays; DPDK then says that the address is in use.
    """
    for port in plan.ports:
        path = _served_socket(port.vdev_args or "")
        with suppress(OSError):  # what cannot be looked at is DPDK's to complain of
            if path is not None and is_left_behind(path):
                path.unlink()


def _served_socket(device: str) -> Path | None:
    """The file that a device's driver will listen on; None when it makes none."""
    vdev = parse_vdev(device)
    # An abstract name needs no file and is free when its process is gone.
    has_file = vdev.values("socket-abstract")[-1:] == ("no",)
    if not (vdev.serves_memif and has_file):
        return None
    return Path((vdev.values("socket") or (_DEFAULT,))[-1])
