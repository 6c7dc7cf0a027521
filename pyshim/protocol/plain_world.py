# SPDX-License-Identifier: BSD-3-Clause
"""LOOK of the plain profile and its answer: what a player sees of its world (PROTOCOL.md 19)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from pyshim.protocol.session_wire import WireError, expect
from pyshim.protocol.world.about import Vector, World, decode_world
from pyshim.protocol.world.state import Full, WorldState, decode

LOOK: Final = 6
LOOK_ACK: Final = 106
LOOK_MIN_BYTES: Final = 192
LOOK_MAX_BYTES: Final = 1232

_QUESTION: Final = struct.Struct("<IIQIB3x")
_ANSWER: Final = struct.Struct("<IIQIBBH6f")


@dataclass(frozen=True, slots=True)
class Sight:
    """What a player was told."""

    timestamp: int
    player_id: int
    epoch: int
    is_there: bool  # somewhere in the world
    position: Vector  # of the player, as the gateway has it
    velocity: Vector
    world: World | None  # None: the listener has none
    state: WorldState | None  # None: nothing can be told just now

    def others(self) -> dict[int, Vector]:
        """Where those are whom the player sees, by identity."""
        if self.world is None or self.state is None:
            return {}
        return {
            one.identity: self.world.position_m(one.place.position)
            for one in self.state.exceptions
            if isinstance(one, Full)
        }


def look(player_id: int, epoch: int, timestamp: int = 0, length: int = LOOK_MAX_BYTES) -> bytes:
    """A question; its answer has at most as many bytes."""
    return _QUESTION.pack(LOOK, length, timestamp, player_id, epoch).ljust(length, b"\0")


def read_sight(datagram: bytes) -> Sight:
    """What an answer says.

    Raises:
        WireError: it is cut off, or says what no gateway says.
    """
    expect(
        len(datagram) >= _ANSWER.size, f"an answer of {len(datagram)} bytes; it has at least {_ANSWER.size}"
    )
    kind, size, timestamp, player_id, epoch, is_there, about, *motion = _ANSWER.unpack_from(datagram)
    expect(kind == LOOK_ACK, f"a message of type {kind}")
    expect(size == len(datagram), f"a message of {len(datagram)} bytes that says {size}")
    expect(is_there in (0, 1), f"a player who is there {is_there} times")
    behind = datagram[_ANSWER.size :]
    expect(about <= len(behind), "an answer whose world is cut off")
    if about == 0 and behind:
        raise WireError("an answer with a state of no world")
    world = decode_world(behind[:about]) if about else None
    expect(world is None or world.epoch == epoch, "a world of another epoch than was asked for")
    state = decode(behind[about:]) if len(behind) > about else None
    if state is not None and world is not None:
        expect(is_there == 1, "an answer with a state of who is nowhere")
        _expect_whole(state, world)
    return Sight(
        timestamp,
        player_id,
        epoch,
        is_there == 1,
        (motion[0], motion[1], motion[2]),
        (motion[3], motion[4], motion[5]),
        world,
        state,
    )


def _expect_whole(state: WorldState, world: World) -> None:
    """It is by itself, and of the world before it."""
    alone = not (state.base or state.records or state.strips)
    full = all(isinstance(one, Full) for one in state.exceptions)
    expect(alone and full, "an answer that supposes another before it")
    expect(state.epoch == world.epoch, "a state of another epoch than was asked for")
    expect(state.tick == world.tick & 0xFFFF, "a state of another tick than its world is of")
