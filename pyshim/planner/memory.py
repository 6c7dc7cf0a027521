# SPDX-License-Identifier: BSD-3-Clause
"""How much memory packets need, on which NUMA node, and from which kind of page it comes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyshim.errors import ExitCode, Problem
from pyshim.host import HostFacts, parse_vdev
from pyshim.plan import PoolPlan
from pyshim.planner.cpus import CpuChoice
from pyshim.planner.pages import PageChoice, choose_pages
from pyshim.planner.queues import Assignment

if TYPE_CHECKING:
    from pyshim.config.models import Config, PortConfig
    from pyshim.planner.layout import Layout

_MIB = 1 << 20
_AF_XDP_FILLED = 2048  # buffers that the driver takes per queue at its start, whatever rx_descriptors says
DATA_ROOM_BYTES = 2048 + 128  # a frame of 2,048 bytes behind DPDK's headroom
CACHE = 256  # objects per lcore; a flush happens at one and a half times this
_BURST = 64
HELD_PER_QUEUE = 128  # PG_HELD_PER_QUEUE
MBUF_BYTES = DATA_ROOM_BYTES + 128 + 64  # data, struct rte_mbuf, the pool's own header
_POOL_FIXED_BYTES = 2 * _MIB  # the caches of every possible lcore, used or not
_DESCRIPTOR_BYTES = 64  # ring entry and the driver's shadow of it
_EAL_BYTES = 32 * _MIB
_INDEX_BYTES_PER_SESSION = 64 / 5 + 4  # a bucket of one line for five sessions; a slot number
_SOURCE_LIMITS_BYTES = 8192 * 64  # fixed: sets of four addresses

_STATE_DIRECTORY_BYTES = 896
_STATE_HEADER_BYTES = 64  # of each of its sections
_SESSION_BYTES = 64
_ISSUED_BYTES = 256 + 32  # a record, and what came before its turn
_VISIBLE_BYTES = 64  # the numbers of a connection
_SPARE_BYTES = 8
_SPARE_PLACES = 4  # of a slot, in the table of spare numbers
_SPARE_PLACES_MIN = 16
_CONNECTION_BYTES = 1600  # two prepared AES-GCM keys, delivery, return headers, place in the wheel
_PLAYER_PLACES_MIN = 8
_NETCODE_BYTES = 512
_NETCODE_ATTEMPTS_BYTES = 4096 * 4 * 128  # fixed: sets of four
_LOOK_UP_BYTES_PER_CLIENT = 16  # at most four places
_NETCODE_REACH_BYTES = 272  # how it is reached, its place in the wheel
_NETCODE_USE_BYTES = 64
_NETCODE_USES_MIN = 8
_NETCODE_HEADER_BYTES = 320
_LINE_BYTES = 64

_MAIL_WAITING_BYTES = 8 << 20  # per receiving worker, from all senders
_MAILBOX_BYTES_MIN = 256 << 10
_MAILBOX_HEAD_BYTES = 3 * _LINE_BYTES


@dataclass(frozen=True, slots=True)
class MemoryChoice:
    """Pools, and DPDK's arguments for where their memory comes from."""

    pools: tuple[PoolPlan, ...]
    pool_of_port: tuple[int, ...]
    pages: PageChoice
    eal_args: tuple[str, ...]


def state_bytes(capacity: int, workers: int, issued_capacity: int = 0, netcode_capacity: int = 0) -> int:
    """Size of the session state file: each worker's section has room for all sessions.

    The data plane's pg_state_size() returns the same, and a test holds them equal; this needs no data plane.
    The kernel takes pages as sessions come, so the file's size is an upper bound.
    """
    tables = workers * (_STATE_HEADER_BYTES + _SESSION_BYTES * capacity)
    beside = _issued_bytes(issued_capacity) + _netcode_bytes(netcode_capacity)
    return _STATE_DIRECTORY_BYTES + _STATE_HEADER_BYTES + tables + beside


def _netcode_bytes(capacity: int) -> int:
    """Records of netcode clients, and who used which connect token."""
    if capacity == 0:
        return 0
    uses = max(_NETCODE_USES_MIN, 1 << (4 * capacity - 1).bit_length())
    return _NETCODE_BYTES * capacity + _NETCODE_HEADER_BYTES + _NETCODE_USE_BYTES * uses


