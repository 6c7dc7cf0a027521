# SPDX-License-Identifier: BSD-3-Clause
"""Configurations and hosts for plan tests, each built from the few things that a test is about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pyshim.config import Config
from pyshim.host import (
    Capture,
    Cpu,
    HostFacts,
    HugePages,
    MemoryFacts,
    NetworkDevice,
    PciDevice,
    PciId,
    PmdClaim,
    Privileges,
    SocketLimits,
    Vdev,
)

MIB = 1 << 20
ALL_PRIVILEGES = Privileges(True, True, True, sys_admin=True)
VFIO = (("igb_uio",), ("vfio-pci",))
MLX5 = (("ib_uverbs", "mlx5_core", "mlx5_ib"),)


def make_config(*devices: str | dict[str, Any], **sections: Any) -> Config:
    """A port per device; a dict gives further keys of the port."""
    ports = [
        {"name": f"game{index}", "address": [f"10.0.{index}.1/24"]}
        | ({"device": device} if isinstance(device, str) else device)
        for index, device in enumerate(devices)
    ]
    return Config(ports=ports, **sections)  # type: ignore[arg-type]  # plain values, as from a file


def make_socket_config(engine: str = "epoll", *ports: list[str], **sections: Any) -> Config:
    """A port per list of addresses; one on loopback when there is none."""
    named = [
        {"name": f"game{index}", "address": addresses}
        for index, addresses in enumerate(ports or (["127.0.0.1/8"],))
    ]
    return Config(engine=engine, ports=named, **sections)  # type: ignore[arg-type]  # plain values, as from a file


def make_cpus(count: int, *, nodes: int = 1, isolated: frozenset[int] = frozenset()) -> tuple[Cpu, ...]:
    return tuple(Cpu(cpu, cpu * nodes // count, cpu in isolated) for cpu in range(count))


def make_host(config: Config, cpus: tuple[Cpu, ...] | None = None, **facts: Any) -> HostFacts:
    """A host on which everything that `config` names works, unless `facts` say otherwise."""
    values: dict[str, Any] = {
        "cpus": cpus or make_cpus(8),
        "memory": make_memory(),
        "privileges": ALL_PRIVILEGES,
        "network_devices": (),
        "pci": tuple(make_pci(port.pci_address) for port in config.ports if port.pci_address),
        "vdevs": tuple(
            Vdev(port.device, True, "") for port in config.ports if port.device and not port.is_pci
        ),
        "pmd_directory": Path("/usr/lib/dpdk/pmds-23.0"),
        "socket_limits": SocketLimits(),
    }
    return HostFacts(**(values | facts))


def make_memory(
    *huge: HugePages, available_mib: int = 1 << 21, memlock_bytes: int | None = None, hugetlbfs: bool = True
) -> MemoryFacts:
    mounts = (Path("/dev/hugepages"),) if hugetlbfs else ()
    return MemoryFacts(available_mib * MIB, huge, mounts, memlock_bytes)


def make_pci(address: str, **facts: Any) -> PciDevice:
    values: dict[str, Any] = {
        "address": address,
        "ids": PciId(0x8086, 0x10FB, 0x8086, 3),
        "driver": "vfio-pci",
        "node": 0,
        "iommu_group": "7",
        "blockers": (),
        "vfio_path": Path("/dev/vfio/7"),
        "vfio_accessible": True,
        "noiommu": False,
        "claims": (PmdClaim("net_ixgbe", Path("librte_net_ixgbe.so"), VFIO),),
    }
    return PciDevice(**(values | facts))


def replay(device: str, *packets: int) -> Vdev:
    """A virtual device whose captures hold so many packets."""
    captures = tuple(Capture(Path(f"{i}.pcap"), None, count, 86) for i, count in enumerate(packets))
    return Vdev(device, True, "", captures)


def network(address: str, driver: str | None) -> NetworkDevice:
    return NetworkDevice(address, driver)
