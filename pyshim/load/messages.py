# SPDX-License-Identifier: BSD-3-Clause
"""What a generator's process and its owner say to each other: one JSON message per packet of a local socket.

The owner sends Open, then Play as often as it likes; the process answers Opened or Ended, or Failed and ends.
Over a DPDK device it says Planned first. The end of the stream means that the other side is gone.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from pyshim.errors import InternalError
from pyshim.load.scenario import Trial
from pyshim.load.world import Impairment, World
from pyshim.plan import AddressPlan, Plan, rebuild
from pyshim.system.packet_socket import PacketSocket


@dataclass(frozen=True, slots=True)
class Open:
    """Make a generator of this. Plain values only: it travels."""

    players: int
    first_player_id: int
    motion: int  # enum pg_load_motion
    weights: tuple[int, ...]  # of the message types, in their order
    arena_m: float
    chat_bytes: int
    game_type: int
    game_bytes: int
    seed: int
    target: AddressPlan
    target_port: int
    addresses: tuple[AddressPlan, ...]
    first_port: int
    ports_per_address: int
    cpu: int | None
    # DPDK only
    device: str | None  # None: over sockets
    target_mac: str | None
    mac: str | None
    interfaces: tuple[str, ...]
    memory_mib: int
    huge_pages: bool
    sessions: bool = False  # players of profile session: the process inherits a file of their tickets
    world: World | None = None  # that they play; None: none
    impairment: Impairment | None = None  # of their network


@dataclass(frozen=True, slots=True)
class Planned:
    """What will be asked of DPDK, for whoever has to explain why it failed."""

    plan: Plan


@dataclass(frozen=True, slots=True)
class Opened:
    """Sockets or the device are there; Play may follow."""


@dataclass(frozen=True, slots=True)
class Play:
    """Play this now."""

    trial: Trial


@dataclass(frozen=True, slots=True)
class Ended:
    """The trial has ended; the page has its counts."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The generator cannot go on and its process ends now."""

    exit_code: int
    message: str


Message = Open | Planned | Opened | Play | Ended | Failed

_KINDS: dict[str, type[Message]] = {
    kind.__name__: kind for kind in (Open, Planned, Opened, Play, Ended, Failed)
}


class Wire(PacketSocket):
    """One end of the conversation; both sides wait for each other."""

    def send(self, message: Message) -> None:
        """Send one message; what is said to a side that is gone is lost."""
        data = json.dumps({"kind": type(message).__name__, "body": asdict(message)}).encode()
        self.send_packet(data, wait=True)

    def receive(self) -> Message | None:
        """Wait for the next message; None when the other side is gone.

        Raises:
            InternalError: what came is not a message of this version.
        """
        data = self.receive_packet(wait=True)
        if data is None:
            return None
        try:
            said = json.loads(data)
            message = rebuild(_KINDS[said["kind"]], said["body"], said["kind"])
        except (ValueError, KeyError, TypeError) as problem:
            raise InternalError(f"a message that nobody can read: {problem!r}") from problem
        assert isinstance(message, Message)
        return message
