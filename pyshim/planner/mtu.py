# SPDX-License-Identifier: BSD-3-Clause
"""Whether the MTU behind each port is large enough for the session profile's datagrams."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyshim.errors import ExitCode, Problem
from pyshim.host import HostFacts
from pyshim.planner.environment import interfaces_of

if TYPE_CHECKING:
    from pyshim.config.models import Config

_DATAGRAM_SIZES = (1400, 1232, 1000, 508)  # that a client tries in this order: wire/PROTOCOL.md, "Path MTU"
_HEADERS = {4: 20 + 8, 6: 40 + 8}  # bytes of IP and UDP


def check_mtus(config: Config, host: HostFacts, problems: list[Problem]) -> tuple[str, ...]:
    """Notes on ports that cannot carry the longest datagram; ports that carry none go to `problems`.

    A PCI card is not checked: DPDK sets its MTU to the 1500 bytes of Ethernet.
    """
    if not config.issues_sessions:
        return ()
    notes = []
    for index, port in enumerate(config.ports):
        for interface in interfaces_of(config, port, host):
            headers = max(_HEADERS[address.version] for address in port.address)
            carried = [size for size in _DATAGRAM_SIZES if size + headers <= interface.mtu_bytes]
            what = f"{interface.name} has an MTU of {interface.mtu_bytes} bytes"
            if not carried:
                text = (
                    f"{what}; profile session needs {_DATAGRAM_SIZES[-1] + headers} at least, and "
                    f"{_DATAGRAM_SIZES[0] + headers} for full datagrams: "
                    f"ip link set {interface.name} mtu {_DATAGRAM_SIZES[0] + headers}"
                )
                problems.append(Problem(f"ports[{index}]", text, ExitCode.UNAVAILABLE))
            elif carried[0] != _DATAGRAM_SIZES[0]:
                notes.append(
                    f"{port.name}: {what}, so clients of profile session will agree on datagrams of "
                    f"{carried[0]} "
                    f"bytes; {_DATAGRAM_SIZES[0]} take an MTU of {_DATAGRAM_SIZES[0] + headers}."
                )
    return tuple(notes)
