# SPDX-License-Identifier: BSD-3-Clause
"""Lays out the files by which another host would describe itself: /proc, /sys and /dev in a directory."""

from __future__ import annotations

from pathlib import Path

ALL_CAPABILITIES = (1 << 41) - 1


class Tree:
    """A host as files; every method adds something to it."""

    def __init__(self, root: Path, *, cpus: str = "0-1", capabilities: int = ALL_CAPABILITIES) -> None:
        self.root = root
        self.write(
            "proc/self/status", f"Name:\tx\nCapEff:\t{capabilities:016x}\nCpus_allowed_list:\t{cpus}\n"
        )
        self.write("proc/meminfo", "MemTotal: 33554432 kB\nMemAvailable: 16777216 kB\n")
        self.write("proc/self/cgroup", "0::/\n")
        self.write("proc/mounts", "proc /proc proc rw 0 0\n")
        self.write("sys/devices/system/cpu/isolated", "\n")

    def write(self, path: str, text: str) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def isolated(self, cpus: str) -> None:
        self.write("sys/devices/system/cpu/isolated", cpus + "\n")

    def node(self, number: int, cpus: str) -> None:
        self.write(f"sys/devices/system/node/node{number}/cpulist", cpus + "\n")

    def huge_pages(self, node: int, *, size_kib: int = 2048, total: int, free: int) -> None:
        directory = f"sys/devices/system/node/node{node}/hugepages/hugepages-{size_kib}kB"
        self.write(f"{directory}/nr_hugepages", f"{total}\n")
        self.write(f"{directory}/free_hugepages", f"{free}\n")

    def pci(
        self,
        address: str,
        ids: tuple[int, int] = (0x8086, 0x10FB),
        *,
        driver: str | None = None,
        node: int = 0,
        group: int | None = None,
        class_code: int = 0x020000,
    ) -> None:
        device = self.root / "sys/devices/pci0000:00" / address
        for name, value in (
            ("vendor", ids[0]),
            ("device", ids[1]),
            ("subsystem_vendor", 0x1234),
            ("subsystem_device", 0x5678),
            ("class", class_code),
        ):
            self.write(str(device.relative_to(self.root) / name), f"{value:#06x}\n")
        self.write(str(device.relative_to(self.root) / "numa_node"), f"{node}\n")
        bus = self.root / "sys/bus/pci/devices"
        bus.mkdir(parents=True, exist_ok=True)
        (bus / address).symlink_to(device)
        if driver:
            home = self.root / "sys/bus/pci/drivers" / driver
            home.mkdir(parents=True, exist_ok=True)
            (device / "driver").symlink_to(home)
        if group is not None:
            members = self.root / f"sys/kernel/iommu_groups/{group}/devices"
            members.mkdir(parents=True, exist_ok=True)
            (members / address).symlink_to(device)
            (device / "iommu_group").symlink_to(members.parent)

    def interface_of(self, address: str, name: str, *, up: bool, below: str = "") -> None:
        """A kernel interface of a PCI device; `below` is the device between, as a virtio card has."""
        device = f"sys/devices/pci0000:00/{address}/{below}"
        self.write(f"{device}/net/{name}/flags", "0x1003\n" if up else "0x1002\n")

    def boot(self, command_line: str = "quiet", *, table: str | None = None) -> None:
        """The kernel's command line, and the ACPI table by which the firmware describes an IOMMU."""
        self.write("proc/cmdline", command_line + "\n")
        if table:
            self.write(f"sys/firmware/acpi/tables/{table}", "")

    def modules(self, *paths: str, ready: tuple[str, ...] = ()) -> None:
        """Kernel modules on disk, and those whose PCI driver is registered."""
        self.write("proc/sys/kernel/osrelease", "6.1.0-1-amd64\n")
        self.write("lib/modules/6.1.0-1-amd64/modules.builtin", "kernel/fs/ext4/ext4.ko\n")
        self.write("lib/modules/6.1.0-1-amd64/modules.dep", "".join(f"{path}:\n" for path in paths))
        for name in ready:
            (self.root / "sys/bus/pci/drivers" / name).mkdir(parents=True, exist_ok=True)

    def vfio(self, group: int | str) -> None:
        self.write("dev/vfio/vfio", "")
        self.write(f"dev/vfio/{group}", "")

    def dpdk(self) -> None:
        """The DPDK that is really installed, seen from inside the tree."""
        for libraries in Path("/usr/lib").glob("*-linux-gnu"):
            for eal in libraries.glob("librte_eal.so.*"):
                place = self.root / libraries.relative_to("/")
                place.mkdir(parents=True, exist_ok=True)
                (place / eal.name).symlink_to(eal.resolve())
                if not (place / "dpdk").exists():
                    (place / "dpdk").symlink_to(libraries / "dpdk")
