# SPDX-License-Identifier: BSD-3-Clause
"""Writes dpdk_app/wire/plain_world_vectors.json: LOOKs and their answers, from PROTOCOL.md 19 alone.

    python -m tests.world.make_plain_vectors [OUT.json]

The same bytes every time. scapy's layers write the messages, and the Python encoder what is behind `motion`.
Shape:

    looks          name, look -> timestamp, player_id, epoch, length: questions that are answered
    refused_looks  name, look -> reason: for which a gateway drops it
    sights         name, look, sight -> said: answers to a question; a gateway that has to say this sends
                   these bytes
    refused_sights name, sight: no gateway sends it, and no reader takes it
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from pyshim.protocol.plain import ACK_OFFSET, LOOK, Look, LookAck, Plain
from pyshim.protocol.world.about import Vector, World, encode_world
from pyshim.protocol.world.record import Place, Record
from pyshim.protocol.world.state import Empty, Full, Glimpse, Older, Sort, Strip, WorldState, encode
from tests.vectors import text_of, write
from tests.world import drawn
from tests.world.make_vectors import meaning
from tests.world.model import WORLD
from tests.world.refused import REFUSED as REFUSED_STATES

OUT = Path(__file__).resolve().parents[2] / "dpdk_app" / "wire" / "plain_world_vectors.json"
LEAST, MOST = 192, 1232
STAMP, PLAYER, EPOCH = 0x0123456789ABCDEF, 0x01020304, 7
HERE = Place((100_000, 200_000, 3_000), (80, -81, 7))


@dataclass(frozen=True)
class Said:
    """What an answer says, as far as it is not its question's."""

    is_there: bool
    position: Vector
    velocity: Vector
    world: World | None
    state: WorldState | None


NOBODY = Said(is_there=False, position=(0, 0, 0), velocity=(0, 0, 0), world=None, state=None)
MEADOW = replace(WORLD, epoch=EPOCH, tick=0x12340001, name="Wiese ☘")
THERE = Said(is_there=True, position=(0.5, -1.25, 3.0), velocity=(6.0, 0.0, -0.125), world=MEADOW, state=None)


# ---------------------------------------------------------------- questions


def question(length: int = MOST, **fields: Any) -> bytes:
    """A LOOK of so many bytes."""
    body = {"player_id": PLAYER, "epoch": EPOCH, **fields}
    padding = bytes(at % 251 for at in range(length - 24))  # anything
    return bytes(Plain(timestamp=STAMP) / Look(padding=padding, **body))


def looks() -> Iterator[dict[str, Any]]:
    """Questions that are answered."""
    for name, length, fields in (
        ("the shortest", LEAST, {}),
        ("the longest", MOST, {}),
        ("of an odd length", 777, {"epoch": 255}),
        ("of the last player and the first epoch", 200, {"player_id": 0xFFFFFFFF, "epoch": 0}),
    ):
        look = {"timestamp": STAMP, "player_id": PLAYER, "epoch": EPOCH, **fields, "length": length}
        yield {"name": name, "look": question(length, **fields).hex(), **look}


def refused_looks() -> Iterator[dict[str, Any]]:
    """Questions that are dropped, and why."""
    whole = question(LEAST)
    for name, look, reason in (
        ("a byte too short", question(LEAST - 1), "message_size"),
        ("a byte too long", question(MOST + 1), "message_size"),
        ("its first 24 bytes alone", question(24), "message_size"),
        ("that says a byte more than it has", _sized(whole, LEAST + 1), "message_size"),
        ("that says a byte less than it has", _sized(whole, LEAST - 1), "message_size"),
        ("a head that is cut off", whole[:15], "truncated"),
        ("the first reserved byte", question(zero=b"\1\0\0"), "message_reserved"),
        ("the last reserved byte", question(zero=b"\0\0\x80"), "message_reserved"),
        ("an answer", _typed(whole, LOOK + ACK_OFFSET), "message_type"),
        ("a type that there is not", _typed(whole, LOOK + 1), "message_type"),
    ):
        yield {"name": name, "look": look.hex(), "reason": reason}


def _sized(message: bytes, size: int) -> bytes:
    return message[:4] + struct.pack("<I", size) + message[8:]


def _typed(message: bytes, kind: int) -> bytes:
    return struct.pack("<I", kind) + message[4:]


# ---------------------------------------------------------------- answers


def answer(said: Said, player_id: int = PLAYER, epoch: int = EPOCH, timestamp: int = STAMP) -> bytes:
    """The answer that says it."""
    names = [f"{what}_{axis}" for what in ("position", "velocity") for axis in "xyz"]
    motion = dict(zip(names, (*said.position, *said.velocity), strict=True))
    return bytes(
        Plain(timestamp=timestamp)
        / LookAck(
            player_id=player_id,
            epoch=epoch,
            is_there=int(said.is_there),
            world=encode_world(said.world) if said.world else b"",
            state=encode(said.state) if said.state else b"",
            **motion,
        )
    )


