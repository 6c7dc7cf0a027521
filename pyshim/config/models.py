# SPDX-License-Identifier: BSD-3-Clause
"""What a configuration may say: every key with its type, range, default and meaning.

Numbers that reach the data plane as they are written are lines of `settings.def`; all else stands here.

The same models make the JSON Schema and the "allowed:" part of error messages, so the three cannot differ.
All values are immutable; lists are tuples.
"""

from __future__ import annotations

from ipaddress import IPv4Interface, IPv6Interface
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, Field, PlainSerializer, PlainValidator, model_validator
from pydantic.json_schema import GenerateJsonSchema

from pyshim.config import values
from pyshim.config.clashes import find_clashes
from pyshim.config.control import ControlConfig
from pyshim.config.defined import defined
from pyshim.config.delivery import DeliveryConfig
from pyshim.config.engines import EngineName, find_incompatibilities
from pyshim.config.game import GameConfig
from pyshim.config.listen import ListenConfig
from pyshim.config.netcode import NetcodeConfig
from pyshim.config.profiles import GATEWAY_BITS, GATEWAY_BITS_MAX, find_contradictions
from pyshim.config.record import RecordConfig
from pyshim.config.section import Section, sentence, text_schema
from pyshim.config.worlds import WORLDS_MAX, WorldConfig

Auto: TypeAlias = Literal["auto"]

