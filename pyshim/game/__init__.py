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
    Became,
    Detached,
    End,
    EntityRefused,
    Event,
    Found,
    FoundOne,
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
from pyshim.game.searching import Search

__all__ = [
    "Batch",
    "Became",
    "Delivery",
    "Detached",
    "End",
    "EndedError",
    "Entity",
    "EntityRefused",
    "Event",
    "Found",
    "FoundOne",
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
    "Search",
    "Spoilt",
    "Statistics",
    "Why",
]
