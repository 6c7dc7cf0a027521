# SPDX-License-Identifier: BSD-3-Clause
"""Which shapes of records are frequent: `python -m tests.world.train_shapes` writes how long their codes are.

Players walk about on hills and are told of to players whose acknowledgements take as long as they do, and
the shapes of the records are counted. The same seed gives the same counts, and so the same file.
With `--widths` it also looks for the widths of the classes with which records are shortest, and prints
them: they are in wire/world.h.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

WIRE = Path(__file__).resolve().parents[2] / "dpdk_app/wire"
SHAPES, LONGEST = 256, 12
VELOCITY, POSITION = (0, 4, 7, 9), (0, 2, 4, 8)  # bits by class, as in wire/world.h
FASTEST, FARTHEST = 9, 8  # the widest: who stops at once must not need more bits than a record has
GROUPS = 4  # velocity x and y, velocity z, position x and y, position z
Counts = dict[tuple[int, ...], float]  # bits that each group needs → how often
Numbers = NDArray[np.int64]
Reals = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Case:
    """Players who are told of each other."""

    weight: float  # of its records among all
    tick_hz: int
    delays: tuple[int, ...]  # ticks from a frame to its acknowledgement, by player
    loss: float  # of datagrams
    standing: float  # share of players
    stops_every_s: float = 0.0  # the others stop, and go on, at once; 0: they do not


CASES = (
    Case(0.70, 60, (6, 7, 8, 9, 10), 0.02, 0.05),
    Case(0.10, 60, (6, 7, 8, 9, 10), 0.02, 0.05, 3.0),
    Case(0.10, 60, (12, 13, 14, 15, 16), 0.05, 0.05),
    Case(0.05, 60, (3, 4), 0.01, 0.05),
    Case(0.05, 20, (2, 3, 4), 0.02, 0.05),
)
TOWN = Case(1.0, 60, (6, 7, 8, 9, 10), 0.02, 0.0)
FAR = Case(1.0, 60, (18, 19, 20, 21, 22), 0.10, 0.0)

QUANTUM_M, SPEED_M_S, TURN_PER_S, TURNS_EVERY_S = 0.01, 6.0, np.pi, 1.5


class Players:
    """Walk at 6 m/s, each to a new heading every 1.5 s, turning by at most 180 degrees a second."""

    def __init__(self, case: Case, count: int, random: np.random.Generator) -> None:
        """Somewhere on a square kilometre."""
        self._random, self._tick_s = random, 1 / case.tick_hz
        self._x, self._y = random.random(count) * 1000, random.random(count) * 1000
        self._heading, self._wanted = random.random(count) * 2 * np.pi, random.random(count) * 2 * np.pi
        self._speed = np.where(random.random(count) < case.standing, 0.0, SPEED_M_S)
        self._stops = self._tick_s / case.stops_every_s if case.stops_every_s else 0.0

    @staticmethod
    def _height(x: Reals, y: Reals) -> Reals:
        return np.asarray(6 * np.sin(x / 40) + 6 * np.cos(y / 47) + 20)

    def step(self) -> Numbers:
        """A tick: x, y, z in quanta, velocities in eighths of a quantum per tick, by player."""
        count, step = len(self._x), TURN_PER_S * self._tick_s
        turns = self._random.random(count) < self._tick_s / TURNS_EVERY_S
        self._wanted = np.where(turns, self._random.random(count) * 2 * np.pi, self._wanted)
        left = (self._wanted - self._heading + np.pi) % (2 * np.pi) - np.pi
        self._heading += np.clip(left, -step, step)
        if self._stops:
            changes = self._random.random(count) < self._stops
            self._speed = np.where(changes, SPEED_M_S - self._speed, self._speed)
        vx, vy = np.cos(self._heading) * self._speed, np.sin(self._heading) * self._speed
        self._x, self._y = self._x + vx * self._tick_s, self._y + vy * self._tick_s
        z = self._height(self._x, self._y)
        vz = (self._height(self._x + vx * 1e-3, self._y + vy * 1e-3) - z) * 1e3
        place = np.stack([self._x, self._y, z]) / QUANTUM_M
        velocity = np.stack([vx, vy, vz]) * (8 * self._tick_s / QUANTUM_M)
        return np.concatenate([np.rint(place), np.rint(velocity)]).astype(np.int64)


def changes(case: Case, ticks: int, count: int, seed: int) -> Iterator[Numbers]:
    """For each tick, the zig-zag values of every player's record: velocity x, y, z, position x, y, z."""
    random = np.random.Generator(np.random.PCG64(seed))
    players, delay = Players(case, count, random), np.resize(case.delays, count)
    frames: list[Numbers] = []
    for _ in range(ticks):
        frames = [players.step(), *frames[:31]]
        if len(frames) < 32:
            continue
        lost = np.floor(np.log(1 - random.random(count)) / np.log(case.loss)).astype(np.int64)
        age = np.minimum(delay + lost, 30)
        ring = np.stack(frames)
        base = ring[age, :, np.arange(count)].T
        now = frames[0]
        expected = base[:3] + ((now[3:] + base[3:]) * age + 8 >> 4)
        signed = np.concatenate([now[3:] - base[3:], now[:3] - expected])
        yield np.where(signed < 0, -2 * signed - 1, 2 * signed)


def needed(case: Case, ticks: int, count: int, seed: int) -> Counts:
    """How many bits the groups need, by how often, in shares of all records."""
    found: Counts = {}
    for one in changes(case, ticks, count, seed):
        groups = np.stack([one[0] | one[1], one[2], one[3] | one[4], one[5]])
        bits = np.ceil(np.log2(groups + 1)).astype(np.int64)
        rows, often = np.unique(bits.T, axis=0, return_counts=True)
        for row, n in zip(rows, often, strict=True):
            key = tuple(int(b) for b in row)
            found[key] = found.get(key, 0.0) + float(n)
    whole = sum(found.values())
    return {bits: n / whole for bits, n in found.items()}


