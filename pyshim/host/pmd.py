# SPDX-License-Identifier: BSD-3-Clause
"""Which DPDK drivers are installed, and which devices each one says it drives.

A poll-mode driver (PMD) is a shared library in a directory that librte_eal carries in its text. It
describes itself in strings such as `PMD_INFO_STRING= {"name": "net_ixgbe", "kmod": "* vfio-pci", "pci_ids":
[[32902, 4278, 65535, 65535], …]}`: vendor, device and both subsystem ids, 0xffff standing for any.

Where vendor and device are any, as in net_idpf's of DPDK 25.11, the driver goes by the device's class, which
the string leaves out.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from pathlib import Path

from pyshim.host.facts import PciId, PmdClaim

_ANY_ID = 0xFFFF
_POOL_LIBRARY = "rte_mempool_ring"
_INFO = re.compile(rb"PMD_INFO_STRING= (\{[^\0]*\})\0")
_PLUGIN_PATH = re.compile(rb"\0(/[\x21-\x7e]+/pmds-[0-9.]+)\0")
_LIBRARY_DIRECTORIES = (
    "usr/local/lib/*-linux-gnu",
    "usr/local/lib64",
    "usr/local/lib",
    "usr/lib/*-linux-gnu",
    "usr/lib64",
    "usr/lib",
)

# Virtual drivers of DPDK 22.11 to 25.11 and the library each is in, where that is not its own name.
_VIRTUAL_DRIVERS = {
    "af_packet": "af_packet",
    "af_xdp": "af_xdp",
    "bonding": "bond",
    "failsafe": "failsafe",
    "memif": "memif",
    "null": "null",
    "pcap": "pcap",
    "ring": "ring",
    "softnic": "softnic",
    "tap": "tap",
    "vdev_netvsc": "vdev_netvsc",
    "vhost": "vhost",
    "virtio_user": "virtio",
}


@dataclass(frozen=True, slots=True)
class DriverPresence:
    """Whether a virtual device's driver is installed, and what to do when it is not."""

    installed: bool
    hint: str


@dataclass(frozen=True, slots=True)
class PmdInfo:
    """What a driver says of itself."""

    name: str
    kmods: tuple[tuple[str, ...], ...]  # see PmdClaim
    patterns: tuple[PciId, ...]  # 0xffff stands for any

    def drives(self, ids: PciId) -> bool:
        """Whether one of its patterns names a device."""
        actual = astuple(ids)
        return any(
            all(want in (_ANY_ID, found) for want, found in zip(astuple(pattern), actual, strict=True))
            for pattern in self.patterns
            if not _is_class(pattern)
        )

    @property
    def goes_by_class(self) -> bool:
        """Whether it drives devices of a class that it does not tell."""
        return any(map(_is_class, self.patterns))


def _is_class(pattern: PciId) -> bool:
    return (pattern.vendor, pattern.device) == (_ANY_ID, _ANY_ID)


def find_pmd_directory(root: Path = Path("/")) -> Path | None:
    """Where DPDK loads its drivers from: the path compiled into the newest librte_eal, if it exists."""
    for pattern in _LIBRARY_DIRECTORIES:
        libraries = {path.resolve() for path in root.glob(f"{pattern}/librte_eal.so.*")}
        for library in sorted(libraries, key=_version, reverse=True):
            if match := _PLUGIN_PATH.search(library.read_bytes()):
                directory = root / match[1].decode().lstrip("/")
                if directory.is_dir():
                    return directory
    return None


def virtual_driver(name: str, pmd_directory: Path | None) -> DriverPresence:
    """Look for the driver of a virtual device by file name only, which takes well under a millisecond.

    Args:
        name: the device's name, such as net_pcap0.
    """
    kind = re.sub(r"^(net|eth)_", "", name)
    known = max((driver for driver in _VIRTUAL_DRIVERS if kind.startswith(driver)), key=len, default=None)
    if known is None:
        if pmd_directory is not None and _library(pmd_directory, kind.rstrip("0123456789")):
            return DriverPresence(True, "")  # newer than this table
        close = difflib.get_close_matches(kind.rstrip("0123456789"), _VIRTUAL_DRIVERS, n=1)
        drivers = ", ".join(f"net_{driver}" for driver in _VIRTUAL_DRIVERS)
        meant = f"did you mean net_{close[0]}?" if close else f"there are {drivers}"
        return DriverPresence(False, f"DPDK has no virtual driver for {name}; {meant}")
    library = _VIRTUAL_DRIVERS[known]
    if pmd_directory is None:
        return DriverPresence(False, "DPDK's drivers are not installed; apt install dpdk")
    if _library(pmd_directory, library):
        return DriverPresence(True, "")
    package = debian_package(f"rte_net_{library}", _abi(pmd_directory))
    return DriverPresence(False, f"the driver net_{known} is not installed; apt install {package}")