def _state(*fulls: Full, tick: int = MEADOW.tick) -> WorldState:
    return WorldState(tick & 0xFFFF, EPOCH, 0, (), fulls)


def _drawn(rng: Random, count: int) -> WorldState:
    return _state(*(_somebody(rng, slot) for slot in range(count)))


def _somebody(rng: Random, slot: int) -> Full:
    number, identity = rng.randrange(1 << 20), rng.randrange(1 << 32)
    return Full(slot, number, identity, Sort(rng.randrange(2)), drawn.place(rng))


def said() -> Iterator[tuple[str, int, Said]]:
    """Answers with their names, and how long the question is."""
    most = Full(31, 0xFFFFF, 0xFFFFFFFF, Sort.OTHER, Place((0, (1 << 21) - 1, 1), (-32768, 32767, -1)))
    longest = replace(MEADOW, name="n" * 31, cell_shift=0, slots=1)
    rng = Random(19)
    yield "the listener has no world", LEAST, NOBODY
    yield "nowhere yet", LEAST, replace(NOBODY, world=MEADOW)
    yield "nothing can be told just now", LEAST, THERE
    yield "nobody is near", LEAST, replace(THERE, state=_state())
    yield "somebody is near", LEAST, replace(THERE, state=_state(Full(0, 1, 2, Sort.PLAYER, HERE)))
    yield "the ends of all", LEAST, replace(THERE, world=longest, state=_state(most))
    for count in (2, 7, 32):
        yield f"{count} are near", MOST, replace(THERE, state=_drawn(rng, count))


def sights() -> Iterator[dict[str, Any]]:
    """Questions, and answers to them."""
    for name, length, one in said():
        look, sight = question(length), answer(one)
        assert len(sight) <= len(look), name
        yield {"name": name, "look": look.hex(), "sight": sight.hex(), "said": meant(one)}


def meant(one: Said) -> dict[str, Any]:
    """What is said, as JSON."""
    return {
        "is_there": one.is_there,
        "position": list(one.position),
        "velocity": list(one.velocity),
        "world": asdict(one.world) | {"low_mm": list(one.world.low_mm)} if one.world else None,
        "state": meaning(one.state) if one.state else None,
    }


def refused_sights() -> Iterator[dict[str, Any]]:
    """Answers that no gateway sends."""
    whole = replace(THERE, state=_state(Full(0, 1, 2, Sort.PLAYER, HERE)))
    assert whole.state is not None
    good = answer(whole)

    def of(*exceptions: Any, **changes: Any) -> bytes:
        return answer(replace(whole, state=replace(_state(*exceptions), **changes)))

    def edited(at: int, to: bytes) -> bytes:
        return good[:at] + to + good[at + len(to) :]

    rows = {
        "a head that is cut off": _sized(good[:47], 47),
        "a size that it has not": _sized(good, len(good) + 1),
        "a question": _typed(good, LOOK),
        "a player who is there twice": edited(21, b"\2"),
        "a WORLD that is cut off": edited(22, struct.pack("<H", len(good) - 47)),
        "a state of no world": edited(22, b"\0\0"),
        "a state of who is nowhere": edited(21, b"\0"),
        "a WORLD of another epoch": answer(replace(whole, world=replace(MEADOW, epoch=EPOCH + 1))),
        "a state of another epoch": answer(whole, epoch=EPOCH + 1),
        "a state of another tick than its WORLD": answer(replace(whole, state=_state(tick=MEADOW.tick + 1))),
        "a record": of(base=1, records=((0, Record()),)),
        "a baseline of nobody": of(base=1),
        "an older one": of(Older(0, 1, Record())),
        "an empty slot": of(Empty(0)),
        "a strip": of(strips=(Strip(1, 2, (Glimpse(1, 2, 3),)),)),
    }
    begins = struct.pack("<HB", MEADOW.tick & 0xFFFF, EPOCH)
    for name, body in REFUSED_STATES.items():
        bare = answer(replace(THERE, state=None)) + begins + body[len(begins) :]
        rows[f"a state with {name}"] = _sized(bare, len(bare))
    for name, sight in rows.items():
        yield {"name": name, "sight": sight.hex()}


# ---------------------------------------------------------------- the file


def document() -> dict[str, Any]:
    """All of it."""
    return {
        "looks": list(looks()),
        "refused_looks": list(refused_looks()),
        "sights": list(sights()),
        "refused_sights": list(refused_sights()),
    }


def render() -> str:
    """The file's text."""
    return text_of(document())


if __name__ == "__main__":
    sys.exit(write(sys.argv[1:], OUT, render()))
