# SPDX-License-Identifier: BSD-3-Clause
"""What DPDK prints when it fails → what an operator can do about it.

EAL (DPDK's environment layer) and its drivers report a cause in their log, often many lines before the line
that says that something failed. The log's tail is searched for known causes, the most specific first: a wrong
device must not be reported as missing huge pages because both left a line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pyshim.plan import Plan
from pyshim.planner.memory import mbuf_bytes

TAIL_LINES = 200
_HUGE_PAGE_MIB = 2
# Lines that stand in the log of every run, good ones included.
_NOISE = re.compile(
    r"^\s*$|Detected (CPU lcores|NUMA nodes|static|shared)|Multi-process socket|Selected IOVA mode"
    r"|VFIO support|TELEMETRY|telemetry|Using IOMMU type|Probe PCI driver"
    r"|No free \d+ kB hugepages reported on node|Physical addresses are unavailable|mp action callback"
    r"|Bus \(\w+\) probe failed|vdev_probe\(\): failed to initialize"
)
# Who said it: EAL or a driver's function. It means nothing to an operator.
_SPEAKER = re.compile(r"^\s*(?:\w+: |\w+\(\):? )+")


@dataclass(frozen=True, slots=True)
class Cause:
    """One known text of DPDK and the sentence that replaces it."""

    text: re.Pattern[str]
    say: Callable[[re.Match[str], Plan], str]
    vague: bool = False  # many things end in this text: what the driver said last is told too


def explain(message: str, log: Sequence[str], plan: Plan) -> str:
    """One sentence about a failed start: `message` of the data plane, then its cause if that is known."""
    last = last_meaningful(log)
    said = f"; its last word: {last}" if last and last not in message else ""
    if plan.uses_sockets:
        return f"{message}{said}"  # DPDK had no part in it
    for cause in CAUSES:
        # The data plane's sentence ends in the name of an error number, which drivers choose freely.
        for line in reversed(log if cause.vague else [*log, message]):
            if match := cause.text.search(line):
                return f"{_ended(message)} {cause.say(match, plan)}{said if cause.vague else ''}"
    return f"{_ended(message)} DPDK has no known explanation{said}" if said else message


def last_meaningful(log: Sequence[str]) -> str | None:
    """The last line that is not said in every run, without its speaker; None when there is none."""
    return next((_SPEAKER.sub("", line).strip() for line in reversed(log) if not _NOISE.search(line)), None)


def _ended(message: str) -> str:
    return message if message.endswith((".", "!", "?")) else f"{message.rstrip(':;, ')}:"


def _devices(plan: Plan) -> str:
    return ", ".join(f"{port.name} ({port.device})" for port in plan.ports)


def _memory_mib(plan: Plan) -> int:
    """What `-m` asks for; 0 when the plan leaves it to EAL."""
    words = plan.eal_args
    for index, word in enumerate(words):
        if word == "-m" and index + 1 < len(words) and words[index + 1].isdecimal():
            return int(words[index + 1])
    return 0


def _huge_pages(plan: Plan) -> str:
    asked = _memory_mib(plan) + (plan.state_bytes >> 20) + 1
    pages = -(-asked // _HUGE_PAGE_MIB)
    return (
        f"there are no free huge pages, {asked} MiB are needed; reserve them with "
        f"`sysctl -w vm.nr_hugepages={pages}` or set eal.huge_pages to false"
    )


def _pool(plan: Plan) -> str:
    each_bytes = mbuf_bytes(huge_pages=plan.huge_pages)
    total = -(-sum(pool.mbufs * each_bytes for pool in plan.pools) >> 20)
    sizes = "; ".join(f"{pool.name}: {pool.why}" for pool in plan.pools)
    return (
        f"the packet pools need at least {total} MiB ({sizes}); raise eal.memory_mib, or lower the ports' "
        "rx_descriptors and tx_descriptors"
    )


def _cause(text: str, say: Callable[[re.Match[str], Plan], str], *, vague: bool = False) -> Cause:
    return Cause(re.compile(text), say, vague)


CAUSES: tuple[Cause, ...] = (
    _cause(
        r"failed to parse device \"?([^\"\s]+?)\"?(?:\s|$)",
        lambda m, plan: f"DPDK knows no device {m[1]}; check ports[].device",
    ),
    _cause(
        r"VFIO group (?:is )?not viable",
        lambda m, plan: (
            f"another device of the same IOMMU group as one of {_devices(plan)} still has a kernel driver; "
            "bind every member of the group to vfio-pci: ls /sys/bus/pci/devices/ADDRESS/iommu_group/devices"
        ),
    ),
    _cause(
        r"Expecting '(\w+)' IOVA mode but current mode is '(\w+)'",
        lambda m, plan: (
            f"a driver of {_devices(plan)} needs {m[1]} addresses and this host gives {m[2]}; enable the "
            "IOMMU (intel_iommu=on), or load vfio with enable_unsafe_noiommu_mode=1 and run as root"
        ),
    ),
    _cause(
        r"Cannot create lock on '?([^'\s]+)'?\. Is another primary process running",
        lambda m, plan: (
            f"another DPDK program holds {m[1]} (see `fuser {m[1]}`); stop it, or set another eal.file_prefix"
        ),
    ),
    _cause(
        r"lcore (\d+) unavailable|lcore (\d+) is not (?:available|detected)|Invalid core number",
        lambda m, plan: (
            "a planned CPU is not there for this process; compare workers.cpus with `taskset -cp $$` and the "
            "container's cpuset"
        ),
    ),
    _cause(
        r"invalid rss_hf: (\S+),? valid value: (\S+)",
        lambda m, plan: "the driver cannot spread flows over queues (RSS); set the port's queues to 1",
    ),
    _cause(
        r"nb_rx_queues=(\d+) > (\d+)|nb_tx_queues=(\d+) > (\d+)",
        lambda m, plan: (
            f"the driver has {m[2] or m[4]} queues, {m[1] or m[3]} were asked for; set the port's queues to "
            "auto"
        ),
    ),
    _cause(
        r"No Ethernet ports|No probed ethernet devices",
        lambda m, plan: (
            f"DPDK found none of {_devices(plan)}; see with dpdk-devbind.py --status which driver each has, "
            "and whether the package with its DPDK driver is installed"
        ),
    ),
    _cause(r"[Cc]annot create mbuf pool|mbuf pool .*(?:failed|no memory)", lambda m, plan: _pool(plan)),
    _cause(
        r"reserved, but no mounted hugetlbfs found",
        lambda m, plan: (
            "huge pages are reserved but no hugetlbfs is mounted; mount it (`mount -t hugetlbfs none "
            "/dev/hugepages`, in a container as a volume), "
            "or set eal.in_memory to true or eal.huge_pages to false"
        ),
    ),
    _cause(
        r"Not enough memory available on socket (\d+)",
        lambda m, plan: (
            f"NUMA node {m[1]} has not enough free huge pages; reserve them in "
            f"/sys/devices/system/node/node{m[1]}/hugepages, lower eal.memory_mib, or remove stale files "
            "of a dead program from /dev/hugepages"
        ),
    ),
    _cause(r"Cannot get hugepage information", lambda m, plan: _huge_pages(plan)),
    _cause(
        r"Cannot allocate memory|Cannot init memory|[Oo]ut of memory",
        lambda m, plan: (
            f"{_memory_mib(plan) or 'the planned'} MiB could not be had; lower eal.memory_mib, or raise the "
            "memory and locked-memory limits of this process"
        ),
    ),
    _cause(
        r"Operation not permitted|Permission denied",
        lambda m, plan: (
            f"a device of {_devices(plan)} is not permitted for this user; tap, af_packet and af_xdp need "
            "CAP_NET_ADMIN and CAP_NET_RAW, vfio a readable /dev/vfio group and `ulimit -l unlimited`"
        ),
        vague=True,
    ),
    _cause(
        r"No such file or directory|[Cc]ould ?n[o']t open|Failed to connect socket",
        lambda m, plan: f"a file or interface of {_devices(plan)} cannot be opened; check that it exists",
        vague=True,
    ),
    _cause(
        r"failed to initialize (\S+) device",
        lambda m, plan: f"the driver refused {m[1]}; check its arguments in ports[].device",
        vague=True,
    ),
)
