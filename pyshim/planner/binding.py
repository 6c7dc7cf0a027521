# SPDX-License-Identifier: BSD-3-Clause
"""How to bind a PCI device on this host to a driver that gives it to DPDK."""

from __future__ import annotations

from pyshim.host import HostFacts, ModuleState, PciDevice

_NOIOMMU = "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"


def how_to_take(device: PciDevice, host: HostFacts) -> str:
    """What to do so that DPDK can have a device, as the rest of a sentence.

    vfio-pci binds only devices in an IOMMU group. Where there is none, the operator turns the IOMMU on, or
    binds a driver that protects no memory.
    """
    take = f"{_what_is_lost(device, host)}run: {_down(device)}"
    if device.iommu_group is not None or host.passthrough.noiommu:
        return _through_vfio(device, host, take)
    why, other_way = _why_no_group(host), _unprotected(device, host)
    return f"it has no IOMMU group, and so vfio-pci cannot have it: {why}{other_way}"


def _through_vfio(device: PciDevice, host: HostFacts, take: str) -> str:
    state = host.passthrough.vfio_pci
    if state is ModuleState.ABSENT:
        return "this kernel has no vfio-pci; install one that has (Debian: linux-image-amd64)"
    return f"{take}{_load('vfio-pci', state)}dpdk-devbind.py --bind=vfio-pci {device.address}"


def _why_no_group(host: HostFacts) -> str:
    facts = host.passthrough
    if facts.turned_off_by is not None:
        return f"remove {facts.turned_off_by} from the kernel's command line and boot again"
    if facts.groups:
        return "this machine's IOMMU does not cover it; put the card into another slot"
    if facts.firmware == "intel":
        return "add intel_iommu=on to the kernel's command line and boot again"
    if facts.firmware is not None:
        return "the kernel does not use the IOMMU that the firmware describes; see `dmesg | grep -i iommu`"
    return (
        "the firmware describes no IOMMU; turn VT-d or AMD-Vi on in its setup (of a virtual machine: in its "
        "hypervisor)"
    )


def _unprotected(device: PciDevice, host: HostFacts) -> str:
    """The way without an IOMMU, where there is one."""
    facts = host.passthrough
    modules = {module for claim in device.claims for group in claim.kmods for module in group}
    if (
        "uio_pci_generic" in modules
        and facts.uio_pci_generic is not ModuleState.ABSENT
        and not facts.lockdown
    ):
        load = _load("uio_pci_generic", facts.uio_pci_generic)
        command = f"{_down(device)}{load}dpdk-devbind.py --bind=uio_pci_generic {device.address}"
    elif facts.noiommu is False:
        load = _load("vfio-pci", facts.vfio_pci)
        command = (
            f"{_down(device)}{load}echo 1 > {_NOIOMMU} && dpdk-devbind.py --bind=vfio-pci {device.address}"
        )
    elif facts.lockdown:
        return "; Secure Boot (kernel lockdown) allows no other way"
    else:
        return ""
    return (
        f"; or without protection from what the card writes into memory, with eal.huge_pages: true: "
        f"{_what_is_lost(device, host)}run: {command}"
    )


def _what_is_lost(device: PciDevice, host: HostFacts) -> str:
    """The device's interfaces that are up, with their addresses: they vanish when DPDK takes the device."""
    if not device.interfaces_up:
        return ""
    addresses = {found.name: found.addresses for found in host.interfaces}
    lost = ", ".join(
        f"{name} ({', '.join(addresses[name])})" if addresses.get(name) else name
        for name in device.interfaces_up
    )
    return f"this host loses {lost}, which is up, and every login over it; "


def _down(device: PciDevice) -> str:
    # dpdk-devbind.py refuses a device whose interface the kernel routes over.
    return "".join(f"ip link set {name} down && " for name in device.interfaces_up)


def _load(module: str, state: ModuleState) -> str:
    return "" if state is ModuleState.READY else f"modprobe {module} && "
