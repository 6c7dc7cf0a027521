# SPDX-License-Identifier: BSD-3-Clause
"""What each process of a gateway may still do: which capabilities it keeps, and which user it becomes.

The worker process parses what strangers send. Once its devices are open it needs next to nothing of root's
powers; the supervisor needs those that the next worker process will start with, and no others.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum


class Capability(IntEnum):
    """Numbers of linux/capability.h, of those that anything here needs."""

    CHOWN = 0
    DAC_OVERRIDE = 1
    DAC_READ_SEARCH = 2
    FOWNER = 3
    KILL = 5
    SETGID = 6
    SETUID = 7
    SETPCAP = 8
    NET_BIND_SERVICE = 10
    NET_ADMIN = 12
    NET_RAW = 13
    IPC_LOCK = 14
    SYS_RAWIO = 17
    SYS_ADMIN = 21
    SYS_NICE = 23
    SYS_RESOURCE = 24
    PERFMON = 38
    BPF = 39


_OF_ANY_START = (
    Capability.CHOWN,
    Capability.DAC_OVERRIDE,
    Capability.DAC_READ_SEARCH,
    Capability.FOWNER,
    Capability.KILL,  # a worker process that became another user
    Capability.SETGID,
    Capability.SETUID,
    Capability.SETPCAP,
    Capability.NET_BIND_SERVICE,
    Capability.NET_ADMIN,  # socket buffers beyond the system's limit; links of af_packet and tap
    Capability.IPC_LOCK,
    Capability.SYS_NICE,
    Capability.SYS_RESOURCE,
)
_OF_DEVICES = (Capability.NET_RAW,)
_OF_PCI = (Capability.SYS_RAWIO, Capability.SYS_ADMIN)  # ports of legacy virtio; physical addresses
_OF_AF_XDP = (Capability.SYS_ADMIN, Capability.BPF, Capability.PERFMON)

# What closing a device takes, or talking about its link while it runs.
_WHILE_OPEN = {
    "net_tap": (Capability.NET_ADMIN,),
    "net_virtio_user": (Capability.NET_ADMIN,),
    "net_af_xdp": (Capability.NET_ADMIN, Capability.SYS_ADMIN, Capability.BPF),  # takes its program off
}


@dataclass(frozen=True, slots=True)
class ServiceUser:
    """The user that a worker process becomes, as /etc/passwd knows it."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Confinement:
    """Sets of capabilities are masks: bit n is number n."""

    starting: int  # of the supervisor, and of a worker process until its devices are open
    serving: int  # of the worker process's control thread from then on; poll loops have none
    allow_bpf: bool  # a device needs the system call until it is closed
    uid: int | None  # that the worker process becomes; None: it stays who it is
    gid: int | None


UNCONFINED = Confinement((1 << 64) - 1, (1 << 64) - 1, allow_bpf=True, uid=None, gid=None)


def confine(kinds: Iterable[str], user: ServiceUser | None) -> Confinement:
    """What suffices for these devices.

    Args:
        kinds: drivers of virtual devices such as net_tap, "pci" for a card; none with the engines that use
            sockets.
        user: whom the worker process becomes, if anybody.
    """
    devices = frozenset(kinds)
    starting = {*_OF_ANY_START, *(_OF_DEVICES if devices else ())}
    if "pci" in devices:
        starting.update(_OF_PCI)
    if "net_af_xdp" in devices:
        starting.update(_OF_AF_XDP)
    serving = {one for kind in devices for one in _WHILE_OPEN.get(kind, ())}
    return Confinement(
        starting=_mask(starting),
        serving=_mask(serving),
        allow_bpf="net_af_xdp" in devices,
        uid=user.uid if user else None,
        gid=user.gid if user else None,
    )


def _mask(capabilities: Iterable[Capability]) -> int:
    return sum(1 << one for one in capabilities)
