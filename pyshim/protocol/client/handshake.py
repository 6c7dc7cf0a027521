# SPDX-License-Identifier: BSD-3-Clause
"""From HELLO to WELCOME: one attempt to connect, with a clock that the caller holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hmac import compare_digest

from pyshim.protocol.client.errors import TimedOut, denied, likely
from pyshim.protocol.client.phases import Phases
from pyshim.protocol.client.settings import Settings
from pyshim.protocol.client.ticket import Ticket
from pyshim.protocol.session_crypto import (
    BadTagError,
    Exchange,
    ReplayWindow,
    Transcript,
    challenge_proof,
    confirm_proof,
    connection_secret,
    denied_proof,
)
from pyshim.protocol.session_wire import (
    HEADER_BYTES,
    NONCE_BYTES,
    SHARE_BYTES,
    WELCOME_CLEAR_BYTES,
    Denial,
    Header,
    Kind,
    Welcome,
    WireError,
    confirm_without_proof,
    pack_hello,
    read_challenge,
    read_denied,
    read_welcome,
)

Draw = Callable[[int], bytes]  # that many random bytes

_REPEAT_S = (0.25, 2.0)  # first, longest
_CONFIRMS = 2  # of one size that may bring nothing
_COOKIE_S = 4.0  # in which two sizes below the longest are tried


@dataclass(frozen=True, slots=True)
class Established:
    """What a connection begins with."""

    phases: Phases
    welcome: Welcome
    window: ReplayWindow  # of what comes in


class Handshake:
    """One attempt to connect."""

    def __init__(self, ticket: Ticket, settings: Settings, draw: Draw, now: float) -> None:
        """Begin at `now`. `draw` must be unpredictable: it makes the client's nonces and secrets."""
        self._ticket = ticket
        self._settings = settings
        self._draw = draw
        self._ends_at = now + settings.connect_timeout_s
        self._size = 0  # index into settings.datagram_sizes
        self._heard: str | None = None  # the likely reason, if nothing better comes
        self._begin(now)

    def _begin(self, now: float) -> None:
        self._nonce = self._draw(NONCE_BYTES)
        self._exchange = Exchange(self._draw(SHARE_BYTES))
        self._request = pack_hello(self._ticket.session, self._nonce)
        self._is_confirming = False
        self._sends = 0
        self._sent_at = now  # the first of the request
        self._wait_s = _REPEAT_S[0]
        self.due_at = now

    def due(self, now: float) -> list[bytes]:
        """What is to be sent now.

        Raises:
            TimedOut: the attempt took too long.
        """
        if now >= self._ends_at:
            raise TimedOut(self._likely(), self._settings.connect_timeout_s)
        if now < self.due_at:
            return []
        if self._is_confirming and self._sends >= _CONFIRMS:
            self._heard = (
                f"the gateway answers, but not to a CONFIRM: the path loses datagrams of "
                f"{self._max_datagram} bytes, or too many connect at once"
            )
            self._size = min(self._size + 1, len(self._settings.datagram_sizes) - 1)
            if now < self._cookie_ends_at:
                self._confirm(now)
            else:
                self._begin(now)
        elif self._is_confirming and now >= self._cookie_ends_at:
            self._begin(now)
        self._sends += 1
        if not self._is_confirming:
            self._sent_at = now
        # Up to a quarter sooner: a crowd whose gateway came back does not repeat in step.
        sooner = self._draw(1)[0] / 1024
        ends_at = min(self._cookie_ends_at, self._ends_at) if self._is_confirming else self._ends_at
        self.due_at = min(now + self._wait_s * (1 - sooner), ends_at)
        self._wait_s = min(self._wait_s * 2, _REPEAT_S[1])
        return [self._request]

    def receive(self, header: Header, datagram: bytes, now: float) -> Established | None:
        """A datagram of the session.

        Raises:
            Denied: the gateway proved that it refuses.
            WireError: it cannot be.
        """
        if header.kind is Kind.CHALLENGE:
            self._challenged(datagram, now)
        elif header.kind is Kind.DENIED:
            self._refused(datagram)
        elif header.kind is Kind.WELCOME and self._is_confirming:
            return self._welcomed(header, datagram, now)
        return None

    @property
    def _max_datagram(self) -> int:
        return self._settings.datagram_sizes[self._size]

    def _challenged(self, datagram: bytes, now: float) -> None:
        challenge = read_challenge(datagram)
        if self._is_confirming or challenge.client_nonce != self._nonce:
            return
        if not compare_digest(
            challenge.proof, challenge_proof(self._ticket.key, challenge.before_proof)
        ):  # it leads nowhere: who sees a HELLO can send such
            self._heard = self._heard or (
                "something answers, but not with this session's key: was it issued by this gateway, and "
                "since its start? Did it expire long ago?"
            )
            return
        self._is_confirming = True
        self._cookie, self._cookie_ends_at = challenge.cookie, now + _COOKIE_S
        # Not before twice the time that the CHALLENGE took.
        self._wait_s = min(max(_REPEAT_S[0], 2 * (now - self._sent_at)), _REPEAT_S[1])
        self._confirm(now)

    def _confirm(self, now: float) -> None:
        """Ask for the present size. Nonce, share and cookie stay: only the WELCOME may have been too long.

        The wait goes on as it was, as it may have been too short for the path.
        """
        session, key = self._ticket.session, self._ticket.key
        before = confirm_without_proof(
            session, self._max_datagram, self._nonce, self._cookie, self._exchange.share
        )
        self._request = before + confirm_proof(key, before)
        self._sends, self._sent_at = 0, now
        self.due_at = now

    def _refused(self, datagram: bytes) -> None:
        refusal = read_denied(datagram)
        if refusal.client_nonce != self._nonce:
            return
        if refusal.reason is Denial.VERSION:  # anybody can have sent this; it is told if nothing better comes
            self._heard = likely(refusal.reason)
        elif compare_digest(refusal.proof, denied_proof(self._ticket.key, refusal.before_proof)):
            raise denied(refusal.reason)

    def _welcomed(self, header: Header, datagram: bytes, now: float) -> Established | None:
        if len(datagram) <= WELCOME_CLEAR_BYTES:
            raise WireError(f"a WELCOME of {len(datagram)} bytes")
        first = self._secret(datagram[HEADER_BYTES:WELCOME_CLEAR_BYTES])
        if first is None:
            return None
        phases = Phases(first, self._settings.phases, now)
        window = ReplayWindow()
        if not window.is_fresh(header.counter):
            raise WireError(f"a WELCOME under counter {header.counter}")
        if header.flags:
            raise WireError("a WELCOME that begins with another key phase than the first")
        try:
            secret = phases.open(header, datagram, now, counter=header.counter, is_newest=True)
        except BadTagError:
            return None
        welcome = read_welcome(secret, len(datagram))
        if welcome.max_datagram > self._max_datagram:  # late, of more than is asked for by now
            return None
        window.mark(header.counter)
        return Established(phases, welcome, window)

    def _secret(self, clear: bytes) -> bytes | None:
        """That of a WELCOME with this nonce and share; None where nothing can be agreed with it."""
        server_nonce, share = clear[:NONCE_BYTES], clear[NONCE_BYTES:]
        agreed = self._exchange.agree(share)
        if agreed is None:
            return None
        transcript = Transcript(self._ticket.session, self._nonce, server_nonce, self._exchange.share, share)
        return connection_secret(self._ticket.key, agreed, transcript)

    def _likely(self) -> str:
        return self._heard or (
            "the gateway did not answer; is its address right, is it running, does a firewall drop UDP?"
        )
