# SPDX-License-Identifier: BSD-3-Clause
"""What the worker process will do, as immutable values; `pyshim.planner` decides them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from types import UnionType
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_origin, get_type_hints

from pyshim import messages
from pyshim.confinement import UNCONFINED, Confinement
from pyshim.settings import defaults

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface


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

    @classmethod
    def of(cls, address: IPv4Interface | IPv6Interface) -> AddressPlan:
        """The same address, as it travels."""
        return cls(address.version, address.network.prefixlen, address.ip.packed.hex())


@dataclass(frozen=True, slots=True)
class PortPlan:
    """One DPDK port and how it is set up; of an engine that uses sockets, a name for addresses."""

    name: str
    device: str  # what EAL calls it: a canonical PCI address, or a vdev name; "" without DPDK
    vdev_args: str | None  # the whole `--vdev` argument; None for a PCI device, and without DPDK
    addresses: tuple[AddressPlan, ...]
    mac: str | None  # None: the device's own
    promiscuous: bool
    checksums: str  # "auto" or "software"
    pool: int  # index into Plan.pools, of DPDK only
    queues: int  # pairs asked for; a PCI device may turn out to have fewer. Of sockets: one per worker
    rx_descriptors: int
    tx_descriptors: int
    node: int  # NUMA node, -1 unknown
    down: str = ""  # the interface behind a virtual device that was down at that time, and is warned of
    others: Others = field(default_factory=dict)


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

    lcore: int  # of DPDK only
    cpu: int
    queues: tuple[QueueRef, ...]
    why: str


@dataclass(frozen=True, slots=True)
class ListenerPlan:
    """One UDP port that speaks one profile."""

    port: int
    profile: str
    admission: str
    world: int | None = None  # index into Plan.worlds of who connects here


# Settings of the data plane (`settings.def`) that nothing here asks for, by the names of their fields.
Others = Mapping[str, int]
Record = TypeVar("Record")


def filled(kind: type[Record], numbers: Mapping[str, int], **arguments: Any) -> Record:
    """A record of these settings: as its attributes, and in `others` those that it has no attribute for."""
    own = {one.name for one in fields(kind)}  # type: ignore[arg-type]
    others = {name: number for name, number in numbers.items() if name not in own}
    make: Any = kind
    made: Record = make(**{name: numbers[name] for name in numbers.keys() & own}, others=others, **arguments)
    return made


def setting(record: object, name: str) -> int:
    """What a record says under a setting's name, whether or not it has an attribute for it."""
    others: Others = getattr(record, "others", {})
    number: int = others[name] if name in others else getattr(record, name)
    return number


@dataclass(frozen=True, slots=True)
class ListenerPolicy:
    """Rate limits, in packets per second; 0 is off. In profile session, source_pps is of unproved ones."""

    source_pps: int
    source_burst: int
    connections_pps: int = 0  # that a source proves
    connections_burst: int = 1000
    session_pps: int = 0
    session_burst: int = 256
    others: Others = field(default_factory=dict)


REQUEST_TYPES = tuple(one.name for one in messages.REQUESTS)  # as the data plane names them
COMPRESSED_TYPES = tuple(one.name for one in messages.COMPRESSED)


@dataclass(frozen=True, slots=True)
class DeliveryPolicy:
    """How messages of the session profile travel; by type in the order of the names above."""

    flush_us: int
    acknowledge_us: int
    resend_min_us: int
    queue_bytes: int
    handshake_permille: int  # share of a worker's time
    compress_min: tuple[int | None, ...]  # bytes, by COMPRESSED_TYPES; None: never
    message_pps: tuple[int, ...]  # by REQUEST_TYPES; 0: no limit
    message_burst: tuple[int, ...]
    others: Others = field(default_factory=dict)


DEFAULT_DELIVERY = filled(
    DeliveryPolicy,
    defaults("DELIVERY"),
    compress_min=tuple(one.from_bytes for one in messages.COMPRESSED),
    message_pps=tuple(one.pps for one in messages.REQUESTS),
    message_burst=tuple(one.burst for one in messages.REQUESTS),
)


@dataclass(frozen=True, slots=True)
class GameRoute:
    """Which messages of players go to which game processes."""

    to: tuple[str, ...]  # names; a player's messages all go to one of them
    types: tuple[int, ...]  # on the wire
    listeners: tuple[int, ...] = ()  # indexes into Plan.listeners; none: all


