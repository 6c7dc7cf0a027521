# SPDX-License-Identifier: BSD-3-Clause
"""How much memory the kernel must let this process lock for its devices, against RLIMIT_MEMLOCK.

The kernel counts twice. It counts the memory that a process has mapped: af_packet's rings, which its driver
locks, and all of DPDK's memory where vfio-pci gives a card away. It counts the memory that a user has
registered: for af_xdp, a pool for each queue. Since Linux 5.11 BPF's memory is charged to the cgroup instead.
The limit does not hold for processes with CAP_IPC_LOCK.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pyshim.errors import ExitCode, Problem
from pyshim.host import HostFacts, parse_vdev
from pyshim.host.vdev import VdevArgs
from pyshim.planner.memory import MBUF_BYTES

if TYPE_CHECKING:
    from pyshim.config.models import Config, PortConfig
    from pyshim.planner.memory import MemoryChoice

_PAGE_BYTES = 4096
_FRAMES, _FRAME_BYTES = 512, 2048  # of a ring of af_packet's driver, unless its arguments say otherwise


def check_locks(
    config: Config, host: HostFacts, queues: Sequence[int], memory: MemoryChoice, problems: list[Problem]
) -> None:
    """Check that the limit on locked memory is high enough for the devices; errors go to `problems`.

    Args:
        config: its ports in order.
        host: the limit, and whether it holds for this process.
        queues: of each port.
        memory: the pools and which port has which.
        problems: of the configuration so far.
    """
    limit_bytes = host.memory.memlock_bytes
    if limit_bytes is None or host.privileges.ipc_lock:
        return
    mapped, registered = _rings(config, queues), _pools(config, queues, memory)
    if cards := [index for index, port in enumerate(config.ports) if _is_given_by_vfio(port, host)]:
        mapped[cards[0]] = config.eal.memory_mib << 20  # all cards share DPDK's memory
    for need, what in (
        (mapped, "rings of af_packet; all of DPDK's memory where a card reaches it through vfio-pci"),
        (registered, "all packet buffers, once for each queue of af_xdp"),
    ):
        kib = -(-sum(need.values()) >> 10)
        if kib << 10 > limit_bytes:
            text = (
                f"{kib} KiB of locked memory are needed ({what}), and this process may lock "
                f"{limit_bytes >> 10}; set ulimit -l {kib} or unlimited (systemd: LimitMEMLOCK=infinity), or "
                "grant CAP_IPC_LOCK"
            )
            problems.append(Problem(f"ports[{min(need)}].device", text, ExitCode.UNAVAILABLE))


def _is_given_by_vfio(port: PortConfig, host: HostFacts) -> bool:
    device = host.pci_device(port.pci_address) if port.pci_address else None
    return device is not None and device.driver == "vfio-pci"


def _rings(config: Config, queues: Sequence[int]) -> dict[int, int]:
    """Bytes for each port of af_packet: a ring is as many whole blocks as its frames fill."""
    found = {}
    for index, vdev in _virtual(config, "net_af_packet"):
        frame = max(1, vdev.number("framesz", _FRAME_BYTES))
        block = vdev.number("blocksz", _PAGE_BYTES)
        blocks = vdev.number("framecnt", _FRAMES) // max(1, block // frame)
        found[index] = queues[index] * 2 * block * blocks
    return found


def _pools(config: Config, queues: Sequence[int], memory: MemoryChoice) -> dict[int, int]:
    """Bytes for each port of af_xdp."""
    return {
        index: queues[index] * (memory.pools[memory.pool_of_port[index]].mbufs * MBUF_BYTES + _PAGE_BYTES)
        for index, _ in _virtual(config, "net_af_xdp")
    }


def _virtual(config: Config, kind: str) -> Iterator[tuple[int, VdevArgs]]:
    for index, port in enumerate(config.ports):
        if not port.is_pci and (vdev := parse_vdev(port.device)).kind == kind:
            yield index, vdev