def pool_driver(pmd_directory: Path) -> DriverPresence:
    """Look for the driver that keeps free packet buffers, without which no port can be opened."""
    if any(pmd_directory.glob(f"lib{_POOL_LIBRARY}.so*")):
        return DriverPresence(True, "")
    package = debian_package(_POOL_LIBRARY, _abi(pmd_directory))
    return DriverPresence(False, f"DPDK's driver for packet pools is not installed; apt install {package}")


def scan_claims(
    pmd_directory: Path, wanted: frozenset[PciId], of_own_classes: frozenset[PciId] = frozenset()
) -> dict[PciId, tuple[PmdClaim, ...]]:
    """Ask every installed network driver which of these devices it drives.

    Where none names a device that is `of_own_classes`, more than an Ethernet controller, those that go by a
    class may drive it. Reads about sixty ELF files; only done when a port is a PCI device.
    """
    named: dict[PciId, list[PmdClaim]] = {ids: [] for ids in wanted}
    by_class: list[PmdClaim] = []
    for library in _network_libraries(pmd_directory):
        for info in read_pmd_info(library):
            claim = PmdClaim(info.name, library, info.kmods)
            for ids in filter(info.drives, wanted):
                named[ids].append(claim)
            if info.goes_by_class:
                by_class.append(claim)
    return {ids: tuple(found or (by_class if ids in of_own_classes else ())) for ids, found in named.items()}


def read_pmd_info(library: Path) -> Iterator[PmdInfo]:
    """What a driver's library says of itself; nothing for a file that is not an ELF object."""
    # Imported here: a host without PCI ports never needs it, and it takes longer to import than to use.
    from elftools.common.exceptions import ELFError  # noqa: PLC0415
    from elftools.elf.elffile import ELFFile  # noqa: PLC0415

    try:
        with library.open("rb") as file:
            section = ELFFile(file).get_section_by_name(".rodata")
            data = section.data() if section is not None else b""
    except (OSError, ELFError):
        return
    for match in _INFO.finditer(data):
        info = json.loads(match[1])
        patterns = tuple(PciId(*pattern) for pattern in info.get("pci_ids", []))
        yield PmdInfo(info["name"], _parse_kmod(info.get("kmod", "")), patterns)


def _parse_kmod(text: str) -> tuple[tuple[str, ...], ...]:
    """`* a & b | c` → ((a, b), (c,)); the leading star stands for every device of the driver."""
    alternatives = (alternative.replace("*", " ").split("&") for alternative in text.split("|"))
    groups = (tuple(name.strip() for name in names if name.strip()) for names in alternatives)
    return tuple(group for group in groups if group)


def _network_libraries(pmd_directory: Path) -> list[Path]:
    return sorted({path.resolve() for path in pmd_directory.glob("librte_net_*.so*")})


def _library(pmd_directory: Path, driver: str) -> bool:
    return any(pmd_directory.glob(f"librte_net_{driver}.so*"))


def debian_package(library: str, abi: str) -> str:
    """Debian's name for one of DPDK's libraries, such as `rte_net_memif`, of DPDK with this ABI.

    librte-net-memif23; a name that ends in a digit takes a dash: librte-net-e1000-23.
    """
    dash = "-" if library[-1].isdigit() else ""
    return f"lib{library.replace('_', '-')}{dash}{abi}"


def _abi(pmd_directory: Path) -> str:
    """The number that stands in the names of Debian's packages: 23 of pmds-23.0."""
    return pmd_directory.name.removeprefix("pmds-").split(".")[0]


def _version(library: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in library.name.partition(".so.")[2].split(".") if part.isdigit())
