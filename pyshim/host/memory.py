# SPDX-License-Identifier: BSD-3-Clause
"""How much there is of memory: huge pages per node, ordinary pages, and the limits of processes."""

from __future__ import annotations

import re
import resource
from dataclasses import replace
from pathlib import Path

from pyshim.host.cpu import cgroup_directories
from pyshim.host.facts import HugePages, MemoryFacts, Privileges, SocketLimits

_CAP_SETGID = 6
_CAP_SETUID = 7
_CAP_NET_ADMIN = 12
_CAP_NET_RAW = 13
_CAP_IPC_LOCK = 14
_CAP_SYS_ADMIN = 21
_CAP_SYS_RESOURCE = 24


def gather_memory(root: Path = Path("/")) -> MemoryFacts:
    """Huge pages, available memory and limits of this process."""
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    return MemoryFacts(
        available_bytes=_available(root),
        huge=_huge_pages(root),
        hugetlbfs=_hugetlbfs(root),
        memlock_bytes=None if soft == resource.RLIM_INFINITY else soft,
    )


def free_huge_pages(page_bytes: int, root: Path = Path("/")) -> dict[int, int]:
    """Huge pages of this size that nobody has or has been promised, by node.

    What is promised is known for all nodes together: on several, it is taken off each.
    """
    sizes = [pages for pages in _huge_pages(root) if pages.page_bytes == page_bytes]
    promised = max((_reserved(root, pages) for pages in sizes), default=0) if len(sizes) > 1 else 0
    return {pages.node: max(0, pages.free - promised) for pages in sizes}


def available_bytes() -> int:
    """What can be allocated now, without swapping and within the cgroup's limit."""
    return _available(Path("/"))


def gather_privileges(root: Path = Path("/")) -> Privileges:
    """The effective capabilities that devices may need."""
    effective = _effective_capabilities(root)
    return Privileges(
        net_raw=bool(effective >> _CAP_NET_RAW & 1),
        net_admin=bool(effective >> _CAP_NET_ADMIN & 1),
        ipc_lock=bool(effective >> _CAP_IPC_LOCK & 1),
        sys_admin=bool(effective >> _CAP_SYS_ADMIN & 1),
        set_user=bool(effective >> _CAP_SETUID & 1) and bool(effective >> _CAP_SETGID & 1),
    )


def _effective_capabilities(root: Path) -> int:
    match = re.search(r"^CapEff:\s*([0-9a-f]+)", (root / "proc/self/status").read_text(), re.MULTILINE)
    return int(match[1], 16) if match else 0


def gather_descriptor_limit(root: Path = Path("/")) -> int | None:
    """File descriptors that a process of ours may be given; None: no bound is known."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    effective = _effective_capabilities(root)
    limit = _read_int(root / "proc/sys/fs/nr_open") if effective >> _CAP_SYS_RESOURCE & 1 else hard
    return None if limit == resource.RLIM_INFINITY else limit


def gather_cpu_time_limit() -> int | None:
    """Seconds of CPU time after which the kernel kills a process of ours; None: it does not."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    return None if hard == resource.RLIM_INFINITY else hard


def gather_socket_limits(root: Path = Path("/")) -> SocketLimits:
    """The bounds of socket buffers; a network namespace of its own may not show them."""
    directory = root / "proc/sys/net/core"
    return SocketLimits(_read_int(directory / "rmem_max"), _read_int(directory / "wmem_max"))


def _available(root: Path) -> int:
    match = re.search(r"^MemAvailable:\s*(\d+) kB", (root / "proc/meminfo").read_text(), re.MULTILINE)
    available = int(match[1]) * 1024 if match else 0
    for group in cgroup_directories(root, "memory"):
        for limit_name, usage_name in (
            ("memory.max", "memory.current"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes"),
        ):
            limit, usage = _read_int(group / limit_name), _read_int(group / usage_name)
            if limit is not None and usage is not None:  # "max" is not a number: no limit here
                available = min(available, max(0, limit - usage))
    return available


def _huge_pages(root: Path) -> tuple[HugePages, ...]:
    per_node = [
        (int(node.name.removeprefix("node")), node / "hugepages")
        for node in (root / "sys/devices/system/node").glob("node[0-9]*")
    ]
    places = per_node or [(0, root / "sys/kernel/mm/hugepages")]
    found = [
        HugePages(
            node=node,
            page_bytes=int(size.name.removeprefix("hugepages-").removesuffix("kB")) * 1024,
            total=_read_int(size / "nr_hugepages") or 0,
            free=_read_int(size / "free_hugepages") or 0,
        )
        for node, directory in places
        for size in directory.glob("hugepages-*kB")
    ]
    if len({pages.node for pages in found}) == 1:
        found = [replace(pages, free=max(0, pages.free - _reserved(root, pages))) for pages in found]
    return tuple(sorted(found, key=lambda pages: (pages.node, pages.page_bytes)))


def _reserved(root: Path, pages: HugePages) -> int:
    """Free pages that are promised to files of programs; the kernel does not say on which node."""
    size = f"sys/kernel/mm/hugepages/hugepages-{pages.page_bytes // 1024}kB"
    return _read_int(root / size / "resv_hugepages") or 0


def _hugetlbfs(root: Path) -> tuple[Path, ...]:
    try:
        lines = (root / "proc/mounts").read_text().splitlines()
    except OSError:
        return ()
    fields = (line.split() for line in lines)
    return tuple(Path(field[1]) for field in fields if len(field) > 2 and field[2] == "hugetlbfs")


def _read_int(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
