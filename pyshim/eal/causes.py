# SPDX-License-Identifier: BSD-3-Clause
"""The texts of DPDK whose cause is known, each with the steps of a start that it can explain.

The most specific come first: a wrong device must not be reported as missing huge pages because both left a
line.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum, auto

from pyshim.errors import RAISE_PROCESS_LIMIT
from pyshim.host.pmd import debian_package
from pyshim.plan import Plan, PortPlan
from pyshim.planner.memory import MBUF_BYTES

_HUGE_PAGE_MIB = 2
_NO_THREAD = f"the kernel starts no further thread; {RAISE_PROCESS_LIMIT}"


class Where(Enum):
    """What a cause's text is looked for in."""

    LINE = auto()  # each line of the log that good starts do not have
    LOG = auto()  # the whole log at once
    MESSAGE = auto()  # what the data plane says itself, which ends in the name of an error number


class Step(Enum):
    """What was being done when a start failed."""

    ENVIRONMENT = auto()  # EAL: memory, CPUs, the buses with their devices
    POOLS = auto()  # of packet buffers
    PORT = auto()  # one device: found, configured, started
    CRASH = auto()  # the worker process died: EAL aborts it for some things
    OTHER = auto()


@dataclass(frozen=True, slots=True)
class Failure:
    """A start that failed."""

    step: Step
    plan: Plan
    port: PortPlan | None  # the one that failed, of step PORT

    @property
    def devices(self) -> str:
        """The port that failed, else all, each with its device."""
        ports = (self.port,) if self.port else self.plan.ports
        return ", ".join(f"{port.name} ({port.device})" for port in ports)

    @property
    def memory_mib(self) -> int:
        """What EAL is told to take, over all nodes; 0 when the plan leaves it to EAL."""
        words = self.plan.eal_args
        asked = (words[index + 1] for index, word in enumerate(words[:-1]) if word in ("-m", "--socket-mem"))
        return sum(int(part) for part in next(asked, "0").split(",") if part.isdecimal())


def _always(_: Failure) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Cause:
    """One known text of DPDK and the sentence that replaces it."""

    text: re.Pattern[str]
    say: Callable[[re.Match[str], Failure], str]
    steps: frozenset[Step]
    applies: Callable[[Failure], bool] = _always
    where: Where = Where.LINE
    vague: bool = False  # many things end in this text: what the driver said last is told too


def _cause(
    steps: Step | tuple[Step, ...],
    text: str,
    say: Callable[[re.Match[str], Failure], str],
    *,
    applies: Callable[[Failure], bool] = _always,
    where: Where = Where.LINE,
) -> Cause:
    of = frozenset(steps if isinstance(steps, tuple) else (steps,))
    return Cause(re.compile(text), say, of, applies, where)


def _vague(cause: Cause) -> Cause:
    return replace(cause, vague=True)


def _uses_hugetlbfs(failure: Failure) -> bool:
    return failure.plan.huge_pages and "--in-memory" not in failure.plan.eal_args


def _is(kind: str) -> Callable[[Failure], bool]:
    return lambda failure: failure.port is not None and failure.port.device.startswith(kind)


