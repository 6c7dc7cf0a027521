# SPDX-License-Identifier: BSD-3-Clause
"""A plan as tables for a reader: what runs where, with how much memory, and why."""

from __future__ import annotations

import shlex
from collections import defaultdict
from ipaddress import ip_address
from typing import TypeAlias

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from pyshim.host.cpu import format_cpu_list
from pyshim.plan import AddressPlan, Plan, QueueRef
from pyshim.planner.memory import index_bytes, mbuf_bytes
from pyshim.planner.sockets import IO_URING_BUFFER_BYTES

_MIB = 1 << 20
_PAGES = {
    "ordinary": "ordinary pages",
    "huge_if_free": "huge pages where they are free, else ordinary ones",
    "huge": "huge pages",
}
_MemoryRow: TypeAlias = tuple[str, str, str]


def render_plan(plan: Plan) -> RenderableType:
    """Every decision of a plan, for `pollgate check`."""
    parts = _of_sockets(plan) if plan.uses_sockets else _of_devices(plan)
    return Group(*parts, *(Text(f"• {note}") for note in plan.notes))


def _of_devices(plan: Plan) -> list[RenderableType]:
    return [
        _lcores(plan),
        _ports(plan),
        _pools(plan),
        _memory(plan, ("DPDK", _reserved(plan), "huge pages" if plan.huge_pages else "ordinary pages")),
        _listeners(plan),
        Text("DPDK arguments: " + shlex.join(plan.eal_args)),
    ]


def _of_sockets(plan: Plan) -> list[RenderableType]:
    rows = [_kernel_buffers(plan)]
    if plan.engine == "io_uring":
        buffers = _mib(IO_URING_BUFFER_BYTES * len(plan.workers))
        rows.append(("packet buffers", f"{buffers}", _PAGES[plan.sockets.pages]))
    return [
        _engine(plan),
        _threads(plan),
        _addresses(plan),
        _memory(plan, *rows),
        _listeners(plan),
    ]


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _engine(plan: Plan) -> Table:
    sockets = plan.sockets
    table = _table("Engine", "engine", "sockets per worker", "buffer in", "buffer out", "zero copy")
    zero_copy = f"answers from {sockets.zero_copy_bytes} bytes" if sockets.zero_copy_bytes else "never"
    table.add_row(
        plan.engine,
        str(sockets_per_worker(plan)),
        *(f"{size >> 10} KiB" for size in (sockets.receive_buffer_bytes, sockets.send_buffer_bytes)),
        zero_copy,
    )
    return table


def sockets_per_worker(plan: Plan) -> int:
    """One for each pair of an address and a UDP port."""
    return sum(len(port.addresses) for port in plan.ports) * len(plan.listeners)


def _threads(plan: Plan) -> Table:
    table = _table("Threads", "worker", "CPU", "why")
    table.add_row("", format_cpu_list(plan.control_cpus), "control: supervisor, statistics")
    for index, worker in enumerate(plan.workers):
        table.add_row(str(index), str(worker.cpu), escape(worker.why))
    return table


def _addresses(plan: Plan) -> Table:
    table = _table("Ports", "name", "addresses")
    for port in plan.ports:
        table.add_row(port.name, "\n".join(_address(address) for address in port.addresses))
    return table


def _kernel_buffers(plan: Plan) -> _MemoryRow:
    each_bytes = plan.sockets.receive_buffer_bytes + plan.sockets.send_buffer_bytes
    asked = each_bytes * sockets_per_worker(plan) * len(plan.workers)
    # The kernel doubles what is asked, for its own bookkeeping: see SO_RCVBUF in socket(7).
    return "socket buffers", f"up to {_mib(2 * asked)}", "the kernel's, taken as packets wait"


def _lcores(plan: Plan) -> Table:
    table = _table("Threads", "lcore", "CPU", "polls", "why")
    control = format_cpu_list(plan.control_cpus)
    table.add_row(str(plan.main_lcore), control, "", "control: supervisor, DPDK's own threads")
    for worker in plan.workers:
        table.add_row(str(worker.lcore), str(worker.cpu), _queues(plan, worker.queues), escape(worker.why))
    return table


def _queues(plan: Plan, queues: tuple[QueueRef, ...]) -> str:
    by_port: dict[int, list[int]] = defaultdict(list)
    for queue in queues:
        by_port[queue.port].append(queue.queue)
    return ", ".join(
        f"{plan.ports[port].name} queue {format_cpu_list(numbers)}" for port, numbers in by_port.items()
    )


def _ports(plan: Plan) -> Table:
    table = _table("Ports", "name", "device", "addresses", "queues", "descriptors rx/tx", "node", "pool")
    for port in plan.ports:
        table.add_row(
            port.name,
            escape(port.vdev_args or port.device),
            "\n".join(_address(address) for address in port.addresses),
            f"{port.queues}" if port.vdev_args else f"up to {port.queues}",
            f"{port.rx_descriptors}/{port.tx_descriptors}",
            _node(port.node),
            plan.pools[port.pool].name,
        )
    return table


def _address(address: AddressPlan) -> str:
    return f"{ip_address(bytes.fromhex(address.packed))}/{address.prefix_len}"


def _pools(plan: Plan) -> Table:
    table = _table("Packet buffers", "pool", "node", "buffers", "per-lcore cache", "memory", "why")
    for pool in plan.pools:
        memory = f"{_mib(pool.mbufs * mbuf_bytes(huge_pages=plan.huge_pages))} MiB"
        table.add_row(pool.name, _node(pool.node), str(pool.mbufs), str(pool.cache), memory, pool.why)
    return table


def _memory(plan: Plan, *rows: _MemoryRow) -> Table:
    """`rows` are of the engine; the rest is common to all."""
    table = _table("Memory", "what", "MiB", "where")
    workers = len(plan.workers)
    for row in rows:
        table.add_row(*row)
    index = _mib(index_bytes(plan.session_capacity, workers))
    table.add_row("look-up tables", f"about {index}", "ordinary pages")
    state = f"up to {_mib(plan.state_bytes)}"
    table.add_row(f"{plan.session_capacity:,} sessions", state, "a memory file, taken as sessions come")
    return table


def _reserved(plan: Plan) -> str:
    """MiB that DPDK is told to take, per node where that is how it is told."""
    flag = "--socket-mem" if plan.huge_pages else "-m"
    return plan.eal_args[plan.eal_args.index(flag) + 1].replace(",", " + ")


def _listeners(plan: Plan) -> Table:
    table = _table("UDP ports", "port", "profile", "admission", "limit per source address")
    for listener, policy in zip(plan.listeners, plan.policy.listeners, strict=True):
        limit = f"{policy.source_pps}/s, bursts of {policy.source_burst}" if policy.source_pps else "none"
        table.add_row(str(listener.port), listener.profile, listener.admission, limit)
    return table


def _node(node: int) -> str:
    return str(node) if node >= 0 else "any"


def _mib(size_bytes: int) -> int:
    return -(-size_bytes // _MIB)
