# SPDX-License-Identifier: BSD-3-Clause
"""What the data plane must know of profile netcode."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from pyshim.errors import Problem
from pyshim.plan import NO_NETCODE, NetcodePlan, NetcodeServer

if TYPE_CHECKING:
    from pyshim.config.models import Config

SERVERS_MAX = 32  # that a connect token can name, and the data plane knows


def plan_netcode(config: Config) -> NetcodePlan:
    """Protocol and addresses, without the key; nothing where no listener has the profile."""
    if not config.speaks_netcode:
        return NO_NETCODE
    return NetcodePlan(
        capacity=config.sessions.capacity,
        protocol_id=config.netcode.protocol_id or 0,
        servers=servers(config),
    )


def servers(config: Config) -> tuple[NetcodeServer, ...]:
    """Where clients reach this gateway: what the configuration says, or every address of its ports."""
    if config.netcode.addresses:
        return tuple(NetcodeServer.of(ip_address(one.host), one.port) for one in config.netcode.addresses)
    ports = [entry.port for entry in config.listen if entry.profile == "netcode"]
    addresses = [address.ip for port in config.ports for address in port.address]
    return tuple(NetcodeServer.of(address, port) for port in ports for address in addresses)


def check_netcode(config: Config, problems: list[Problem]) -> None:
    """Check that connect tokens can name all addresses."""
    count = len(servers(config)) if config.speaks_netcode else 0
    if count > SERVERS_MAX:
        text = (
            f"missing; the ports have {count} addresses with UDP ports of profile netcode, and a connect "
            f"token can name {SERVERS_MAX}: name those that clients reach"
        )
        problems.append(Problem("netcode.addresses", text))