PortName: TypeAlias = Annotated[
    str,
    AfterValidator(sentence(values.parse_name)),
    text_schema("a name such as game0", r"^[a-z][a-z0-9_-]{0,30}$"),
]
FilePrefix: TypeAlias = Annotated[
    str,
    AfterValidator(sentence(values.parse_file_prefix)),
    text_schema("a name such as pollgate", r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$"),
]
UserName: TypeAlias = Annotated[
    str,
    AfterValidator(sentence(values.parse_user_name)),
    text_schema("a user's name such as pollgate", r"^[a-z_][a-z0-9_-]{0,31}$"),
]
Device: TypeAlias = Annotated[
    str,
    AfterValidator(sentence(values.parse_device)),
    text_schema(
        values.DEVICE_IN_WORDS,
        r"^(([0-9a-fA-F]{4,8}:)?[0-9a-fA-F]{2}:[01][0-9a-fA-F]\.[0-7]|(net|eth)_[a-z_]+[0-9]+(,.+)?)$",
    ),
]
Mac: TypeAlias = Annotated[
    str,
    AfterValidator(sentence(values.parse_mac)),
    text_schema(
        "a unicast MAC address such as 02:00:00:00:00:02",
        r"^[0-9a-fA-F][02468aceACE](:[0-9a-fA-F]{2}){5}$",
    ),
]
Address: TypeAlias = Annotated[
    IPv4Interface | IPv6Interface,
    PlainValidator(sentence(values.parse_address)),
    PlainSerializer(str, return_type=str),
    text_schema("an address with prefix such as 10.0.0.1/24 or fd00::1/64", r"^[0-9a-fA-F.:]+/[0-9]{1,3}$"),
]
Endpoint: TypeAlias = Annotated[
    values.Endpoint,
    PlainValidator(sentence(values.parse_endpoint)),
    PlainSerializer(str, return_type=str),
    text_schema("host:port such as 127.0.0.1:9464", r"^.+:[0-9]{1,5}$"),
]
CpuId: TypeAlias = Annotated[int, Field(ge=0, le=1023)]


class EalConfig(Section):
    """DPDK's environment: memory and run-time files. Engine io_uring obeys its key huge_pages, too."""

    huge_pages: bool | Auto = Field(
        default=False,
        description="Use huge pages. false needs no setup and suits virtual devices; real NICs want true; "
        "auto uses them when enough are free. Engine io_uring has its packet buffers there; epoll has none.",
    )
    memory_mib: int = Field(
        default=512, ge=64, le=1_048_576, description="Memory for packet buffers, in MiB."
    )
    file_prefix: FilePrefix = Field(
        default="pollgate",
        description="Start of DPDK's run-time file names; two instances on a host need two.",
    )
    in_memory: bool = Field(
        default=True, description="Leave no files behind (no hugetlbfs files, no DPDK run-time directory)."
    )


@defined("sockets")
class SocketsConfig(Section):
    """The kernel's sockets, of the engines epoll and io_uring."""

    receive_buffer_kib: int = Field(default=...)  # declared because Python reads it: see `defined`
    send_buffer_kib: int = Field(default=...)  # declared because Python reads it: see `defined`
    zero_copy_bytes: int = Field(default=...)  # declared because Python reads it: see `defined`


@defined("ports", behind=True)
class PortConfig(Section):
    """Where packets come from and answers leave: a network device, or local addresses of the kernel."""

    name: PortName = Field(description="Name in metrics and messages; unique.")
    device: Device = Field(
        default="",
        description="PCI address (03:00.0 or 0000:03:00.0), or DPDK virtual device arguments "
        "(net_pcap0,rx_pcap=in.pcap). Relative file names are relative to the current directory. Engine dpdk "
        "needs it; the others have none.",
    )
    address: tuple[Address, ...] = Field(
        strict=False,
        min_length=1,
        max_length=8,
        description="IPv4 and IPv6 addresses that the gateway answers for on this port, each with its prefix "
        "length; unique over all ports. With engine epoll or io_uring, local ones, also loopback.",
    )
    mac: Mac | None = Field(default=None, description="MAC address of the port; null keeps the device's own.")
    queues: Annotated[int, Field(ge=1, le=64)] | Auto = Field(
        default="auto",
        description="Receive and transmit queue pairs; auto is one per worker as the device allows.",
    )
    promiscuous: bool = Field(default=False, description="Receive frames for other MAC addresses too.")
    checksums: Literal["auto", "software"] = Field(
        default="auto",
        description="auto uses the device's checksum engines where it has them; software never does.",
    )
    rx_descriptors: int = Field(default=...)  # declared because Python reads it: see `defined`
    tx_descriptors: int = Field(default=...)  # declared because Python reads it: see `defined`

    @property
    def is_pci(self) -> bool:
        """Whether the device is a PCI function; else it is a virtual device."""
        return self.pci_address is not None

    @property
    def pci_address(self) -> str | None:
        """The full PCI address in lower case, such as 0000:03:00.0; None for a virtual device."""
        return values.pci_address(self.device)


class WorkersConfig(Section):
    """The poll loops and how they are watched."""

    cpus: Annotated[tuple[CpuId, ...], Field(strict=False, min_length=1, max_length=32)] | Auto = Field(
        default="auto",
        description="CPUs that poll, one loop each; auto takes isolated CPUs first, then those of the ports' "
        "NUMA nodes, and leaves one for control.",
    )
    user: UserName | None = Field(
        default=None,
        description="User that the worker process becomes once its devices or sockets are open; null stays "
        "who started the gateway. Takes root, or CAP_SETUID and CAP_SETGID.",
    )
    isa: Literal["auto", "v2", "v3", "v4"] = Field(
        default="auto", description="x86-64 level of the poll loop; auto is the best this CPU has."
    )
    restart_limit: int = Field(
        default=5, ge=0, le=1000, description="Worker restarts within restart_window_s before giving up."
    )
    restart_window_s: float = Field(
        default=60.0, ge=1, le=86_400, description="Seconds over which restarts are counted."
    )
    stall_timeout_s: float = Field(
        default=2.0,
        ge=0.1,
        le=3600,
        description="Seconds without a heartbeat after which a worker is restarted; a start may take as "
        "long, and 30 s at least.",
    )


class GatewayConfig(Section):
    """The gateway's id, which is in the upper bits of each session number of profile session.

    A program in front of several gateways finds the id in the first bytes of a datagram.
    """

    id: int = Field(
        default=0, ge=0, le=65_535, description="This gateway's own, below 2 to the power of bits."
    )
    bits: int = Field(
        default=GATEWAY_BITS,
        ge=0,
        le=GATEWAY_BITS_MAX,
        description="Bits that it takes; all gateways behind one address must agree. Slots for the capacity "
        "and 4 bits more must fit below it, in 32.",
    )


@defined("sessions")
class SessionsConfig(Section):
    """The table of players."""

    capacity: int = Field(default=...)  # declared because Python reads it: see `defined`
    gateway: GatewayConfig = GatewayConfig()


@defined("host")
class HostConfig(Section):
    """Answers that any host gives: ARP, neighbour discovery, ping. Reloads live."""


class MetricsConfig(Section):
    """Prometheus metrics and health over HTTP."""

    listen: Endpoint | None = Field(
        default=values.Endpoint("127.0.0.1", 9464),
        description="host:port or [IPv6]:port; port 0 is any free one, printed at start; null is no metrics. "
        "Reloads live.",
    )


class LogConfig(Section):
    """What is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severe line that is written. Reloads live."
    )


class Config(Section):
    """A pollgate configuration."""

    engine: EngineName = Field(
        default="dpdk",
        description="What brings the packets: dpdk polls network devices of its own; io_uring and epoll use "
        "the kernel's sockets, on hosts that have no device to give away.",
    )
    eal: EalConfig = EalConfig()
    sockets: SocketsConfig = SocketsConfig()
    ports: tuple[PortConfig, ...] = Field(
        strict=False,
        min_length=1,
        max_length=8,
        description="Network devices, or named sets of local addresses; the only key without a default.",
    )
    workers: WorkersConfig = WorkersConfig()
    listen: tuple[ListenConfig, ...] = Field(
        default=(ListenConfig(port=8080),),
        strict=False,
        min_length=1,
        max_length=16,
        description="UDP ports that are served.",
    )
    sessions: SessionsConfig = SessionsConfig()
    delivery: DeliveryConfig = DeliveryConfig()
    netcode: NetcodeConfig = NetcodeConfig()
    game: GameConfig = GameConfig()
    worlds: tuple[WorldConfig, ...] = Field(
        default=(),
        strict=False,
        max_length=WORLDS_MAX,
        description="Worlds in which players see each other.",
        json_schema_extra={"minItems": 0},
    )
    record: RecordConfig = RecordConfig()
    control: ControlConfig = ControlConfig()
    host: HostConfig = HostConfig()
    metrics: MetricsConfig = MetricsConfig()
    log: LogConfig = LogConfig()

    @model_validator(mode="after")
    def _no_clashes(self) -> Config:
        """For configurations made in code; `load_config` reports the same itself, with lines."""
        written = self.model_dump(mode="json", exclude_unset=True)
        incompatibilities = [*find_incompatibilities(written), *find_contradictions(written)]
        texts = [clash.text for clash in find_clashes(written)]
        texts += [
            f"{'.'.join(map(str, incompatibility.path))}: {incompatibility.text}"
            for incompatibility in incompatibilities
        ]
        if texts:
            raise ValueError("; ".join(texts))
        return self

    @property
    def uses_sockets(self) -> bool:
        """Whether packets come through the kernel's sockets, and so neither DPDK nor devices are needed."""
        return self.engine != "dpdk"

    @property
    def issues_sessions(self) -> bool:
        """Whether a listener has a profile whose sessions are issued."""
        return any(entry.is_issued for entry in self.listen)

    @property
    def speaks_netcode(self) -> bool:
        """Whether a listener has profile netcode, for whose clients connect tokens are made."""
        return any(entry.profile == "netcode" for entry in self.listen)

    @property
    def lets_in(self) -> bool:
        """Whether there is something that the control API gives to players."""
        return self.issues_sessions or self.speaks_netcode


class _WithoutGeneratedTitles(GenerateJsonSchema):
    """Remove titles that pydantic makes from names; a title of ours describes the allowed text."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def export_schema() -> dict[str, Any]:
    """The schema of what a user writes, as JSON data; the same for the same models."""
    schema = Config.model_json_schema(schema_generator=_WithoutGeneratedTitles)
    for model in (schema, *schema["$defs"].values()):
        del model["title"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "pollgate configuration",
        **schema,
    }
