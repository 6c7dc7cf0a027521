# SPDX-License-Identifier: BSD-3-Clause
"""The kit as a gateway: answers one client's HELLOs and CONFIRMs, unless a scenario does that itself."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from pyshim.conformance import bodies, layout
from pyshim.conformance.checks import Check, Verdicts
from pyshim.conformance.layout import Kind, Limit, Message, Secret, Welcome
from pyshim.conformance.loop import Port, Steps
from pyshim.conformance.peer import PATIENCE_S, Heard, Peer, StoppedError, Traffic
from pyshim.conformance.watch import RuleWatch
from pyshim.protocol.client.ticket import Ticket

HELLO_LAYOUT = Check(
    "hello-layout", "3", "A HELLO has 72 bytes: version 2, a nonce, and 0 in what is reserved and padding"
)
CONFIRM_LAYOUT = Check(
    "confirm-layout",
    "3",
    "A CONFIRM says version 2 and its own length, of 508 to 1,400 bytes, and its padding is 0",
)
CONFIRM_PROOF = Check("confirm-proof", "3", "The proof of a CONFIRM is made with the key of the session")
CONFIRM_COOKIE = Check(
    "confirm-cookie", "3", "A CONFIRM has the nonce of a HELLO and the cookie of its CHALLENGE"
)
SHARE = Check(
    "share", "3", "The public value is the same in a repeated CONFIRM, and another for another nonce"
)
HANDSHAKE = (HELLO_LAYOUT, CONFIRM_LAYOUT, CONFIRM_PROOF, CONFIRM_COOKIE, SHARE)

_SPARE_OFFSETS = (0x01020304, 0x05060708)  # of WELCOME's
STARTS_S = 60.0  # for a client that is to be started


@dataclass(frozen=True, slots=True)
class Setting:
    """What the kit's WELCOME says."""

    idle_timeout_ms: int = 6000
    limits: tuple[Limit, ...] = ()
    spare: int = 0
    grants: int = 1400  # at most


class Subject(Protocol):
    """The client that is looked at."""

    def start(self, ticket: Ticket) -> None:
        """Have it connect with a ticket; one that runs is ended first.

        Raises:
            StoppedError: it cannot be started.
        """

    def stop(self) -> None:
        """End it."""


@dataclass(slots=True)
class Answers:
    """What the kit does of its own accord in a handshake."""

    challenges: bool = True
    welcomes: bool = True


