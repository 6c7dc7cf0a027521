# SPDX-License-Identifier: BSD-3-Clause
"""The kit as a client: asks, confirms, and has as many sockets as a scenario moves to."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from pyshim.conformance import bodies, layout
from pyshim.conformance.checks import Check, Verdicts
from pyshim.conformance.layout import Kind, Secret, Welcome
from pyshim.conformance.loop import Port, Steps
from pyshim.conformance.peer import Heard, Peer, StoppedError, Traffic
from pyshim.conformance.watch import RuleWatch
from pyshim.protocol.client.ticket import Ticket

WELCOME_LAYOUT = Check(
    "welcome-layout",
    "3",
    "A WELCOME is as long as was granted, says so, and has a time-out, limits each once and padding of 0",
)
_TRIES, _EACH_S = 6, 1.0


class Issuer(Protocol):
    """Who gives tickets to scenarios."""

    def issue(self, *, ttl_s: int = 3600, once: bool = False) -> Ticket:
        """A ticket that no other scenario has.

        Raises:
            StoppedError: this issuer cannot.
        """

    def give_back(self, ticket: Ticket) -> None:
        """The scenario that had it is over."""

    def revoke(self, session: int) -> None:
        """End a session.

        Raises:
            StoppedError: this issuer cannot.
        """


@dataclass(slots=True)
class Asked:
    """A cookie, and what it was asked with."""

    nonce: bytes
    cookie: bytes
    secret: Secret
    challenge: Heard


class Player(Peer):
    """A client that does what a scenario says."""

    is_client = True
    long_type = bodies.BULK

    def __init__(
        self, port: Port, now: Callable[[], float], verdicts: Verdicts, ticket: Ticket, issuer: Issuer
    ) -> None:
        """With a ticket."""
        self.rules = RuleWatch(verdicts, ticket.session, of_client=False)
        super().__init__(port, now, verdicts, self.rules)
        self.ticket, self.issuer = ticket, issuer
        self._asked: list[Asked] = []
        self._granted: dict[tuple[bytes, bytes], Traffic] = {}  # by the WELCOME's nonce and share
        self.welcomes: dict[int, Welcome] = {}  # by id of the traffic

    # ------------------------------------------------------------ handshake

    def ask(self, *, via: int = 0, nonce: bytes | None = None) -> Steps[Asked]:
        """A cookie, by HELLOs until a CHALLENGE comes.

        Raises:
            StoppedError: none comes.
        """
        drawn = os.urandom(16) if nonce is None else nonce
        for _ in range(_TRIES):
            self.send(layout.pack_hello(self.ticket.session, drawn), via)
            heard = yield from self.expect(
                lambda heard: heard.kind == Kind.CHALLENGE and heard.datagram[12:28] == drawn, _EACH_S
            )
            if heard is not None:
                return self.asked(heard)
        raise StoppedError(f"no CHALLENGE came for {_TRIES} HELLOs in {_TRIES * _EACH_S:.0f} s")

    def asked(self, challenge: Heard) -> Asked:
        """What a CHALLENGE gives."""
        return Asked(challenge.datagram[12:28], challenge.datagram[28:52], Secret(), challenge)

    def confirm(self, asked: Asked, size: int = 1200, *, via: int = 0) -> None:
        """A CONFIRM as it should be."""
        if asked not in self._asked:
            self._asked.append(asked)
        self.send(
            layout.pack_confirm(
                self.ticket.session, asked.nonce, asked.cookie, asked.secret.share, self.ticket.key, size=size
            ),
            via,
        )

    def welcomed(self, asked: Asked, size: int = 1200, *, via: int = 0) -> Steps[Traffic]:
        """CONFIRM until a WELCOME comes.

        Raises:
            StoppedError: none comes.
        """
        for _ in range(_TRIES):
            self.confirm(asked, size, via=via)
            heard = yield from self.expect(
                lambda heard: heard.kind == Kind.WELCOME and heard.traffic is not None, _EACH_S
            )
            if heard is not None and heard.traffic is not None:
                return heard.traffic
        raise StoppedError(f"no WELCOME came for {_TRIES} CONFIRMs in {_TRIES * _EACH_S:.0f} s")

    def connect(self, size: int = 1200, *, via: int = 0) -> Steps[Traffic]:
        """From HELLO to a WELCOME, and DATA, so that the handshake is over at the other end, too.

        Raises:
            StoppedError: there is no answer.
        """
        asked = yield from self.ask(via=via)
        traffic = yield from self.welcomed(asked, size, via=via)
        self.say(traffic)
        return traffic

    def welcome(self, traffic: Traffic) -> Welcome:
        """What the gateway said of a connection."""
        return self.welcomes[id(traffic)]

    def candidates(self, heard: Heard) -> Iterable[Traffic]:
        """Those that stand, and of a WELCOME what it begins."""
        if heard.kind != Kind.WELCOME or len(heard.datagram) < layout.WELCOME_CLEAR_BYTES + 60:
            yield from super().candidates(heard)
            return
        nonce, share = heard.datagram[12:28], heard.datagram[28:60]
        known = self._granted.get((nonce, share))
        if known is not None:
            yield known
            return
        for asked in self._asked:
            traffic = self._begin(asked, nonce, share, len(heard.datagram))
            found = traffic.open(heard.datagram, heard.header)
            if found is not None:
                self._granted[nonce, share] = traffic
                self.traffics.append(traffic)
                self._keep(traffic, found[2], heard)
                yield traffic
                return

    def _begin(self, asked: Asked, nonce: bytes, share: bytes, size: int) -> Traffic:
        session = self.ticket.session
        first = layout.first_secret(
            self.ticket.key,
            asked.secret.agree(share),
            session,
            (asked.nonce, nonce),
            (asked.secret.share, share),
        )
        return Traffic([first], True, session, size, {session: (0, 0)})

    def _keep(self, traffic: Traffic, secret: bytes, heard: Heard) -> None:
        welcome, count, padding = layout.read_welcome(secret)
        self.welcomes[id(traffic)] = welcome
        wrong = ""
        types = [limit.type for limit in welcome.limits]
        if welcome.max_datagram != len(heard.datagram):
            wrong = f"max_datagram {welcome.max_datagram} in {len(heard.datagram)} bytes"
        elif not welcome.idle_timeout_ms or not welcome.expires_in_s or not welcome.player_id:
            wrong = "a player_id, expires_in_s or idle_timeout_ms of 0"
        elif count > layout.LIMITS_MAX or count != len(types) or len(set(types)) < len(types):
            wrong = f"{count} limits of types {types}"
        elif any(limit.reserved or not limit.burst for limit in welcome.limits):
            wrong = "a limit with a reserved byte or a burst of 0"
        elif any(padding):
            wrong = "padding that is not 0"
        self.verdicts.judge(WELCOME_LAYOUT, not wrong, wrong or f"{heard} as it should be")
        if welcome.spare:
            traffic.offsets[welcome.spare] = welcome.spare_offset
            self.rules.allow(welcome.spare)

    # ------------------------------------------------------------ afterwards

    def answer_clear(self, heard: Heard) -> None:
        """Nothing: whoever asked for it waits for it."""

    def answer_sealed(self, heard: Heard, traffic: Traffic) -> None:
        """A challenge is answered to where it came from."""
        if heard.kind == Kind.PATH_CHALLENGE and self.manners.answers_paths and traffic.closed_s is None:
            self.seal(traffic, Kind.PATH_RESPONSE, heard.secret, via=heard.via)

    def begin(self) -> Steps[Traffic]:
        """A connection.

        Raises:
            StoppedError: there is no answer.
        """
        return (yield from self.connect())

    def harmless(self, identity: int | None = None) -> layout.Message:
        """A HEARTBEAT, or a movement."""
        if identity is None:
            return layout.Message(bodies.MOVE, bodies.move())
        return layout.Message(bodies.HEARTBEAT, b"", 3, identity)

    def may_say(self, traffic: Traffic) -> int:
        """So many movements at once."""
        bursts = [one.burst for one in self.welcome(traffic).limits if one.type in (0, bodies.MOVE)]
        return min(bursts, default=1000)
