# SPDX-License-Identifier: BSD-3-Clause
"""Host facts: CPUs, memory, devices and drivers, gathered in one place so that decisions can be pure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pyshim.errors import UnavailableError
from pyshim.host.cpu import format_cpu_list, gather_cpus, parse_cpu_list
from pyshim.host.facts import (
    Accounts,
    Capture,
    Cpu,
    HostFacts,
    HugePages,
    Interface,
    MemoryFacts,
    ModuleState,
    NetworkDevice,
    Passthrough,
    PciDevice,
    PciId,
    PmdClaim,
    Privileges,
    SocketLimits,
    Vdev,
)
from pyshim.host.interfaces import gather_interfaces
from pyshim.host.memory import (
    gather_cpu_time_limit,
    gather_descriptor_limit,
    gather_memory,
    gather_privileges,
    gather_socket_limits,
)
from pyshim.host.passthrough import gather_passthrough
from pyshim.host.pci import gather_network_devices, gather_pci
from pyshim.host.pmd import find_pmd_directory, pool_driver
from pyshim.host.users import gather_accounts, gather_user
from pyshim.host.vdev import gather_vdevs, parse_vdev
from pyshim.system.io_uring import charges_rings

if TYPE_CHECKING:
    from pyshim.config.models import Config

__all__ = [
    "Accounts",
    "Capture",
    "Cpu",
    "HostFacts",
    "HugePages",
    "Interface",
    "MemoryFacts",
    "ModuleState",
    "NetworkDevice",
    "Passthrough",
    "PciDevice",
    "PciId",
    "PmdClaim",
    "Privileges",
    "SocketLimits",
    "Vdev",
    "format_cpu_list",
    "gather",
    "parse_cpu_list",
    "parse_vdev",
]


def gather(config: Config, *, root: Path = Path("/")) -> HostFacts:
    """Look at everything of this host that a plan for `config` depends on; changes nothing.

    Only what the configuration names is looked at: without a PCI port no driver's ELF file is read, and an
    engine that uses sockets has no devices.
    Call it before the process narrows its CPU affinity.

    Args:
        root: where /sys, /proc, /dev and the libraries are; another host's tree in tests.

    Raises:
        UnavailableError: this is a chroot in which the kernel says nothing of itself.
    """
    _check_mounts(root, devices=not config.uses_sockets)
    ports = () if config.uses_sockets else config.ports
    addresses = tuple(dict.fromkeys(port.pci_address for port in ports if port.pci_address))
    devices = tuple(dict.fromkeys(port.device for port in ports if not port.pci_address))
    pmd_directory = None if config.uses_sockets else find_pmd_directory(root)
    return HostFacts(
        cpus=gather_cpus(root),
        memory=gather_memory(root),
        privileges=gather_privileges(root),
        network_devices=gather_network_devices(root) if addresses else (),
        pci=gather_pci(addresses, pmd_directory, root),
        vdevs=gather_vdevs(devices, pmd_directory, root),
        pmd_directory=pmd_directory,
        socket_limits=gather_socket_limits(root) if config.uses_sockets else SocketLimits(),
        rings_are_locked=config.engine == "io_uring" and charges_rings(),
        passthrough=gather_passthrough(root) if addresses else Passthrough(),
        descriptor_limit=gather_descriptor_limit(root),
        cpu_time_limit_s=gather_cpu_time_limit(),
        pool_driver_hint=pool_driver(pmd_directory).hint if pmd_directory else "",
        user=gather_user(config.workers.user),
        interfaces=gather_interfaces(root),
        accounts=gather_accounts(config.game),
    )


def _check_mounts(root: Path, *, devices: bool) -> None:
    """In a bare chroot the kernel's own file systems are missing; DPDK needs /sys for its CPUs."""
    needed = [("proc/self/status", "mount -t proc proc /proc")]
    if devices:
        needed.append(("sys/devices/system/cpu", "mount -t sysfs sysfs /sys"))
    if root == Path("/"):
        needed.append(("dev/null", "mount --rbind /dev CHROOT/dev (outside)"))
    for path, command in needed:
        if not (root / path).exists():
            directory = path.partition("/")[0]
            raise UnavailableError(f"/{path} is missing: /{directory} is not mounted here; run: {command}")
