# SPDX-License-Identifier: BSD-3-Clause
"""A process that is attached to a gateway: what it hears and what it says."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from enum import IntEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from pyshim._native._game import ffi, lib
from pyshim.errors import PollgateError
from pyshim.game.batch import Batch, string
from pyshim.game.events import Event
from pyshim.game.searching import Searching

BATCH_EVENTS: Final = 4096
Bytes = bytes | bytearray | memoryview
_SLEEP_MS: Final = 1000  # then it looks whether it is still wanted
_ENDS: Final = (lib.PGG_END, lib.PGG_DETACHED)


class Priority(IntEnum):
    """When a message leaves."""

    URGENT = 0  # at once
    NORMAL = 1  # waits for company for some milliseconds
    BULK = 2  # and after all others


class MessageType(IntEnum):
    """Types that have a form of their own; 64 to 199 are the game's."""

    ATTACK = 2
    CHAT = 3
    SKILL = 5
    BULK = 7
    INVENTORY = 206  # only to players


class GameError(PollgateError):
    """What was asked for was not done: one sentence says why. `result` is a number of `enum pgg_result`."""

    def __init__(self, result: int, text: str) -> None:
        """With the sentence."""
        super().__init__(text)
        self.result = result


class FullError(GameError):
    """Whoever reads it has not kept up: try again later, or leave it."""


class NotHereError(GameError):
    """No such player is in, or no such process is known."""


class EndedError(GameError):
    """Not attached any more."""


class Delivery(NamedTuple):
    """How a message travels."""

    reliable: bool = True  # repeated until it arrives
    channel: int = 0  # of a reliable one: 0 to 2 are in order, each for itself; 3 is not
    priority: int = Priority.URGENT
    sender: int = 0  # the player who is named as its sender; 0: the game. The game's own types name nobody


RELIABLE: Final = Delivery()
_PLACE: Final = struct.Struct("<I6f")


class Entity(NamedTuple):
    """What players see in a world beside each other: whatever lives, flies or lies there."""

    identity: int  # chosen by the game, unique in its world among all processes
    position: tuple[float, float, float]  # m
    velocity: tuple[float, float, float] = (0.0, 0.0, 0.0)  # m/s
    state: bytes = b""  # the game's own, up to 32 bytes: see `Game.set_states()`


def _put_state(at: Any, identity: int, state: bytes) -> int:
    if len(state) > lib.PGG_STATE_MAX:
        raise GameError(
            lib.PGG_TOO_LONG, f"state of {identity}: {len(state)} bytes, at most {lib.PGG_STATE_MAX}"
        )
    ffi.memmove(at, state, len(state))
    return len(state)


def _states(states: Mapping[int, bytes]) -> Any:
    items = ffi.new("struct pgg_state[]", len(states))
    for item, (identity, state) in zip(items, states.items(), strict=True):
        item.entity, item.bytes = identity, _put_state(item.data, identity, state)
    return items


class Statistics(NamedTuple):
    """Counted since the process attached."""

    events: int
    sent: int
    full: int
    missing: int
    sleeps: int


_KINDS: Final = {lib.PGG_FULL: FullError, lib.PGG_NOT_HERE: NotHereError, lib.PGG_ENDED: EndedError}


def _view_of(body: Bytes) -> Any:
    try:
        return ffi.from_buffer(body)
    except TypeError:
        raise TypeError(
            f"body: {type(body).__name__}, expected bytes; of text, text.encode() makes them"
        ) from None


