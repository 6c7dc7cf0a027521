# SPDX-License-Identifier: BSD-3-Clause
"""The client that a game uses: a session on a UDP socket of asyncio."""

from __future__ import annotations

import asyncio
import math
import operator
import secrets
import socket
from collections.abc import AsyncIterator, Generator
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from pyshim import messages
from pyshim.errors import UnavailableError, UsageError
from pyshim.protocol.client.errors import NotConnectedError
from pyshim.protocol.client.events import Event, Vector
from pyshim.protocol.client.fragments import room
from pyshim.protocol.client.outgoing import Delivery, Outgoing, Priority
from pyshim.protocol.client.session import Session
from pyshim.protocol.client.settings import Settings
from pyshim.protocol.client.ticket import Ticket
from pyshim.protocol.session_bodies import (
    attack_body,
    bulk_body,
    chat_body,
    check_body,
    move_body,
    skill_body,
)
from pyshim.protocol.session_wire import (
    BULK_MAX_BYTES,
    CHANNELS,
    CHAT_TEXT_MAX_BYTES,
    PIECE_BYTES,
    REQUESTS,
    UNORDERED,
    MessageType,
    WireError,
)
from pyshim.protocol.world.view import GlimpseSeen, Seen

_PING_EVERY_S = 0.5  # until one is answered
_LEAVE_S = 2.0  # for what was sent to be acknowledged, when the game leaves
_SOCKET_BYTES = 1 << 20  # of the kernel's buffers: a burst of fragments fits


class Receipt:
    """A reliable message on its way: `await` it to know that it arrived, or leave it."""

    __slots__ = ("_delivery",)

    def __init__(self, delivery: Delivery) -> None:
        """Make the receipt of a message that was queued."""
        self._delivery = delivery

    @property
    def done(self) -> bool:
        """Whether it is acknowledged or given up."""
        return self._delivery.done

    def __await__(self) -> Generator[Any, None, None]:
        """Wait until the gateway has it.

        Raises:
            Undelivered: it was not acknowledged before the connection ended.
        """
        if not self._delivery.done:
            waiter = asyncio.get_running_loop().create_future()
            self._delivery.on_done(lambda: None if waiter.done() else waiter.set_result(None))
            yield from waiter
        if self._delivery.failure is not None:
            raise self._delivery.failure


