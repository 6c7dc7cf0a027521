# SPDX-License-Identifier: BSD-3-Clause
"""How a plan is made: CPUs, then queues or sockets, then memory, each step a pure function."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pyshim.confinement import confine
from pyshim.errors import PlanError, Problem
from pyshim.host import parse_vdev
from pyshim.plan import (
    COMPRESSED_TYPES,
    REQUEST_TYPES,
    AddressPlan,
    DeliveryPolicy,
    ListenerPolicy,
    Plan,
    Policy,
    PortPlan,
    SocketPlan,
    WorkerPlan,
    filled,
)
from pyshim.planner.cpus import CpuChoice, choose_cpus, return_idle
from pyshim.planner.descriptors import descriptor_problem
from pyshim.planner.devices import find_device_problems
from pyshim.planner.environment import down_behind, warn_of_environment
from pyshim.planner.former import warn_of_former
from pyshim.planner.game import check_game, game_notes, game_policy, plan_game
from pyshim.planner.layout import Layout
from pyshim.planner.locks import check_locks
from pyshim.planner.memory import MemoryChoice, check_mail, choose_memory, state_bytes
from pyshim.planner.mtu import check_mtus
from pyshim.planner.netcode import check_netcode, plan_netcode
from pyshim.planner.queues import Assignment, assign_queues, queue_demand
from pyshim.planner.recording import check_recording, recording_bytes, recording_notes
from pyshim.planner.sockets import lay_out_sockets
from pyshim.planner.user import check_user
from pyshim.planner.world_memory import worlds_problem
from pyshim.planner.worlds import plan_listeners, plan_world, warn_of_worlds
from pyshim.settings import numbers

if TYPE_CHECKING:
    from pyshim.config.delivery import MessageBurstsConfig, MessageRatesConfig
    from pyshim.config.listen import ListenConfig
    from pyshim.config.models import Config, PortConfig
    from pyshim.host import HostFacts

__all__ = ["plan", "policy_of"]


def plan(config: Config, host: HostFacts) -> Plan:
    """Decide CPUs, queues and memory for `config` on `host`.

    Pure: the same inputs give the same plan, so `pollgate check` shows what `run` will do.

    Raises:
        PlanError: with every reason at once, each naming the configuration key to change.
    """
    problems: list[Problem] = []
    lay_out = lay_out_sockets if config.uses_sockets else _lay_out_devices
    layout = lay_out(config, host, problems)
    check_mail(config, host, layout, problems)
    mtu_notes = check_mtus(config, host, problems)
    check_user(config, host, problems)
    check_netcode(config, problems)
    check_game(config, host, layout, problems)
    check_recording(config, host, problems)
    if problems:
        raise PlanError(problems)
    made = _plan(config, host, layout, mtu_notes)
    for problem in (descriptor_problem(made, host), worlds_problem(made, host)):
        if problem is not None:
            raise PlanError([problem])
    return made


def _plan(config: Config, host: HostFacts, layout: Layout, mtu_notes: Sequence[str]) -> Plan:
    issued_capacity = config.sessions.capacity if config.issues_sessions else 0
    netcode = plan_netcode(config)
    return filled(
        Plan,
        numbers("PLAN", config),
        engine=config.engine,
        eal_args=layout.eal_args,
        control_cpus=layout.cpus.control,
        main_lcore=0,
        workers=layout.workers,
        ports=layout.ports,
        pools=layout.pools,
        listeners=tuple(plan_listeners(config)),
        state_bytes=state_bytes(
            config.sessions.capacity, len(layout.workers), issued_capacity, netcode.capacity
        ),
        sockets=filled(SocketPlan, numbers("SOCKETS", config), pages=layout.socket_pages),
        huge_pages=layout.huge_pages,
        state_huge_pages=layout.state_huge_pages,
        isa=config.workers.isa,
        log_level=config.log.level,
        policy=policy_of(config),
        warnings=(*warn_of_former(config), *warn_of_environment(config, host), *warn_of_worlds(config)),
        notes=(*layout.cpus.notes, *layout.notes, *mtu_notes, *game_notes(config), *recording_notes(config)),
        issued_capacity=issued_capacity,
        netcode=netcode,
        game=plan_game(config, host, layout),
        worlds=tuple(map(plan_world, config.worlds)),
        recording_bytes=recording_bytes(config),
        gateway_id=config.sessions.gateway.id,
        gateway_bits=config.sessions.gateway.bits,
        confinement=confine(_kinds(config), host.user),
    )


def _kinds(config: Config) -> Iterator[str]:
    """The kinds of drivers that the ports need, named as in `pyshim.confinement`."""
    for port in () if config.uses_sockets else config.ports:
        yield "pci" if port.is_pci else parse_vdev(port.device).kind


def _lay_out_devices(config: Config, host: HostFacts, problems: list[Problem]) -> Layout:
    """The layout of engine dpdk, whose workers poll queues of devices; errors are appended to `problems`."""
    problems += find_device_problems(config, host)
    demands = [queue_demand(index, port, problems) for index, port in enumerate(config.ports)]
    nodes = [_port_node(port, host) for port in config.ports]
    cpus = choose_cpus(config, host, demands, nodes, problems)
    assignment = assign_queues(config, cpus, demands, nodes, problems)
    cpus, assignment = return_idle(host, cpus, assignment)
    memory = choose_memory(config, host, cpus, assignment, problems)
    check_locks(config, host, assignment.queues, memory, problems)
    return Layout(
        cpus=cpus,
        workers=_workers(config, cpus, assignment),
        ports=tuple(
            _port(port, node, pool, queues, next(iter(down_behind(config, port, host)), ""))
            for port, node, pool, queues in zip(
                config.ports, nodes, memory.pool_of_port, assignment.queues, strict=True
            )
        ),
        notes=(*memory.pages.notes, *_replay_notes(config)),
        eal_args=tuple(_eal_args(config, cpus, memory)),
        pools=memory.pools,
        huge_pages=memory.pages.dpdk,
        state_huge_pages=memory.pages.state,
    )


def policy_of(config: Config) -> Policy:
    """The part of a configuration that a reload may change in the data plane."""
    return filled(
        Policy,
        numbers("SESSIONS", config) | numbers("HOST", config),
        listeners=tuple(map(_listener, config.listen)),
        delivery=_delivery(config),
        game=game_policy(config),
    )


def _listener(entry: ListenConfig) -> ListenerPolicy:
    said = numbers("LISTENER", entry, "listen") | numbers("ISSUED", entry, "listen")
    return filled(ListenerPolicy, said)


def _delivery(config: Config) -> DeliveryPolicy:
    wanted, compress = config.delivery, config.delivery.compress
    return filled(
        DeliveryPolicy,
        numbers("DELIVERY", config),
        compress_min=tuple(
            None if (least := getattr(compress, name)) == "never" else least for name in COMPRESSED_TYPES
        ),
        message_pps=_by_type(wanted.messages_pps),
        message_burst=_by_type(wanted.messages_burst),
    )


def _by_type(wanted: MessageRatesConfig | MessageBurstsConfig) -> tuple[int, ...]:
    return tuple(getattr(wanted, name) for name in REQUEST_TYPES)


def _port_node(port: PortConfig, host: HostFacts) -> int:
    device = host.pci_device(port.pci_address) if port.pci_address else None
    return device.node if device else -1


def _workers(config: Config, cpus: CpuChoice, assignment: Assignment) -> tuple[WorkerPlan, ...]:
    workers = []
    for index, (cpu, queues) in enumerate(zip(cpus.workers, assignment.workers, strict=True)):
        names = ", ".join(config.ports[port].name for port in sorted({queue.port for queue in queues}))
        workers.append(WorkerPlan(index + 1, cpu.cpu, queues, f"{cpus.why[index]}; serves {names}"))
    return tuple(workers)


def _port(port: PortConfig, node: int, pool: int, queues: int, down: str) -> PortPlan:
    return filled(
        PortPlan,
        numbers("PORT", port, "ports"),
        name=port.name,
        device=port.pci_address or parse_vdev(port.device).name,
        vdev_args=None if port.is_pci else port.device,
        addresses=tuple(AddressPlan.of(address) for address in port.address),
        mac=port.mac,
        promiscuous=port.promiscuous,
        checksums=port.checksums,
        pool=pool,
        queues=queues,
        node=node,
        down=down,
    )


def _eal_args(config: Config, cpus: CpuChoice, memory: MemoryChoice) -> Iterator[str]:
    """DPDK's own arguments. lcore 0 is the control thread, workers are 1, 2, … whatever their CPUs are."""
    on = [f"0@{cpus.main}", *(f"{lcore}@{cpu.cpu}" for lcore, cpu in enumerate(cpus.workers, start=1))]
    yield from ("--lcores", ",".join(on), "--main-lcore", "0")
    yield from memory.eal_args
    addresses = [port.pci_address for port in config.ports if port.pci_address]
    for address in addresses:
        yield from ("-a", address)
    if not addresses:
        yield "--no-pci"
    for port in config.ports:
        if not port.is_pci:
            yield from ("--vdev", port.device)
    # DPDK's telemetry socket would be left behind by a crash; the supervisor's metrics do not need it.
    yield "--no-telemetry"


def _replay_notes(config: Config) -> Iterator[str]:
    for port in config.ports:
        vdev = parse_vdev(port.device)
        if not port.is_pci and vdev.infinite_rx and vdev.values("tx_pcap"):
            yield (
                f"{port.name} replays its capture for ever and writes every answer to "
                f"{vdev.values('tx_pcap')[0]}, which grows until the disk is full."
            )
