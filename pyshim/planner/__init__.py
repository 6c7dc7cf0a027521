# SPDX-License-Identifier: BSD-3-Clause
"""How a plan is made: CPUs, then queues, then memory, each step a pure function."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Interface, IPv6Interface
from typing import TYPE_CHECKING

from pyshim.errors import PlanError
from pyshim.host import parse_vdev
from pyshim.plan import (
    AddressPlan,
    ListenerPlan,
    ListenerPolicy,
    Plan,
    Policy,
    PortPlan,
    WorkerPlan,
)
from pyshim.planner.cpus import CpuChoice, choose_cpus, return_idle
from pyshim.planner.devices import find_device_problems
from pyshim.planner.memory import MemoryChoice, choose_memory, state_bytes
from pyshim.planner.queues import Assignment, assign_queues, queue_demand

if TYPE_CHECKING:
    from pyshim.config.models import Config, PortConfig
    from pyshim.host import HostFacts

__all__ = ["make_plan", "policy_of"]


def make_plan(config: Config, host: HostFacts) -> Plan:
    """See `pyshim.plan.plan`."""
    problems = find_device_problems(config, host)
    demands = [queue_demand(index, port, problems) for index, port in enumerate(config.ports)]
    nodes = [_port_node(port, host) for port in config.ports]
    cpus = choose_cpus(config, host, demands, nodes, problems)
    assignment = assign_queues(config, cpus, demands, nodes, problems)
    cpus, assignment = return_idle(host, cpus, assignment)
    memory = choose_memory(config, host, cpus, assignment, problems)
    if problems:
        raise PlanError(problems)
    return Plan(
        eal_args=tuple(_eal_args(config, cpus, memory)),
        control_cpus=cpus.control,
        main_lcore=0,
        workers=_workers(config, cpus, assignment),
        ports=tuple(
            _port(port, node, pool, queues)
            for port, node, pool, queues in zip(
                config.ports, nodes, memory.pool_of_port, assignment.queues, strict=True
            )
        ),
        pools=memory.pools,
        listeners=tuple(ListenerPlan(entry.port, entry.profile, entry.admission) for entry in config.listen),
        session_capacity=config.sessions.capacity,
        state_bytes=state_bytes(config.sessions.capacity, len(cpus.workers)),
        huge_pages=memory.huge_pages,
        isa=config.workers.isa,
        log_level=config.log.level,
        policy=policy_of(config),
        notes=(*cpus.notes, *memory.notes, *_replay_notes(config)),
    )


def policy_of(config: Config) -> Policy:
    """The part of a configuration that a reload may change in the data plane."""
    return Policy(
        idle_timeout_s=config.sessions.idle_timeout_s,
        host_reply_pps=config.host.reply_pps,
        host_reply_burst=config.host.reply_burst,
        listeners=tuple(
            ListenerPolicy(entry.limits.source_pps, entry.limits.source_burst) for entry in config.listen
        ),
    )


def _port_node(port: PortConfig, host: HostFacts) -> int:
    device = host.pci_device(port.pci_address) if port.pci_address else None
    return device.node if device else -1


def _workers(config: Config, cpus: CpuChoice, assignment: Assignment) -> tuple[WorkerPlan, ...]:
    workers = []
    for index, (cpu, queues) in enumerate(zip(cpus.workers, assignment.workers, strict=True)):
        names = ", ".join(config.ports[port].name for port in sorted({queue.port for queue in queues}))
        workers.append(WorkerPlan(index + 1, cpu.cpu, queues, f"{cpus.why[index]}; serves {names}"))
    return tuple(workers)


def _port(port: PortConfig, node: int, pool: int, queues: int) -> PortPlan:
    return PortPlan(
        name=port.name,
        device=port.pci_address or parse_vdev(port.device).name,
        vdev_args=None if port.is_pci else port.device,
        addresses=tuple(_address(address) for address in port.address),
        mac=port.mac,
        promiscuous=port.promiscuous,
        checksums=port.checksums,
        pool=pool,
        queues=queues,
        rx_descriptors=port.rx_descriptors,
        tx_descriptors=port.tx_descriptors,
        node=node,
    )


def _address(address: IPv4Interface | IPv6Interface) -> AddressPlan:
    return AddressPlan(address.version, address.network.prefixlen, address.ip.packed.hex())


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
    # Its socket would be one more thing to leave behind; the supervisor's metrics do not need it.
    yield "--no-telemetry"


def _replay_notes(config: Config) -> Iterator[str]:
    for port in config.ports:
        vdev = parse_vdev(port.device)
        if not port.is_pci and vdev.infinite_rx and vdev.values("tx_pcap"):
            yield (
                f"{port.name} replays its capture for ever and writes every answer to "
                f"{vdev.values('tx_pcap')[0]}, which grows until the disk is full."
            )
