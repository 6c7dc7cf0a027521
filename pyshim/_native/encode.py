# SPDX-License-Identifier: BSD-3-Clause
"""Writes a plan into the structure that the data plane reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyshim._native._pollgate import ffi, lib
from pyshim._native.decode import text
from pyshim.errors import InternalError
from pyshim.plan import (
    AddressPlan,
    DeliveryPolicy,
    GamePolicy,
    GameRoute,
    NetcodePlan,
    NetcodeServer,
    Plan,
    Policy,
    PoolPlan,
    PortPlan,
    WorldPlan,
    setting,
)
from pyshim.settings import of

_ENGINES = {text(lib.pg_engine_name(number)): number for number in range(lib.PG_ENGINES)}
_PROFILES = {text(lib.pg_profile_name(number)): number for number in range(lib.PG_PROFILES)}
_NEVER = 2**32 - 1  # of compress_min
_EVERY = 2**64 - 1  # of the listeners of a route
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
    _fill_settings(out, plan, "PLAN")
    out.isa = _text(plan.isa, 16, "micro-architecture level")

    out.listener_count = _count(plan.listeners, lib.PG_LISTENERS_MAX, "UDP ports")
    for index, listener in enumerate(plan.listeners):
        out.listener_port[index] = listener.port
        out.listener_profile[index] = _PROFILES[listener.profile]
        out.listener_world[index] = 0 if listener.world is None else 1 + listener.world
    out.issued_capacity = plan.issued_capacity

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

    _fill_settings(out.sockets, plan.sockets, "SOCKETS")
    out.sockets.pages = _PAGES[plan.sockets.pages]

    _fill_netcode(out.netcode, plan.netcode)
    out.world_count = _count(plan.worlds, lib.PG_WORLDS_MAX, "worlds")
    for index, world in enumerate(plan.worlds):
        _fill_world(out.world[index], world)
    _fill_policy(out.policy, plan.policy)
    return out


def _fill_world(out: Any, world: WorldPlan) -> None:
    out.name = _text(world.name, 32, "name of a world")
    out.low_um, out.high_um = world.low_um, world.high_um
    out.combat.judged = world.combat.judged
    out.tier_count = len(world.tiers)
    for at, tier in enumerate(world.tiers):
        out.tier[at].from_um, out.tier[at].every_ticks = tier.from_um, tier.every_ticks
    _fill_settings(out.combat, world.combat, "COMBAT")
    _fill_settings(out, world, "WORLD")


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
    _fill_settings(out, port, "PORT")


def fill_address(out: Any, address: AddressPlan) -> None:
    """Fill a `struct pg_address`."""
    out.family = address.family
    out.prefix_len = address.prefix_len
    packed = bytes.fromhex(address.packed)
    ffi.memmove(out.bytes, packed, len(packed))


def fill_servers(out: Any, servers: tuple[NetcodeServer, ...]) -> None:
    """Fill the servers of a `struct pg_netcode_plan` or `pg_netcode_grant`."""
    out.server_count = _count(servers, lib.PG_NETCODE_SERVERS_MAX, "addresses of profile netcode")
    for index, server in enumerate(servers):
        to, packed = out.server[index], bytes.fromhex(server.packed)
        to.family, to.port = server.family, server.port
        ffi.memmove(to.bytes, packed, len(packed))


def _fill_netcode(out: Any, netcode: NetcodePlan) -> None:
    out.capacity, out.protocol_id = netcode.capacity, netcode.protocol_id
    fill_servers(out, netcode.servers)
    key = bytes.fromhex(netcode.private_key)
    ffi.memmove(out.private_key, key, len(key))


def _fill_policy(out: Any, policy: Policy) -> None:
    _fill_settings(out, policy, "SESSIONS", "HOST")
    _count(policy.listeners, lib.PG_LISTENERS_MAX, "UDP ports")
    for index, listener in enumerate(policy.listeners):
        _fill_settings(out.listener[index], listener, "LISTENER", "ISSUED")
    _fill_delivery(out.delivery, policy.delivery)
    _fill_game(out.game, policy.game)


def _fill_delivery(out: Any, delivery: DeliveryPolicy) -> None:
    _fill_settings(out, delivery, "DELIVERY")
    out.compress_min = [_NEVER if least is None else least for least in delivery.compress_min]
    out.message_pps = list(delivery.message_pps)
    out.message_burst = list(delivery.message_burst)


def _fill_game(out: Any, game: GamePolicy) -> None:
    _fill_settings(out, game, "GAME")
    out.routes = _count(game.routes, lib.PG_GAME_ROUTES_MAX, "routes to game processes")
    for index, route in enumerate(game.routes):
        _fill_route(out.route[index], route, game.indexes)


def _fill_route(out: Any, route: GameRoute, indexes: Mapping[str, int]) -> None:
    out.listeners = sum(1 << index for index in route.listeners) or _EVERY
    for number in route.types:
        out.types[number // 8] |= 1 << number % 8
    out.processes = _count(route.to, lib.PG_GAME_ROUTE_PROCESSES_MAX, "game processes of one route")
    out.process[0 : len(route.to)] = [indexes[name] for name in route.to]


def _fill_settings(out: Any, record: object, *groups: str) -> None:
    """The fields of some groups of `settings.def`."""
    for group in groups:
        for one in of(group):
            setattr(out, one.field, setting(record, one.field))


def _text(value: str, size: int, what: str) -> bytes:
    raw = value.encode()
    if len(raw) >= size:
        raise InternalError(f"the {what}, {value!r}, has {len(raw)} bytes; the data plane takes {size - 1}")
    return raw


def _count(values: tuple[object, ...], limit: int, what: str) -> int:
    if len(values) > limit:
        raise InternalError(f"the plan has {len(values)} {what}; the data plane takes {limit}")
    return len(values)
