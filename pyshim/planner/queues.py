# SPDX-License-Identifier: BSD-3-Clause
"""How many queues each port has, and which worker serves each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyshim.errors import Problem
from pyshim.host import Cpu, parse_vdev
from pyshim.host.vdev import VdevArgs
from pyshim.plan import QueueRef

if TYPE_CHECKING:
    from pyshim.config.models import Config, PortConfig
    from pyshim.planner.cpus import CpuChoice

QUEUES_PER_WORKER_MAX = 16  # PG_QUEUES_PER_WORKER_MAX
_ANY_NUMBER = 64  # the most that a configuration may ask for

_PCAP_QUEUES_MAX = 16
_NET_NULL_QUEUES_MAX = 1024
# In DPDK 22.11 a tap's driver says that it takes 16 queue pairs, but ends the process from 5 on: when a tap
# starts, the driver puts a descriptor for each receive and each transmit queue into a message for other
# processes, which has room for 8 (RTE_MP_MAX_FD_NUM).
_TAP_QUEUES_MAX = 4
_VIRTIO_USER_QUEUES_MAX = 8  # VIRTIO_MAX_VIRTQUEUE_PAIRS of its driver


@dataclass(frozen=True, slots=True)
class QueueDemand:
    """The queues that a port asks for."""

    count: int | None  # fixed; None: one for each worker that is near enough
    most: int  # workers that the port can keep busy


@dataclass(frozen=True, slots=True)
class Assignment:
    """Which worker serves each queue of each port."""

    nodes: tuple[int, ...]  # NUMA node per port, -1 unknown
    queues: tuple[int, ...]  # number per port
    workers: tuple[tuple[QueueRef, ...], ...]  # per worker


@dataclass(frozen=True, slots=True)
class _Device:
    """What a kind of virtual device offers."""

    automatic: int | None  # queues when the configuration does not say; None: one per worker
    most: int
    exact: bool  # the device sends packets to every queue, so each needs a poll loop
    per: str  # "1 per rx_pcap", where the number comes from
    more: str  # how to get another number


_SINGLE = _Device(1, 1, False, "1", "ask for 1")
_FLEXIBLE = {
    "net_null": _Device(None, _NET_NULL_QUEUES_MAX, False, f"{_NET_NULL_QUEUES_MAX}", "ask for fewer"),
    "net_memif": _Device(1, _ANY_NUMBER, False, "as many as its peer", "ask for fewer"),
    "net_tap": _Device(1, _TAP_QUEUES_MAX, False, f"at most {_TAP_QUEUES_MAX}", "ask for fewer"),
}


def queue_demand(index: int, port: PortConfig, problems: list[Problem]) -> QueueDemand:
    """Queues that a port asks for, checked against what its kind of device has."""
    asked = None if port.queues == "auto" else port.queues
    if port.is_pci:
        # How many queues the device allows is known when it is opened; the data plane then takes fewer.
        return QueueDemand(asked, asked or _ANY_NUMBER)
    vdev = parse_vdev(port.device)
    device = _describe(vdev, f"ports[{index}].device", problems)
    if asked is not None and (asked > device.most or (device.exact and asked != device.most)):
        text = f"{_queues(asked)} asked, {vdev.kind} has {device.per}; use queues: auto, or {device.more}"
        problems.append(Problem(f"ports[{index}].queues", text))
        asked = None
    count = asked or device.automatic
    return QueueDemand(count, count or device.most)


def _describe(vdev: VdevArgs, key: str, problems: list[Problem]) -> _Device:
    if vdev.kind == "net_pcap":
        return _describe_pcap(vdev, key, problems)
    if vdev.kind in ("net_af_packet", "net_af_xdp"):
        argument = "qpairs" if vdev.kind == "net_af_packet" else "queue_count"
        if not vdev.values("iface"):
            problems.append(Problem(key, f"{vdev.kind} needs the interface it opens; add iface=NAME"))
        count = vdev.number(argument, 1)
        if count == 0:
            problems.append(Problem(key, f"{argument}=0 opens no queue; the smallest number is 1"))
        return _Device(max(1, count), max(1, count), True, f"{argument}={count}", f"set {argument}=N there")
    if vdev.kind in ("net_virtio_user", "net_vhost"):
        count = max(1, vdev.number("queues", 1))
        if vdev.kind == "net_virtio_user" and count > _VIRTIO_USER_QUEUES_MAX:
            text = f"queues={count}; net_virtio_user takes at most {_VIRTIO_USER_QUEUES_MAX}"
            problems.append(Problem(key, text))
        return _Device(count, count, True, f"queues={count}", "set queues=N in its arguments")
    return _FLEXIBLE.get(vdev.kind, _SINGLE)


def _describe_pcap(vdev: VdevArgs, key: str, problems: list[Problem]) -> _Device:
    both = len(vdev.values("iface"))
    sources = {name: len(vdev.values(name)) for name in ("rx_pcap", "rx_iface", "rx_iface_in")}
    sinks = {name: len(vdev.values(name)) for name in ("tx_pcap", "tx_iface")}
    reads, writes = sum(sources.values()) or both, sum(sinks.values()) or both
    if not reads and not writes:
        text = f"{vdev.name} names nothing to read or write; add rx_pcap=FILE, and tx_pcap=FILE for answers"
        problems.append(Problem(key, text))
    elif reads and writes and reads != writes:
        text = (
            f"{vdev.name} has {_list(sources, both)} but {_list(sinks, both)}; "
            "name one output per input, or no output at all"
        )
        problems.append(Problem(key, text))
    queues = max(1, reads or writes)
    if queues > _PCAP_QUEUES_MAX:
        text = f"{vdev.name} names {queues} inputs; net_pcap takes at most {_PCAP_QUEUES_MAX}"
        problems.append(Problem(key, text))
    source = next((name for name, count in {**sources, **sinks}.items() if count), "iface")
    return _Device(queues, queues, True, f"1 per {source}", f"name as many {source} as queues")


def assign_queues(
    config: Config,
    cpus: CpuChoice,
    demands: Sequence[QueueDemand],
    nodes: Sequence[int],
    problems: list[Problem],
) -> Assignment:
    """Give each queue to the worker with the fewest queues of its port, then of all ports, then the nearest.

    A port that takes one queue per worker leaves out workers whose own NUMA node has another port.
    """
    counts: list[int] = []
    served: list[list[QueueRef]] = [[] for _ in cpus.workers]
    for port, (demand, node) in enumerate(zip(demands, nodes, strict=True)):
        distances = [_distance(cpu, node, nodes) for cpu in cpus.workers]
        count = demand.count or sum(distance < _FAR for distance in distances) or len(distances)
        of_this_port = [0] * len(served)
        for queue in range(count):
            # Loads are compared before distance, so that no worker idles while another has two queues.
            ranks = zip(of_this_port, map(len, served), distances, range(len(served)), strict=True)
            *_, chosen = min(ranks)
            of_this_port[chosen] += 1
            served[chosen].append(QueueRef(port, queue))
        counts.append(count)
    _check(config, cpus, sum(counts), served, problems)
    return Assignment(tuple(nodes), tuple(counts), tuple(map(tuple, served)))


_FAR = 2


def _distance(cpu: Cpu, node: int, nodes: Sequence[int]) -> int:
    """0: the port's own node, or its node is unknown; 1: a node without ports; 2: another port's node."""
    if node < 0 or cpu.node == node:
        return 0
    return _FAR if cpu.node in nodes else 1


def _check(
    config: Config, cpus: CpuChoice, queues: int, served: list[list[QueueRef]], problems: list[Problem]
) -> None:
    listed = len(cpus.workers)
    if cpus.explicit and any(not worker for worker in served):
        text = (
            f"{listed} CPUs listed, but the ports have {_queues(queues)} to serve; "
            f"list at most {queues}, or use auto"
        )
        problems.append(Problem("workers.cpus", text))
    most = max(map(len, served))
    if most > QUEUES_PER_WORKER_MAX:
        text = (
            f"{_queues(queues)} for {listed} worker{'' if listed == 1 else 's'} is {most} for one of them, "
            f"which can serve {QUEUES_PER_WORKER_MAX}; ask for fewer queues or list more CPUs"
        )
        busiest = max(
            range(len(config.ports)), key=lambda port: sum(q.port == port for w in served for q in w)
        )
        problems.append(Problem(f"ports[{busiest}].queues", text))


def _queues(number: int) -> str:
    return f"{number} queue{'' if number == 1 else 's'}"


def _list(counts: dict[str, int], both: int) -> str:
    named = [f"{count} {name}" for name, count in counts.items() if count]
    return " and ".join(named) or f"{both} iface"
