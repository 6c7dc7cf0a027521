# SPDX-License-Identifier: BSD-3-Clause
"""The kit's end of the line, as a client or as a gateway: seals, opens, keeps what it heard, acknowledges.

It does what the document says unless a scenario turns that off; what breaks rules is said by scenarios.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from pyshim.conformance import layout
from pyshim.conformance.bodies import PING, PONG
from pyshim.conformance.checks import Verdicts
from pyshim.conformance.layout import Data, Header, Kind, Message
from pyshim.conformance.loop import Arrival, Port, Steps
from pyshim.protocol.session_crypto import DirectionKey

PATIENCE_S = 6.0  # for what must come: a bound, no measurement
SILENCE_S = 0.6  # for what must not come


class StoppedError(Exception):
    """The scenario cannot go on; says why."""


@dataclass(slots=True)
class Traffic:
    """One connection: its keys by phase, both counters, what was said and heard under it."""

    secrets: list[bytes]  # secret_n
    is_client: bool  # the kit is
    session: int  # that the kit writes
    size: int  # max_datagram
    offsets: dict[int, tuple[int, int]]  # by number: from client, from gateway
    counter: int = 0  # the kit's newest
    phase: int = 0  # in which the kit seals
    heard_phase: int = 0  # the newest of the other
    heard: list[Heard] = field(default_factory=list)
    taken: set[int] = field(default_factory=set)  # counters that the kit acknowledges
    sent: set[int] = field(default_factory=set)  # the kit's counters that the other may have got
    sent_s: dict[int, float] = field(default_factory=dict)  # when those left that were said one by one
    over: bool = False  # the kit says nothing more of itself
    closed_s: float | None = None  # the other closed

    def direction(self, phase: int, *, mine: bool) -> DirectionKey:
        """The key of a phase."""
        while len(self.secrets) <= phase:
            self.secrets.append(layout.next_secret(self.secrets[-1]))
        return layout.directions(self.secrets[phase])[0 if self.is_client == mine else 1]

    def seal(  # noqa: PLR0913 - what can be wrong
        self,
        kind: int,
        secret: bytes,
        *,
        counter: int | None = None,
        flags: int | None = None,
        clear: bytes = b"",
        length: int | None = None,
    ) -> bytes:
        """A datagram of the next counter, or of one that is given."""
        if counter is None:
            self.counter += 1
            counter = self.counter
        self.sent.add(counter)
        offset = self.offsets[self.session][0 if self.is_client else 1]
        whole = layout.HEADER_BYTES + len(clear) + len(secret) + layout.TAG_BYTES
        header = Header(
            kind,
            whole if length is None else length,
            self.session,
            (counter + offset) & 0xFFFFFFFF,
            self.phase & 1 if flags is None else flags,
        )
        return self.direction(self.phase, mine=True).seal(counter, header.pack() + clear, secret)

    def open(self, datagram: bytes, header: Header) -> tuple[int, int, bytes] | None:
        """Counter, phase and what was sealed; None where it is not of this connection."""
        if header.session not in self.offsets:
            return None
        counter = (header.counter - self.offsets[header.session][1 if self.is_client else 0]) & 0xFFFFFFFF
        clear = layout.WELCOME_CLEAR_BYTES if header.kind == Kind.WELCOME else layout.HEADER_BYTES
        for phase in (self.heard_phase, self.heard_phase + 1, self.heard_phase - 1):
            if phase >= 0 and phase & 1 == header.flags & 1:
                secret = layout.opened(self.direction(phase, mine=False), counter, datagram, clear)
                if secret is not None:
                    return counter, phase, secret
        return None

    def acknowledgement(self, *, wants: int = 0, messages: tuple[Message, ...] = ()) -> Data:
        """DATA that names what the kit took."""
        newest = max(self.taken, default=0)
        bits = sum(1 << n for n in range(32) if newest - 1 - n in self.taken)
        return Data(newest, bits, 0 if newest else 65535, wants, 0, messages)

    def acknowledged(self, *, since: int = 0) -> set[int]:
        """The kit's counters that the other named, in what came from the `since`-th datagram on."""
        return {
            counter
            for heard in self.heard[since:]
            if heard.data is not None
            for counter in layout.named(heard.data.ack, heard.data.ack_bits)
        }

    def messages(self, *kinds: int, since: int = 0) -> list[tuple[Heard, Message]]:
        """The messages of these types that came, each as often as it came."""
        return [(heard, one) for heard in self.heard[since:] for one in heard.messages if one.type in kinds]


