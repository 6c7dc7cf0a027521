# SPDX-License-Identifier: BSD-3-Clause
"""What this host has, as immutable values: all that the planner may know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path

from pyshim.confinement import ServiceUser

USERSPACE_DRIVERS = frozenset({"vfio-pci", "igb_uio", "uio_pci_generic"})
"""Kernel modules that hand a PCI device to user space; every other driver keeps it for the kernel."""


@dataclass(frozen=True, slots=True)
class Cpu:
    """A CPU that this process may run on."""

    cpu: int
    node: int  # NUMA node, 0 on a host without NUMA
    isolated: bool  # the kernel schedules nothing here by itself


@dataclass(frozen=True, slots=True)
class HugePages:
    """The huge pages of one size on one NUMA node."""

    node: int
    page_bytes: int
    total: int
    free: int


@dataclass(frozen=True, slots=True)
class MemoryFacts:
    """What can be allocated, in bytes."""

    available_bytes: int  # without swapping, within the cgroup's limit
    huge: tuple[HugePages, ...]  # by node, then by size
    hugetlbfs: tuple[Path, ...]  # mount points
    memlock_bytes: int | None  # RLIMIT_MEMLOCK; None: unlimited


@dataclass(frozen=True, slots=True)
class Privileges:
    """What the kernel lets this process do; root is all of them unless a container dropped some."""

    net_raw: bool
    net_admin: bool
    ipc_lock: bool
    set_user: bool = False  # may become another user and group
    sys_admin: bool = False


@dataclass(frozen=True, slots=True)
class PmdClaim:
    """A poll-mode driver that is installed and says that it drives a device."""

    driver: str  # its own name: net_ixgbe
    library: Path
    kmods: tuple[tuple[str, ...], ...]  # alternatives; the modules of one alternative are needed together

    @property
    def bifurcated(self) -> bool:
        """True when the device stays bound to its kernel driver, as mlx5 does."""
        return bool(self.kmods) and not any(USERSPACE_DRIVERS.intersection(group) for group in self.kmods)


@dataclass(frozen=True, slots=True)
class PciId:
    """What a PCI device says it is."""

    vendor: int
    device: int
    subsystem_vendor: int
    subsystem_device: int

    def __str__(self) -> str:
        """Vendor and device, as lspci -n prints them."""
        return f"{self.vendor:04x}:{self.device:04x}"


@dataclass(frozen=True, slots=True)
class NetworkDevice:
    """A PCI device of the class network controller, for suggestions."""

    address: str
    driver: str | None


@dataclass(frozen=True, slots=True)
class PciDevice:
    """A PCI device that a port names and that exists."""

    address: str  # canonical: 0000:03:00.0
    ids: PciId
    driver: str | None  # the kernel driver that it is bound to
    node: int  # -1 unknown
    iommu_group: str | None
    blockers: tuple[
        NetworkDevice, ...
    ]  # others of the group that a kernel driver holds: VFIO refuses the group
    vfio_path: Path | None  # the group's file, when bound to vfio-pci and in a group
    vfio_accessible: bool  # that file and /dev/vfio/vfio can be opened for reading and writing
    noiommu: bool  # VFIO without IOMMU: needs physical addresses
    claims: tuple[PmdClaim, ...]
    interfaces_up: tuple[str, ...] = ()  # the kernel's, by name


class ModuleState(Enum):
    """Whether the kernel has a driver."""

    READY = auto()
    LOADABLE = auto()
    ABSENT = auto()
    UNKNOWN = auto()  # its modules are out of sight, as in a container


@dataclass(frozen=True, slots=True)
class Passthrough:
    """What the host has for giving PCI devices to user space; gathered when a port is one."""

    groups: bool = True  # some device is in an IOMMU group: the kernel uses an IOMMU
    firmware: str | None = None  # whose IOMMU the firmware describes: "intel", "amd" or "arm"
    turned_off_by: str | None = None  # a word of the kernel's command line
    vfio_pci: ModuleState = ModuleState.READY
    uio_pci_generic: ModuleState = ModuleState.READY
    noiommu: bool | None = None  # VFIO without IOMMU: on, off, or not in this kernel (Debian's)
    lockdown: bool = False  # of the kernel: no access to the registers of a device but through VFIO


@dataclass(frozen=True, slots=True)
class Capture:
    """A capture file that a port reads."""

    path: Path
    problem: str | None  # why it cannot be replayed, as the end of a sentence that begins with the path
    packets: int | None = None  # None: not counted; of a long file that is replayed once, a part of them
    longest_bytes: int = 0  # the longest packet counted


@dataclass(frozen=True, slots=True)
class Vdev:
    """A virtual device that a port names, and the things of the host that its arguments name."""

    device: str  # as configured
    driver_installed: bool
    driver_hint: str  # what to do when it is not installed
    captures: tuple[Capture, ...] = ()
    problems: tuple[str, ...] = ()  # other things missing: output directories, interfaces; one sentence each


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """The largest socket buffers that the kernel grants without CAP_NET_ADMIN; None: it does not say."""

    receive_bytes: int | None = None  # net.core.rmem_max
    send_bytes: int | None = None  # net.core.wmem_max


@dataclass(frozen=True, slots=True)
class Interface:
    """A network interface of the kernel."""

    name: str
    mtu_bytes: int
    addresses: tuple[str, ...]  # without prefix
    up: bool = True  # set up by the administrator; whether there is a carrier shows when it runs
    gates: tuple[int, ...] = ()  # worker processes of pollgate that have a packet socket on it


@dataclass(frozen=True, slots=True)
class Accounts:
    """Numbers of the users and groups that `game` names, as far as there are such."""

    own: int = 0  # who this process is
    users: Mapping[str, int] = field(default_factory=dict)
    groups: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HostFacts:
    """Everything about this host that a plan depends on."""

    cpus: tuple[Cpu, ...]  # those that this process may use, ascending; at least one
    memory: MemoryFacts
    privileges: Privileges
    network_devices: tuple[NetworkDevice, ...]  # gathered when a port is a PCI address
    pci: tuple[PciDevice, ...]  # those of the configured addresses that exist
    vdevs: tuple[Vdev, ...]  # one per port that is a virtual device
    pmd_directory: Path | None  # where DPDK looks for drivers; None: it is not installed, or not needed
    socket_limits: SocketLimits  # gathered for the engines that use sockets
    accounts: Accounts = Accounts()
    user: ServiceUser | None = None  # of workers.user; None: none is named, or there is none of that name
    interfaces: tuple[Interface, ...] = ()  # of this process's network namespace
    passthrough: Passthrough = Passthrough()
    rings_are_locked: bool = (
        False  # the limit of locked memory holds for io_uring's; gathered where it is used
    )
    descriptor_limit: int | None = None  # file descriptors that a process may be given; None: not known
    cpu_time_limit_s: int | None = None  # that a process may use at most; None: as much as it likes
    pool_driver_hint: str = ""  # what to do when DPDK's driver for packet pools is not installed

    def pci_device(self, address: str) -> PciDevice | None:
        """The device at a canonical address, or None when there is none."""
        return next((device for device in self.pci if device.address == address), None)

    def vdev(self, device: str) -> Vdev | None:
        """The facts of a virtual device, by its configured text; None when they were not gathered."""
        return next((vdev for vdev in self.vdevs if vdev.device == device), None)
