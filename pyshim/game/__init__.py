# SPDX-License-Identifier: BSD-3-Clause
"""A game server in Python, behind a gateway on the same machine: players come, speak and are answered.

    from pyshim.game import Game, Message

    with Game("/run/pollgate/game.sock", "arena") as game:
        for event in game:
            if isinstance(event, Message):
                game.send(event.player, event.type, event.body)

The same with `async for event in game.events()`. Who has millions of messages a second takes
`for batch in game.batches()`, whose columns are views into memory.
"""

from pyshim.game.batch import Batch
from pyshim.game.events import (
    Detached,
    End,
    EntityRefused,
    Event,
    Gap,
    How,
    Joined,
    Left,
    Listed,
    Message,
    Moved,
    Post,
    Profile,
    Published,
    Quality,
    Spoilt,
    Why,
)
from pyshim.game.process import (
    Delivery,
    EndedError,
    Entity,
    FullError,
    Game,
    GameError,
    MessageType,
    NotHereError,
    Priority,
    Statistics,
)

__all__ = [
    "Batch",
    "Delivery",
    "Detached",
    "End",
    "EndedError",
    "Entity",
    "EntityRefused",
    "Event",
    "FullError",
    "Game",
    "GameError",
    "Gap",
    "How",
    "Joined",
    "Left",
    "Listed",
    "Message",
    "MessageType",
    "Moved",
    "NotHereError",
    "Post",
    "Priority",
    "Profile",
    "Published",
    "Quality",
    "Spoilt",
    "Statistics",
    "Why",
]