def _issued_bytes(capacity: int) -> int:
    """Records of issued sessions, two hash tables of their players, the visible numbers of connections."""
    if capacity == 0:
        return 0
    places = max(_PLAYER_PLACES_MIN, 1 << (2 * capacity - 1).bit_length())
    records = -(-_ISSUED_BYTES * capacity // _LINE_BYTES) * _LINE_BYTES
    spares = max(_SPARE_PLACES_MIN, _SPARE_PLACES << (capacity - 1).bit_length())
    visible = _VISIBLE_BYTES * capacity + _SPARE_BYTES * spares
    return _STATE_HEADER_BYTES + 2 * 4 * places + records + visible


def index_bytes(capacity: int, workers: int) -> int:
    """Memory of the look-up tables of sessions and of limited sources, in ordinary pages, not in DPDK's."""
    return workers * (int(_INDEX_BYTES_PER_SESSION * capacity) + _SOURCE_LIMITS_BYTES)


def netcode_bytes(capacity: int, workers: int) -> int:
    """Memory of netcode clients beside the state: attempts to connect, places of addresses and client ids."""
    if capacity == 0:
        return 0
    places = _LOOK_UP_BYTES_PER_CLIENT * capacity
    return workers * (_NETCODE_ATTEMPTS_BYTES + places) + places + _NETCODE_REACH_BYTES * capacity


def connection_bytes(issued_capacity: int) -> int:
    """Memory of connections when every session has one; pages are taken as players connect."""
    return _CONNECTION_BYTES * issued_capacity


def mail_bytes(workers: int) -> int:
    """Memory of messages and datagrams on their way between workers; pages are taken as mail comes.

    The data plane's pg_mail_size() returns the same, and a test holds them equal; this needs no data plane.
    Each worker has a ring from every other worker and from the control thread. Writers go round each ring, so
    in time all pages are taken.
    """
    ring = _MAILBOX_BYTES_MIN
    while ring * 2 * (workers + 1) <= _MAIL_WAITING_BYTES:
        ring *= 2
    return workers * workers * (ring + _MAILBOX_HEAD_BYTES)


def check_mail(config: Config, host: HostFacts, layout: Layout, problems: list[Problem]) -> None:
    """Check that memory has room for the workers' mail, and for DPDK's if it is in ordinary pages, too."""
    workers = len(layout.workers)
    if not config.issues_sessions or workers == 0:
        return
    beside = 0 if config.uses_sockets or layout.huge_pages else config.eal.memory_mib
    needed, available = _mib(mail_bytes(workers)), host.memory.available_bytes // _MIB
    if beside <= available < beside + needed:
        also = f" beside the {beside} MiB of eal.memory_mib" if beside else ""
        text = (
            f"mail of {workers} worker{'s' if workers > 1 else ''} takes up to {needed} MiB{also}, "
            f"{available} MiB available; list fewer CPUs or free memory"
        )
        problems.append(Problem("workers.cpus", text, ExitCode.UNAVAILABLE))


def choose_memory(
    config: Config,
    host: HostFacts,
    cpus: CpuChoice,
    assignment: Assignment,
    problems: list[Problem],
) -> MemoryChoice:
    """Size the pools and decide about huge pages; errors are appended to `problems`."""
    homes = _homes(cpus, assignment)
    nodes = sorted(set(homes))
    built = [
        _pool(config, host, assignment, [port for port, home in enumerate(homes) if home == node], node)
        for node in nodes
    ]
    pools = [pool for pool, _ in built]
    main_node = next(cpu.node for cpu in host.cpus if cpu.cpu == cpus.main)
    need = _need(built, main_node)
    share = _share(config, need)
    capacity = config.sessions.capacity
    state = state_bytes(
        capacity,
        len(cpus.workers),
        capacity if config.issues_sessions else 0,
        capacity if config.speaks_netcode else 0,
    )
    pages = choose_pages(config, host, share, state, problems)
    needed_mib = sum(_mib(size) for size in need.values())
    if needed_mib > config.eal.memory_mib:
        text = (
            f"{config.eal.memory_mib} MiB given, {needed_mib} MiB needed: "
            f"{sum(pool.mbufs for pool in pools)} packet buffers of {MBUF_BYTES} bytes, descriptors, "
            f"and {_EAL_BYTES // _MIB} MiB for DPDK itself; set it to {needed_mib} or more"
        )
        problems.append(Problem("eal.memory_mib", text))
    if not pages.dpdk:
        _check_ordinary(config, host, problems)
    return MemoryChoice(
        pools=tuple(pools),
        pool_of_port=tuple(nodes.index(home) for home in homes),
        pages=pages,
        eal_args=_eal_args(config, share, pages.dpdk),
    )


def _homes(cpus: CpuChoice, assignment: Assignment) -> list[int]:
    """For each port, the node of its packet buffers: the device's node, else that of the first worker."""
    homes = list(assignment.nodes)
    for cpu, queues in zip(cpus.workers, assignment.workers, strict=True):
        for queue in queues:
            if homes[queue.port] < 0:
                homes[queue.port] = cpu.node
    return homes


def _pool(
    config: Config, host: HostFacts, assignment: Assignment, ports: Sequence[int], node: int
) -> tuple[PoolPlan, int]:
    """The pool of a node, and the bytes that pool and queues take in addition to the packet buffers."""
    descriptors = sum(assignment.queues[port] * _descriptors(config.ports[port]) for port in ports)
    held = HELD_PER_QUEUE * sum(assignment.queues[port] for port in ports)
    # The control thread has a cache, too: when it opens a net_null, it sends a frame (dpdk_app/port/port.c).
    lcores = 1 + sum(any(queue.port in ports for queue in queues) for queues in assignment.workers)
    replayed = [
        packets for port in ports for packets in replayed_packets(config.ports[port], host) if packets
    ]
    cached = CACHE * 3 // 2
    least = descriptors + held + lcores * (cached + 2 * _BURST) + sum(replayed) + 1
    mbufs = -(-least // _BURST) * _BURST
    why = (
        f"{descriptors} descriptors + {held} that wait for one"
        f" + {lcores} lcores × ({cached} cached + {2 * _BURST} in bursts)"
        + (f" + {sum(replayed)} replayed packets" if replayed else "")
        + f" + 1, rounded up to whole bursts of {_BURST}"
    )
    pool = PoolPlan(f"node{node}" if node >= 0 else "any", node, mbufs, CACHE, DATA_ROOM_BYTES, why)
    pointers = 8 * (_power_of_two(mbufs + 1) + sum(_power_of_two(packets + 1) for packets in replayed))
    return pool, _POOL_FIXED_BYTES + pointers + descriptors * _DESCRIPTOR_BYTES


def _descriptors(port: PortConfig) -> int:
    """How many packet buffers the device may hold at once for one queue."""
    if not port.is_pci and parse_vdev(port.device).kind == "net_af_xdp":
        return max(port.rx_descriptors, _AF_XDP_FILLED) + port.tx_descriptors
    return port.rx_descriptors + port.tx_descriptors


def _need(built: Sequence[tuple[PoolPlan, int]], main_node: int) -> dict[int, int]:
    """Bytes per node: pools, what each takes in addition to its buffers, and DPDK itself."""
    need = {main_node: _EAL_BYTES}
    for pool, beside in built:
        node = max(pool.node, 0)
        need[node] = need.get(node, 0) + pool.mbufs * MBUF_BYTES + beside
    return need


def replayed_packets(port: PortConfig, host: HostFacts) -> list[int]:
    """For each capture that net_pcap replays for ever, the packets that it copies into the pool and keeps."""
    vdev = host.vdev(port.device)
    if port.is_pci or vdev is None or not parse_vdev(port.device).infinite_rx:
        return []
    return [capture.packets or 0 for capture in vdev.captures]


def _share(config: Config, need: dict[int, int]) -> dict[int, int]:
    """MiB per node: its need, and an equal part of the configured memory that no node needs."""
    nodes = sorted(need)
    rest = max(0, config.eal.memory_mib - sum(_mib(size) for size in need.values()))
    return {
        node: _mib(need[node]) + rest // len(nodes) + (rest % len(nodes) if index == 0 else 0)
        for index, node in enumerate(nodes)
    }


def _check_ordinary(config: Config, host: HostFacts, problems: list[Problem]) -> None:
    """Check that there is enough memory in ordinary pages, and that every device works with them."""
    available = host.memory.available_bytes // _MIB
    if config.eal.memory_mib > available:
        text = f"{config.eal.memory_mib} MiB asked, {available} MiB available; set it lower or free memory"
        problems.append(Problem("eal.memory_mib", text, ExitCode.UNAVAILABLE))
    for index, port in enumerate(config.ports):
        device = host.pci_device(port.pci_address) if port.pci_address else None
        if device is None or not (device.noiommu or device.driver in ("igb_uio", "uio_pci_generic")):
            continue
        how = "VFIO without IOMMU" if device.noiommu else device.driver
        text = (
            f"{device.address} (ports[{index}]) is driven through {how}, which needs physical addresses and "
            "so huge pages; set huge_pages: true"
        )
        problems.append(Problem("eal.huge_pages", text))


def _eal_args(config: Config, share: dict[int, int], huge_pages: bool) -> tuple[str, ...]:
    shared = () if config.eal.in_memory else ("--file-prefix", config.eal.file_prefix)
    if not huge_pages:
        # DPDK refuses --in-memory together with --no-huge. There, --no-shconf is what remains of it.
        return ("--no-huge", *(shared or ("--no-shconf",)), "-m", str(sum(share.values())))
    # DPDK unlinks the files of huge pages once they are mapped, so none is left, however the process ends.
    unlinked = () if config.eal.in_memory else ("--huge-unlink=always",)
    per_node = ",".join(str(share.get(node, 0)) for node in range(max(share) + 1))
    return (*(shared or ("--in-memory",)), *unlinked, "--socket-mem", per_node)


def _mib(size_bytes: int) -> int:
    return -(-size_bytes // _MIB)


def _power_of_two(number: int) -> int:
    """The smallest power of two that is not below `number`."""
    return 1 << max(0, number - 1).bit_length()