class Game(Searching):
    """Attached from when it is made until `close()`. It belongs to one thread, or to one event loop.

    What is sent is seen by the players' workers when the next events are taken, or at `flush()`.
    """

    def __init__(  # noqa: PLR0913 - keywords
        self,
        path: str | Path,
        name: str,
        *,
        token: str | None = None,
        wants_moves: bool = False,
        spin_s: float = 50e-6,
        timeout_s: float = 10.0,
    ) -> None:
        """Attach.

        Args:
            path: the gateway's socket: `game.listen` of its configuration
            name: of this process, as routes and other processes call it
            token: that the gateway asks for
            wants_moves: `Moved`, too
            spin_s: looks for so long before it sleeps
            timeout_s: the gateway answers within it

        Raises:
            GameError: it cannot; a sentence says why
        """
        options: Any = ffi.new("struct pgg_options *")
        error: Any = ffi.new("struct pgg_error *")
        texts = [ffi.new("char[]", one.encode()) for one in (str(path), name, token or "")]
        lib.pgg_options_init(options)
        options.path, options.name = texts[0], texts[1]
        options.token = texts[2] if token is not None else ffi.NULL
        options.wants_moves, options.stay_mapped = wants_moves, True  # views may be looked at later
        options.timeout_ms, options.spin_ns = round(timeout_s * 1e3), round(spin_s * 1e9)
        self._game = lib.pgg_open(options, error)
        if not self._game:
            raise GameError(error.result, string(error.text))
        self._cdata = ffi.new("struct pgg_event[]", BATCH_EVENTS)
        self._raw = memoryview(ffi.buffer(self._cdata)).cast("B")
        self._memory, self._bytes = ffi.new("const void **"), ffi.new("size_t *")
        self._views: dict[int, memoryview] = {0: memoryview(b"")}  # of rings
        self._message: Any = ffi.new("struct pgg_message *")
        self._sleeper: ThreadPoolExecutor | None = None
        self._is_asleep = False
        self._is_over = False
        self._batch: Batch | None = None  # the last one
        self._rest: Iterator[Event] = iter(())  # of its events, when they are taken one by one
        self._by_one = False

    def close(self) -> None:
        """Detach. Players stay in, and what they say waits for the next process of this name.

        Events that no loop has been given come to that process, too.
        """
        self._detach(self._given())

    def _given(self) -> int:
        """How many events of the last batch somebody was given."""
        if self._batch is None:
            return 0
        given = self._batch.given if self._by_one else None
        return len(self._batch) if given is None else given

    def _finished(self) -> int:
        """The same without the one, or the batch, that somebody is just at."""
        given = self._batch.given if self._batch is not None else None
        return max(given - 1, 0) if given else 0

    def _detach(self, finished: int) -> None:
        game, self._game = self._game, ffi.NULL
        if game:
            if self._sleeper:
                lib.pgg_interrupt(game)
                self._sleeper.shutdown()
            lib.pgg_close_after(game, finished)

    def __enter__(self) -> Self:
        """Attached already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        """Detach. The event at which an error came was not handled: it comes to the next process, too."""
        self._detach(self._given() if error is None else self._finished())

    def __del__(self) -> None:
        """Detach, where nobody did."""
        if getattr(self, "_game", None):
            self.close()

    # ------------------------------------------------------------ what happens

    def wait(self, timeout_s: float | None = None) -> bool:
        """Sleep until `poll()` has something, or the time is over, or a signal comes. None: no limit."""
        timeout_ms = -1 if timeout_s is None else round(timeout_s * 1e3)
        return bool(self._check(lib.pgg_wait(self._attached(), timeout_ms)))

    def poll(self) -> Batch:
        """What has happened since; maybe nothing. What the last batch had is given back."""
        found = self._check(
            lib.game_poll(self._attached(), self._cdata, BATCH_EVENTS, self._memory, self._bytes)
        )
        self._batch = batch = Batch(self._cdata, self._raw, found, self._view())
        self._by_one = False
        if found and batch.kinds[found - 1] in _ENDS:
            self._is_over = True
        return batch

    def batches(self) -> Iterator[Batch]:
        """Batches with something in them, until the end."""
        while not self._is_over:
            if len(batch := self.poll()):
                yield batch
            else:
                self.wait(1.0)  # a second: Python looks for signals in between

    def __iter__(self) -> Iterator[Event]:
        """Events one by one, until the end. Another loop goes on where one was left."""
        yield from self._rest
        for batch in self.batches():
            yield from self._one_by_one(batch)

    def _one_by_one(self, batch: Batch) -> Iterator[Event]:
        self._by_one, self._rest = True, batch.events()
        return self._rest

    async def events(self) -> AsyncIterator[Event]:
        """The same in an event loop, which goes on meanwhile."""
        for event in self._rest:
            yield event
        async for batch in self.batches_async():
            for event in self._one_by_one(batch):
                yield event

    async def batches_async(self) -> AsyncIterator[Batch]:
        """`batches()` in an event loop."""
        while not self._is_over:
            if len(batch := self.poll()):
                yield batch
                await asyncio.sleep(0)  # others' turn
            else:
                await self._sleep()

    async def _sleep(self) -> None:
        """A thread waits for memory, the event loop for the socket and for that thread."""
        game, loop = self._attached(), asyncio.get_running_loop()
        if self._check(lib.pgg_sleep_begin(game)):
            return
        self._sleeper = self._sleeper or ThreadPoolExecutor(1, "pollgate-game")
        asleep: Future[None] = self._sleeper.submit(lib.pgg_sleep, game, _SLEEP_MS)
        loop.add_reader(lib.pgg_fd(game), lib.pgg_interrupt, game)
        self._is_asleep = True
        try:
            await asyncio.wrap_future(asleep)
        finally:
            self._is_asleep = False
            loop.remove_reader(lib.pgg_fd(game))
            lib.pgg_interrupt(game)
            wait([asleep])
            if self._game:
                lib.pgg_sleep_end(game)

    def is_here(self, player: int) -> bool:
        """Is the player in, as far as this process has been told?"""
        return bool(lib.pgg_is_here(self._attached(), player))

    @property
    def players(self) -> int:
        """How many are in."""
        return lib.pgg_players(self._attached())

    @property
    def statistics(self) -> Statistics:
        """Counted since the process attached."""
        out: Any = ffi.new("struct pgg_statistics *")
        lib.pgg_read_statistics(self._attached(), out)
        return Statistics(out.events, out.sent, out.full, out.missing, out.sleeps)

    # ------------------------------------------------------------ to players

    def send(self, player: int, message_type: int, body: Bytes, delivery: Delivery = RELIABLE) -> None:
        """To one.

        Args:
            player: who gets it
            message_type: of `MessageType`, or the game's own
            body: as `wire/PROTOCOL.md` has it for its type, without the sender of an event
            delivery: how it travels

        Raises:
            NotHereError, FullError, EndedError, GameError: nothing was sent
        """
        self._said(lib.pgg_send(self._attached(), player, self._told(message_type, body, delivery)))

    def send_list(
        self, players: Sequence[int], message_type: int, body: Bytes, delivery: Delivery = RELIABLE
    ) -> int:
        """To all of these who are here; how many."""
        message = self._told(message_type, body, delivery)
        numbers = ffi.new("uint32_t[]", list(players))
        return self._said(lib.pgg_send_list(self._attached(), numbers, len(players), message))

    def send_group(
        self, group: int, message_type: int, body: Bytes, delivery: Delivery = RELIABLE, *, besides: int = 0
    ) -> None:
        """To everybody in the group, but for the player `besides`."""
        message = self._told(message_type, body, delivery)
        self._said(lib.pgg_send_group(self._attached(), group, besides, message))

    def join_group(self, group: int, player: int) -> None:
        """The first who joins makes it. A player leaves all groups with the connection."""
        self._said(lib.pgg_group_join(self._attached(), group, player))

    def leave_group(self, group: int, player: int) -> None:
        """No longer in it."""
        self._said(lib.pgg_group_leave(self._attached(), group, player))

    def end_group(self, group: int) -> None:
        """Nobody is in it any more."""
        self._said(lib.pgg_group_end(self._attached(), group))

    def kick(self, player: int, reason: int = 0) -> None:
        """End the player's connection; the player is told the reason, 0 to 127, the game's own."""
        if not 0 <= reason < 256:  # what C cannot be asked
            raise GameError(lib.PGG_ARGUMENT, f"reason: {reason}, allowed are 0 to 127")
        self._said(lib.pgg_kick(self._attached(), player, reason))

    def place(self, player: int, position: Iterable[float], velocity: Iterable[float] = (0, 0, 0)) -> None:
        """Set where the player is (m) and how fast (m/s); the player is told."""
        where, speed = ffi.new("float[3]", list(position)), ffi.new("float[3]", list(velocity))
        self._said(lib.pgg_place(self._attached(), player, where, speed))

    def enter_world(
        self,
        player: int,
        world: str | None,
        position: Iterable[float] | None = None,
        velocity: Iterable[float] = (0, 0, 0),
    ) -> None:
        """Put the player into another world, or with None out of all; the player is told.

        Without a position it is where it was, if that is in this world, else nowhere until it moves.
        """
        name = ffi.NULL if world is None else ffi.new("char[]", world.encode())
        where = ffi.NULL if position is None else ffi.new("float[3]", list(position))
        speed = ffi.new("float[3]", list(velocity))
        self._said(lib.pgg_enter_world(self._attached(), player, name, where, speed))

    def ask(self, player: int, cookie: int = 0) -> None:
        """Ask for the player's round trip and losses: `Quality` follows, with this cookie."""
        self._said(lib.pgg_ask(self._attached(), player, cookie))

    # ------------------------------------------------------------ in worlds, beside the players

    def spawn(self, world: str, entities: Sequence[Entity]) -> None:
        """New ones, or ones that this process has already are put there; they go when it is gone.

        `EntityRefused` tells of each that cannot be. FullError: some may have been said; all can be again.
        """
        items = ffi.new("struct pgg_entity[]", len(entities))
        for item, one in zip(items, entities, strict=True):
            item.entity, item.position, item.velocity = one.identity, one.position, one.velocity
            item.state_bytes = _put_state(item.state, one.identity, one.state)
        self._said(lib.pgg_spawn(self._attached(), world.encode(), items, len(entities)))

    def move_entities(self, world: str, places: Sequence[Entity] | Bytes) -> None:
        """Where they are by now; without a word an entity goes on for a quarter of a second.

        Args:
            world: where they are
            places: or `struct pgg_position` of all, 28 bytes each: u32 identity, six floats
        """
        if isinstance(places, bytes | bytearray | memoryview):
            raw = places
        else:
            raw = b"".join(_PLACE.pack(one.identity, *one.position, *one.velocity) for one in places)
        items = ffi.from_buffer("struct pgg_position[]", raw)
        self._said(lib.pgg_move_entities(self._attached(), world.encode(), items, len(items)))

    def set_states(self, world: str, states: Mapping[int, bytes]) -> None:
        """The game's own state of entities of this process: up to 32 bytes of each.

        Whoever sees one is told once, and again when it is another one; who comes into sight later, then.
        """
        items = _states(states)
        self._said(lib.pgg_set_states(self._attached(), world.encode(), items, len(items)))

    def set_player_states(self, states: Mapping[int, bytes]) -> None:
        """The same of players, in whichever worlds they are, until the connection ends.

        After `Joined`, also of `How.AGAIN`, say it again. Those who are not here are left out.
        """
        items = _states(states)
        self._said(lib.pgg_set_player_states(self._attached(), items, len(items)))

    def despawn(self, world: str, identities: Iterable[int]) -> None:
        """They are there no more."""
        items = ffi.new("uint32_t[]", list(identities))
        self._said(lib.pgg_despawn(self._attached(), world.encode(), items, len(items)))

    def worker_of(self, identity: int) -> int:
        """Which worker has an entity: after the second `Listed` of it, spawn its entities again."""
        return lib.pgg_entity_worker(self._attached(), identity)

    def flush(self) -> None:
        """Make visible what was sent, and wake whoever sleeps."""
        self._check(lib.pgg_flush(self._attached()))

    # ------------------------------------------------------------ to other processes

    def post(self, process: str, body: Bytes) -> None:
        """To another game process, in memory of the two; the gateway makes it for the first to each."""
        data = _view_of(body)
        self._said(lib.pgg_post(self._attached(), process.encode(), data, len(data)))

    def publish(self, topic: str, body: Bytes) -> int:
        """To all other processes that subscribe to the topic and keep up; how many."""
        data = _view_of(body)
        return self._said(lib.pgg_publish(self._attached(), topic.encode(), data, len(data)))

    def subscribe(self, topic: str) -> None:
        """`Published` from now on."""
        self._check(lib.pgg_subscribe(self._attached(), topic.encode()))

    def unsubscribe(self, topic: str) -> None:
        """No longer."""
        self._check(lib.pgg_unsubscribe(self._attached(), topic.encode()))

    # ------------------------------------------------------------ how

    def _attached(self) -> Any:
        if not self._game:
            raise EndedError(lib.PGG_ENDED, "this game was closed")
        return self._game

    def _check(self, result: int) -> int:
        if result < 0:
            text = string(lib.pgg_why(self._game, result))
            raise _KINDS.get(result, GameError)(result, text)
        return result

    def _said(self, result: int) -> int:
        self._check(result)
        if self._is_asleep:  # nobody flushes before something happens
            lib.pgg_flush(self._game)
        return result

    def _told(self, message_type: int, body: Bytes, delivery: Delivery) -> Any:
        message = self._message
        try:
            message.type = message_type
            message.reliable, message.channel, message.priority, message.sender = delivery
        except OverflowError as error:
            raise GameError(
                lib.PGG_ARGUMENT,
                f"type {message_type}, channel {delivery.channel}, priority {delivery.priority}, sender "
                f"{delivery.sender}: allowed are 0 to 255, 3, 2 and 4294967295",
            ) from error
        data = _view_of(body)
        message.body, message.length = data, len(data)
        return message

    def _view(self) -> memoryview:
        """Of the ring, which is the same for many batches."""
        at = int(ffi.cast("uintptr_t", self._memory[0]))
        view = self._views.get(at)
        if view is None:
            view = memoryview(ffi.buffer(self._memory[0], self._bytes[0])).cast("B").toreadonly()
            self._views[at] = view
        return view
