# SPDX-License-Identifier: BSD-3-Clause
"""What is played: who the players are, against whom, from where, how fast and for how long. Values only."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from typing import Literal, TypeAlias, cast, get_args

from pyshim.config.values import parse_device, parse_mac, quoted
from pyshim.errors import UsageError
from pyshim.load.world import Impairment, World

IpAddress: TypeAlias = IPv4Address | IPv6Address
IpInterface: TypeAlias = IPv4Interface | IPv6Interface
Motion: TypeAlias = Literal["waypoint", "crowd"]

TYPES = ("move", "attack", "chat", "heartbeat", "skill", "game")
OF_SESSIONS = ("game",)  # that only players of profile session say
MOTIONS: tuple[str, ...] = get_args(Motion)

PLAYERS_MAX = 1 << 20  # PG_LOAD_PLAYERS_MAX
ADDRESSES_MAX = 8  # PG_ADDRESSES_MAX
WEIGHT_MAX = 65_535
CHAT_BYTES_MAX = 512
WORLD_CHAT_BYTES_MIN = 16  # PG_LOAD_CHAT_MARK
GAME_BYTES_MAX = 458  # PG_LOAD_GAME_BYTES_MAX
GAME_TYPE_FIRST, GAME_TYPE_LAST = 64, 199
ARENA_M_MAX = 1e6
RATE_PPS_MAX = 1e9
SECONDS_MAX = 7 * 86_400.0
DRAIN_S_MAX = 10.0
WINDOW_MAX = 65_536

_STEP = re.compile(r"\s*(\d{1,9})\s*[x×]\s*(\d{1,9}(?:\.\d{1,6})?)\s*")
_WEIGHT = re.compile(r"\s*([a-z]+)\s*=\s*(\d{1,9})\s*")

Mix: TypeAlias = tuple[tuple[str, int], ...]
DEFAULT_MIX: Mix = (("move", 85), ("attack", 5), ("chat", 3), ("heartbeat", 5), ("skill", 2))


@dataclass(frozen=True, slots=True)
class Crowd:
    """The players: what they send and how they walk; the same seed, the same messages in the same order."""

    players: int  # most that any trial uses
    mix: Mix = DEFAULT_MIX  # how often each type is sent; a type that is not named is not sent
    motion: Motion = "waypoint"
    arena_m: float = 1000.0  # side of the square that they walk in
    chat_bytes: int = 32
    game_type: int = GAME_TYPE_FIRST  # of messages of the game's own
    game_bytes: int = 32  # of their bodies
    seed: int = 1
    first_player_id: int = 1
    world: World | None = None  # that players play, as the only trial
    impairment: Impairment | None = None  # of the network of players of profile session, or in a world

    def __post_init__(self) -> None:
        """Refuse what cannot be played."""
        _between("players", self.players, 1, PLAYERS_MAX)
        _between("chat-bytes", self.chat_bytes, 1, CHAT_BYTES_MAX)
        _between("game-type", self.game_type, GAME_TYPE_FIRST, GAME_TYPE_LAST)
        _between("game-bytes", self.game_bytes, 0, GAME_BYTES_MAX)
        _between("arena", self.arena_m, 1, ARENA_M_MAX)
        _between("seed", self.seed, 0, 2**64 - 1)
        _between("first-player-id", self.first_player_id, 0, 2**32 - self.players)
        if self.motion not in MOTIONS:
            raise UsageError(f"--motion: found {quoted(self.motion)}, allowed: {' or '.join(MOTIONS)}")
        names = [name for name, _ in self.mix]
        if unknown := [name for name in names if name not in TYPES]:
            raise UsageError(f"--mix: there is no message type {quoted(unknown[0])}; {_types()}")
        if twice := [name for name in names if names.count(name) > 1]:
            raise UsageError(f"--mix: {twice[0]} is there twice; name each type once")
        for name, weight in self.mix:
            _between(f"mix: {name}", weight, 0, WEIGHT_MAX)
        if self.world is not None and self.chat_bytes < WORLD_CHAT_BYTES_MIN:
            raise UsageError(
                f"--chat-bytes: found {self.chat_bytes}, allowed with --world: {WORLD_CHAT_BYTES_MIN} or more"
            )
        if not any(weight for _, weight in self.mix):
            raise UsageError("--mix: every weight is 0, so nothing would be sent; give one type more than 0")


@dataclass(frozen=True, slots=True)
class Target:
    """Who is played against."""

    address: IpAddress
    port: int
    mac: str | None = None  # None: asked for; of DPDK devices only

    def __post_init__(self) -> None:
        """Refuse an address that no datagram can be answered from."""
        _between("target port", self.port, 1, 65_535)
        if self.address.is_multicast or self.address.is_unspecified or self.address.packed == b"\xff" * 4:
            raise UsageError(f"the target {self.address} is not the address of one host; name one host")
        if isinstance(self.address, IPv6Address) and self.address.scope_id is not None:
            raise UsageError(
                f"the target {self.address} has a zone; use one that needs none, global or unique local"
            )
        if self.mac is not None:
            _mac("target-mac", self.mac)

    def __str__(self) -> str:
        """As a user writes it."""
        return f"[{self.address}]:{self.port}" if self.address.version == 6 else f"{self.address}:{self.port}"


@dataclass(frozen=True, slots=True)
class Sockets:
    """Play through the kernel, one socket per player."""

    addresses: tuple[IpAddress, ...] = ()  # of this host, to send from; (): as the kernel chooses
    cpu: int | None = None  # where the generator runs; None: as the kernel chooses

    def __post_init__(self) -> None:
        """Refuse more addresses than the generator takes."""
        _addresses(self.addresses)


@dataclass(frozen=True, slots=True)
class Device:
    """Play through a DPDK device of our own, past the kernel."""

    device: str  # virtual device arguments or a PCI address, as in ports[].device of a configuration
    addresses: tuple[IpInterface, ...]  # the players' own
    mac: str | None = None  # None: the device's own
    cpu: int | None = None  # None: as the kernel chooses
    memory_mib: int = 256
    huge_pages: bool = False

    def __post_init__(self) -> None:
        """Refuse what no device can be."""
        try:
            parse_device(self.device)
        except ValueError as problem:
            raise UsageError(f"--device: {problem}") from None
        if not self.addresses:
            raise UsageError("--device needs --address ADDRESS/PREFIX, such as 10.0.0.2/24: the players' own")
        _addresses(self.addresses)
        _between("memory", self.memory_mib, 64, 1 << 20)
        if self.mac is not None:
            _mac("mac", self.mac)


@dataclass(frozen=True, slots=True)
class Trial:
    """One measurement. Paced at a rate, or, with a window, as fast as the target answers."""

    players: int
    seconds: float
    rate_pps: float = 0.0  # of all players together; of no meaning with a window
    end_rate_pps: float | None = None  # reached linearly over the duration; None: the rate is steady
    window: int = 0  # messages that may be unanswered at a time; 0: paced
    drain_s: float = 0.5  # answers are awaited for so long after the last message
    storm: bool = False  # of profile session: all players connect anew, at once, before it begins

    def __post_init__(self) -> None:
        """Refuse what cannot be measured."""
        _between("players", self.players, 1, PLAYERS_MAX)
        _between("seconds", self.seconds, 0.01, SECONDS_MAX)
        _between("drain", self.drain_s, 0, DRAIN_S_MAX)
        _between("window", self.window, 0, WINDOW_MAX)
        _between("rate of all players", self.rate_pps, 0, RATE_PPS_MAX)
        _between("rate of all players", self.last_rate_pps, 0, RATE_PPS_MAX)
        if not self.window and not (self.rate_pps or self.last_rate_pps):
            raise UsageError("--rate: 0 messages per second is no load; give more, or --window")

    @property
    def last_rate_pps(self) -> float:
        """The rate at the end."""
        return self.rate_pps if self.end_rate_pps is None else self.end_rate_pps

    def asked(self, elapsed_s: float) -> float:
        """Messages that are due within so many seconds of a paced trial."""
        after_s = min(elapsed_s, self.seconds)
        return self.rate_pps * after_s + (self.last_rate_pps - self.rate_pps) * after_s**2 / self.seconds / 2


@dataclass(frozen=True, slots=True)
class Step:
    """One rung of a ladder."""

    players: int
    rate_pps: float  # of each player

    def __post_init__(self) -> None:
        """Refuse what cannot be played."""
        _between("players", self.players, 1, PLAYERS_MAX)
        if not 0 < self.rate_pps * self.players <= RATE_PPS_MAX:
            raise UsageError(
                f"--rate: {self.players:,} players × {self.rate_pps:g} messages per second are "
                f"{self.players * self.rate_pps:,.0f}; allowed: more than 0, at most {RATE_PPS_MAX:,.0f}"
            )

    def __str__(self) -> str:
        """As in a list of steps."""
        return f"{self.players}x{self.rate_pps:g}"

    def trial(self, seconds: float, *, drain_s: float = 0.5) -> Trial:
        """This step at its steady rate."""
        return Trial(self.players, seconds, self.players * self.rate_pps, drain_s=drain_s)

    def ramp(self, seconds: float, *, drain_s: float = 0.5) -> Trial:
        """From nothing to this step's rate."""
        return Trial(self.players, seconds, 0.0, self.players * self.rate_pps, drain_s=drain_s)


