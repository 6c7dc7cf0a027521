# SPDX-License-Identifier: BSD-3-Clause
"""What this host has for giving a PCI device to user space: an IOMMU, and the kernel's drivers for it."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

from pyshim.host.facts import ModuleState, Passthrough

_ACPI_TABLES = {"DMAR": "intel", "IVRS": "amd", "IORT": "arm"}
_OFF = re.compile(r"(?:^|\s)((?:intel_iommu|amd_iommu|iommu)=(?:\S*,)?off\S*)")
_NOIOMMU = "sys/module/vfio/parameters/enable_unsafe_noiommu_mode"


def gather_passthrough(root: Path = Path("/")) -> Passthrough:
    """Look at the firmware's tables, the kernel's command line and its modules."""
    release = _text(root / "proc/sys/kernel/osrelease")
    tables = root / "sys/firmware/acpi/tables"
    off = _OFF.search(_text(root / "proc/cmdline"))
    return Passthrough(
        groups=any((root / "sys/kernel/iommu_groups").glob("*/devices/*")),
        firmware=next((kind for table, kind in _ACPI_TABLES.items() if (tables / table).exists()), None),
        turned_off_by=off[1] if off else None,
        vfio_pci=_module("vfio-pci", release, root),
        uio_pci_generic=_module("uio_pci_generic", release, root),
        noiommu=_noiommu(release, root),
        lockdown=re.search(r"\[(integrity|confidentiality)\]", _text(root / "sys/kernel/security/lockdown"))
        is not None,
    )


def _module(name: str, release: str, root: Path) -> ModuleState:
    if (root / "sys/bus/pci/drivers" / name).exists():
        return ModuleState.READY
    modules = root / "lib/modules" / release
    if not release or not modules.is_dir():
        return ModuleState.UNKNOWN
    listed = "".join(_text(modules / index) for index in ("modules.builtin", "modules.dep"))
    found = re.search(rf"/{re.escape(name).replace('_', '[_-]')}\.ko", listed)
    return ModuleState.LOADABLE if found else ModuleState.ABSENT


def _noiommu(release: str, root: Path) -> bool | None:
    """Whether VFIO works without an IOMMU; None: this kernel cannot, or does not say."""
    if (root / _NOIOMMU).exists():
        return _text(root / _NOIOMMU) == "Y"
    if "CONFIG_VFIO_NOIOMMU=y" in _kernel_config(release, root).splitlines():
        return False
    return None


def _kernel_config(release: str, root: Path) -> str:
    try:
        return gzip.decompress((root / "proc/config.gz").read_bytes()).decode(errors="replace")
    except (OSError, EOFError):
        return _text(root / f"boot/config-{release}")


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
