# SPDX-License-Identifier: BSD-3-Clause
"""A player with the C client, who chats and moves twenty times a second until it is ended.

It goes to another network when it is told.

c_player.py LIBRARY HEADER: as `meson install` leaves them; the ticket is in the environment.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2]))

from pyshim.conformance.client_numbers import ANOTHER_NETWORK
from pyshim.protocol.client.ticket import Ticket
from tests.client.c_client import Game, Library


def main(library: str, header: str) -> None:
    game = Game(Library(Path(library), Path(header)), Ticket.from_json(Path(os.environ["POLLGATE_TICKET"])))
    says_at = 0.0
    while True:
        game.play(0.01)
        if any(event.type == "CHAT" and event.values[-1] == ANOTHER_NETWORK for event in game.events):
            assert game.lib.pgc_rebind(game.client) == 0
        game.events.clear()
        if game.is_connected and time.monotonic() >= says_at:
            says_at = time.monotonic() + 0.05
            # A limit that is full is no reason to end: what it refuses is not said.
            game.move((1.0, 2.0, 3.0))
            game.chat(7, "hello")


main(*sys.argv[1:])