def shape_of(bits: tuple[int, ...], velocity: tuple[int, ...], position: tuple[int, ...]) -> int | None:
    """The shape that has room for so many bits; None: there is none."""
    shape = 0
    for group, n in enumerate(bits):
        widths = velocity if group < GROUPS // 2 else position
        if n > widths[-1]:
            return None
        shape |= next(c for c, width in enumerate(widths) if n <= width) << 2 * group
    return shape


def bits_of(shape: int, velocity: tuple[int, ...], position: tuple[int, ...]) -> int:
    """Bits of the values of a record."""
    widths = [(velocity if g < GROUPS // 2 else position)[shape >> 2 * g & 3] for g in range(GROUPS)]
    return 2 * widths[0] + widths[1] + 2 * widths[2] + widths[3]


def shapes(counts: Counts, velocity: tuple[int, ...], position: tuple[int, ...]) -> Reals:
    """How often each shape is, in shares."""
    found = np.zeros(SHAPES)
    for bits, share in counts.items():
        shape = shape_of(bits, velocity, position)
        if shape is not None:
            found[shape] += share
    return found


def least_bits(counts: Counts, velocity: tuple[int, ...], position: tuple[int, ...]) -> float:
    """Bits of a record on average, were the code of shapes ideal."""
    share = shapes(counts, velocity, position)
    values = np.array([bits_of(shape, velocity, position) for shape in range(SHAPES)])
    told = share[1:][share[1:] > 0]
    code = -(told * np.log2(told / told.sum())).sum()
    return float((share * values).sum() + code + 1)


def search(counts: Counts) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Widths with which records are shortest, of velocity and of position in turn."""
    velocities = [(0, *some, FASTEST) for some in combinations(range(1, FASTEST), 2)]
    positions = [(0, *some, FARTHEST) for some in combinations(range(1, FARTHEST), 2)]
    velocity: tuple[int, ...] = VELOCITY
    position: tuple[int, ...] = POSITION
    for _ in range(3):
        velocity = min(velocities, key=lambda widths: least_bits(counts, widths, position))
        position = min(positions, key=lambda widths: least_bits(counts, velocity, widths))
    return velocity, position


def lengths(share: Reals, longest: int) -> list[int]:
    """Of an ideal prefix code with words of at most `longest` bits, for each that has a share.

    Source: L. L. Larmore and D. S. Hirschberg, A fast algorithm for optimal length-limited Huffman codes,
    JACM, 1990.
    """
    coins = sorted((float(n), (symbol,)) for symbol, n in enumerate(share) if n > 0)
    packages: list[tuple[float, tuple[int, ...]]] = []
    for _ in range(longest):
        merged = sorted([*coins, *packages])
        packages = [
            (one[0] + other[0], one[1] + other[1])
            for one, other in zip(merged[::2], merged[1::2], strict=False)
        ]
    found = [0] * len(share)
    for _, symbols in packages[: len(coins) - 1]:
        for symbol in symbols:
            found[symbol] += 1
    return found


def average(share: Reals, length: list[int], velocity: tuple[int, ...], position: tuple[int, ...]) -> float:
    """Bits of a record with this code."""
    values = [bits_of(shape, velocity, position) + length[shape] for shape in range(SHAPES)]
    return float(1 + (share * np.array(values)).sum())


def written(length: list[int]) -> str:
    """The file."""
    rows = (", ".join(str(n) for n in length[at : at + 16]) + ",\n" for at in range(0, SHAPES, 16))
    return (
        "// SPDX-License-Identifier: BSD-3-Clause\n"
        "// wire/world_shapes.def: bits of the code of each shape of a record, by shape; 0: it has none.\n"
        "// `python -m tests.world.train_shapes` writes it.\n\n" + "".join(rows)
    )


def counted() -> Counts:
    """Of all cases, each with its weight."""
    counts: Counts = {}
    for seed, case in enumerate(CASES):
        for bits, often in needed(case, 500, 1000, seed).items():
            counts[bits] = counts.get(bits, 0.0) + case.weight * often
    return counts


def code(share: Reals) -> list[int]:
    """Lengths by shape: also of those that were never seen, for they can occur; shape 0 has none."""
    return lengths(np.where(np.arange(SHAPES) > 0, share + 1e-6, 0.0), LONGEST)


def main() -> None:
    """Count, and write the file."""
    counts = counted()
    velocity, position = search(counts) if "--widths" in sys.argv else (VELOCITY, POSITION)
    share = shapes(counts, velocity, position)
    length = code(share)
    print(f"velocity {velocity}, position {position}")
    print(f"all cases: {average(share, length, velocity, position):.2f} bits a record")
    for name, case in [("town-5000", TOWN), ("town-5000-far", FAR), *((str(one), one) for one in CASES)]:
        own = needed(case, 300, 1000, 99)
        told = average(shapes(own, velocity, position), length, velocity, position)
        ideal = least_bits(own, velocity, position)
        print(f"{name}: {told:.2f} bits, {told / 8:.2f} bytes; with a code of its own {ideal / 8:.2f}")
        if "--widths" in sys.argv:
            widths = search(own)
            print(f"  with widths of its own, {widths}: {least_bits(own, *widths) / 8:.2f}")
    (WIRE / "world_shapes.def").write_text(written(length))


if __name__ == "__main__":
    main()