class Gateway(Peer):
    """A gateway that does what a scenario says."""

    is_client = False
    long_type = bodies.BULK + bodies.EVENT

    def __init__(  # noqa: PLR0913, PLR0917 - one end of a line
        self,
        port: Port,
        now: Callable[[], float],
        verdicts: Verdicts,
        ticket: Ticket,
        subject: Subject,
        setting: Setting,
    ) -> None:
        """With a ticket that is its own."""
        self.rules = RuleWatch(verdicts, ticket.session, of_client=True)
        super().__init__(port, now, verdicts, self.rules)
        self.ticket, self.subject, self.setting = ticket, subject, setting
        self.handshake = Answers()
        self.cookies: dict[bytes, bytes] = {}  # by the nonce; what a CHALLENGE said or is to say
        self.shares: dict[bytes, bytes] = {}  # by the nonce
        self._granted: dict[bytes, Traffic] = {}  # by a CONFIRM without its size and proof
        self._clear: dict[int, bytes] = {}  # nonce and share of WELCOME, by id of the traffic
        self.tokens: dict[int, bytes] = {}  # for RESET, by id of the traffic
        self._ids: dict[int, int] = {}

    # ------------------------------------------------------------ the client

    def start(self) -> None:
        """Have the client connect from its beginning."""
        for traffic in self.traffics:
            traffic.over = True
        self.subject.start(self.ticket)

    def hello(self, seconds: float = STARTS_S) -> Steps[Heard]:
        """The next HELLO.

        Raises:
            StoppedError: none comes.
        """
        return (yield from self._next(Kind.HELLO, seconds))

    def confirm(self, seconds: float = 2 * PATIENCE_S) -> Steps[Heard]:
        """The next CONFIRM.

        Raises:
            StoppedError: none comes.
        """
        return (yield from self._next(Kind.CONFIRM, seconds))

    def _next(self, kind: Kind, seconds: float) -> Steps[Heard]:
        heard = yield from self.expect(lambda heard: heard.kind == kind, seconds)
        if heard is None:
            raise StoppedError(f"no {kind.name} came within {seconds:.0f} s")
        return heard

    def begin(self) -> Steps[Traffic]:
        """A client that has connected: it sent something sealed.

        Raises:
            StoppedError: it does not.
        """
        self.start()
        return (yield from self.connected(STARTS_S))

    def connected(self, seconds: float = 2 * PATIENCE_S) -> Steps[Traffic]:
        """Likewise, of one that is on its way already.

        Raises:
            StoppedError: it does not connect.
        """
        heard = yield from self.expect(
            lambda heard: heard.traffic is not None and not heard.traffic.over, seconds
        )
        if heard is None or heard.traffic is None:
            last = next((one for one in reversed(self.heard)), None)
            raise StoppedError(
                f"the client did not connect within {seconds:.0f} s; {last or 'nothing'} came last"
            )
        return heard.traffic

    # ------------------------------------------------------------ handshake

    def answer_clear(self, heard: Heard) -> None:
        """What is right is answered, unless the scenario does that."""
        self.to = heard.source
        datagram = heard.datagram
        if heard.kind == Kind.HELLO and len(datagram) == layout.HELLO_BYTES:
            self._judge_hello(datagram)
            self.cookies.setdefault(datagram[16:32], os.urandom(24))
            if self.handshake.challenges:
                self.challenge(datagram[16:32])
        elif heard.kind == Kind.CONFIRM and 508 <= len(datagram) <= 1400:
            self._judge_confirm(datagram)
            if self.handshake.welcomes:
                self.welcome(heard)

    def challenge(self, nonce: bytes, via: int = 0) -> None:
        """The CHALLENGE of a nonce."""
        self.send(
            layout.pack_challenge(self.ticket.session, nonce, self.cookies[nonce], self.ticket.key), via
        )

    def _judge_hello(self, datagram: bytes) -> None:
        version, reserved = (
            int.from_bytes(datagram[12:14], "little"),
            int.from_bytes(datagram[14:16], "little"),
        )
        holds = version == layout.VERSION and not reserved and any(datagram[16:32]) and not any(datagram[32:])
        self.verdicts.judge(
            HELLO_LAYOUT, holds, f"a HELLO with version {version}, reserved {reserved}, {datagram[16:].hex()}"
        )

    def _judge_confirm(self, datagram: bytes) -> None:
        version, said = int.from_bytes(datagram[12:14], "little"), int.from_bytes(datagram[14:16], "little")
        nonce, cookie, share = datagram[16:32], datagram[32:56], datagram[56:88]
        judge = self.verdicts.judge
        holds = version == layout.VERSION and said == len(datagram) and not any(datagram[88:-16])
        judge(
            CONFIRM_LAYOUT,
            holds,
            f"a CONFIRM of {len(datagram)} bytes with version {version}, max_datagram {said}",
        )
        proved = layout.confirm_is_proved(datagram, self.ticket.key)
        judge(CONFIRM_PROOF, proved, f"a {'right' if proved else 'wrong'} proof")
        known = self.cookies.get(nonce)
        came = "the cookie" if known == cookie else "another cookie" if known else "another nonce"
        judge(
            CONFIRM_COOKIE,
            known == cookie,
            f"{came} came than was sent" if known != cookie else f"{came} came",
        )
        same = self.shares.setdefault(nonce, share) == share
        fresh = all(share != other for at, other in self.shares.items() if at != nonce)
        came = (
            "another value for the same nonce"
            if not same
            else "the value of another nonce"
            if not fresh
            else "a value"
        )
        judge(SHARE, same and fresh and any(share), f"{came} came")

    def traffic_of(self, confirm: Heard, *, anew: bool = False, share: bytes | None = None) -> Traffic:
        """The connection that a CONFIRM begins: the same for its repetitions, unless another is asked for."""
        datagram = confirm.datagram
        same = datagram[16:88]
        if same in self._granted and not anew:
            return self._granted[same]
        secret, nonce = Secret(), os.urandom(16)
        z = secret.agree(datagram[56:88]) if share is None else bytes(32)
        public = secret.share if share is None else share
        session = self.ticket.session
        first = layout.first_secret(
            self.ticket.key, z, session, (datagram[16:32], nonce), (datagram[56:88], public)
        )
        traffic = Traffic([first], False, session, len(datagram), {session: (0, 0)})
        if self.setting.spare:
            self.spare(traffic, self.setting.spare, _SPARE_OFFSETS)
        self.traffics.append(traffic)
        self._clear[id(traffic)] = nonce + public
        self.tokens[id(traffic)] = os.urandom(16)
        if not anew:
            self._granted[same] = traffic
        return traffic

    def welcome(  # noqa: PLR0913 - what can be wrong about one
        self,
        confirm: Heard,
        traffic: Traffic | None = None,
        *,
        size: int | None = None,
        said: int | None = None,
        padding: bytes = b"",
        tag: int = 0,
        is_lost: bool = False,
    ) -> Traffic:
        """A WELCOME for a CONFIRM; one that is lost has its counter, and does not leave."""
        if traffic is None:
            traffic = self.traffic_of(confirm)
        asked = min(len(confirm.datagram), self.setting.grants)
        grant = min(asked, traffic.size) if size is None else size
        traffic.size = grant
        fields = Welcome(
            7,
            3600,
            self.setting.idle_timeout_ms,
            grant,
            self.tokens[id(traffic)],
            self.setting.spare,
            _SPARE_OFFSETS if self.setting.spare else (0, 0),
            self.setting.limits,
        )
        datagram = traffic.seal(
            Kind.WELCOME, fields.pack(grant, said, padding), clear=self._clear[id(traffic)]
        )
        if is_lost:
            traffic.sent.discard(traffic.counter)
            return traffic
        self.send(datagram[:-1] + bytes([datagram[-1] ^ tag]))
        return traffic

    # ------------------------------------------------------------ sealed

    def answer_sealed(self, heard: Heard, traffic: Traffic) -> None:
        """Where the client is."""
        self.to = heard.source

    def harmless(self, identity: int | None = None) -> Message:
        """A line of chat of the operator."""
        body = bodies.event(0, bodies.chat(7, "conformance"))
        return Message(bodies.CHAT + bodies.EVENT, body, 0 if identity is None else 3, identity)

    def spare(self, traffic: Traffic, number: int, offsets: tuple[int, int]) -> None:
        """A further number of the client, which it may write from now on; 0: none."""
        if number:
            traffic.offsets[number] = offsets
            self.rules.allow(number)

    def may_say(self, traffic: Traffic) -> int:
        """A client has no limits."""
        return 1000

    def lose(self, traffic: Traffic) -> None:
        """A counter that is used up by a datagram that never arrives."""
        traffic.counter += 1

    def reliable(self, traffic: Traffic, seconds: float) -> Steps[tuple[Heard, Message]]:
        """The first reliable message of the client from now on.

        Raises:
            StoppedError: it says none.
        """
        heard = yield from self.expect(
            lambda heard: heard.traffic is traffic and any(one.id is not None for one in heard.messages),
            seconds,
        )
        if heard is None:
            raise StoppedError(f"the client said nothing reliable within {seconds:.0f} s")
        return heard, next(one for one in heard.messages if one.id is not None)


def same_message(one: Message, other: Message) -> bool:
    """Whether two are the same reliable message."""
    return (one.channel, one.id) == (other.channel, other.id) and one.id is not None
