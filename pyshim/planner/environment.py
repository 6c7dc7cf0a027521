# SPDX-License-Identifier: BSD-3-Clause
"""Warnings of what an operator may not expect the kernel to do with the interfaces and addresses of ports.

These are not errors: a firewall, a route or a later `ip link set up` can make each of them right.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from pyshim.host import HostFacts, Interface, parse_vdev
from pyshim.host.vdev import VdevArgs

if TYPE_CHECKING:
    from pyshim.config.models import Config, PortConfig

_MTU_MAX = 1504  # with two VLAN tags the frame has 1,522 bytes, the longest that the gateway takes
_TAKES_ALL = ("net_af_xdp",)  # the kernel gets no frame that arrives; nor does it with remote= of a tap
_NULL_KEEPS_SINCE = (25, 2)  # the ABI of DPDK 25.07


def warn_of_environment(config: Config, host: HostFacts) -> tuple[str, ...]:
    """One sentence for each thing that an operator may want to change."""
    of_ports = (text for port in config.ports for text in _of_port(config, port, host))
    return (*_of_processes(host), *of_ports)


def interfaces_of(config: Config, port: PortConfig, host: HostFacts) -> Iterator[Interface]:
    """The kernel's interfaces that a port's packets pass, where they are known."""
    if config.uses_sockets:
        own = {str(address.ip) for address in port.address}
        yield from (found for found in host.interfaces if own.intersection(found.addresses))
    elif not port.is_pci:
        named = set(parse_vdev(port.device).interfaces)
        yield from (found for found in host.interfaces if found.name in named)


def down_behind(config: Config, port: PortConfig, host: HostFacts) -> tuple[str, ...]:
    """The interfaces of a port that are down."""
    return tuple(found.name for found in interfaces_of(config, port, host) if not found.up)


def keeps_what_it_sends(device: str, pmd_directory: Path | None) -> bool:
    """Whether the device is net_null with copy=1, in a DPDK that never frees the packets sent over it."""
    vdev = parse_vdev(device)
    if vdev.kind != "net_null" or not vdev.number("copy", 0) or pmd_directory is None:
        return False
    numbers = pmd_directory.name.removeprefix("pmds-").split(".")
    return tuple(int(number) for number in numbers if number.isdecimal()) >= _NULL_KEEPS_SINCE


def _of_processes(host: HostFacts) -> Iterator[str]:
    if (limit_s := host.cpu_time_limit_s) is not None:
        yield (
            f"a process may use {limit_s} s of CPU time here, and a poll loop that is busy uses that up in "
            "as many seconds: the kernel kills it then; raise the hard limit (ulimit -Ht; systemd: LimitCPU)"
        )


def _of_port(config: Config, port: PortConfig, host: HostFacts) -> Iterator[str]:
    for name in down_behind(config, port, host):
        yield f"{port.name}: {name} is down, so nothing arrives; run: ip link set {name} up"
    if config.uses_sockets or port.is_pci:
        return
    vdev = parse_vdev(port.device)
    if keeps_what_it_sends(port.device, host.pmd_directory):
        yield (
            f"{port.name}: net_null with copy=1 never frees the packet buffers that are sent over it, a "
            "fault of DPDK from 25.07 on; pollgate frees them itself, which another program would not"
        )
    if vdev.kind in _TAKES_ALL or vdev.values("remote"):
        yield from _taken_from_the_kernel(config, port, host)
    elif vdev.kind == "net_tap" or vdev.interfaces:
        yield from _shared_with_the_kernel(config, port, vdev, host)
    if vdev.interfaces:
        yield from _of_interfaces(config, port, host)


def _taken_from_the_kernel(config: Config, port: PortConfig, host: HostFacts) -> Iterator[str]:
    """The port takes all frames of its interface, so the kernel's own addresses there no longer answer."""
    for interface in interfaces_of(config, port, host):
        own = [text for text in interface.addresses if not ip_address(text).is_link_local]
        if own:
            yield (
                f"{port.name}: every frame of {interface.name} goes to pollgate and none to the kernel, so "
                f"this host is no longer reached at {', '.join(own)}, nor over it by whoever is logged in"
            )


def _shared_with_the_kernel(
    config: Config, port: PortConfig, vdev: VdevArgs, host: HostFacts
) -> Iterator[str]:
    """The kernel sees the same frames, or is the tap's other end: no address may belong to both."""
    listening = ", ".join(str(entry.port) for entry in config.listen)
    for address in map(str, (own.ip for own in port.address)):
        for interface in (found for found in host.interfaces if address in found.addresses):
            if vdev.kind == "net_tap":
                yield (
                    f"{port.name}: {address} is the kernel's own address on {interface.name}, and the "
                    "kernel, which is at the other end of a tap, keeps what is for it to itself; give the "
                    "port another address"
                )
            else:
                yield (
                    f"{port.name}: {address} is also the kernel's, on {interface.name}: both answer, and the "
                    f"kernel tells players that the port is unreachable; give the port an address that the "
                    f"kernel has not, have the kernel's firewall drop UDP port {listening}, or take engine: "
                    "epoll, which serves the kernel's address"
                )


def _of_interfaces(config: Config, port: PortConfig, host: HostFacts) -> Iterator[str]:
    for interface in interfaces_of(config, port, host):
        if interface.mtu_bytes > _MTU_MAX:
            yield (
                f"{port.name}: {interface.name} has an MTU of {interface.mtu_bytes} bytes; frames above "
                "1,522 bytes are dropped as too_long, so players over it need an MTU of 1500"
            )
        if interface.gates:
            others = ", ".join(str(pid) for pid in interface.gates)
            yield (
                f"{port.name}: another pollgate (process {others}) has {interface.name} open too; each gets "
                "every frame, so an address of both is answered twice: give each gateway addresses of its own"
            )
