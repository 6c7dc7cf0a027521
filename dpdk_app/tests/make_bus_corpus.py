# SPDX-License-Identifier: BSD-3-Clause
"""Write the seeds of the fuzz targets of the bus and of what game processes say: see make_corpus.py."""

from __future__ import annotations

import struct

from make_corpus import write


def rings() -> dict[str, bytes]:
    """Steps of a ring's two sides; what is scribbled over their memory, and before which load."""
    attach_writer, attach_reader, abandon, scribble, wake, sleep = (bytes([step, 0]) for step in range(6))
    write, read = 0x80 + 28, 0x80 + 30  # three messages, committed; one, released
    three = bytes([write, 0, 40, 1, 7, 0, 0, 8, 255, 3, 9])
    begun = bytes([6, 0, 40, 1, 7])
    take = bytes([read + 40, 0])
    here = 2 + 8  # a whole word where the writer is
    whole = three + take
    return {
        "exchange": whole * 3,
        "around": (three + take * 2) * 12,
        "full": three * 9 + take + begun + take,
        "gap": three + begun * 3 + attach_writer + take * 3,
        "abandoned": three + begun + abandon + three + take * 2,
        "asleep": sleep + three + wake + sleep + take,
        "reader-again": three + bytes([read - 0x80 + 20, 0]) + attach_reader + take,
        "no-kind": three + scribble + bytes([here, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0]) + take,
        "endless-gap": scribble + bytes([here, 0, 0, 0, 3, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF]) + take * 2,
        "too-long": scribble + bytes([here + 4, 0, 0, 0, 1, 0, 0, 0, 0, 5, 0]) + take,
        "released-too-far": three + scribble + bytes([1 + 2, 0, 0, 1, 0, 0]) + three * 20,
        "marks": three + scribble + bytes([8, 0, 35, 0, 0, 0, 0, 0, 0, 0, 3]) + attach_writer,
        "between-loads": three + bytes([0, 3, here, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]) + take,
    }


def orders() -> dict[str, bytes]:
    """What a game process has a worker do, as fuzz_orders.c reads it."""

    def order(kind: int, body: bytes) -> bytes:
        return bytes([kind, len(body)]) + body

    players, comes, everybody, next_process, hurry = 40, 224, 240, 248, 252
    send, send_list, send_group, join, leave, end, kick, place, ask = range(1, 10)
    said, bag = struct.pack("<IBBBB", 0, 70, 1, 1, 1), struct.pack("<IBBBB", 0, 131, 1, 1, 1)
    to_all = struct.pack("<II", players, 0) + said + struct.pack(f"<{players}I", *range(1, players + 1))
    one, group = bytes([comes]), struct.pack("<II", 1, 0)
    world, spawn, move, say, despawn = range(10, 15)
    meadow, cave, no_world = b"meadow".ljust(32, b"\0"), b"cave".ljust(32, b"\0"), bytes(32)

    def spawned(entity: int, x: float, state: bytes) -> bytes:
        return struct.pack("<I6fB3x32s", entity, x, 2, 3, 4, 5, 6, len(state), state)

    def stated(who: int, state: bytes, length: int | None = None) -> bytes:
        return struct.pack("<IB3x32s", who, len(state) if length is None else length, state)

    def entered(name: bytes, x: float) -> bytes:
        return struct.pack("<IB3x32s6f", 1, 1, name, x, 2, 3, 0, 0, 0)

    tree = order(spawn, meadow + spawned(5, 1, b"oak"))
    return {
        "spawn": tree + order(spawn, meadow + spawned(5, 9, b"") + spawned(6, 2, b"elm")),
        "spawn-full": b"".join(order(spawn, meadow + spawned(i, i, b"x")) for i in range(1, 15)),
        "spawn-nowhere": order(spawn, meadow + spawned(1, float("nan"), b""))
        + order(spawn, cave + spawned(2, 1e9, b"")),
        "spawn-move-despawn": tree
        + order(move, meadow + struct.pack("<I6f", 5, 7, 7, 7, 1, 1, 1))
        + order(despawn, meadow + struct.pack("<II", 5, 6)),
        "spawn-next": tree + bytes([next_process]) + tree,
        "state": tree
        + order(say, meadow + stated(5, b"stump") + stated(6, b"none"))
        + order(despawn, meadow + b"\5\0\0\0"),
        "state-long": tree
        + order(say, meadow + stated(5, bytes(32), 33))
        + order(say, no_world + stated(1, b"", 255)),
        "state-player": one
        + order(say, no_world + stated(1, b"crowned"))
        + order(world, entered(meadow, 1))
        + one,
        "world": one
        + order(world, entered(meadow, 1))
        + order(world, entered(cave, 2))
        + order(world, entered(no_world, 3)),
        "world-none": order(spawn, no_world + spawned(1, 1, b""))
        + order(spawn, b"moon".ljust(32, b"\0") + spawned(1, 1, b"")),
        "send": one + order(send, struct.pack("<II", 1, 0) + said + b"hello"),
        "send-theirs": one + order(send, struct.pack("<II", 1, 0) + bag + b"things"),
        "send-nobody": order(send, struct.pack("<II", 99, 0) + said),
        "list": bytes([comes, comes + 3]) + order(send_list, to_all + b"all"),
        "list-hurry": bytes([everybody, hurry]) + order(send_list, to_all + b"all"),
        "list-short": order(send_list, to_all[:60]),
        "group": one + order(join, struct.pack("<II", 1, 1)) + order(send_group, group + said + b"group"),
        "group-hurry": bytes([hurry, everybody]) + order(send_group, group + said + bytes(100)),
        "group-left": one + order(join, struct.pack("<II", 1, 1)) + order(leave, struct.pack("<II", 1, 1)),
        "group-end": bytes([everybody]) + order(end, group) + order(send_group, group + said),
        "group-next": bytes([hurry, everybody, next_process]) + order(send_group, group + said),
        "kick": one + order(kick, struct.pack("<IB3x", 1, 9)),
        "place": one + order(place, struct.pack("<I6f", 1, 1, 2, 3, 4, 5, 6)),
        "place-nan": one + order(place, struct.pack("<I6f", 1, 1, float("nan"), 3, 4, 5, 6)),
        "ask": one + order(ask, struct.pack("<II", 1, 77)),
        "no-type": order(0, b"") + order(15, bytes(20)),
    }


