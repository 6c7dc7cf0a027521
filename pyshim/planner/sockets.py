# SPDX-License-Identifier: BSD-3-Clause
"""The layout of the socket engines: a thread per CPU, the sockets of each thread, and its buffers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pyshim.errors import ExitCode, Problem
from pyshim.host import HostFacts
from pyshim.plan import AddressPlan, PortPlan, QueueRef, WorkerPlan, filled
from pyshim.planner.cpus import WORKERS_MAX, CpuChoice, choose_cpus
from pyshim.planner.layout import Layout
from pyshim.planner.pages import too_few_huge_pages
from pyshim.planner.queues import QueueDemand
from pyshim.settings import of

if TYPE_CHECKING:
    from pyshim.config.models import Config

IO_URING_BUFFER_BYTES = 2 << 20  # a worker's packet buffers: one huge page of the smaller size
_MIB = 1 << 20
# What the kernel charges for a worker's rings and the list of its buffers (dpdk_app/engine/socket/uring.h),
# in pages: completions of 16 bytes and indices of submissions behind their heads, submissions of 64 bytes,
# buffers of 16.
IO_URING_RING_BYTES = (4096 * 16 + 4096) + 256 * 64 + 1024 * 16
# The answers that a worker can have on their way (dpdk_app/engine/socket/uring.h: buffers and places). For
# each that leaves without a copy, the kernel charges two pages, although one holds it (io_uring/notif.c).
IO_URING_ANSWERS = 1024 + 128
UNCOPIED_BYTES = 2 * 4096


def lay_out_sockets(config: Config, host: HostFacts, problems: list[Problem]) -> Layout:
    """Choose CPUs and decide about memory; errors are appended to `problems`.

    Whether an address is this host's and a UDP port free is known when a socket is bound, not here.
    """
    demands = [QueueDemand(None, WORKERS_MAX) for _ in config.ports]
    cpus = choose_cpus(config, host, demands, [-1] * len(config.ports), problems)
    pages, notes = _choose_pages(config, host, cpus, problems)
    ring_bytes = len(cpus.workers) * IO_URING_RING_BYTES if host.rings_are_locked else 0
    _check_rings(host, ring_bytes, problems)
    return Layout(
        cpus=cpus,
        workers=tuple(_workers(config, cpus)),
        ports=tuple(_ports(config, len(cpus.workers))),
        notes=(
            *notes,
            *_buffer_notes(config, host),
            *_lock_notes(config, host, len(cpus.workers), ring_bytes),
        ),
        socket_pages=pages,
    )


def _workers(config: Config, cpus: CpuChoice) -> Iterator[WorkerPlan]:
    """Worker k serves queue k of every port, which stands for the sockets of worker k."""
    names = ", ".join(port.name for port in config.ports)
    for index, cpu in enumerate(cpus.workers):
        queues = tuple(QueueRef(port, index) for port in range(len(config.ports)))
        yield WorkerPlan(index + 1, cpu.cpu, queues, f"{cpus.why[index]}; serves {names}")


def _ports(config: Config, workers: int) -> Iterator[PortPlan]:
    for port in config.ports:
        yield filled(
            PortPlan,
            dict.fromkeys((one.field for one in of("PORT")), 0),  # no device reads these
            name=port.name,
            device="",
            vdev_args=None,
            addresses=tuple(AddressPlan.of(address) for address in port.address),
            mac=None,
            promiscuous=False,
            checksums="auto",
            pool=0,
            queues=workers,
            node=-1,
        )


def _choose_pages(
    config: Config, host: HostFacts, cpus: CpuChoice, problems: list[Problem]
) -> tuple[str, tuple[str, ...]]:
    """Whether io_uring's packet buffers are in huge pages; the worker takes them, or falls back if it may."""
    if config.engine != "io_uring" or config.eal.huge_pages is False:
        return "ordinary", ()
    need_mib: dict[int, int] = {}
    for cpu in cpus.workers:
        need_mib[cpu.node] = need_mib.get(cpu.node, 0) + IO_URING_BUFFER_BYTES // _MIB
    huge = [pages for pages in host.memory.huge if pages.page_bytes == IO_URING_BUFFER_BYTES]
    missing = list(too_few_huge_pages(huge, need_mib))
    if config.eal.huge_pages == "auto":
        return "huge_if_free", tuple(f"Ordinary pages are used: {text}." for text in missing[:1])
    problems.extend(
        Problem("eal.huge_pages", f"{text}, or set huge_pages: false", ExitCode.UNAVAILABLE)
        for text in missing
    )
    return "huge", ()


def _buffer_notes(config: Config, host: HostFacts) -> Iterator[str]:
    """Socket buffers that the kernel will not make as large as configured for this process."""
    if host.privileges.net_admin:
        return
    for key, kib, limit_bytes, sysctl in (
        ("receive", config.sockets.receive_buffer_kib, host.socket_limits.receive_bytes, "net.core.rmem_max"),
        ("send", config.sockets.send_buffer_kib, host.socket_limits.send_bytes, "net.core.wmem_max"),
    ):
        if limit_bytes is not None and limit_bytes < kib << 10:
            yield (
                f"sockets.{key}_buffer_kib is {kib}, the kernel will grant this process {limit_bytes >> 10}; "
                f"for all of it run: sysctl -w {sysctl}={kib << 10}"
            )


def _check_rings(host: HostFacts, need_bytes: int, problems: list[Problem]) -> None:
    """Whether the user may lock enough for the rings of all workers; what others have locked nobody tells."""
    limit_bytes = host.memory.memlock_bytes
    if limit_bytes is None or need_bytes <= limit_bytes:
        return
    kib = need_bytes >> 10
    text = (
        f"{kib} KiB of locked memory are needed ({IO_URING_RING_BYTES >> 10} for the rings of each worker), "
        f"and all processes of this user together may lock {limit_bytes >> 10}; set ulimit -l {kib} or "
        "unlimited (systemd: LimitMEMLOCK=infinity; container: --ulimit memlock), grant CAP_IPC_LOCK, or use "
        "engine: epoll"
    )
    problems.append(Problem("engine", text, ExitCode.UNAVAILABLE))


def _lock_notes(config: Config, host: HostFacts, workers: int, ring_bytes: int) -> Iterator[str]:
    """Whether the user may lock enough memory for the answers that leave without a copy, beside the rings."""
    limit_bytes = host.memory.memlock_bytes
    if config.sockets.zero_copy_bytes == 0 or limit_bytes is None or host.privileges.ipc_lock:
        return
    need_bytes = workers * IO_URING_ANSWERS * UNCOPIED_BYTES
    if limit_bytes < ring_bytes + need_bytes:
        rings = f" and rings {ring_bytes >> 10}" if ring_bytes else ""
        yield (
            f"sockets.zero_copy_bytes: answers without a copy take up to {need_bytes >> 10} KiB of locked "
            f"memory{rings}, this process may lock {limit_bytes >> 10}; what is above that leaves as a copy, "
            f"later than if copied at once: set ulimit -l {ring_bytes + need_bytes >> 10} (systemd: "
            "LimitMEMLOCK=), or zero_copy_bytes: 0"
        )