class Client:
    """A player's connection to the gateway. Use it as `async with Client(ticket) as game:`."""

    def __init__(self, ticket: Ticket, settings: Settings | None = None) -> None:
        """Nothing is sent before it is entered."""
        self._ticket = ticket
        self._settings = settings or Settings()
        self._session: Session | None = None
        self._transport: asyncio.DatagramTransport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._pings: dict[int, tuple[float, asyncio.Future[float]]] = {}  # by token: when, and who waits
        self._changed = asyncio.Event()  # something arrived, or the connection's state is another one

    # ------------------------------------------------------------ life

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            Denied: the gateway refuses the session; Expired and Revoked are such.
            TimedOut: nothing came that proves the gateway is there.
            UnavailableError: the address cannot be reached from here.
        """
        await self._listen()
        self._session = Session(self._ticket, self._settings, secrets.token_bytes, self._now())
        try:
            self._turn()
            while not self._session.is_connected and self._session.failure is None:
                await self._change()
        except asyncio.CancelledError:
            self._release()
            raise
        if self._session.failure is not None:
            self._release()
            raise self._session.failure
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave: what was sent gets a moment to arrive, then the gateway is told until it has heard.

        That is for 3 s at most. Who is cancelled tells it once, and waits for nothing.
        """
        try:
            if kind is None:
                await self._deliver()
        finally:
            self.session.close(self._now())
            self._turn()
            try:
                while (kind is None or issubclass(kind, Exception)) and self.session.is_leaving:
                    await self._change()
            finally:
                self._release()

    @property
    def session(self) -> Session:
        """What is behind it; for tools and tests.

        Raises:
            UsageError: the client was not entered.
        """
        if self._session is None:
            raise UsageError("the client is not connected; use it as: async with Client(ticket) as game")
        return self._session

    async def rebind(self) -> None:
        """Go on from another local port, as after a change of network. The gateway notices by itself.

        What travels in clear changes, too: number and counters, so that nobody can follow the player by them.
        """
        before = self._transport
        await self._listen()
        if before is not None:
            before.close()
        self.session.moved(self._now())
        self._schedule()

    async def _deliver(self) -> None:
        """Until all is acknowledged, for a moment."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_LEAVE_S):
                while self.session.is_connected and self.session.has_undelivered:
                    await self._change()

    # ------------------------------------------------------------ saying

    def move(self, position: Vector, velocity: Vector = (0.0, 0.0, 0.0)) -> None:
        """Tell the player's position and velocity; leaves at once, and may be lost: the next one makes up."""
        _check_finite("position", position)
        _check_finite("velocity", velocity)
        self._unreliable(MessageType.MOVE, move_body(position, velocity), Priority.URGENT)

    def attack(
        self,
        to: int,
        attack_id: int,
        direction: Vector,
        *,
        channel: int = 0,
        view: tuple[int, int] | None = None,
    ) -> Receipt:
        """Attack a player, or with 0 whoever is first in the way; leaves at once.

        In a world it says which moment of it the player saw, `view`: a tick and 256ths of one. None is what
        `in_sight` shows now.
        """
        _check_finite("direction", direction)
        shown = self.session.view.shown(self._now(), to) if view is None else view
        body = attack_body(_number("to", to), _number("attack_id", attack_id), direction, shown)
        return self._reliable(MessageType.ATTACK, body, Priority.URGENT, channel)

    def skill(self, skill_id: int, to: int, *, channel: int = 0) -> Receipt:
        """Use a skill on a player; leaves at once."""
        body = skill_body(_number("skill_id", skill_id), _number("to", to))
        return self._reliable(MessageType.SKILL, body, Priority.URGENT, channel)

    def chat(
        self,
        text: str,
        to: int,
        *,
        topic: int = 0,
        channel: int = 1,
        priority: Priority = Priority.NORMAL,
    ) -> Receipt:
        """Write to a player. `topic` is the game's own number; `channel` is the order in which it arrives.

        What is urgent waits neither here nor in the gateway for company.
        """
        if not isinstance(text, str):
            raise TypeError(f"text: {type(text).__name__}, expected str")
        try:
            size = len(text.encode())
        except UnicodeEncodeError as error:
            raise UsageError("text: half of a surrogate pair is not a character") from error
        if not 1 <= size <= CHAT_TEXT_MAX_BYTES:
            raise UsageError(f"text: {size} bytes of UTF-8, allowed are 1 to {CHAT_TEXT_MAX_BYTES}")
        if not 0 <= _whole("topic", topic) <= 255:
            raise UsageError(f"topic: {topic}, allowed are 0 to 255")
        body = chat_body(_number("to", to), topic, text)
        return self._reliable(MessageType.CHAT, body, _priority(priority), channel)

    def bulk(self, data: bytes | bytearray | memoryview, to: int, *, channel: int = 2) -> Receipt:
        """Send a player bytes of the game's own, when nothing else wants to be sent."""
        data = _bytes("data", data)
        if len(data) > BULK_MAX_BYTES:
            raise UsageError(f"data: {len(data)} bytes, allowed are {BULK_MAX_BYTES}")
        longest = self._longest_whole() - 4  # target
        if channel == UNORDERED and len(data) > longest:
            raise UsageError(
                f"data: {len(data)} bytes on channel 3, which joins no pieces and takes {longest}; use "
                "channel 0, 1 or 2"
            )
        body = bulk_body(_number("to", to), data)
        return self._reliable(MessageType.BULK, body, Priority.BULK, channel)

    def say(
        self,
        kind: int,
        body: bytes | bytearray | memoryview,
        *,
        channel: int | None = None,
        priority: Priority | None = None,
        reliable: bool = True,
    ) -> Receipt | None:
        """Send a message of any type, also of one without a method, such as the game's own (64 to 199).

        Without `priority` it has the one that dpdk_app/wire/messages.def says: what is urgent leaves at once.
        Without `channel` it travels as that says, too: on a channel, or unreliable, and then nobody can wait
        for it. What is not `reliable` is unreliable whatever that says, and has no channel.

        Raises:
            UsageError: no player says this type, or the body is not one of it; dpdk_app/wire/PROTOCOL.md says
                what is.
        """
        body, kind = _bytes("body", body), _whole("kind", kind)
        if kind not in REQUESTS:
            raise UsageError(
                f"kind: {kind}, allowed are what players say, by dpdk_app/wire/PROTOCOL.md, and 64 to 199, "
                "the game's own"
            )
        try:
            check_body(kind, body, REQUESTS)
        except WireError as error:
            raise UsageError(f"body: {error}") from error
        said = messages.of(kind)
        assert said is not None
        if not reliable and channel is not None:
            raise UsageError(f"channel: {channel} of what is not reliable, which has none")
        usual = said.channel if reliable else None
        its_channel = usual if channel is None else channel
        longest = self._longest_whole()
        if its_channel in (None, UNORDERED) and len(body) > longest:
            raise UsageError(
                f"body: {len(body)} bytes where no pieces are joined, which takes {longest}; use channel "
                "0, 1 or 2"
            )
        its_priority = Priority[said.priority] if priority is None else _priority(priority)
        if its_channel is None:
            self._unreliable(kind, body, its_priority)
            return None
        return self._reliable(kind, body, its_priority, its_channel)

    async def ping(self) -> float:
        """Ask the gateway, and return the seconds until its answer came: a round trip to show to a player.

        Raises:
            NotConnectedError: the connection ended for good before.
        """
        answer: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        tokens = []
        try:
            while not answer.done():
                token = secrets.randbits(32)
                tokens.append(token)
                self._pings[token] = (self._now(), answer)
                self.session.ping(token, self._now())
                self._schedule()
                await asyncio.wait([answer], timeout=_PING_EVERY_S)
                if self.session.failure is not None and not answer.done():
                    raise self.session.failure
            return answer.result()
        finally:
            for token in tokens:
                self._pings.pop(token, None)

    # ------------------------------------------------------------ hearing

    async def events(self) -> AsyncIterator[Event]:
        """What comes, as it comes. Ends after a Disconnected that is final."""
        session = self.session
        while True:
            while session.events:
                yield session.events.popleft()
            if session.failure is not None:
                return
            await self._change()

    # ------------------------------------------------------------ seeing

    def in_sight(self) -> tuple[Seen, ...]:
        """Who is near in the player's world, and where to show them now; () where there is no world.

        That is a moment ago (`Settings.view`), so that there are mostly two known places to draw it between.
        """
        return self.session.view.in_sight(self._now())

    def glimpses(self) -> tuple[GlimpseSeen, ...]:
        """Who is beyond the nearest, and about where on the ground, as far as it was told."""
        return self.session.view.glimpses(self._now())

    # ------------------------------------------------------------ the socket

    def _longest_whole(self) -> int:
        """Bytes of body that fit any datagram of either side, with the sender's number before them."""
        return PIECE_BYTES

    def _unreliable(self, number: int, body: bytes, priority: Priority) -> None:
        assert len(body) < room(min(self._settings.datagram_sizes))
        self.session.send(Outgoing.unreliable(number, body, priority), self._now())
        self._schedule()

    def _reliable(self, number: int, body: bytes, priority: Priority, channel: int) -> Receipt:
        if not 0 <= _whole("channel", channel) < CHANNELS:
            raise UsageError(f"channel: {channel}, allowed are 0 to 2, in order, and 3, without order")
        outgoing = Outgoing.reliable(number, body, priority, channel)
        assert outgoing.delivery is not None
        self.session.send(outgoing, self._now())
        self._schedule()
        return Receipt(outgoing.delivery)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        host, port = self._ticket.host, self._ticket.port
        try:
            transport, _ = await loop.create_datagram_endpoint(
                lambda: _Protocol(self), remote_addr=(host, port)
            )
        except OSError as error:
            raise UnavailableError(
                f"{host}:{port}: no socket to the gateway: {error.strerror or error}"
            ) from error
        _prepare(transport.get_extra_info("socket"))
        self._transport = transport

    def _turn(self) -> None:
        """Send what is due and come back when more is."""
        session = self.session
        events, state = len(session.events), self._state()
        now = self._now()
        while session.next_due() <= now:
            for datagram in session.due(now):
                if self._transport is not None:
                    self._transport.sendto(datagram)
        self._schedule()
        if len(session.events) != events or self._state() != state:
            self._changed.set()

    def _state(self) -> tuple[bool, NotConnectedError | None, bool]:
        return self.session.is_connected, self.session.failure, self.session.is_leaving

    def _schedule(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        due = self.session.next_due()
        self._timer = None if math.isinf(due) else asyncio.get_running_loop().call_at(due, self._turn)

    def _received(self, datagram: bytes) -> None:
        if self._session is None:
            return
        self._session.receive(datagram, self._now())
        self._answered()
        self._changed.set()
        self._turn()

    def _answered(self) -> None:
        pongs = self.session.pongs
        while pongs:
            asked_at, answer = self._pings.get(pongs.popleft(), (0.0, None))
            if answer is not None and not answer.done():
                answer.set_result(self._now() - asked_at)

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def _release(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is not None:
            self._transport.close()
            self._transport = None
        self._changed.set()


class _Protocol(asyncio.DatagramProtocol):
    """Hands what a socket gets to its client."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def datagram_received(self, data: bytes, _addr: Any) -> None:
        self._client._received(data)

    def error_received(self, exc: Exception) -> None:
        """The kernel heard that a datagram did not get there, or was too long: as good as lost."""


def _prepare(its: socket.socket) -> None:
    its.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SOCKET_BYTES)
    its.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BYTES)
    if its.family == socket.AF_INET:
        # IP_MTU_DISCOVER, IP_PMTUDISC_DO (linux/in.h): what is too long for the path is lost, not cut.
        its.setsockopt(socket.IPPROTO_IP, 10, 2)


def _bytes(name: str, value: bytes | bytearray | memoryview) -> bytes:
    """What stays as it is now: a message may leave later."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    raise TypeError(f"{name}: {type(value).__name__}, expected bytes; of text, text.encode() makes them")


def _whole(name: str, value: int) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: {type(value).__name__}, expected a whole number") from None


def _priority(value: Priority) -> Priority:
    try:
        return Priority(value)
    except ValueError:
        raise UsageError(f"priority: {value}, allowed are 0, 1 and 2, of Priority") from None


def _number(name: str, value: int) -> int:
    number = _whole(name, value)
    if not 0 <= number < 1 << 32:
        raise UsageError(f"{name}: {value}, allowed are 0 to 4294967295")
    return number


def _check_finite(name: str, vector: Vector) -> None:
    if len(vector) != 3 or not all(math.isfinite(value) and abs(value) < 3.4e38 for value in vector):
        raise UsageError(f"{name}: {vector}, expected three finite numbers")