def parse_steps(text: str) -> tuple[Step, ...]:
    """`100x10,500x20`: players × messages per second and player.

    Raises:
        UsageError: it is not that.
    """
    found = [_STEP.fullmatch(part) for part in text.split(",")]
    if wrong := [part for part, match in zip(text.split(","), found, strict=True) if match is None]:
        raise UsageError(
            f"--steps: found {quoted(wrong[0])}, allowed: PLAYERSxRATE with commas between, such as "
            "100x10,500x20"
        )
    return tuple(Step(int(match[1]), float(match[2])) for match in found if match)


def parse_mix(text: str) -> Mix:
    """`move=90,heartbeat=5`: weights by message type.

    Raises:
        UsageError: it is not that.
    """
    pairs = []
    for part in text.split(","):
        match = _WEIGHT.fullmatch(part)
        if match is None:
            raise UsageError(
                f"--mix: found {quoted(part)}, allowed: TYPE=WEIGHT with commas between, such as "
                f"move=90,chat=10; {_types()}"
            )
        pairs.append((match[1], int(match[2])))
    return tuple(pairs)


def parse_motion(text: str) -> Motion:
    """One of MOTIONS; Crowd refuses anything else."""
    return cast(Motion, text)


def _types() -> str:
    return f"the types are {', '.join(TYPES)}"


def _between(what: str, value: float, least: float, most: float) -> None:
    if not (math.isfinite(value) and least <= value <= most):
        raise UsageError(f"--{what}: found {value:,}, allowed: {least:,} to {most:,}")


def _addresses(addresses: tuple[object, ...]) -> None:
    if len(addresses) > ADDRESSES_MAX:
        raise UsageError(f"--address: {len(addresses)} are given; a generator takes {ADDRESSES_MAX}")
    if len(set(addresses)) < len(addresses):
        raise UsageError("--address: the same address is given twice; name each once")


def _mac(option: str, text: str) -> None:
    try:
        parse_mac(text)
    except ValueError as problem:
        raise UsageError(f"--{option}: {problem}") from None


LADDER = (Step(100, 10), Step(500, 20), Step(1000, 30), Step(2000, 50), Step(5000, 60))
