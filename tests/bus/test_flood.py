# SPDX-License-Identifier: BSD-3-Clause
"""A process that says as much as its memory takes, in the dearest way that there is, slows itself alone."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

from pyshim.game import Game, Message
from pyshim.protocol.client import Client
from tests.bus.test_attach import config
from tests.bus.test_players import OWN, answer, hears, ticket
from tests.gate import TIMEOUT_S, Gate

ROUNDS = 30  # of a player's message to another process and its answer
# Every order names as many receivers as one can, none of whom there is.
FLOODS = """
import mmap, os, struct, sys, time
from pathlib import Path
sys.path.append(sys.argv[2])
from tests.bus.process import MAPPED, Process, head

RING, HEAD, SEND_LIST, RECEIVERS, OWN = 256 * 1024, 640, 2, 4096, 70
body = struct.pack("<IIIBBBB", RECEIVERS, 0, 0, OWN, 0, 0, 0) + struct.pack("<I", 99) * RECEIVERS
word = struct.pack("<Q", 1 << 48 | SEND_LIST << 32 | len(body))
skip = struct.pack("<Q", 2 << 48)
extent, zero = len(word + body), bytes(8)

process = Process(Path(sys.argv[1]))
(rings,) = process.arrive("flood")
theirs = mmap.mmap(rings.fds[0], HEAD, prot=mmap.PROT_READ)
ours = mmap.mmap(rings.fds[1], HEAD + RING)
process.say(head(MAPPED))
position = waits = orders = 0

def wait_for_room(end):
    global waits
    while end + 8 - struct.unpack_from("<Q", theirs, 0)[0] > RING:
        waits += 1

while True:
    at = position % RING
    if RING - at < extent:
        wait_for_room(position + RING - at)
        ours[HEAD:HEAD + 8] = zero
        ours[HEAD + at:HEAD + at + 8] = skip
        position += RING - at
        continue
    wait_for_room(position + extent)
    after = (at + extent) % RING
    ours[HEAD + after:HEAD + after + 8] = zero
    ours[HEAD + at + 8:HEAD + at + extent] = body
    ours[HEAD + at:HEAD + at + 8] = word
    os.eventfd_write(rings.fds[2], 1)
    position += extent
    orders += 1
    if orders % 100 == 0:
        print(orders, waits, flush=True)
"""


def test_players_and_other_processes_are_served_while_one_floods(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    with Gate(config(tmp_path, ring_kib=256, routes=[{"to": "arena"}]), tmp_path) as gate:
        path = gate.directory / "game.sock"

        async def play(game: Game) -> None:
            async with Client(ticket(gate, 7)) as player:
                for number in range(ROUNDS):
                    async with asyncio.timeout(TIMEOUT_S):
                        await player.say(OWN, b"%d" % number)
                    (said,) = await asyncio.to_thread(hears, game, Message)
                    game.send(7, OWN, said.body)
                    game.flush()
                    assert (await answer(player)).body == b"%d" % number

        with (
            Game(path, "arena") as game,
            subprocess.Popen(
                [sys.executable, "-P", "-c", FLOODS, str(path), str(root)], stdout=subprocess.PIPE, text=True
            ) as flood,
        ):
            assert flood.stdout is not None
            try:
                orders, waits = map(int, flood.stdout.readline().split())
                asyncio.run(play(game))
                flood.stdout.readline()  # goes on
            finally:
                flood.kill()
        assert (orders, waits > 0) == (100, True)
        counted = gate.metrics()
        assert counted.value("pollgate_game_orders_total", process="flood") >= 2 * orders
        assert counted.value("pollgate_game_orders_refused_total", process="flood", reason="no_player") > 0
        assert counted.value("pollgate_game_detachments_total", reason="broken") == 0
