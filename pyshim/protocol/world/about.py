# SPDX-License-Identifier: BSD-3-Clause
"""WORLD: what the WORLD_STATEs of an epoch are of, and how many metres its numbers are."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from pyshim.protocol.session_wire import WireError, expect
from pyshim.protocol.world.record import Place, Triple
from pyshim.protocol.world.shapes import POSITION_BITS, SLOTS_MAX
from pyshim.velocities import velocity_parts

Vector = tuple[float, float, float]

_HEAD: Final = struct.Struct("<4BI3i3IH")
_NAME_MAX_BYTES: Final = 31
_CELL_SHIFT_MIN: Final = 9  # 256ths of a cell have a middle


@dataclass(frozen=True, slots=True)
class World:
    """A world that a player is in; one without a name is none, and nothing but its epoch is said."""

    epoch: int
    tick_hz: int
    cell_shift: int  # of glimpses: the side of a cell is 2 to this, in quanta; 0: there are none
    slots: int
    quantum_um: int
    low_mm: Triple  # the lowest corner
    radius: int  # quanta
    leave_radius: int
    tick: int  # of the WORLD_STATE behind it
    name: str

    @property
    def quantum_m(self) -> float:
        """A step of positions."""
        return self.quantum_um / 1e6

    @property
    def velocity_parts(self) -> int:
        """So many of a velocity's units are a quantum per tick."""
        return velocity_parts(self.tick_hz)

    def position_m(self, position: tuple[float, float, float]) -> Vector:
        """A place in quanta, in metres."""
        x, y, z = (low / 1e3 + at * self.quantum_m for low, at in zip(self.low_mm, position, strict=True))
        return x, y, z

    def velocity_mps(self, place: Place) -> Vector:
        """How fast somebody is, in metres per second."""
        vx, vy, vz = (one / self.velocity_parts * self.quantum_m * self.tick_hz for one in place.velocity)
        return vx, vy, vz


def decode_world(body: bytes) -> World:
    """What a WORLD says.

    Raises:
        WireError: it is cut off, or no world is like that.
    """
    expect(len(body) > _HEAD.size, f"a WORLD of {len(body)} bytes; it has at least {_HEAD.size + 1}")
    epoch, tick_hz, cell_shift, slots, quantum, x, y, z, radius, leave, tick, size = _HEAD.unpack_from(body)
    expect(size == len(body) - _HEAD.size and size <= _NAME_MAX_BYTES, f"a WORLD with a name of {size} bytes")
    try:
        name = body[_HEAD.size :].decode()
    except UnicodeDecodeError as error:
        raise WireError("a WORLD whose name is not UTF-8") from error
    if tick_hz == 0:  # in none
        return World(epoch, 0, 0, 0, 0, (0, 0, 0), 0, 0, 0, "")
    expect(quantum > 0, "a WORLD without space")
    expect(1 <= slots <= SLOTS_MAX, f"a WORLD with {slots} slots")
    expect(
        cell_shift == 0 or _CELL_SHIFT_MIN <= cell_shift <= POSITION_BITS, f"cells of 2^{cell_shift} quanta"
    )
    return World(epoch, tick_hz, cell_shift, slots, quantum, (x, y, z), radius, leave, tick, name)


def encode_world(world: World) -> bytes:
    """The body that says it."""
    name = world.name.encode() or b"-"
    return (
        _HEAD.pack(
            world.epoch,
            world.tick_hz,
            world.cell_shift,
            world.slots,
            world.quantum_um,
            *world.low_mm,
            world.radius,
            world.leave_radius,
            world.tick & 0xFFFFFFFF,
            len(name),
        )
        + name
    )
