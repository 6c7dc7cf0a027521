# SPDX-License-Identifier: BSD-3-Clause
"""A crowd, a target and a way there → what the generator's process is told. Decisions only; no effects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pyshim.errors import ExitCode, PlanError, PollgateError, UnavailableError, UsageError
from pyshim.load.messages import Open
from pyshim.load.scenario import (
    ADDRESSES_MAX,
    MOTIONS,
    TYPES,
    Crowd,
    Device,
    IpAddress,
    IpInterface,
    Sockets,
    Target,
)
from pyshim.plan import AddressPlan, Plan

if TYPE_CHECKING:
    from pyshim.config import Config
    from pyshim.host import HostFacts

FIRST_PORT = 1024  # of the players, by address; below it is what other programs listen on
PORTS = 65_536 - FIRST_PORT

# A configuration's words for what the command line calls otherwise, the longer ones first.
_OPTIONS = (
    ("ports[0].device", "--device"),
    ("ports[].device", "--device"),
    ("ports[0].address", "--address"),
    ("workers.cpus", "--cpu"),
    ("eal.memory_mib", "--memory"),
    (", or set huge_pages: false", ", or leave out --huge-pages"),
    ("set eal.huge_pages to false", "leave out --huge-pages"),
    ("set eal.in_memory to true or eal.huge_pages to false", "leave out --huge-pages"),
    ("set huge_pages: true", "give --huge-pages"),
    ("eal.huge_pages", "--huge-pages"),
    (" (ports[0])", ""),
    ("Else give its MAC address", "Else give it with --target-mac"),
)


def opening(crowd: Crowd, target: Target, via: Sockets | Device, *, tickets: int = 0) -> Open:
    """What a generator's process needs to know.

    Args:
        tickets: how many there are; 0: profile plain, which needs none.

    Raises:
        UsageError: these do not fit each other.
    """
    _check(crowd, target, via)
    if 0 < tickets < crowd.players:
        raise UsageError(
            f"--tickets: there are {tickets:,} tickets for {crowd.players:,} players; each needs one"
        )
    weights = dict(crowd.mix)
    over_device = isinstance(via, Device)
    addresses = tuple(address_plan(address) for address in via.addresses)
    return Open(
        players=crowd.players,
        first_player_id=crowd.first_player_id,
        motion=MOTIONS.index(crowd.motion),
        weights=tuple(weights.get(name, 0) for name in TYPES),
        arena_m=float(crowd.arena_m),
        chat_bytes=crowd.chat_bytes,
        game_type=crowd.game_type,
        game_bytes=crowd.game_bytes,
        seed=crowd.seed,
        target=address_plan(target.address),
        target_port=target.port,
        addresses=addresses,
        first_port=FIRST_PORT if over_device else 0,  # 0: the kernel chooses
        ports_per_address=-(-crowd.players // max(1, len(addresses))),
        cpu=via.cpu,
        device=via.device if isinstance(via, Device) else None,
        target_mac=target.mac,
        mac=via.mac if isinstance(via, Device) else None,
        interfaces=tuple(str(address) for address in via.addresses) if over_device else (),
        memory_mib=via.memory_mib if isinstance(via, Device) else 0,
        huge_pages=via.huge_pages if isinstance(via, Device) else False,
        sessions=tickets > 0,
        world=crowd.world,
        impairment=crowd.impairment,
    )


def _check(crowd: Crowd, target: Target, via: Sockets | Device) -> None:
    other = [str(address) for address in via.addresses if address.version != target.address.version]
    if other:
        raise UsageError(
            f"--address: {other[0]} is not of the target's kind, IPv{target.address.version}; give addresses "
            f"of IPv{target.address.version}"
        )
    room = PORTS * len(via.addresses)
    if via.addresses and crowd.players > room:
        raise UsageError(
            f"--players: {crowd.players:,} players need {-(-crowd.players // PORTS)} addresses of {PORTS:,} "
            f"ports each and {len(via.addresses)} are given; repeat --address, up to {ADDRESSES_MAX} times"
        )
    if isinstance(via, Sockets):
        if target.mac is not None:
            raise UsageError("--target-mac needs --device: the kernel asks for MAC addresses itself")
        return
    if target.address.is_loopback:
        raise UsageError(f"{target} is this host itself, which no device reaches; leave out --device")
    if target.mac is None and not any(target.address in address.network for address in via.addresses):
        networks = ", ".join(str(address.network) for address in via.addresses)
        raise UsageError(
            f"{target.address} is outside {networks}, so it cannot be asked for its MAC address; give the "
            "router's with --target-mac"
        )


def address_plan(address: IpAddress | IpInterface) -> AddressPlan:
    """An address as the data plane takes it."""
    if isinstance(address, IpInterface):
        return AddressPlan.of(address)
    return AddressPlan(address.version, address.max_prefixlen, address.packed.hex())


def device_plan(order: Open, gather: Callable[[Config], HostFacts]) -> Plan:
    """What DPDK is asked for: one port with one queue, one pool, and one lcore that is the calling thread.

    Made by the gateway's own planner, so that a device that cannot work is refused with the same sentences.

    Raises:
        UsageError: an option has to be another one.
        UnavailableError: something of this host is missing.
    """
    # Imported here: over sockets, none of it is needed.
    from pydantic import ValidationError  # noqa: PLC0415

    from pyshim.config import Config  # noqa: PLC0415
    from pyshim.planner import plan  # noqa: PLC0415
    from pyshim.planner.environment import keeps_what_it_sends  # noqa: PLC0415

    port = {"name": "players0", "device": order.device, "address": order.interfaces, "queues": 1}
    settings = {
        "eal": {"memory_mib": order.memory_mib, "huge_pages": order.huge_pages},
        "ports": [{**port, "mac": order.mac}],
        "workers": {"cpus": "auto" if order.cpu is None else [order.cpu]},
        "sessions": {"capacity": 1},
    }
    try:
        config = Config.model_validate(settings)
    except ValidationError as problem:
        raise UsageError(in_options("; ".join(str(each["msg"]) for each in problem.errors()))) from problem
    facts = gather(config)
    try:
        planned = plan(config, facts)
    except PlanError as problem:
        raise _of_options(problem) from problem
    if keeps_what_it_sends(order.device or "", facts.pmd_directory):
        raise UsageError(
            "--device: net_null with copy=1 keeps every packet that is sent over it, a fault of DPDK from "
            "25.07 on, and runs out of buffers; leave out copy=1"
        )
    # DPDK's one lcore: on the CPU that was asked for, else free to move over all of them.
    cpus = str(order.cpu) if order.cpu is not None else f"({','.join(str(cpu.cpu) for cpu in facts.cpus)})"
    at = planned.eal_args.index("--lcores") + 1
    return replace(planned, eal_args=(*planned.eal_args[:at], f"0@{cpus}", *planned.eal_args[at + 1 :]))


def _of_options(problem: PlanError) -> PollgateError:
    text = "\n".join(in_options(str(detail)) for detail in problem.details)
    return UnavailableError(text) if problem.exit_code is ExitCode.UNAVAILABLE else UsageError(text)


def in_options(message: str) -> str:
    """A sentence about a configuration's keys, as one about the options of the command line."""
    for key, option in _OPTIONS:
        message = message.replace(key, option)
    return message


def check_cpu(cpu: int | None, allowed: Sequence[int]) -> None:
    """Refuse a CPU that this process may not use.

    Raises:
        UnavailableError: it may not.
    """
    from pyshim.host import format_cpu_list  # noqa: PLC0415

    if cpu is not None and cpu not in allowed:
        raise UnavailableError(
            f"--cpu: CPU {cpu} is outside this process's cpuset ({format_cpu_list(allowed)}); name one of it"
        )