@dataclass(frozen=True, slots=True)
class GamePolicy:
    """The game behind the gate: the first route that fits is a message's."""

    read_budget_us: int
    routes: tuple[GameRoute, ...] = ()
    indexes: Mapping[str, int] = field(default_factory=dict)  # of the processes that routes name
    others: Others = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the processes that routes name, each once."""
        return tuple(dict.fromkeys(name for route in self.routes for name in route.to))


NO_GAME = filled(GamePolicy, defaults("GAME"))


@dataclass(frozen=True, slots=True)
class Policy:
    """What a reload may change while packets flow."""

    idle_timeout_ns: int
    host_reply_pps: int
    host_reply_burst: int
    listeners: tuple[ListenerPolicy, ...]  # same order as Plan.listeners
    delivery: DeliveryPolicy = DEFAULT_DELIVERY
    game: GamePolicy = NO_GAME
    others: Others = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SocketPlan:
    """The kernel's sockets, for the engines that use them."""

    receive_buffer_bytes: int  # asked of the kernel, per socket
    send_buffer_bytes: int
    zero_copy_bytes: int  # io_uring: answers of at least this size leave without a copy; 0: none does
    pages: str  # of io_uring's packet buffers: "ordinary", "huge_if_free" or "huge"
    coalesce_us: int = 200  # for so long a worker that has just served some lets others gather
    others: Others = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NetcodeServer:
    """An address and UDP port at which clients of profile netcode reach a gateway."""

    family: int  # 4 or 6
    packed: str  # hex of the network-order bytes, 4 or 16 of them
    port: int

    @classmethod
    def of(cls, address: IPv4Address | IPv6Address, port: int) -> NetcodeServer:
        """The same, as it travels."""
        return cls(address.version, address.packed.hex(), port)


@dataclass(frozen=True, slots=True)
class NetcodePlan:
    """Profile netcode, whatever the listener."""

    capacity: int = 0  # clients; 0: no listener speaks it
    protocol_id: int = 0
    servers: tuple[NetcodeServer, ...] = ()  # of which a connect token must name one
    private_key: str = field(default="", repr=False)  # hex; filled in by who starts a worker process


NO_NETCODE = NetcodePlan()


@dataclass(frozen=True, slots=True)
class KeptPages:
    """Huge pages of 2 MB that a worker process takes, or as much memory in others."""

    node: int  # of NUMA
    pages: int


def may_take(free: Mapping[int, int], kept: Sequence[KeptPages], pages: int) -> bool:
    """Whether so many huge pages leave what is kept: of each node, because the kernel chooses where they are.

    `free`: pages by node.
    """
    if sum(free.values()) - pages < sum(one.pages for one in kept):
        return False
    return all(free.get(one.node, 0) - pages >= one.pages for one in kept if one.pages)


@dataclass(frozen=True, slots=True)
class GamePlan:
    """Where game processes attach, who may, and the memory between them and the workers."""

    path: str = ""  # of the socket; "": there is no game
    mode: int = 0o660
    uid: int = -1  # whose the socket's file is; -1: who starts the gateway
    gid: int = -1
    users: tuple[int, ...] = ()  # whose processes may attach
    processes: int = 0
    ring_bytes: int = 0
    huge_pages: bool = False  # where more of them are free than are kept
    kept: tuple[KeptPages, ...] = ()  # for the worker process

    def memory_bytes(self, workers: int) -> int:
        """Of the files between all processes that can be and so many workers."""
        return self.processes * workers * 2 * game_file_bytes(self.ring_bytes)

    def memory_huge_pages(self, workers: int) -> int:
        """The same in huge pages of 2 MB: how many."""
        return self.processes * workers * 2 * game_file_huge_pages(self.ring_bytes)


_GAME_FILE_HEAD_BYTES = 640
HUGE_PAGE_BYTES = 2 << 20  # the only size that memory files are made of
_PAGE_BYTES = 4096
NO_GAME_PLAN = GamePlan()


