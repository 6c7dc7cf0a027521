# SPDX-License-Identifier: BSD-3-Clause
"""Configuration + host facts → what the worker process will do. Decisions only; no effects."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class QueueRef:
    """One rx/tx queue pair; served by exactly one worker."""

    port: int  # index into Plan.ports
    queue: int


@dataclass(frozen=True, slots=True)
class AddressPlan:
    """An address of ours on a port."""

    family: int  # 4 or 6
    prefix_len: int
    packed: str  # hex of the network-order bytes, 4 or 16 of them


@dataclass(frozen=True, slots=True)
class PortPlan:
    """One DPDK port and how it is set up."""

    name: str
    device: str  # what EAL calls it: a canonical PCI address, or a vdev name
    vdev_args: str | None  # the whole `--vdev` argument; None for a PCI device
    addresses: tuple[AddressPlan, ...]
    mac: str | None  # None: the device's own
    promiscuous: bool
    checksums: str  # "auto" or "software"
    pool: int  # index into Plan.pools
    queues: int  # pairs asked for; a PCI device may turn out to have fewer
    rx_descriptors: int
    tx_descriptors: int
    node: int  # NUMA node, -1 unknown


@dataclass(frozen=True, slots=True)
class PoolPlan:
    """One mbuf pool: one per NUMA node that has a port."""

    name: str
    node: int  # -1 any
    mbufs: int
    cache: int  # objects kept per lcore
    data_room_bytes: int
    why: str  # the formula with its numbers, for `pollgate check`


@dataclass(frozen=True, slots=True)
class WorkerPlan:
    """Where one poll loop runs and what it serves."""

    lcore: int
    cpu: int
    queues: tuple[QueueRef, ...]
    why: str


@dataclass(frozen=True, slots=True)
class ListenerPlan:
    """One UDP port that speaks one profile."""

    port: int
    profile: str
    admission: str


@dataclass(frozen=True, slots=True)
class ListenerPolicy:
    """Rate limit per source address; source_pps 0 is off."""

    source_pps: int
    source_burst: int


@dataclass(frozen=True, slots=True)
class Policy:
    """What a reload may change while packets flow."""

    idle_timeout_s: float
    host_reply_pps: int
    host_reply_burst: int
    listeners: tuple[ListenerPolicy, ...]  # same order as Plan.listeners


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a worker process needs; travels to it as JSON."""

    eal_args: tuple[str, ...]  # without argv[0]
    control_cpus: tuple[int, ...]  # supervisor, EAL's control threads
    main_lcore: int
    workers: tuple[WorkerPlan, ...]
    ports: tuple[PortPlan, ...]
    pools: tuple[PoolPlan, ...]
    listeners: tuple[ListenerPlan, ...]
    session_capacity: int
    state_bytes: int  # size of the session state file
    huge_pages: bool  # decided: `auto` is resolved
    isa: str  # "auto", or forced: "v2", "v3", "v4"
    log_level: str
    policy: Policy
    notes: tuple[str, ...]  # decisions worth telling the operator, one sentence each