def _huge_pages(failure: Failure) -> str:
    """How many pages to reserve: those of DPDK, and of the session state where that is in them too."""
    asked = failure.memory_mib
    pages = -(-asked // _HUGE_PAGE_MIB)
    beside = ""
    if failure.plan.state_huge_pages:
        pages += -(-failure.plan.state_bytes // (_HUGE_PAGE_MIB << 20))
        beside = " beside the session state"
    return (
        f"DPDK needs {asked} MiB of huge pages{beside}; reserve them with `sysctl -w "
        f"vm.nr_hugepages={pages}`, counting what other programs hold on top, or set eal.huge_pages to false"
    )


def _pools(failure: Failure) -> str:
    total = -(-sum(pool.mbufs * MBUF_BYTES for pool in failure.plan.pools) >> 20)
    sizes = "; ".join(f"{pool.name}: {pool.why}" for pool in failure.plan.pools)
    return (
        f"the packet pools need at least {total} MiB ({sizes}); raise eal.memory_mib, or lower the ports' "
        "rx_descriptors and tx_descriptors"
    )


CAUSES: tuple[Cause, ...] = (
    # ---- the environment
    _cause(
        Step.ENVIRONMENT,
        r"lib(rte_\w+)\.so\.(\d+)\S*: cannot open shared object file",
        lambda m, f: (
            f"DPDK's library lib{m[1]}.so.{m[2]} is not installed; apt install {debian_package(m[1], m[2])}"
        ),
    ),
    _cause(
        Step.ENVIRONMENT,
        r"failed to parse device \"?([^\"\s]+?)\"?(?:\s|$)",
        lambda m, f: f"DPDK knows no device {m[1]}; check ports[].device",
    ),
    _cause(
        Step.ENVIRONMENT,
        r"Cannot create lock on '?([^'\s]+)'?\. Is another primary process running",
        lambda m, f: (
            f"another DPDK program holds {m[1]} (see `fuser {m[1]}`); stop it, or set another eal.file_prefix"
        ),
    ),
    _cause(
        Step.ENVIRONMENT,
        r"lcore (\d+) unavailable|lcore (\d+) is not (?:available|detected)|Invalid core number",
        lambda m, f: (
            "a planned CPU is not there for this process; compare workers.cpus with `taskset -cp $$` and the "
            "container's cpuset"
        ),
    ),
    _cause(
        (Step.ENVIRONMENT, Step.CRASH),
        r"Cannot init interrupt-handling thread|[Cc]annot create (?:\S+ )?thread",
        lambda m, f: _NO_THREAD,
    ),
    _cause(
        Step.ENVIRONMENT,
        r"Resource temporarily unavailable$",
        lambda m, f: _NO_THREAD,
        where=Where.MESSAGE,
    ),
    _cause(
        (Step.ENVIRONMENT, Step.PORT),
        r"VFIO group (?:is )?not viable",
        lambda m, f: (
            f"another device of the same IOMMU group as one of {f.devices} still has a kernel driver; "
            "bind every member of the group to vfio-pci: ls /sys/bus/pci/devices/ADDRESS/iommu_group/devices"
        ),
    ),
    _cause(
        (Step.ENVIRONMENT, Step.PORT),
        r"[Ff]ailed to open VFIO group|[Ff]ailed to open (?:vfio )?group|/dev/vfio/\S+.*(?:busy|EBUSY)",
        lambda m, f: (
            f"VFIO does not give {f.devices} away: another program has it, or this user may not open its "
            "file in /dev/vfio; see `fuser -v /dev/vfio/*` and `ls -l /dev/vfio`"
        ),
    ),
    _cause(
        (Step.ENVIRONMENT, Step.PORT),
        r"cannot set up DMA remapping, error 12|[Cc]annot (?:set up|map) DMA.*Cannot allocate memory",
        lambda m, f: (
            f"this process may lock too little memory for {f.devices}; set `ulimit -l unlimited` (systemd: "
            "LimitMEMLOCK=infinity)"
        ),
    ),
    _cause(
        (Step.ENVIRONMENT, Step.PORT),
        r"Expecting '(\w+)' IOVA mode but current mode is '(\w+)'",
        lambda m, f: (
            f"a driver of {f.devices} needs {m[1]} addresses and this host gives {m[2]}; "
            + (
                "set eal.huge_pages to true and run as root, or bind the device to vfio-pci behind an IOMMU"
                if m[1] == "PA"
                else "bind every device to vfio-pci behind an IOMMU"
            )
        ),
    ),
    _cause(
        Step.ENVIRONMENT,
        r"reserved, but no mounted hugetlbfs found(?s:.*)Cannot get hugepage information",
        lambda m, f: (
            "huge pages are reserved but no hugetlbfs is mounted; mount it (`mount -t hugetlbfs none "
            "/dev/hugepages`, in a container as a volume), "
            "or set eal.in_memory to true or eal.huge_pages to false"
        ),
        applies=_uses_hugetlbfs,
        where=Where.LOG,
    ),
    _cause(
        Step.ENVIRONMENT,
        r"Not enough memory available on socket (\d+)! Requested: (\d+)MB, available: (\d+)MB",
        lambda m, f: f"NUMA node {m[1]} has {m[3]} MiB of huge pages free, not {m[2]}: {_huge_pages(f)}",
    ),
    _cause(Step.ENVIRONMENT, r"Cannot get hugepage information", lambda m, f: _huge_pages(f)),
    _cause(
        Step.ENVIRONMENT,
        r"Cannot init memory|[Cc]annot allocate memory|mmap\(\) failed",
        lambda m, f: (
            f"{f.memory_mib or 'the planned'} MiB could not be had; lower eal.memory_mib, or raise the "
            "memory limits of this process (`ulimit -v`, the container's)"
        ),
    ),
    # ---- the packet pools: DPDK logs nothing, the error number alone tells
    _cause(
        Step.POOLS,
        r": Invalid argument$",
        lambda m, f: (
            "DPDK's driver for packet pools is not installed; apt install librte-mempool-ring with DPDK's "
            "own number behind it (librte-mempool-ring23 for DPDK 22.11)"
        ),
        where=Where.MESSAGE,
    ),
    _cause(Step.POOLS, r": Cannot allocate memory$", lambda m, f: _pools(f), where=Where.MESSAGE),
    # ---- one port
    _cause(
        Step.PORT,
        r"(\d+) bytes will not fit in mbuf \((\d+) bytes\)",
        lambda m, f: (
            f"frames of {m[1]} bytes do not fit the packet buffers, which hold {m[2]}; lower framesz= in "
            "ports[].device (2048 is the default)"
        ),
    ),
    _cause(
        Step.PORT,
        r"could not set PACKET_[RT]X_RING.*Invalid argument",
        lambda m, f: (
            "the kernel refuses this ring: blocksz must be a multiple of the page size and of framesz, "
            "framesz a multiple of 16, and framecnt fill at least one block; without them the defaults work"
        ),
    ),
    _cause(
        Step.PORT,
        r"invalid rss_hf: (\S+),? valid value: (\S+)",
        lambda m, f: "the driver cannot spread flows over queues (RSS); set the port's queues to 1",
    ),
    _cause(
        Step.PORT,
        r"nb_rx_queues=(\d+) > (\d+)|nb_tx_queues=(\d+) > (\d+)",
        lambda m, f: (
            f"the driver has {m[2] or m[4]} queues, {m[1] or m[3]} were asked for; set the port's queues to "
            "auto"
        ),
    ),
    _cause(
        Step.PORT,
        r"No Ethernet ports|No probed ethernet devices",
        lambda m, f: (
            f"DPDK found none of {f.devices}; see with dpdk-devbind.py --status which driver each has, "
            "and whether the package with its DPDK driver is installed"
        ),
    ),
    _cause(
        Step.PORT,
        r"Remote feature requires flow support",
        lambda m, f: (
            "remote= takes frames over with the kernel's traffic control, which lacks a part here; run: "
            "modprobe -a sch_multiq sch_ingress cls_flower act_mirred, or use net_af_packet0,iface=NAME"
        ),
    ),
    _cause(
        Step.PORT,
        r"Unable to set TUNSETIFF for ([^\s:]+): (Device or resource busy|Invalid argument)",
        lambda m, f: (
            f"the interface {m[1]} exists and "
            + ("another program has it open" if m[2].startswith("Device") else "is no free TAP device")
            + "; name another one with iface=, or leave it out"
        ),
    ),
    _cause(
        Step.PORT,
        r"Failed to create umem",
        lambda m, f: (
            "the kernel gives no memory for packets of af_xdp: this process may lock too little; set `ulimit "
            "-l unlimited` (systemd: LimitMEMLOCK=infinity), or grant CAP_IPC_LOCK"
        ),
        applies=_is("net_af_xdp"),
    ),
    _cause(
        Step.PORT,
        r"Failed to create xsk socket",
        lambda m, f: (
            "the kernel gives no AF_XDP socket: another program has these queues of the interface, or it "
            "has no queue of this number (see `ethtool -l`; start_queue= and queue_count= choose)"
        ),
        applies=_is("net_af_xdp"),
    ),
    _cause(
        Step.PORT,
        r"Failed to connect socket: (\S+?)\.?$",
        lambda m, f: f"nobody serves {m[1]}; start the peer with role=server first",
        applies=_is("net_memif"),
    ),
    _vague(
        _cause(
            Step.PORT,
            r"[Cc]annot allocate memzone|memzone.*failed|[Nn]o memory for|[Oo]ut of memory",
            lambda m, f: f"DPDK's {f.memory_mib} MiB do not suffice for {f.devices}; raise eal.memory_mib",
        )
    ),
    _vague(
        _cause(
            Step.PORT,
            r"Operation not permitted|Permission denied",
            lambda m, f: (
                f"{f.devices} is not permitted for this user; tap, af_packet and af_xdp need "
                "CAP_NET_ADMIN and CAP_NET_RAW, vfio a readable /dev/vfio group and `ulimit -l unlimited`"
            ),
        )
    ),
    _vague(
        _cause(
            Step.PORT,
            r"No such device",
            lambda m, f: f"an interface of {f.devices} is not there; `ip link` shows those that are",
        )
    ),
    _vague(
        _cause(
            Step.PORT,
            r"No such file or directory|[Cc]ould ?n[o']t open",
            lambda m, f: f"a file or interface of {f.devices} cannot be opened; check that it exists",
        )
    ),
    # Nothing is known of what the driver did not like, only that it was the driver of this device.
    _vague(
        _cause(
            Step.PORT,
            r"failed to initialize (\S+) device",
            lambda m, f: f"the driver refused {m[1]}; check its arguments in ports[].device",
            where=Where.LOG,
        )
    ),
)
