# SPDX-License-Identifier: BSD-3-Clause
"""Which CPUs this process may use, which NUMA node each belongs to, and which the kernel leaves alone."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from pyshim.host.facts import Cpu


def parse_cpu_list(text: str) -> tuple[int, ...]:
    """The numbers of a kernel list such as `0-3,8`; () for an empty one, ascending without duplicates."""
    found: set[int] = set()
    for part in text.strip().split(","):
        if match := re.fullmatch(r"\s*(\d+)(?:-(\d+))?\s*", part):
            first = int(match[1])
            found.update(range(first, int(match[2] or first) + 1))
    return tuple(sorted(found))


def format_cpu_list(cpus: Iterable[int]) -> str:
    """The shortest kernel list of these numbers: `0-3,8`; `none` for no number."""
    runs: list[list[int]] = []
    for cpu in sorted(set(cpus)):
        if runs and cpu == runs[-1][1] + 1:
            runs[-1][1] = cpu
        else:
            runs.append([cpu, cpu])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in runs) or "none"


def gather_cpus(root: Path = Path("/")) -> tuple[Cpu, ...]:
    """The CPUs in this process's affinity mask and its cgroup's cpuset, ascending.

    Call it before the process narrows its own affinity, else the rest of the machine is out of sight.
    """
    allowed = set(_affinity(root))
    if cpuset := _cgroup_cpuset(root):
        # A mask that shares nothing with the cpuset is one that the kernel is about to replace.
        allowed = (allowed & set(cpuset)) or set(cpuset)
    isolated = set(_read_list(root / "sys/devices/system/cpu/isolated"))
    node_of = _nodes(root)
    return tuple(Cpu(cpu, node_of.get(cpu, 0), cpu in isolated) for cpu in sorted(allowed))


def _affinity(root: Path) -> tuple[int, ...]:
    # The kernel's text of what sched_getaffinity(2) returns, read so that a test can lay out another host.
    status = (root / "proc/self/status").read_text()
    match = re.search(r"^Cpus_allowed_list:\s*(\S+)", status, re.MULTILINE)
    return parse_cpu_list(match[1]) if match else (0,)


def _cgroup_cpuset(root: Path) -> tuple[int, ...]:
    """CPUs of the nearest cgroup that names some; () when cpusets are not in use."""
    for group in cgroup_directories(root, "cpuset"):
        for name in ("cpuset.cpus.effective", "cpuset.effective_cpus", "cpuset.cpus"):
            if cpus := _read_list(group / name):
                return cpus
    return ()


def cgroup_directories(root: Path, controller: str) -> list[Path]:
    """This process's cgroup directory for a controller, in either cgroup version, and its parents.

    A container sees its own cgroup mounted at the top, under a path that it does not know; the parents
    include that top.
    """
    directories: list[Path] = []
    base = root / "sys/fs/cgroup"
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            mount = base / controller
        elif not controllers:
            mount = base / "unified" if (base / "unified").is_dir() else base
        else:
            continue
        here = Path(path.lstrip("/"))
        directories += [mount / here, *(mount / parent for parent in here.parents if here != parent)]
    return directories


def _nodes(root: Path) -> dict[int, int]:
    return {
        cpu: int(path.parent.name.removeprefix("node"))
        for path in (root / "sys/devices/system/node").glob("node[0-9]*/cpulist")
        for cpu in _read_list(path)
    }


def _read_list(path: Path) -> tuple[int, ...]:
    try:
        return parse_cpu_list(path.read_text())
    except OSError:
        return ()