def waiting() -> dict[str, bytes]:
    """What players of a world say and do, and a game process asks, as fuzz_waiting.c reads it."""
    attack, chat, anything, long, move, tick, rerank, leave, all_of_it, ask, one_step = (
        what << 3 for what in (0, 3, 6, 8, 16, 20, 21, 22, 23, 24, 25)
    )

    def words(step: int, *said: int) -> bytes:
        return bytes([step, *said]) + bytes(8 - len(said))

    hit = words(attack, 0, 2, 0, 1, 0, 0, 1)
    question = struct.pack("<IBBHIB3xI3f3ff", 9, 1, 7, 20, 1000, 128, 0, 0, 2, 0, 0, 1, 0, 50)
    ray = struct.pack("<IBBHIB3xI3f3ff", 9, 2, 6, 20, 1001, 0, 3, 0, -5, 1, 0, 1, 0, 50)
    ticks = bytes([tick]) * 70
    return {
        "hit": hit + bytes([one_step] * 3),
        "hit-anybody": words(attack + 1, 0, 0, 0, 1, 0, 0, 1) + bytes([all_of_it]),
        "near": words(chat, 0, 0, 20) + bytes([one_step] * 4),
        "behind": hit + words(chat, 0, 3, 9) + words(chat + 1, 0, 0, 9) + bytes([all_of_it]),
        "anything": words(anything, 1, 0, 0, 0, 5) + bytes([all_of_it]),
        "many": bytes([long]) * 100 + bytes([all_of_it]),
        "ranks": ticks + words(chat, 0, 0, 20) + bytes([one_step, rerank]) + hit + bytes([one_step] * 9),
        "gone": hit + words(chat, 0, 0, 20) + bytes([leave, one_step, leave]) + bytes([one_step] * 9),
        "moved": bytes([move, 5, 5, tick]) * 20 + hit + bytes([all_of_it]),
        "sphere": ticks[:10] + bytes([ask]) + question + bytes([ask]) + question[:20],
        "ray": ticks[:10] + bytes([ask]) + ray,
    }


def main() -> None:
    """Write them."""
    write("fuzz_waiting", waiting())
    write("fuzz_orders", orders())
    write("fuzz_ring", rings())


if __name__ == "__main__":
    main()
