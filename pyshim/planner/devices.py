# SPDX-License-Identifier: BSD-3-Clause
"""Refuses devices that cannot work before DPDK starts, and says of each what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pyshim.errors import ExitCode, Problem
from pyshim.host import HostFacts, PciDevice, Privileges, parse_vdev
from pyshim.host.facts import USERSPACE_DRIVERS
from pyshim.host.vdev import VdevArgs
from pyshim.planner.binding import how_to_take
from pyshim.planner.memory import DATA_ROOM_BYTES

if TYPE_CHECKING:
    from pyshim.config.models import Config

_FRAME_BYTES_MAX = DATA_ROOM_BYTES - 128
_PCAP_INTERFACE_KEYS = ("iface", "rx_iface", "rx_iface_in", "tx_iface")


def find_device_problems(config: Config, host: HostFacts) -> list[Problem]:
    """Why ports cannot be opened on this host: what is missing on the host, for each port."""
    problems = []
    if host.pool_driver_hint:
        problems.append(Problem("ports", host.pool_driver_hint, ExitCode.UNAVAILABLE))
    for index, port in enumerate(config.ports):
        if port.pci_address:
            texts = _pci_problems(port.pci_address, config, host)
        else:
            texts = _vdev_problems(port.device, host)
        problems += [Problem(f"ports[{index}].device", text, ExitCode.UNAVAILABLE) for text in texts]
    return problems


def _vdev_problems(device: str, host: HostFacts) -> Iterator[str]:
    vdev, facts = parse_vdev(device), host.vdev(device)
    if facts is None:
        raise ValueError(f"the host facts were gathered for another configuration: no {device}")
    if not facts.driver_installed:
        yield facts.driver_hint
        return
    yield from facts.problems
    for capture in facts.captures:
        if capture.problem:
            yield f"{capture.path} {capture.problem}"
        elif vdev.infinite_rx and capture.longest_bytes > _FRAME_BYTES_MAX:
            yield (
                f"{capture.path} has a packet of {capture.longest_bytes} bytes; "
                f"infinite_rx replays packets of up to {_FRAME_BYTES_MAX}"
            )
    size_bytes = vdev.number("size", 0)
    if vdev.kind == "net_null" and vdev.number("copy", 0) and size_bytes > _FRAME_BYTES_MAX:
        yield f"net_null copies {size_bytes} bytes into buffers of {_FRAME_BYTES_MAX}; lower size="
    if missing := tuple(_missing_capabilities(vdev, host.privileges)):
        named = [f"CAP_{capability}" for capability in missing]
        many = len(missing) > 1
        yield (
            f"{vdev.kind} needs the capabilit{'ies' if many else 'y'} {' and '.join(named)}; run as root, or "
            f"grant {'them' if many else 'it'} (systemd: AmbientCapabilities={' '.join(named)}; container: "
            f"{' '.join(f'--cap-add {capability}' for capability in missing)})"
        )


def _missing_capabilities(vdev: VdevArgs, privileges: Privileges) -> Iterator[str]:
    raw = vdev.kind in ("net_af_packet", "net_af_xdp") or (
        vdev.kind == "net_pcap" and any(vdev.values(key) for key in _PCAP_INTERFACE_KEYS)
    )
    if raw and not privileges.net_raw:
        yield "NET_RAW"
    # When DPDK starts a device, it sets promiscuous mode on or off. With af_packet it is the mode of the
    # interface, which takes the capability.
    if vdev.kind in ("net_tap", "net_af_xdp", "net_af_packet") and not privileges.net_admin:
        yield "NET_ADMIN"
    # libxdp finds the interface's program by its number, which CAP_BPF does not allow.
    if vdev.kind == "net_af_xdp" and not privileges.sys_admin:
        yield "SYS_ADMIN"


def _pci_problems(address: str, config: Config, host: HostFacts) -> Iterator[str]:
    """The first problem only: as long as it lasts, solving a later one would not help."""
    device = host.pci_device(address)
    if device is None:
        yield _absent(address, host)
    elif host.pmd_directory is None:
        yield f"{address} needs DPDK's drivers, which are not installed; apt install dpdk"
    elif not device.claims:
        yield (
            f"{address} is a {device.ids} and no installed DPDK driver knows it; all of DPDK's network "
            "drivers come with: apt install librte-meta-net"
        )
    elif text := _wrong_driver(device, host):
        yield text
    elif device.driver == "vfio-pci":
        yield from _vfio_problems(device, config, host)


def _absent(address: str, host: HostFacts) -> str:
    here = [device.address for device in host.network_devices]
    near = difflib.get_close_matches(address, here, n=4, cutoff=0.8) or here[:4]
    if not near:
        return f"{address} does not exist; this host has no network device on PCI"
    drivers = {device.address: device.driver or "no driver" for device in host.network_devices}
    listed = ", ".join(f"{found} ({drivers[found]})" for found in near)
    more = f" and {len(here) - len(near)} more" if len(here) > len(near) else ""
    return f"{address} does not exist; network devices here: {listed}{more}"


def _wrong_driver(device: PciDevice, host: HostFacts) -> str | None:
    """Whether the device is bound to a kernel driver that its DPDK driver works with; if not, a sentence."""
    names = ", ".join(sorted({claim.driver for claim in device.claims}))
    bifurcated = [claim for claim in device.claims if claim.bifurcated]
    if bifurcated:
        modules = bifurcated[0].kmods[0]
        if device.driver in modules:
            return None
        # Of the modules ib_uverbs, mlx5_core and mlx5_ib, only mlx5_core binds PCI devices.
        core = next((module for module in modules if module.endswith("_core")), modules[0])
        found = f"bound to {device.driver}" if device.driver else "not bound to a driver"
        return (
            f"{device.address} is {found}, but {names} works beside the kernel driver; run: "
            f"dpdk-devbind.py --bind={core} {device.address}"
        )
    if device.driver is None:
        return f"{device.address} is not bound to a driver; {how_to_take(device, host)}"
    known = {module for claim in device.claims for group in claim.kmods for module in group}
    usable = (known & USERSPACE_DRIVERS or USERSPACE_DRIVERS) | {"vfio-pci"}
    if device.driver in usable:
        return None
    return (
        f"{device.address} is bound to the kernel driver {device.driver}, which {names} cannot use; "
        f"{how_to_take(device, host)}"
    )


def _vfio_problems(device: PciDevice, config: Config, host: HostFacts) -> Iterator[str]:
    if device.iommu_group is None or device.vfio_path is None:
        yield f"{device.address} is bound to vfio-pci, but {how_to_take(device, host)}"
        return
    if device.blockers:
        members = ", ".join(f"{member.address} ({member.driver})" for member in device.blockers)
        yield (
            f"{device.address} shares IOMMU group {device.iommu_group} with {members}; VFIO gives a group "
            "away only whole: bind them to vfio-pci too, or unbind them"
        )
    if not device.vfio_accessible:
        yield (
            f"{device.address} needs {device.vfio_path} and /dev/vfio/vfio, which this process cannot open "
            "for reading and writing; chown them, or give them to the container"
        )
