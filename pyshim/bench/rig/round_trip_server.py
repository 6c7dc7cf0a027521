# SPDX-License-Identifier: BSD-3-Clause
"""A gateway whose players say one thing after the other to a game process, which answers, or to nobody.

Run as `python -m pyshim.bench.rig.round_trip_server CONFIG PLAYERS SECONDS READER CPU`; READER "" is none.
Prints one line of JSON: how long it took from a packet in the worker's hands to its answer in the device's.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from pyshim.bench.rig.game_server import open_gateway, reading
from pyshim.bench.rig.processes import WARM_UP_S
from pyshim.bench.rig.sealed_frames import GAME_BODY_BYTES, frame_of, game_message
from pyshim.bench.rig.sealed_native import converse, round_trips
from pyshim.errors import PollgateError
from pyshim.protocol.session_wire import DATA_MIN_BYTES

_STOP_S = 30.0


def main(arguments: Sequence[str]) -> None:
    """Measure once.

    Raises:
        PollgateError: the gateway cannot be opened, or the process does not start.
    """
    config, players, seconds, reader, cpu = arguments
    gateway, _, decided, connections = open_gateway(Path(config), int(players))
    frames = [frame_of(connection, game_message()) for connection in connections]
    # Without a process the answer is an acknowledgement; with one that comes, too, and is not awaited.
    memory = converse(gateway, frames, DATA_MIN_BYTES + (GAME_BODY_BYTES if reader else 0))
    process: dict[str, Any] = {}
    with reading(gateway, decided, (reader, "answer"), cpu, process) if reader else nullcontext():
        gateway.start()
        time.sleep(WARM_UP_S)
        lost_before = round_trips()[1]
        time.sleep(float(seconds))
        trips, lost = round_trips()
        gateway.stop(_STOP_S)
    gateway.close()
    del memory
    median = trips[len(trips) // 2] if trips else 0.0
    late = trips[len(trips) * 99 // 100] if trips else 0.0
    figures = {"trips": len(trips), "p50_s": median, "p99_s": late, "lost": lost - lost_before}
    print(json.dumps(figures | {"heard": process.get("messages", 0)}))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except PollgateError as problem:
        sys.exit(str(problem))  # its last line is what the benchmark tells
