# SPDX-License-Identifier: BSD-3-Clause
"""A player with the Python client, who chats and moves twenty times a second until it is ended.

It goes to another network when it is told.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

from pyshim.conformance.client_numbers import ANOTHER_NETWORK
from pyshim.errors import PollgateError
from pyshim.protocol.client import Chat, Client, QueueFull, Ticket


async def main() -> None:
    async with Client(Ticket.from_json(Path(os.environ["POLLGATE_TICKET"]))) as game:
        talking = asyncio.create_task(talk(game))
        async for event in game.events():
            if isinstance(event, Chat) and event.text == ANOTHER_NETWORK:
                await game.rebind()
        talking.cancel()
        await asyncio.sleep(600)  # who closed says so again


async def talk(game: Client) -> None:
    while True:
        with contextlib.suppress(QueueFull, PollgateError):
            game.move(position=(1.0, 2.0, 3.0), velocity=(0.0, 0.0, 0.0))
            game.chat("hello", to=7)
        await asyncio.sleep(0.05)


asyncio.run(main())
