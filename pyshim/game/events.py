# SPDX-License-Identifier: BSD-3-Clause
"""What happened, one value each. Bodies are copies, which stay."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class How(IntEnum):
    """How a player is in."""

    NOW = 1  # a new connection
    BEFORE = 2  # was in before this process attached
    AGAIN = 3  # has been named before; the player's worker started again, and groups are empty there


class Profile(IntEnum):
    """What a listener speaks."""

    PLAIN = 0
    SESSION = 1
    NETCODE = 2  # messages of type 64, 1 to 1,200 bytes, not reliable, both ways


class Joined(NamedTuple):
    """A player is in."""

    player: int
    session: int  # as issued; of profile netcode the client's index
    port: int  # of the listener; 0: not known
    profile: Profile  # of the listener
    how: How
    client: int = 0  # of profile netcode the client id, for which `player` stands; else `player`
    user_data: bytes = b""  # of the connect token, 256 bytes; of another profile none


class Left(NamedTuple):
    """A player is out."""

    player: int
    session: int
    why: str  # of wire/closed.def; "unknown": while this process or a worker was away


class Message(NamedTuple):
    """What a player said."""

    player: int
    type: int
    body: bytes
    reliable: bool
    channel: int
    priority: int


class Moved(NamedTuple):
    """Where players are who moved: (player, position in m, velocity in m/s) each."""

    positions: tuple[tuple[int, tuple[float, float, float], tuple[float, float, float]], ...]


class Quality(NamedTuple):
    """An answer to `Game.ask()`."""

    player: int
    cookie: int
    round_trip_us: int  # smoothed; 0: not known yet
    deviation_us: int
    sent: int  # reliable messages and pieces that left, first and repeated
    lost: int  # of those, that were sent again


class Why(IntEnum):
    """Why an entity is not as this process wanted it."""

    NO_ROOM = 1  # the world has as many as `worlds.entities` says
    TAKEN = 2  # another process has one of this identity
    NONE = 3  # this process has none of this identity there
    PLACE = 4  # the world has no such place, or nobody can be so fast
    STATE = 5  # its state is too long, which the library sees before
    PLAYER = 6  # no such player is connected, whose state this should be; `world` is empty


class EntityRefused(NamedTuple):
    """What was wanted of an entity was not done."""

    world: str
    entity: int
    why: Why


class Became(IntEnum):
    """What became of a question. All but the first two have found nobody."""

    ANSWERED = 0
    CLAMPED = 1  # answered as of the newest tick: the moment is still to come
    TOO_OLD = 2  # nobody remembers the moment
    NO_COMBAT = 3  # a ray, or a moment of the past, in a world without `combat`
    BUSY = 4  # the gateway had to begin anew too often: ask again
    NO_WORLD = 255


class FoundOne(NamedTuple):
    """Somebody who was there."""

    identity: int  # a player, or an entity
    is_player: bool
    position: tuple[float, float, float]  # m, then
    distance: float  # m, from the middle, or to where the ray enters the body; rounded down to quanta


class Found(NamedTuple):
    """An answer to `Game.search_sphere()` or `Game.search_ray()`."""

    cookie: int
    became: Became
    tick: int  # as of this moment
    parts: int  # 256ths of a tick behind it
    newest: int  # tick as of which everybody's place is known
    total: int  # who were there, of whom the nearest are told
    who: tuple[FoundOne, ...]  # the nearest first


class Listed(NamedTuple):
    """Whoever was in at this worker has been named."""

    worker: int


class Gap(NamedTuple):
    """Messages are missing here: who wrote them died in the middle, or they found the ring full."""

    messages: int
    worker: int
    process: str | None  # None: of the worker


class Spoilt(NamedTuple):
    """A process wrote to the ring of the two what cannot be: nothing of it is heard any more."""

    process: str


class Post(NamedTuple):
    """From another process, for this one."""

    process: str
    body: bytes


class Published(NamedTuple):
    """From another process, for all that subscribe to the topic."""

    process: str
    topic: str
    body: bytes


class End(NamedTuple):
    """The gateway ended; nothing follows."""

    text: str


class Detached(NamedTuple):
    """The gateway ended the attachment, or its memory says what cannot be; nothing follows."""

    text: str


Event = (
    Joined
    | Left
    | Message
    | Moved
    | Quality
    | EntityRefused
    | Found
    | Listed
    | Gap
    | Spoilt
    | Post
    | Published
    | End
    | Detached
)