def game_file_bytes(ring_bytes: int) -> int:
    """Memory of a file with a ring of so many bytes: `struct bus_file` of the data plane, in whole pages."""
    return -(-(_GAME_FILE_HEAD_BYTES + ring_bytes) // _PAGE_BYTES) * _PAGE_BYTES


def game_file_huge_pages(ring_bytes: int) -> int:
    """The same in huge pages of 2 MB: how many."""
    return -(-(_GAME_FILE_HEAD_BYTES + ring_bytes) // HUGE_PAGE_BYTES)


@dataclass(frozen=True, slots=True)
class CombatPlan:
    """How attacks are judged in a world, if they are."""

    judged: bool
    others: Others = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TierPlan:
    """From where on somebody in a world is told of less often."""

    from_um: int
    every_ticks: int


@dataclass(frozen=True, slots=True)
class WorldPlan:
    """A world in which players see each other. Lengths in micrometres."""

    name: str
    low_um: tuple[int, int, int]
    high_um: tuple[int, int, int]
    combat: CombatPlan
    tiers: tuple[TierPlan, ...]  # the nearest first
    others: Others = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a worker process needs; travels to it as JSON."""

    engine: str  # "dpdk", "io_uring" or "epoll"
    eal_args: tuple[str, ...]  # without argv[0]; none without DPDK
    control_cpus: tuple[int, ...]  # supervisor, EAL's control threads
    main_lcore: int
    workers: tuple[WorkerPlan, ...]
    ports: tuple[PortPlan, ...]
    pools: tuple[PoolPlan, ...]
    listeners: tuple[ListenerPlan, ...]
    session_capacity: int
    state_bytes: int  # size of the session state file
    sockets: SocketPlan  # of the engines that use them
    huge_pages: bool  # of DPDK's memory; decided: `auto` is resolved
    isa: str  # "auto", or forced: "v2", "v3", "v4"
    log_level: str
    policy: Policy
    notes: tuple[str, ...]  # decisions worth telling the operator, one sentence each
    issued_capacity: int = 0  # sessions that can be issued; 0: no listener has profile session
    gateway_id: int = 0  # in the upper bits of their numbers
    gateway_bits: int = 8
    message_memory_mib: int = 64  # for messages on their way, of all workers together
    compression_level: int = 1
    warnings: tuple[str, ...] = ()  # of what works otherwise than expected, one sentence each
    state_huge_pages: bool = False  # the session state, in what DPDK leaves of them
    netcode: NetcodePlan = NO_NETCODE
    game: GamePlan = NO_GAME_PLAN
    worlds: tuple[WorldPlan, ...] = ()
    recording_bytes: int = 0  # of all workers; 0: nothing is recorded
    confinement: Confinement = UNCONFINED
    others: Others = field(default_factory=dict)

    @property
    def uses_sockets(self) -> bool:
        """Whether there is no DPDK in it: no devices, pools or EAL."""
        return self.engine != "dpdk"


def plan_to_json(plan: Plan) -> str:
    """One line of JSON that `plan_from_json` turns into an equal plan."""
    return json.dumps(asdict(plan), separators=(",", ":"))


def plan_from_json(text: str) -> Plan:
    """The plan that `plan_to_json` wrote.

    Raises:
        ValueError: not JSON, or not a plan of this version; the text says which field.
    """
    rebuilt = rebuild(Plan, json.loads(text), "plan")
    assert isinstance(rebuilt, Plan)
    return rebuilt


def rebuild(kind: Any, value: Any, where: str) -> object:
    """`value`, as json.loads gave it, as an instance of `kind`: a dataclass, tuple, union or plain type.

    Raises:
        ValueError: it is none; the text says which field, `where` being the whole.
    """
    if is_dataclass(kind):
        names = {field.name for field in fields(kind)}
        if not isinstance(value, dict) or set(value) != names:
            raise ValueError(f"{where}: not a {getattr(kind, '__name__', kind)} of this version")
        hints = get_type_hints(kind)
        arguments = {name: rebuild(hints[name], value[name], f"{where}.{name}") for name in names}
        return kind(**arguments)  # type: ignore[operator]  # is_dataclass admits instances too
    if get_origin(kind) is Mapping:
        if not isinstance(value, dict):
            raise ValueError(f"{where}: not a mapping")
        return {name: rebuild(get_args(kind)[1], item, f"{where}.{name}") for name, item in value.items()}
    if get_origin(kind) is tuple:
        if not isinstance(value, list):
            raise ValueError(f"{where}: not a list")
        return tuple(rebuild(get_args(kind)[0], item, f"{where}[{i}]") for i, item in enumerate(value))
    allowed = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    for choice in allowed:
        if is_dataclass(choice) and isinstance(value, dict):
            return rebuild(choice, value, where)
    if float in allowed and type(value) is int:
        return float(value)
    if type(value) not in allowed:
        raise ValueError(f"{where}: {value!r} is not {' or '.join(choice.__name__ for choice in allowed)}")
    return value
