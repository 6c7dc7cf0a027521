# SPDX-License-Identifier: BSD-3-Clause
"""What a reader of a figure needs to know of the machine that it was measured on."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

from pyshim import __version__
from pyshim.host.cpu import format_cpu_list, gather_cpus
from pyshim.host.memory import gather_memory
from pyshim.host.pmd import find_pmd_directory

Facts = dict[str, str | int | bool | None]


def host_facts(root: Path = Path("/")) -> Facts:
    """The machine and the versions on it; a fact that cannot be found out is None."""
    cpuinfo = _cpuinfo(root)
    huge = gather_memory(root).huge
    return {
        "cpu": cpuinfo.get("model name", "unknown"),
        "cpus": os.cpu_count(),
        "cpus_allowed": format_cpu_list(cpu.cpu for cpu in gather_cpus(root)),
        "cpus_isolated": format_cpu_list(cpu.cpu for cpu in gather_cpus(root) if cpu.isolated),
        "governor": _first_line(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "hypervisor": "hypervisor" in cpuinfo.get("flags", "").split(),
        "huge_pages": any(pages.total for pages in huge),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "dpdk": _dpdk_version(root),
        "pollgate": __version__,
    }


def machine_line(facts: Facts) -> str:
    """The facts as one sentence."""
    told = [
        f"{facts.get('cpu')}, {facts.get('cpus')} CPUs"
        + (" of a hypervisor" if facts.get("hypervisor") else ""),
        f"CPUs {facts.get('cpus_allowed')} allowed, {facts.get('cpus_isolated')} isolated",
        f"governor {facts.get('governor') or 'not visible'}",
        "huge pages" if facts.get("huge_pages") else "no huge pages",
        f"Linux {facts.get('kernel')}, DPDK {facts.get('dpdk') or 'of unknown version'}, "
        f"Python {facts.get('python')}, pollgate {facts.get('pollgate')}",
    ]
    return "; ".join(told)


def _cpuinfo(root: Path) -> dict[str, str]:
    """What the kernel says of the first CPU."""
    try:
        first = (root / "proc/cpuinfo").read_text().split("\n\n", 1)[0]
    except OSError:
        return {}
    fields = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in fields}


def _first_line(path: Path) -> str | None:
    try:
        return path.read_text().strip() or None
    except OSError:
        return None


def _dpdk_version(root: Path) -> str | None:
    """What pkg-config says; without development files, the ABI that names the drivers' directory."""
    try:
        asked = subprocess.run(
            ["pkg-config", "--modversion", "libdpdk"], capture_output=True, text=True, timeout=10, check=False
        )
    except OSError:
        pass
    else:
        if asked.returncode == 0:
            return asked.stdout.strip()
    drivers = find_pmd_directory(root)
    return f"with ABI {drivers.name.removeprefix('pmds-')}" if drivers else None
