# SPDX-License-Identifier: BSD-3-Clause
"""A plan as tables for a reader: what runs where, with how much memory, and why."""

from __future__ import annotations

import shlex
from collections import defaultdict
from ipaddress import ip_address

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from pyshim.host.cpu import format_cpu_list
from pyshim.plan import AddressPlan, Plan, QueueRef
from pyshim.planner.memory import index_bytes, mbuf_bytes

_MIB = 1 << 20


def render_plan(plan: Plan) -> RenderableType:
    """Every decision of a plan, for `pollgate check`."""
    parts: list[RenderableType] = [
        _lcores(plan),
        _ports(plan),
        _pools(plan),
        _memory(plan),
        _listeners(plan),
        Text("DPDK arguments: " + shlex.join(plan.eal_args)),
    ]
    parts += [Text(f"• {note}") for note in plan.notes]
    return Group(*parts)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


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


def _memory(plan: Plan) -> Table:
    table = _table("Memory", "what", "MiB", "where")
    workers = len(plan.workers)
    pages = "huge pages" if plan.huge_pages else "ordinary pages"
    table.add_row("DPDK", _reserved(plan), pages)
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
