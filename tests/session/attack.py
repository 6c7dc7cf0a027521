# SPDX-License-Identifier: BSD-3-Clause
"""What attacks on a gateway are made of: limits or none, forgeries, and what a gateway holds."""

from __future__ import annotations

import struct
from pathlib import Path
from random import Random

from pyshim.config import Config
from pyshim.plan import DeliveryPolicy, ListenerPolicy, Policy
from pyshim.planner import policy_of
from pyshim.protocol.client.limits import Pace
from pyshim.protocol.client.ticket import Ticket
from pyshim.protocol.session_bodies import move_body
from pyshim.protocol.session_wire import Kind
from tests.session.core_gateway import NO_LIMITS, CoreGateway
from tests.session.internet import Internet, Player

BURST = 64
MIB = 1 << 20
STRANGER = 1000  # an address that no player has
MOVE = move_body((1.0, 2.0, 3.0), (0.0, 0.0, 0.0))


def policy(limits: ListenerPolicy | None = None, delivery: DeliveryPolicy = NO_LIMITS) -> Policy:
    return Policy(30 * 10**9, 0, 1, (limits or ListenerPolicy(0, 1),), delivery)


def as_configured() -> Policy:
    """What who writes nothing but `profile: session` gets."""
    ports = [{"name": "game0", "address": ["127.0.0.1/8"]}]
    listen = [{"port": 8081, "profile": "session"}]
    return policy_of(Config.model_validate({"engine": "epoll", "ports": ports, "listen": listen}))


def join(internet: Internet, ticket: Ticket) -> Player:
    player = internet.join(ticket)
    assert internet.run(30, lambda: player.session.is_connected), player.session.failure
    return player


def unpaced(player: Player) -> None:
    """The client does not keep to what the gateway said."""
    it = player.session._connection._open
    assert it is not None
    it.sender.pace = Pace(())


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def state_of(gateway: CoreGateway) -> bytes:
    """The session state, byte for byte."""
    with gateway.state.map() as memory:
        return bytes(memory)


def forged(session: int, counter: int, random: Random, size: int = 100, kind: Kind = Kind.DATA) -> bytes:
    """A sealed datagram by somebody who knows a session's number and nothing else."""
    head = struct.pack("<BBHII", kind, 0, size, session, counter)
    return head + random.randbytes(size - len(head))
