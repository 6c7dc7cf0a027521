# SPDX-License-Identifier: BSD-3-Clause
"""A game behind a gateway: attacks are judged here, scores are told to everybody, chat reaches everybody.

    python arena.py /run/pollgate/game.sock

Types of its own: 64 HEALTH (u32 left, u32 who hit) to who was hit, 65 SCORE (u32 player, u32 score, u32
beaten) to all, 66 MISSED (u32 target) to who attacked. arena.c is the same game.

Exit codes: 0 the gateway ended, 1 it ended the attachment, 2 usage, 3 it could not be reached.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from pyshim.game import (
    Delivery,
    Detached,
    End,
    Event,
    FullError,
    Game,
    GameError,
    How,
    Joined,
    Left,
    Message,
    MessageType,
    Moved,
    NotHereError,
)

EVERYBODY = 1  # the group
HEALTH, SCORE, MISSED = 64, 65, 66  # the game's own types
HEALTH_MAX, DAMAGE, RANGE_M = 100, 25, 20.0
ATTACK = struct.Struct("<II3f")  # target, attack, direction: as wire/PROTOCOL.md has it


@dataclass(slots=True)
class Fighter:
    """A player of the arena, who keeps the score when coming back."""

    player: int
    health: int = HEALTH_MAX
    score: int = 0
    is_in: bool = True
    position: tuple[float, float, float] = (0.0, 0.0, 0.0)


@contextlib.contextmanager
def or_missed() -> Iterator[None]:
    """A player who does not keep up, or just left, misses what is sent."""
    with contextlib.suppress(FullError, NotHereError):
        yield


class Arena:
    """The rules."""

    def __init__(self, game: Game) -> None:
        """Nobody is in yet."""
        self.game = game
        self.fighters: dict[int, Fighter] = {}

    def handle(self, event: Event) -> None:
        """Whatever happens."""
        match event:
            case Joined():
                self.on_joined(event)
            case Left(player, _, why):
                if player in self.fighters:
                    self.fighters[player].is_in = False
                print(f"arena: player {player} is out: {why}")
            case Moved(positions):
                for player, position, _ in positions:
                    if who := self.find(player):
                        who.position = position
            case Message(player, MessageType.CHAT, body, reliable, channel, priority):
                with or_missed():
                    passed_on = Delivery(reliable, channel, priority, sender=player)
                    self.game.send_group(EVERYBODY, MessageType.CHAT, body, passed_on)
            case Message(player, MessageType.ATTACK, body):
                if who := self.find(player):
                    self.on_attack(who, body)
            case End(text) | Detached(text):
                print(f"arena: {text}")

    def find(self, player: int) -> Fighter | None:
        """Who is in."""
        found = self.fighters.get(player)
        return found if found and found.is_in else None

    def on_joined(self, event: Joined) -> None:
        """A fighter with all health, in the group. A worker that started again has forgotten its groups."""
        if event.how != How.AGAIN:
            before = self.fighters.get(event.player)
            self.fighters[event.player] = Fighter(event.player, score=before.score if before else 0)
            print(f"arena: player {event.player} is in")
        with or_missed():
            self.game.join_group(EVERYBODY, event.player)

    def on_attack(self, who: Fighter, body: bytes) -> None:
        """In range, and at somebody else."""
        target = self.find(ATTACK.unpack_from(body)[0])
        if target is None or target is who or math.dist(who.position, target.position) > RANGE_M:
            self.tell(who, MISSED, ATTACK.unpack_from(body)[0])
            return
        target.health -= DAMAGE
        with or_missed():
            self.game.send(target.player, MessageType.ATTACK, body, Delivery(sender=who.player))
        self.tell(target, HEALTH, target.health, who.player)
        if target.health == 0:
            self.beat(who, target)

    def beat(self, who: Fighter, beaten: Fighter) -> None:
        """A point; who is beaten begins anew, in the middle."""
        who.score += 1
        print(f"arena: player {who.player} beats {beaten.player}: {who.score}")
        with or_missed():
            body = struct.pack("<III", who.player, who.score, beaten.player)
            self.game.send_group(EVERYBODY, SCORE, body)
        beaten.health, beaten.position = HEALTH_MAX, (0.0, 0.0, 0.0)
        with or_missed():
            self.game.place(beaten.player, beaten.position)

    def tell(self, who: Fighter, message_type: int, *numbers: int) -> None:
        """Numbers, to one."""
        with or_missed():
            self.game.send(who.player, message_type, struct.pack(f"<{len(numbers)}I", *numbers))


async def serve(game: Game) -> int:
    """Until the gateway ends."""
    arena = Arena(game)
    async for event in game.events():
        arena.handle(event)
        if isinstance(event, Detached):
            return 1
    return 0


def main() -> int:
    """Attach, and play."""
    if len(sys.argv) != 2:
        print("usage: arena.py SOCKET", file=sys.stderr)
        return 2
    try:
        with Game(sys.argv[1], "arena", wants_moves=True) as game:
            print("arena: attached")
            return asyncio.run(serve(game))
    except GameError as error:
        print(f"arena: {error}", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    sys.exit(main())
