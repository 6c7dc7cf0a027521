# SPDX-License-Identifier: BSD-3-Clause
"""What sysfs says of a PCI device: ids, driver, NUMA node, IOMMU group, and whether VFIO can have it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from pyshim.host.facts import NetworkDevice, PciDevice, PciId
from pyshim.host.pmd import scan_claims

_CLASS_NETWORK = 0x02
_CLASS_ETHERNET = 0x020000  # whole: with no programming interface of its own
_CLASS_BRIDGE = 0x06
_IFF_UP = 0x1
# The kernel's vfio_dev_viable(): these do not stop a group from being given to user space.
_HARMLESS_IN_GROUP = frozenset({"vfio-pci", "pci-stub", "pcieport"})


def gather_network_devices(root: Path = Path("/")) -> tuple[NetworkDevice, ...]:
    """Every PCI device of the class network controller, by address."""
    return tuple(
        NetworkDevice(path.name, _driver(path))
        for path in sorted((root / "sys/bus/pci/devices").glob("*"))
        if _hex(path / "class") >> 16 == _CLASS_NETWORK
    )


def gather_pci(
    addresses: Iterable[str], pmd_directory: Path | None, root: Path = Path("/")
) -> tuple[PciDevice, ...]:
    """The facts of those addresses that exist, with the installed drivers that claim each."""
    paths = [root / "sys/bus/pci/devices" / address for address in addresses]
    ids = {path: _ids(path) for path in paths if path.exists()}
    own = frozenset(pci_id for path, pci_id in ids.items() if _hex(path / "class") != _CLASS_ETHERNET)
    claims = scan_claims(pmd_directory, frozenset(ids.values()), own) if pmd_directory and ids else {}
    devices = []
    for path, pci_id in ids.items():
        driver = _driver(path)
        group = path / "iommu_group"
        number = group.resolve().name if group.exists() else None
        noiommu = number is not None and _text(group / "name") == "vfio-noiommu"
        vfio_path = None
        if driver == "vfio-pci" and number is not None:
            vfio_path = Path("/dev/vfio") / (f"noiommu-{number}" if noiommu else number)
        devices.append(
            PciDevice(
                address=path.name,
                ids=pci_id,
                driver=driver,
                node=_node(path),
                iommu_group=number,
                blockers=_blockers(group, path.name),
                vfio_path=vfio_path,
                vfio_accessible=vfio_path is not None
                and all(_usable(root / str(file).lstrip("/")) for file in (vfio_path, "/dev/vfio/vfio")),
                noiommu=noiommu,
                claims=claims.get(pci_id, ()),
                interfaces_up=tuple(_interfaces_up(path)),
            )
        )
    return tuple(devices)


def _blockers(group: Path, address: str) -> tuple[NetworkDevice, ...]:
    """Other members of an IOMMU group that a kernel driver holds."""
    found = []
    for member in sorted((group / "devices").glob("*")):
        driver = _driver(member)
        bridge = _hex(member / "class") >> 16 == _CLASS_BRIDGE
        if member.name != address and driver and driver not in _HARMLESS_IN_GROUP and not bridge:
            found.append(NetworkDevice(member.name, driver))
    return tuple(found)


def _interfaces_up(path: Path) -> Iterator[str]:
    """Those that a kernel driver made of a device; a virtio card has a device of its own between."""
    for pattern in ("net/*", "virtio*/net/*"):
        for interface in sorted(path.glob(pattern)):
            if _hex(interface / "flags") & _IFF_UP:
                yield interface.name


def _ids(path: Path) -> PciId:
    names = ("vendor", "device", "subsystem_vendor", "subsystem_device")
    return PciId(*(_hex(path / name) for name in names))


def _driver(path: Path) -> str | None:
    link = path / "driver"
    return link.resolve().name if link.exists() else None


def _node(path: Path) -> int:
    try:
        return int(_text(path / "numa_node"))
    except ValueError:
        return -1


def _usable(path: Path) -> bool:
    return os.access(path, os.R_OK | os.W_OK)


def _hex(path: Path) -> int:
    try:
        return int(_text(path), 16)
    except ValueError:
        return 0


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