@dataclass(frozen=True, slots=True)
class Heard:
    """A datagram of the other, taken apart."""

    at_s: float
    via: int
    source: Any
    datagram: bytes
    header: Header
    traffic: Traffic | None = None  # None: not sealed, or with what nobody knows
    counter: int = 0
    phase: int = 0
    secret: bytes = b""
    data: Data | None = None

    @property
    def kind(self) -> int:
        """What it is."""
        return self.header.kind

    @property
    def messages(self) -> tuple[Message, ...]:
        """Of DATA that was opened."""
        return () if self.data is None else self.data.messages

    def __str__(self) -> str:
        """Its kind and length, for a sentence."""
        name = Kind(self.kind).name if self.kind in list(Kind) else f"kind {self.kind}"
        return f"a {name} of {len(self.datagram)} bytes"


Want = Callable[[Heard], bool]


@dataclass(slots=True)
class Manners:
    """What the kit does of its own accord."""

    acknowledges: bool = True
    answers_paths: bool = True  # as a client
    answers_pings: bool = True


class Peer(ABC):
    """One end. A subclass knows the handshake of its role."""

    is_client: bool
    long_type: int  # of messages to the other end that may be long

    def __init__(self, port: Port, now: Callable[[], float], verdicts: Verdicts, watch: Watcher) -> None:
        """Nothing is said or heard yet."""
        self.port, self.now, self.verdicts, self.watch = port, now, verdicts, watch
        self.manners = Manners()
        self.traffics: list[Traffic] = []
        self.heard: list[Heard] = []  # everything
        self.takes: Want = lambda heard: True  # whether the kit acknowledges it
        self.to: Any = None  # where the other is, as a gateway

    # ------------------------------------------------------------ hearing

    def listen(self, until_s: float, want: Want = lambda heard: False) -> Steps[Heard | None]:
        """Take what comes until something is wanted; None when it is `until_s`."""
        while True:
            arrival = yield until_s
            if arrival is None:
                return None
            heard = self._take(arrival)
            if heard is not None and want(heard):
                return heard

    def pause(self, seconds: float) -> Steps[None]:
        """Take what comes for a time."""
        yield from self.listen(self.now() + seconds)

    def expect(self, want: Want, seconds: float = PATIENCE_S) -> Steps[Heard | None]:
        """The first that is wanted of what comes from now on."""
        return (yield from self.listen(self.now() + seconds, want))

    def _take(self, arrival: Arrival) -> Heard | None:
        self.verdicts.heard += 1
        if len(arrival.datagram) < layout.HEADER_BYTES:
            self.watch.too_short(arrival)
            return None
        header = layout.read_header(arrival.datagram)
        heard = Heard(arrival.at_s, arrival.via, arrival.source, arrival.datagram, header)
        if header.kind in layout.SEALED:
            heard = self._open(heard)
        self.watch.see(self, heard)
        self.heard.append(heard)
        if heard.traffic is None:
            self.answer_clear(heard)
        else:
            self._answer_sealed(heard, heard.traffic)
        return heard

    def _open(self, heard: Heard) -> Heard:
        for traffic in self.candidates(heard):
            found = traffic.open(heard.datagram, heard.header)
            if found is None:
                continue
            counter, phase, secret = found
            data = None
            if heard.kind == Kind.DATA:
                try:
                    data = layout.read_data(secret)
                except layout.BrokenMessageError as error:
                    self.watch.broken(error)
            return Heard(
                heard.at_s,
                heard.via,
                heard.source,
                heard.datagram,
                heard.header,
                traffic,
                counter,
                phase,
                secret,
                data,
            )
        return heard

    def candidates(self, heard: Heard) -> Iterable[Traffic]:
        """The connections that a sealed datagram may be of, the newest first."""
        return reversed(self.traffics)

    # ------------------------------------------------------------ what a role does its own way

    @abstractmethod
    def begin(self) -> Steps[Traffic]:
        """Another connection, from its beginning.

        Raises:
            StoppedError: there is none.
        """

    @abstractmethod
    def harmless(self, identity: int | None = None) -> Message:
        """A message that changes nothing at the other end; reliable, on channel 3, with an id."""

    @abstractmethod
    def may_say(self, traffic: Traffic) -> int:
        """How many of these, unreliable, may be said at once."""

    @abstractmethod
    def answer_clear(self, heard: Heard) -> None:
        """Answer what is not sealed."""

    @abstractmethod
    def answer_sealed(self, heard: Heard, traffic: Traffic) -> None:
        """What a role does beside acknowledging."""

    # ------------------------------------------------------------ answering

    def _answer_sealed(self, heard: Heard, traffic: Traffic) -> None:
        traffic.heard.append(heard)
        traffic.heard_phase = max(traffic.heard_phase, heard.phase)
        if heard.kind == Kind.CLOSE:
            traffic.closed_s = heard.at_s
            return
        if self.takes(heard):
            traffic.taken.add(heard.counter)
        self.answer_sealed(heard, traffic)
        if traffic.over or traffic.closed_s is not None:
            return
        for message in heard.messages:
            if message.type == PING and self.manners.answers_pings:
                self.say(traffic, Message(PONG, message.body), via=heard.via)
        if self.manners.acknowledges and (heard.messages or heard.kind == Kind.PROBE):
            self.say(traffic, via=heard.via)

    # ------------------------------------------------------------ saying

    def send(self, datagram: bytes, via: int = 0) -> None:
        """As it is."""
        self.port.send(datagram, via, self.to)

    def say(self, traffic: Traffic, *messages: Message, wants: int = 0, via: int = 0) -> int:
        """DATA with these messages and the acknowledgement of what came; returns its counter."""
        return self.say_data(traffic, traffic.acknowledgement(wants=wants, messages=messages), via=via)

    def say_data(self, traffic: Traffic, data: Data, *, rest: bytes = b"", via: int = 0) -> int:
        """DATA as it is given."""
        return self.seal(traffic, Kind.DATA, data.pack(rest), via=via)

    def seal(self, traffic: Traffic, kind: int, secret: bytes, *, via: int = 0) -> int:
        """A sealed datagram; returns its counter."""
        datagram = traffic.seal(kind, secret)
        traffic.sent_s[traffic.counter] = self.now()
        self.send(datagram, via)
        return traffic.counter

    # ------------------------------------------------------------ what came of it

    def taken(self, traffic: Traffic, counter: int, seconds: float = PATIENCE_S) -> Steps[bool]:
        """Whether a datagram is acknowledged within a time."""
        if counter in traffic.acknowledged():
            return True
        heard = yield from self.expect(
            lambda heard: (
                heard.traffic is traffic
                and heard.data is not None
                and counter in layout.named(heard.data.ack, heard.data.ack_bits)
            ),
            seconds,
        )
        return heard is not None

    def alive(self, traffic: Traffic, *, via: int = 0) -> Steps[bool]:
        """Whether a PING under these keys is answered."""
        token = os.urandom(4)
        for _ in range(3):
            self.say(traffic, Message(PING, token), via=via)
            heard = yield from self.expect(
                lambda heard: (
                    heard.traffic is traffic
                    and any(one.type == PONG and one.body == token for one in heard.messages)
                ),
                PATIENCE_S / 3,
            )
            if heard is not None:
                return True
        return False

    def closed(self, traffic: Traffic, seconds: float = PATIENCE_S) -> Steps[int | None]:
        """The reason with which the other closes within a time; None where it does not."""
        earlier = [one for one in traffic.heard if one.kind == Kind.CLOSE]
        heard = earlier[0] if earlier else None
        if heard is None:
            heard = yield from self.expect(
                lambda heard: heard.kind == Kind.CLOSE and heard.traffic is traffic, seconds
            )
        return None if heard is None else heard.secret[0]


class Watcher(ABC):
    """Looks at every datagram of the other."""

    @abstractmethod
    def see(self, peer: Peer, heard: Heard) -> None:
        """A datagram, taken apart as far as that goes."""

    @abstractmethod
    def too_short(self, arrival: Arrival) -> None:
        """A datagram without a whole header."""

    @abstractmethod
    def broken(self, error: layout.BrokenMessageError) -> None:
        """DATA whose messages cannot be."""
