# SPDX-License-Identifier: BSD-3-Clause
"""A gateway in a few lines of Python, so that the client is tested without C: confirms, relays, repeats."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from pyshim.protocol import session as layers
from pyshim.protocol.client.congestion import RoundTrip
from pyshim.protocol.client.fragments import ViolationError
from pyshim.protocol.client.intake import Acknowledgements, Intake, Whole
from pyshim.protocol.client.outgoing import Delivery, Outgoing, Priority
from pyshim.protocol.client.phases import RULES, PhaseRules, Phases
from pyshim.protocol.client.reliability import Sender
from pyshim.protocol.client.settings import Settings
from pyshim.protocol.client.ticket import Ticket
from pyshim.protocol.session import Session
from pyshim.protocol.session_control import Number
from pyshim.protocol.session_crypto import (
    BadTagError,
    Exchange,
    ReplayWindow,
    Transcript,
    confirm_proof,
    connection_secret,
)
from pyshim.protocol.session_wire import (
    AROUND_BYTES,
    EVENT,
    REQUESTS,
    SEALED,
    UNORDERED,
    CloseReason,
    Denial,
    Header,
    Kind,
    MessageType,
    WireError,
    pack_messages,
    read_data,
    read_header,
    read_messages,
)

Sent = list[tuple[int, bytes]]  # to whom
NO_NUMBER = Number(0)
RESET_ASKED_BYTES = 40  # of a sealed datagram that is answered with a RESET, at least
BEFORE_S = 3.0  # how long the number before is a player's
RELAYED = frozenset({MessageType.ATTACK, MessageType.CHAT, MessageType.SKILL, MessageType.BULK})


@dataclass
class Seat:
    """One issued session and its connection."""

    key: bytes
    player_id: int
    denial: Denial | None = None
    address: int = 0
    cookie: bytes = b""
    clear: bytes = b""  # of its WELCOMEs: nonce and share
    reset_token: bytes = bytes(16)
    secret: bytes = b""  # of the first key phase
    keys: Phases | None = None  # None: not connected
    max_datagram: int = 0
    window: ReplayWindow = field(default_factory=ReplayWindow)
    intake: Intake = field(default_factory=lambda: Intake(REQUESTS, 1 << 20))
    acknowledgements: Acknowledgements = field(default_factory=lambda: Acknowledgements(0.025))
    sender: Sender = field(default_factory=lambda: Sender(Settings(), 508, RoundTrip()))
    sent: int = 0
    number: Number = NO_NUMBER  # in use
    spare: Number = NO_NUMBER
    before: Number = NO_NUMBER
    before_until: float = 0.0
    candidate: tuple[int, bytes] | None = None  # an address that is to prove itself, and its token


class ModelGateway:
    """Sans-IO; addresses are numbers."""

    def __init__(
        self,
        draw: Callable[[int], bytes],
        path_mtu: int = 1400,
        phases: PhaseRules = RULES,
        *,
        gives_spares: bool = True,
    ) -> None:
        self._draw = draw
        self.gives_spares = gives_spares
        self.resets = True  # who talks to a connection that is lost is told so
        self.spares: dict[int, int] = {}  # the session of each
        self._now = 0.0
        self.phases = phases
        self.path_mtu = path_mtu
        self.seats: dict[int, Seat] = {}
        self.taken: list[tuple[int, int, bytes]] = []  # player, type, body

    def issue(self, player_id: int) -> Ticket:
        session = 0x00100000 | len(self.seats) + 1
        seat = Seat(self._draw(32), player_id)
        self.seats[session] = seat
        return Ticket(session, seat.key, "192.0.2.1", 8081)

    def seat(self, player_id: int) -> tuple[int, Seat]:
        return next((number, seat) for number, seat in self.seats.items() if seat.player_id == player_id)

    def close(self, player_id: int, reason: CloseReason) -> Sent:
        session, seat = self.seat(player_id)
        datagram = self._seal(session, seat, Kind.CLOSE, bytes(layers.Close(reason=int(reason))))
        seat.keys = None
        return [(seat.address, datagram)]

    # ------------------------------------------------------------ in

    def receive(self, source: int, datagram: bytes, now: float) -> Sent:
        self._now = now
        if len(datagram) > self.path_mtu:
            return []
        header = read_header(datagram)
        seat = self.seats.get(header.session)
        if header.kind is Kind.HELLO:
            return [(source, self._greet(header.session, seat, datagram))]
        if seat is not None and header.kind is Kind.CONFIRM:
            return self._confirm(header.session, seat, source, datagram)
        session = self.spares.get(header.session, header.session)
        seat = self.seats.get(session)
        if seat is None or not seat.clear:
            return []
        if seat.keys is None:
            is_answered = self.resets and header.kind in SEALED and len(datagram) >= RESET_ASKED_BYTES
            return [(source, self._reset(seat))] if is_answered else []
        return self._sealed(session, seat, source, datagram, now)

    def _greet(self, session: int, seat: Seat | None, hello: bytes) -> bytes:
        if seat is not None and seat.denial is Denial.VERSION:  # which nobody proves
            head = Session(kind=int(Kind.DENIED), session=session)
            return bytes(head / layers.Denied(client_nonce=hello[16:32], reason=int(seat.denial)))
        challenge = layers.Challenge(client_nonce=hello[16:32], cookie=self._draw(24))
        key = seat.key if seat is not None else self._draw(32)
        return layers.challenge(Session(kind=int(Kind.CHALLENGE), session=session), challenge, key)

    def say(self, player_id: int, now: float, messages: bytes = b"") -> bytes:
        """A DATA with these messages, which nobody repeats."""
        session, seat = self.seat(player_id)
        return self._say(session, seat, messages, now)

    def challenge(self, player_id: int, under: Number) -> bytes:
        """A PATH_CHALLENGE under a number that need not be the player's at present."""
        session, seat = self.seat(player_id)
        present, seat.number = seat.number, under
        datagram = self._seal(session, seat, Kind.PATH_CHALLENGE, self._draw(8))
        seat.number = present
        return datagram

    def reset(self, player_id: int) -> Sent:
        """Forget the connection of a player, and say so."""
        _, seat = self.seat(player_id)
        seat.keys = None
        return [(seat.address, self._reset(seat))]

    @staticmethod
    def _reset(seat: Seat) -> bytes:
        head = Session(kind=int(Kind.RESET), session=seat.number.session)
        return bytes(head / layers.Reset(token=seat.reset_token))

    def _confirm(self, session: int, seat: Seat, source: int, confirm: bytes) -> Sent:
        if confirm[-16:] != confirm_proof(seat.key, confirm[:-16]):
            return []
        cookie, client_nonce, share = confirm[32:56], confirm[16:32], confirm[56:88]
        if seat.denial is not None:
            head = Session(kind=int(Kind.DENIED), session=session)
            denied = layers.Denied(client_nonce=client_nonce, reason=int(seat.denial))
            return [(source, layers.refuse(head, denied, seat.key))]
        if cookie != seat.cookie:
            nonce, exchange = self._draw(16), Exchange(self._draw(32))
            fresh = Seat(
                seat.key, seat.player_id, address=source, cookie=cookie, clear=nonce + exchange.share
            )
            agreed = exchange.agree(share)
            assert agreed is not None
            transcript = Transcript(session, client_nonce, nonce, share, exchange.share)
            secret = connection_secret(seat.key, agreed, transcript)
            fresh.secret = secret
            fresh.keys = Phases(secret, self.phases, self._now, is_gateway=True)
            fresh.reset_token = self._draw(16)
            fresh.max_datagram = len(confirm)
            fresh.number, fresh.spare = Number(session), self._draw_spare(session)
            fresh.sender = Sender(Settings(), fresh.max_datagram, RoundTrip())
            self.seats[session] = seat = fresh
        if seat.keys is None:
            return []
        size = seat.max_datagram
        body = layers.Welcome(
            player_id=seat.player_id,
            expires_in_s=3600,
            idle_timeout_ms=30_000,
            max_datagram=size,
            reset_token=seat.reset_token,
            spare=seat.spare.session,
            spare_offset_client=seat.spare.offset[0],
            spare_offset_gateway=seat.spare.offset[1],
            padding=bytes(size - 120),
        )
        return self._fits(source, self._seal(session, seat, Kind.WELCOME, bytes(body), clear=seat.clear))

    def _draw_spare(self, session: int) -> Number:
        if not self.gives_spares:
            return NO_NUMBER
        number, *offset = struct.unpack("<III", self._draw(12))
        spare = Number(0x00800000 | number & 0x007FFFFF, (offset[0], offset[1]))
        self.spares[spare.session] = session
        return spare

    def give(self, player_id: int, now: float) -> None:
        """Another spare, by NUMBER."""
        session, seat = self.seat(player_id)
        seat.spare = self._draw_spare(session)
        self.tell(player_id, seat.spare, now)

    def tell(self, player_id: int, spare: Number, now: float) -> None:
        """NUMBER, of whatever number."""
        message = Outgoing.reliable(MessageType.NUMBER, spare.pack(), Priority.URGENT, UNORDERED)
        self.seat(player_id)[1].sender.queue(message, now)

    @staticmethod
    def _known(seat: Seat, number: int, now: float) -> Number | None:
        """Which of a player's numbers it is."""
        known = [seat.number, seat.spare]
        known += [seat.before] if now < seat.before_until else []
        return next((one for one in known if one.session == number), None)

    def _came_under(self, seat: Seat, number: Number, now: float) -> None:
        """A spare that is used is the player's number."""
        if number is seat.spare:
            seat.before, seat.before_until, seat.number = seat.number, now + BEFORE_S, number
            self.give(seat.player_id, now)

    def _sealed(self, session: int, seat: Seat, source: int, datagram: bytes, now: float) -> Sent:
        assert seat.keys is not None
        header = read_header(datagram)
        number = self._known(seat, header.session, now)
        if number is None:
            return []
        counter = number.counter(header.counter, to_gateway=True)
        if not seat.window.is_fresh(counter):
            return []
        try:
            is_newest = counter > seat.window.newest
            secret = seat.keys.open(header, datagram, now, counter=counter, is_newest=is_newest)
        except BadTagError:
            return []
        newest = counter > seat.window.newest
        seat.window.mark(counter)
        self._came_under(seat, number, now)
        out: Sent = []
        if header.kind is Kind.CLOSE:
            seat.keys = None
        elif header.kind is Kind.PATH_RESPONSE:
            if seat.candidate is not None and secret == seat.candidate[1]:
                seat.address = seat.candidate[0]
        elif header.kind is Kind.PROBE:
            seat.acknowledgements.take(counter, now)
            out.append((source, self._say(session, seat, b"", now)))
        else:
            if newest and source != seat.address:
                seat.candidate = (source, self._draw(8))
                out.append((source, self._seal(session, seat, Kind.PATH_CHALLENGE, seat.candidate[1])))
            out += self._take(seat, counter, secret, now)
        return out

    def _take(self, seat: Seat, counter: int, secret: bytes, now: float) -> Sent:
        try:
            prefix, body = read_data(secret)
            seat.sender.acknowledged(prefix, seat.sent, now)
            if seat.keys is not None and prefix.ack <= seat.sent:
                seat.keys.acknowledged(prefix.ack)
            messages = read_messages(body)
            taken = seat.intake.take(messages)
        except (WireError, ViolationError):
            return self.close(seat.player_id, CloseReason.PROTOCOL)
        for whole in taken.whole:
            self._said(seat, whole, now)
        if taken.refused is not None:
            return []
        seat.acknowledgements.take(counter, now)
        if messages:
            seat.acknowledgements.owe(now, at_once=prefix.wants_answer)
        return self.due(now)

    def _said(self, seat: Seat, whole: Whole, now: float) -> None:
        self.taken.append((seat.player_id, whole.type, whole.body))
        if whole.type == MessageType.PING:
            seat.sender.queue(Outgoing.unreliable(MessageType.PONG, whole.body, Priority.URGENT), now)
        if whole.type not in RELAYED:
            return
        at = 4 if whole.type == MessageType.SKILL else 0
        (target,) = struct.unpack_from("<I", whole.body, at)
        for other in self.seats.values():
            if other.player_id == target and other.keys is not None:
                event = Outgoing(
                    whole.type + EVENT,
                    struct.pack("<I", seat.player_id) + whole.body,
                    compressed=False,
                    channel=whole.channel,
                    priority=Priority(whole.priority),
                    delivery=Delivery() if whole.reliable else None,
                )
                other.sender.queue(event, now)

    # ------------------------------------------------------------ out

    def next_due(self) -> float:
        connected = [seat for seat in self.seats.values() if seat.keys is not None]
        return min(
            (min(seat.sender.due(), seat.acknowledgements.due) for seat in connected), default=float("inf")
        )

    def due(self, now: float) -> Sent:
        self._now = now
        out: Sent = []
        for session, seat in self.seats.items():
            if seat.keys is None:
                continue
            seat.sender.expire(now)
            while seat.sender.due() <= now:
                messages = seat.sender.fill(seat.sent + 1, now)
                out.append((seat.address, self._say(session, seat, pack_messages(messages), now)))
            if seat.acknowledgements.due <= now:
                out.append((seat.address, self._say(session, seat, b"", now)))
        return [sent for one in out for sent in self._fits(*one)]

    def _fits(self, address: int, datagram: bytes) -> Sent:
        return [(address, datagram)] if len(datagram) <= self.path_mtu else []

    def _say(self, session: int, seat: Seat, messages: bytes, now: float) -> bytes:
        return self._seal(session, seat, Kind.DATA, seat.acknowledgements.prefix(now).pack() + messages)

    def _seal(self, session: int, seat: Seat, kind: Kind, body: bytes, clear: bytes = b"") -> bytes:
        assert seat.keys is not None
        seat.sent += 1
        number = Number(session) if kind is Kind.WELCOME else seat.number
        shown = number.shown(seat.sent, to_gateway=False)
        header = Header(kind, AROUND_BYTES + len(clear) + len(body), number.session, shown)
        return seat.keys.seal(header, clear, body, self._now, counter=seat.sent)
