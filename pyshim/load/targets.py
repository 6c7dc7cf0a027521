# SPDX-License-Identifier: BSD-3-Clause
"""Addresses as a user writes them on the command line → values: who is played against, and from where."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from ipaddress import ip_address

from pyshim.config.values import Endpoint, parse_address, parse_endpoint, quoted
from pyshim.errors import UnavailableError, UsageError
from pyshim.load.scenario import IpAddress, IpInterface, Target
from pyshim.system.name_lookup import look_up

_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}


def parse_target(text: str) -> Endpoint:
    """`HOST:PORT` or `[IPv6]:PORT`.

    Raises:
        UsageError: it is neither.
    """
    try:
        return parse_endpoint(text, lowest=1, allowed="10.0.0.1:8080, [fd00::1]:8080 or game.example:8080")
    except ValueError as problem:
        raise UsageError(f"the target: {problem}") from None


def resolve(endpoint: Endpoint, *, version: int | None, mac: str | None) -> Target:
    """The first address of a target, of IP version `version` when there is only one way to go.

    Raises:
        UnavailableError: its name does not resolve.
    """
    family = _FAMILIES[version] if version else socket.AF_UNSPEC
    try:
        found = look_up(endpoint.host, endpoint.port, family, socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as problem:
        why = getattr(problem, "strerror", None) or str(problem)
        kind = f" to an IPv{version} address" if version else ""
        raise UnavailableError(
            f"{endpoint.host} does not resolve{kind}: {why}; check the name, or give an address"
        ) from problem
    return Target(ip_address(found[0][4][0]), endpoint.port, mac)


def is_address(host: str) -> bool:
    """Whether a host is written as an address, not as a name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def local_addresses(texts: Sequence[str]) -> tuple[IpAddress, ...]:
    """Addresses of this host, to send from.

    Raises:
        UsageError: one is no address.
    """
    found = []
    for text in texts:
        try:
            found.append(ip_address(text))
        except ValueError:
            hint = "without its prefix length" if "/" in text else "such as 10.0.0.2"
            raise UsageError(
                f"--address: found {quoted(text)}, allowed without --device: an address of this host, {hint}"
            ) from None
    return tuple(found)


def own_addresses(texts: Sequence[str]) -> tuple[IpInterface, ...]:
    """Addresses that players over a device take for themselves.

    Raises:
        UsageError: one cannot be.
    """
    try:
        return tuple(parse_address(text) for text in texts)
    except ValueError as problem:
        raise UsageError(f"--address: {problem}") from None
