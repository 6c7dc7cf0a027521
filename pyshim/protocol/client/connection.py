# SPDX-License-Identifier: BSD-3-Clause
"""One connection, from HELLO to its end, without sockets: bytes and the time in, bytes and messages out."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum, auto
from hmac import compare_digest

from pyshim.protocol.client.congestion import NEVER, RoundTrip
from pyshim.protocol.client.errors import NotConnectedError, Undelivered
from pyshim.protocol.client.events import Ending
from pyshim.protocol.client.farewell import Farewell
from pyshim.protocol.client.fragments import ViolationError
from pyshim.protocol.client.handshake import Draw, Established, Handshake
from pyshim.protocol.client.ignored import Ignored
from pyshim.protocol.client.intake import Acknowledgements, Intake, Taken, Whole
from pyshim.protocol.client.limits import DATAGRAMS, Pace
from pyshim.protocol.client.numbers import Numbers
from pyshim.protocol.client.outgoing import Outgoing, Priority
from pyshim.protocol.client.reliability import Sender
from pyshim.protocol.client.settings import Settings
from pyshim.protocol.client.sight import Sight
from pyshim.protocol.client.ticket import Ticket
from pyshim.protocol.session_control import (
    BUSY_BYTES,
    RESTARTED_BYTES,
    Busy,
    Number,
    Restarted,
    read_busy,
    read_limits,
    read_number,
    read_restarted,
)
from pyshim.protocol.session_crypto import BadTagError, TrafficKeys
from pyshim.protocol.session_wire import (
    AROUND_BYTES,
    COUNTERS,
    EVENTS,
    PATH_TOKEN_BYTES,
    SEALED,
    UNORDERED,
    CloseReason,
    Header,
    Kind,
    Message,
    MessageType,
    Prefix,
    Welcome,
    WireError,
    check_probe,
    pack_close,
    pack_messages,
    read_close,
    read_data,
    read_header,
    read_messages,
    read_reset,
)

_BUSY_EVERY_S = 0.1
_RETRY_MS = 100
_ASKS = Message(MessageType.PING, bytes(4))  # whether the other end has heard CLOSE
_HEEDED_FIRST = frozenset({MessageType.BUSY, MessageType.RESTARTED})  # before anything else of their datagram


class Phase(Enum):
    """Where a connection is in its life."""

    CONNECTING = auto()
    OPEN = auto()
    OVER = auto()


@dataclass(slots=True)
class _Open:
    """What an open connection consists of."""

    established: Established
    numbers: Numbers
    sender: Sender
    intake: Intake
    acknowledgements: Acknowledgements
    heard_at: float
    asked_at: float  # when something that is to be acknowledged was sent last
    sent: int = 0  # counter of the last packet
    limits_version: int = 0
    epoch: int | None = None  # processes of the gateway that died
    busy_from: float = 0.0  # no BUSY before


class Connection:
    """One connection to the gateway: `receive` what came, send what is `due`, see what `arrived`."""

    def __init__(self, ticket: Ticket, settings: Settings, draw: Draw, now: float) -> None:
        """Begin to connect. `draw` must be unpredictable."""
        self._ticket = ticket
        self._settings = settings
        self._handshake = Handshake(ticket, settings, draw, now)
        self._open: _Open | None = None
        self._urgent: deque[tuple[Kind, bytes]] = deque()  # what leaves before all others
        self.phase = Phase.CONNECTING
        self.ending: Ending | None = None
        self.close_reason = 0  # that a CLOSE said; 0: none came
        self.failure: NotConnectedError | None = None  # why it could not be made
        self.arrived: deque[Whole] = deque()
        self.acknowledged = Prefix()  # the last acknowledgement that came
        self.pongs: deque[int] = deque()  # tokens that came back
        self.lost: deque[tuple[int, int]] = deque()  # by channel, how many messages a gateway's crash took
        self.room_for_events = True  # cleared by the reader of `arrived` when it has no room for more
        self.ignored = Ignored()
        self.sight = Sight(settings.view)
        self._farewell: Farewell | None = None  # this end closed, and the other may not know

    @property
    def welcome(self) -> Welcome:
        """What the gateway said; of an open connection."""
        assert self._open is not None
        return self._open.established.welcome

    # ------------------------------------------------------------ in

    def receive(self, datagram: bytes, now: float) -> None:
        """A datagram came. Whatever is in it, this does not fail."""
        try:
            header = read_header(datagram)
            if self.phase is Phase.OVER:
                self._after_the_end(header, datagram, now)
            elif self._open is None:
                self._greeted(header, datagram, now)
            elif header.kind is Kind.RESET:
                if self._is_reset(self._open, header, datagram, now):
                    self._end(Ending.RESET)
            else:
                self._opened(self._open, header, datagram, now)
        except WireError:
            self.ignored.malformed += 1

    def _greeted(self, header: Header, datagram: bytes, now: float) -> None:
        if header.session != self._ticket.session:
            self.ignored.unexpected += 1
            return
        try:
            established = self._handshake.receive(header, datagram, now)
        except NotConnectedError as error:
            self._fail(error)
            return
        if established is None:
            return
        acknowledgements = Acknowledgements(self._settings.acknowledge_s)
        acknowledgements.take(established.window.newest, now)
        acknowledgements.owe(now, at_once=True)  # the gateway hears that its keys are in use
        welcome = established.welcome
        sender = Sender(self._settings, welcome.max_datagram, RoundTrip())
        sender.pace = Pace(read_limits(welcome.limits))
        self._open = _Open(
            established,
            Numbers(self._ticket.session, Number(welcome.spare, welcome.spare_offset)),
            sender,
            Intake(EVENTS, self._settings.hold_bytes),
            acknowledgements,
            heard_at=now,
            asked_at=now,
        )
        self.phase = Phase.OPEN
        if self._settings.key_log is not None:
            established.phases.tell(self._log_keys)

    def _log_keys(self, keys: TrafficKeys) -> None:
        assert self._settings.key_log is not None
        self._settings.key_log(f"{self._ticket.session} {keys.material.hex()}")

    def _after_the_end(self, header: Header, datagram: bytes, now: float) -> None:
        """Who goes on talking has not heard that this end closed: it is said again, for a while."""
        it, farewell = self._open, self._farewell
        if it is None or farewell is None or now >= farewell.until:
            return
        if header.kind is Kind.RESET:
            if self._is_reset(it, header, datagram, now):
                self._farewell = None
            return
        if header.kind not in SEALED or header.kind is Kind.WELCOME:
            return
        if self._authentic(it, header, datagram, now) is None:
            return
        if header.kind is Kind.CLOSE:
            self._farewell = None  # both know
        elif farewell.say_again(now):
            self._urgent.append((Kind.CLOSE, pack_close(farewell.reason)))

    def _is_reset(self, it: _Open, header: Header, datagram: bytes, now: float) -> bool:
        """Only the gateway can know the token."""
        if it.numbers.find(header.session, now) is None:
            self.ignored.unexpected += 1
            return False
        is_ours = compare_digest(read_reset(datagram), it.established.welcome.reset_token)
        self.ignored.forged += not is_ours
        return is_ours

    def _authentic(self, it: _Open, header: Header, datagram: bytes, now: float) -> tuple[int, bytes] | None:
        """Counter and secret of a sealed datagram; None, and counted: it is not ours, not new or forged."""
        number, window = it.numbers.find(header.session, now), it.established.window
        if number is None:
            self.ignored.unexpected += 1
            return None
        counter = number.counter(header.counter, to_gateway=False)
        if not window.is_fresh(counter):
            self.ignored.replayed += 1
            return None
        is_newest = counter > window.newest
        try:
            secret = it.established.phases.open(header, datagram, now, counter=counter, is_newest=is_newest)
        except BadTagError:
            self.ignored.forged += 1
            return None
        window.mark(counter)
        it.numbers.heard(number, now)
        return counter, secret

    def _opened(self, it: _Open, header: Header, datagram: bytes, now: float) -> None:
        if header.kind not in (Kind.DATA, Kind.CLOSE, Kind.PATH_CHALLENGE, Kind.PROBE):
            self.ignored.unexpected += 1
            return
        opened = self._authentic(it, header, datagram, now)
        if opened is None:
            return
        counter, secret = opened
        it.heard_at = now
        if header.kind is Kind.DATA:
            self._take(it, counter, secret, now)
            return
        if header.kind is Kind.PROBE:
            check_probe(secret)
            it.acknowledgements.take(counter, now)
            it.acknowledgements.owe(now, at_once=True)
            return
        if header.kind is Kind.CLOSE:
            self._end(Ending.of(reason := read_close(secret)), reason)
            return
        if len(secret) != PATH_TOKEN_BYTES:
            raise WireError("body of a PATH_CHALLENGE")
        it.acknowledgements.take(counter, now)
        self._urgent.append((Kind.PATH_RESPONSE, secret))

    def _take(self, it: _Open, counter: int, secret: bytes, now: float) -> None:
        prefix, body = read_data(secret)
        try:
            messages = read_messages(body)
        except WireError:
            self._close(it, CloseReason.PROTOCOL, now)
            return
        for message in messages:  # before anything else of the datagram
            if message.message_id is not None:
                continue
            if message.type == MessageType.RESTARTED and len(message.body) == RESTARTED_BYTES:
                self._restarted(it, read_restarted(message.body))
            if message.type == MessageType.BUSY and len(message.body) == BUSY_BYTES:
                it.sender.refused(read_busy(message.body), now)
        it.sender.acknowledged(prefix, it.sent, now)
        if prefix.ack <= it.sent:
            it.established.phases.acknowledged(prefix.ack)
        self.acknowledged = prefix
        try:
            taken = it.intake.take(messages, has_room=self.room_for_events)
        except ViolationError:
            self._close(it, CloseReason.PROTOCOL, now)
            return
        self.ignored.skipped += taken.skipped
        for whole in taken.whole:
            try:
                self._hear(it, whole, counter, now)
            except WireError:
                self.ignored.skipped += 1
        if taken.refused is not None:
            self._refuse(it, counter, taken, now)
            return
        it.acknowledgements.take(counter, now)
        if messages:
            it.acknowledgements.owe(now, at_once=prefix.wants_answer)

    def _restarted(self, it: _Open, restarted: Restarted) -> None:
        """Another process of the gateway goes on with this connection."""
        if it.epoch is not None and not 1 <= (restarted.epoch - it.epoch) & 0xFFFF < 1 << 15:
            return
        it.epoch = restarted.epoch
        it.limits_version = -1
        it.sender.restarted(restarted)
        self.lost.extend(
            (channel, lost) for channel, lost in enumerate(it.intake.restarted(restarted)) if lost
        )

    def _hear(self, it: _Open, whole: Whole, datagram: int, now: float) -> None:
        """A message, for the game or the connection; WireError: its body is not what its type says."""
        if whole.type == MessageType.PING:
            self._queue(it, MessageType.PONG, whole.body, now)
        elif whole.type == MessageType.PONG:
            self.pongs.append(int.from_bytes(whole.body, "little"))
        elif whole.type == MessageType.LIMITS:
            it.limits_version = it.sender.limited(whole.body, it.limits_version)
        elif whole.type in Sight.TYPES:
            self.sight.hear(whole, datagram, now)
        elif whole.type == MessageType.NUMBER:
            it.numbers.give(read_number(whole.body))
        elif whole.type not in _HEEDED_FIRST:
            self.arrived.append(whole)

    @staticmethod
    def _queue(it: _Open, kind: MessageType, body: bytes, now: float) -> None:
        it.sender.queue(Outgoing.unreliable(kind, body, Priority.URGENT), now)

    def _refuse(self, it: _Open, counter: int, taken: Taken, now: float) -> None:
        """It comes again; the gateway is told why, ten times a second at most."""
        self.ignored.no_room += 1
        if taken.refused is None or now < it.busy_from:
            return
        it.busy_from = now + _BUSY_EVERY_S
        busy = Busy(counter, taken.refused, taken.refused_type, _RETRY_MS)
        self._queue(it, MessageType.BUSY, busy.pack(), now)

    # ------------------------------------------------------------ out

    def queue(self, outgoing: Outgoing, now: float) -> None:
        """Send a message; only while open."""
        assert self._open is not None
        self._open.sender.queue(outgoing, now)

    @property
    def queued_bytes(self) -> int:
        """Bytes of messages that wait or are not acknowledged."""
        return self._open.sender.queued_bytes if self._open else 0

    def ping(self, token: int, now: float) -> None:
        """Ask for `token` to come back; only while open."""
        assert self._open is not None
        self._queue(self._open, MessageType.PING, token.to_bytes(4, "little"), now)

    @property
    def has_reliable(self) -> bool:
        """Whether a reliable message waits or is not acknowledged."""
        return self._open is not None and self._open.sender.has_reliable

    def next_due(self) -> float:
        """When `due` has something to send or to decide."""
        if self._urgent:
            return 0.0
        if self.phase is Phase.OVER:
            return NEVER if self._farewell is None else self._farewell.ask_at
        if self._open is None:
            return self._handshake.due_at
        it = self._open
        ask_at, silent_at = self._watch(it)
        says_at = min(it.sender.due(), it.sender.probe_due(), it.acknowledgements.due, ask_at)
        return min(max(says_at, self._data_from(it)), silent_at)

    def due(self, now: float) -> list[bytes]:
        """Datagrams to send now; call again at `next_due()`."""
        datagrams = self._say_urgent(now)
        if self.phase is Phase.CONNECTING:
            try:
                datagrams += self._handshake.due(now)
            except NotConnectedError as error:
                self._fail(error)
        elif self._open is not None and self.phase is Phase.OPEN:
            datagrams += self._speak(self._open, now)
        elif self._open is not None and self._farewell is not None and self._farewell.ask(now):
            datagrams.append(self._say(self._open, pack_messages([_ASKS]), now))
        return datagrams + self._say_urgent(now)

    def _say_urgent(self, now: float) -> list[bytes]:
        urgent = [self._seal(self._open, *one, now) for one in self._urgent if self._open is not None]
        self._urgent.clear()
        return urgent

    def moved(self, now: float) -> None:
        """This end is on another network: goes on under its spare, if it has one."""
        if self._open is not None:
            self._open.numbers.moved()
        if self._open is not None and self.phase is Phase.OPEN:
            self._open.sender.moved(now)
            self._open.acknowledgements.owe(now, at_once=True)  # the gateway sees the new address at once

    @property
    def datagram_bytes(self) -> int:
        """What the path is believed to carry; of an open connection."""
        assert self._open is not None
        return self._open.sender.path.size

    def close(self, now: float) -> None:
        """The game leaves."""
        if self._open is not None and self.phase is Phase.OPEN:
            self._close(self._open, CloseReason.LEFT, now)
        elif self.phase is Phase.CONNECTING:
            self._end(Ending.LEFT)

    def abandon(self) -> list[Outgoing]:
        """After the end: the reliable messages of which nothing was sent; whoever sent the others is told."""
        if self._open is None:
            return []
        undelivered = self._open.sender.undelivered()
        for outgoing in undelivered:
            if outgoing.was_sent and outgoing.delivery is not None:
                outgoing.delivery.settle(
                    Undelivered(
                        f"not acknowledged before the connection ended ({self.ending}); it may have arrived"
                    )
                )
        return [outgoing for outgoing in undelivered if not outgoing.was_sent]

    def _watch(self, it: _Open) -> tuple[float, float]:
        """When to ask whether the gateway is there, and when to believe that it is not."""
        idle_s = self.welcome.idle_timeout_ms / 1000
        silence_s = idle_s if self._settings.silence_s is None else self._settings.silence_s
        return it.asked_at + min(self._settings.heartbeat_s, idle_s / 3), it.heard_at + silence_s

    def _speak(self, it: _Open, now: float) -> list[bytes]:
        ask_at, silent_at = self._watch(it)
        if now >= silent_at:
            self._close(it, CloseReason.IDLE, now, Ending.SILENT)
            return []
        if it.sent >= COUNTERS:
            self._close(it, CloseReason.RESTARTED, now)
            return []
        if it.established.phases.is_worn_out:
            self._close(it, CloseReason.PROTOCOL, now)
            return []
        it.sender.expire(now)
        if now >= ask_at:
            it.asked_at = now
            if not it.sender.has_reliable:  # else that is said again until it is acknowledged
                beat = Outgoing.reliable(MessageType.HEARTBEAT, b"", Priority.URGENT, UNORDERED)
                it.sender.queue(beat, now)
        datagrams = []
        while max(it.sender.due(), self._data_from(it)) <= now:
            it.sender.expire(now)
            if it.sender.due() <= now:
                datagrams.append(self._data(it, now))
        if max(it.acknowledgements.due, self._data_from(it)) <= now:
            datagrams.append(self._say(it, b"", now))
        if max(it.sender.probe_due(), self._data_from(it)) <= now:
            datagrams += self._probe(it, now)
        return datagrams

    @staticmethod
    def _data_from(it: _Open) -> float:
        """When another DATA keeps to the limit of datagrams."""
        return it.sender.pace.conforms_at(DATAGRAMS, 0)

    def _probe(self, it: _Open, now: float) -> list[bytes]:
        """Whether the path carries more than is believed."""
        size = it.sender.path.probe(now)
        if size is None:
            return []
        it.asked_at = now
        it.sender.probed(it.sent + 1, size, now)
        it.sender.pace.take(DATAGRAMS, 0, now)
        return [self._seal(it, Kind.PROBE, bytes(size - AROUND_BYTES), now)]

    def _data(self, it: _Open, now: float) -> bytes:
        messages = it.sender.fill(it.sent + 1, now)
        assert messages, "due, but nothing to say"
        it.asked_at = now
        return self._say(it, pack_messages(messages), now, wants_answer=it.sender.asks_at_once)

    def _say(self, it: _Open, messages: bytes, now: float, *, wants_answer: bool = False) -> bytes:
        prefix = it.acknowledgements.prefix(now, wants_answer=wants_answer)
        it.sender.pace.take(DATAGRAMS, 0, now)
        return self._seal(it, Kind.DATA, prefix.pack() + messages, now)

    def _seal(self, it: _Open, kind: Kind, secret: bytes, now: float) -> bytes:
        it.sent += 1
        number = it.numbers.used
        shown = number.shown(it.sent, to_gateway=True)
        header = Header(kind, AROUND_BYTES + len(secret), number.session, shown)
        return it.established.phases.seal(header, b"", secret, now, counter=it.sent)

    # ------------------------------------------------------------ the end

    @property
    def is_leaving(self) -> bool:
        """Whether the game left, and the gateway may not have heard it."""
        return self._farewell is not None and self._farewell.ask_at != NEVER

    def _close(self, it: _Open, reason: CloseReason, now: float, ending: Ending | None = None) -> None:
        self._farewell = Farewell.said(reason, now)
        self._urgent.append((Kind.CLOSE, pack_close(reason)))
        self._end(ending or Ending(reason.name.lower()))

    def _end(self, ending: Ending, close_reason: int = 0) -> None:
        self.ending, self.close_reason, self.phase = ending, close_reason, Phase.OVER
        self.sight.end()

    def _fail(self, error: NotConnectedError) -> None:
        self.failure, self.phase = error, Phase.OVER
