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
from pyshim.plan import COMPRESSED_TYPES, REQUEST_TYPES, AddressPlan, Plan, QueueRef
from pyshim.planner.memory import MBUF_BYTES, connection_bytes, index_bytes, mail_bytes, netcode_bytes
from pyshim.planner.sockets import IO_URING_BUFFER_BYTES
from pyshim.planner.world_memory import worlds_bytes

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
    warnings = (Text(f"warning: {warning}") for warning in plan.warnings)
    return Group(*parts, *(Text(f"• {note}") for note in plan.notes), *warnings)


def _of_devices(plan: Plan) -> list[RenderableType]:
    return [
        _lcores(plan),
        _ports(plan),
        _pools(plan),
        _memory(plan, ("DPDK", _reserved(plan), "huge pages" if plan.huge_pages else "ordinary pages")),
        _listeners(plan),
        *_messages(plan),
        *_routes(plan),
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
        *_messages(plan),
        *_routes(plan),
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
        memory = f"{_mib(pool.mbufs * MBUF_BYTES)} MiB"
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
    state = f"{_mib(plan.state_bytes)}" if plan.state_huge_pages else f"up to {_mib(plan.state_bytes)}"
    where = "huge pages" if plan.state_huge_pages else "ordinary pages, taken as sessions come"
    table.add_row(f"{plan.session_capacity:,} sessions", state, where)
    if plan.netcode.capacity:
        beside = f"up to {_mib(netcode_bytes(plan.netcode.capacity, workers))}"
        table.add_row("netcode clients", beside, "ordinary pages, taken as clients connect")
    if plan.issued_capacity:
        connections = f"up to {_mib(connection_bytes(plan.issued_capacity))}"
        table.add_row("their connections", connections, "ordinary pages, taken as players connect")
        table.add_row("messages", f"up to {plan.message_memory_mib}", "ordinary pages, shared by the workers")
        table.add_row(
            "workers' mail", f"up to {_mib(mail_bytes(workers))}", "ordinary pages, taken as mail comes"
        )
    if plan.worlds:
        worlds = f"up to {_mib(worlds_bytes(plan))}"
        table.add_row("worlds", worlds, "ordinary pages, taken as players come into each")
    if plan.recording_bytes:
        table.add_row("recording", f"{_mib(plan.recording_bytes)}", "ordinary pages, taken as they move")
    if plan.game.path:
        game = plan.game
        up_to = f"up to {_mib(game.memory_bytes(workers))}"
        pages = _PAGES["huge_if_free"] if game.huge_pages else "ordinary pages"
        where = f"{pages}, {game.processes} processes × {workers} × 2 rings, as processes attach"
        table.add_row("game processes", up_to, where)
    return table


def _reserved(plan: Plan) -> str:
    """MiB that DPDK is told to take, per node where that is how it is told."""
    flag = "--socket-mem" if plan.huge_pages else "-m"
    return plan.eal_args[plan.eal_args.index(flag) + 1].replace(",", " + ")


def _listeners(plan: Plan) -> Table:
    table = _table("UDP ports", "port", "profile", "admission", "limit per source address")
    if any(listener.admission == "issued" for listener in plan.listeners):
        table.add_column("connections per source", overflow="fold")
        table.add_column("limit per session", overflow="fold")
    for listener, policy in zip(plan.listeners, plan.policy.listeners, strict=True):
        limits = [_limit(policy.source_pps, policy.source_burst)]
        if listener.admission == "issued":
            limits.append(_limit(policy.connections_pps, policy.connections_burst))
            limits.append(_limit(policy.session_pps, policy.session_burst))
        table.add_row(str(listener.port), listener.profile, listener.admission, *limits)
    return table


def _limit(pps: int, burst: int) -> str:
    return f"{pps}/s, bursts of {burst}" if pps else "none"


def _messages(plan: Plan) -> list[RenderableType]:
    """How messages of profile session travel; nothing without it."""
    if not plan.issued_capacity:
        return []
    delivery = plan.policy.delivery
    travel = _table(
        "Messages", "wait for others", "acknowledged after", "sent again", "queue of a player", "level"
    )
    travel.add_row(
        f"{delivery.flush_us / 1000:g} ms",
        f"{delivery.acknowledge_us / 1000:g} ms",
        f"after {delivery.resend_min_us / 1000:g} ms or more",
        f"{delivery.queue_bytes >> 10} KiB",
        str(plan.compression_level),
    )
    types = _table("Types", "type", "limit per session", "compressed")
    compressed = dict(zip(COMPRESSED_TYPES, delivery.compress_min, strict=True))
    for name, pps, burst in zip(REQUEST_TYPES, delivery.message_pps, delivery.message_burst, strict=True):
        types.add_row(name, _limit(pps, burst), _compressed(compressed.pop(name, None)))
    for name, least in compressed.items():
        types.add_row(name, "", _compressed(least))
    return [travel, types]


def _routes(plan: Plan) -> list[RenderableType]:
    """Which messages go to which game processes; nothing without a game."""
    if not plan.game.path:
        return []
    table = _table(f"Game at unix:{plan.game.path}", "route", "UDP ports", "types", "to")
    for index, route in enumerate(plan.policy.game.routes):
        ports = _ports_of(plan, route.listeners) or "all"
        table.add_row(str(index), ports, format_cpu_list(route.types), escape(", ".join(route.to)))
    return [table]


def _ports_of(plan: Plan, listeners: tuple[int, ...]) -> str:
    return ", ".join(str(plan.listeners[listener].port) for listener in listeners)


def _compressed(least: int | None) -> str:
    return "never" if least is None else f"from {least} bytes"


def _node(node: int) -> str:
    return str(node) if node >= 0 else "any"


def _mib(size_bytes: int) -> int:
    return -(-size_bytes // _MIB)
