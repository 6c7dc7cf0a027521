# SPDX-License-Identifier: BSD-3-Clause
"""Writes a plan into the structure that the data plane reads."""

from __future__ import annotations

from typing import Any

from pyshim._native._pollgate import ffi, lib
from pyshim.errors import InternalError
from pyshim.plan import AddressPlan, DeliveryPolicy, Plan, Policy, PoolPlan, PortPlan

_NANOSECONDS = 1_000_000_000
_ENGINES = {"dpdk": lib.PG_ENGINE_DPDK, "epoll": lib.PG_ENGINE_EPOLL, "io_uring": lib.PG_ENGINE_IO_URING}
_PROFILES = {"plain": lib.PG_PROFILE_PLAIN, "session": lib.PG_PROFILE_SESSION}
_NEVER = 2**32 - 1  # of compress_min
_PAGES = {
    "ordinary": lib.PG_PAGES_ORDINARY,
    "huge_if_free": lib.PG_PAGES_HUGE_IF_FREE,
    "huge": lib.PG_PAGES_HUGE,
}


def plan_struct(plan: Plan) -> Any:
    """A new `struct pg_plan *` that owns its memory.

    Raises:
        InternalError: something does not fit the structure; `pyshim.plan` should have refused it.
    """
    out: Any = ffi.new("struct pg_plan *")
    out.abi_version = lib.PG_ABI_VERSION
    out.engine = _ENGINES[plan.engine]
    out.session_capacity = plan.session_capacity
    out.isa = _text(plan.isa, 16, "micro-architecture level")

    out.listener_count = _count(plan.listeners, lib.PG_LISTENERS_MAX, "UDP ports")
    for index, listener in enumerate(plan.listeners):
        out.listener_port[index] = listener.port
        out.listener_profile[index] = _PROFILES[listener.profile]
    out.issued_capacity = plan.issued_capacity
    out.message_memory_mib = plan.message_memory_mib
    out.compression_level = plan.compression_level

    out.port_count = _count(plan.ports, lib.PG_PORTS_MAX, "ports")
    for index, port in enumerate(plan.ports):
        fill_port(out.port[index], port)

    out.pool_count = _count(plan.pools, lib.PG_POOLS_MAX, "packet pools")
    for index, pool in enumerate(plan.pools):
        fill_pool(out.pool[index], pool)

    out.worker_count = _count(plan.workers, lib.PG_WORKERS_MAX, "workers")
    for index, worker in enumerate(plan.workers):
        to = out.worker[index]
        to.lcore = worker.lcore
        to.cpu = worker.cpu
        to.queue_count = _count(worker.queues, lib.PG_QUEUES_PER_WORKER_MAX, "queues of one worker")
        for at, ref in enumerate(worker.queues):
            to.queue[at].port = ref.port
            to.queue[at].queue = ref.queue

    out.sockets.receive_buffer_bytes = plan.sockets.receive_buffer_bytes
    out.sockets.send_buffer_bytes = plan.sockets.send_buffer_bytes
    out.sockets.zero_copy_bytes = plan.sockets.zero_copy_bytes
    out.sockets.pages = _PAGES[plan.sockets.pages]

    _fill_policy(out.policy, plan.policy)
    return out


def policy_struct(policy: Policy) -> Any:
    """A new `struct pg_policy *` that owns its memory."""
    out: Any = ffi.new("struct pg_policy *")
    _fill_policy(out, policy)
    return out


def fill_pool(out: Any, pool: PoolPlan) -> None:
    """Fill a `struct pg_pool_plan`."""
    out.name = _text(pool.name, 24, "name of a packet pool")
    out.node = pool.node
    out.mbufs = pool.mbufs
    out.cache = pool.cache
    out.data_room_bytes = pool.data_room_bytes


def fill_port(out: Any, port: PortPlan) -> None:
    """Fill a `struct pg_port_plan`."""
    out.name = _text(port.name, 32, "name of a port")
    out.device = _text(port.device, 64, f"device of port {port.name}")
    out.address_count = _count(port.addresses, lib.PG_ADDRESSES_MAX, f"addresses of port {port.name}")
    for index, address in enumerate(port.addresses):
        fill_address(out.address[index], address)
    if port.mac is not None:
        out.has_mac = True
        ffi.memmove(out.mac, bytes.fromhex(port.mac.replace(":", "")), 6)
    out.promiscuous = port.promiscuous
    software = port.checksums == "software"
    out.checksums = lib.PG_CHECKSUMS_SOFTWARE if software else lib.PG_CHECKSUMS_AUTO
    out.pool = port.pool
    out.queues = port.queues
    out.rx_descriptors = port.rx_descriptors
    out.tx_descriptors = port.tx_descriptors


def fill_address(out: Any, address: AddressPlan) -> None:
    """Fill a `struct pg_address`."""
    out.family = address.family
    out.prefix_len = address.prefix_len
    packed = bytes.fromhex(address.packed)
    ffi.memmove(out.bytes, packed, len(packed))


def _fill_policy(out: Any, policy: Policy) -> None:
    out.idle_timeout_ns = round(policy.idle_timeout_s * _NANOSECONDS)
    out.host_reply_pps = policy.host_reply_pps
    out.host_reply_burst = policy.host_reply_burst
    _count(policy.listeners, lib.PG_LISTENERS_MAX, "UDP ports")
    for index, listener in enumerate(policy.listeners):
        to = out.listener[index]
        to.source_pps = listener.source_pps
        to.source_burst = listener.source_burst
        to.connections_pps = listener.connections_pps
        to.connections_burst = listener.connections_burst
        to.session_pps = listener.session_pps
        to.session_burst = listener.session_burst
    _fill_delivery(out.delivery, policy.delivery)


def _fill_delivery(out: Any, delivery: DeliveryPolicy) -> None:
    out.flush_us = delivery.flush_us
    out.acknowledge_us = delivery.acknowledge_us
    out.resend_min_us = delivery.resend_min_us
    out.resends = delivery.resends
    out.queue_bytes = delivery.queue_bytes
    out.handshake_permille = delivery.handshake_permille
    out.compress_min = [_NEVER if least is None else least for least in delivery.compress_min]
    out.message_pps = list(delivery.message_pps)
    out.message_burst = list(delivery.message_burst)


def _text(value: str, size: int, what: str) -> bytes:
    raw = value.encode()
    if len(raw) >= size:
        raise InternalError(f"the {what}, {value!r}, has {len(raw)} bytes; the data plane takes {size - 1}")
    return raw


def _count(values: tuple[object, ...], limit: int, what: str) -> int:
    if len(values) > limit:
        raise InternalError(f"the plan has {len(values)} {what}; the data plane takes {limit}")
    return len(values)
