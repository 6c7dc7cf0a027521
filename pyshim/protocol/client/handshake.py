# SPDX-License-Identifier: BSD-3-Clause
"""From HELLO to WELCOME: one attempt to connect, with a clock that the caller holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hmac import compare_digest

from pyshim.protocol.client.errors import TimedOut, denied, likely
from pyshim.protocol.client.settings import Settings
from pyshim.protocol.client.ticket import Ticket
from pyshim.protocol.session_crypto import (
    BadTagError,
    ReplayWindow,
    TrafficKeys,
    confirm_proof,
    denied_proof,
    derive,
)
from pyshim.protocol.session_wire import (
    HEADER_BYTES,
    NONCE_BYTES,
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
_COOKIE_S = 3.0  # the gateway takes one for 4 s: some of that is spent on the way


@dataclass(frozen=True, slots=True)
class Established:
    """What a connection begins with."""

    keys: TrafficKeys
    welcome: Welcome
    window: ReplayWindow  # of what comes in
    round_trip_s: float | None  # None: not known, something was sent twice


class Handshake:
    """One attempt to connect."""

    def __init__(self, ticket: Ticket, settings: Settings, draw: Draw, now: float) -> None:
        """Begin at `now`. `draw` must be unpredictable: it makes the client's nonces."""
        self._ticket = ticket
        self._settings = settings
        self._draw = draw
        self._ends_at = now + settings.connect_timeout_s
        self._size = 0  # index into settings.datagram_sizes
        self._heard: str | None = None  # the likely reason, if nothing better comes
        self._begin(now)

    def _begin(self, now: float) -> None:
        self._nonce = self._draw(NONCE_BYTES)
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
            self._heard = self._heard or (
                "the gateway answers, but not to a proof of the key: the key is wrong, or the path loses "
                f"datagrams of {self._max_datagram} bytes"
            )
            self._size = min(self._size + 1, len(self._settings.datagram_sizes) - 1)
            if now < self._cookie_ends_at:
                self._confirm(now)
            else:
                self._begin(now)
        if self._sends:
            self._wait_s = min(self._wait_s * 2, _REPEAT_S[1])
        self._sends += 1
        self.due_at = min(now + self._wait_s, self._ends_at)
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
        self._is_confirming = True
        self._cookie, self._cookie_ends_at = challenge.cookie, now + _COOKIE_S
        # Not before twice the time that the CHALLENGE took, however often the HELLO was sent for it.
        self._confirm_wait_s = min(max(_REPEAT_S[0], 2 * (now - self._sent_at)), _REPEAT_S[1])
        self._confirm(now)

    def _confirm(self, now: float) -> None:
        """Ask for the present size. Nonce and cookie stay: only the WELCOME may have been too long."""
        session, key = self._ticket.session, self._ticket.key
        before = confirm_without_proof(session, self._max_datagram, self._nonce, self._cookie)
        self._request = before + confirm_proof(key, before)
        self._wait_s = self._confirm_wait_s
        self._sends, self._sent_at = 0, now
        self.due_at = now

    def _refused(self, datagram: bytes) -> None:
        refusal = read_denied(datagram)
        if refusal.client_nonce != self._nonce:
            return
        if compare_digest(refusal.proof, denied_proof(self._ticket.key, refusal.before_proof)):
            raise denied(refusal.reason)
        # Anybody can have sent this; it is told if nothing better comes.
        self._heard = likely(refusal.reason if refusal.is_unproved else Denial.UNKNOWN)

    def _welcomed(self, header: Header, datagram: bytes, now: float) -> Established | None:
        if len(datagram) <= WELCOME_CLEAR_BYTES:
            raise WireError(f"a WELCOME of {len(datagram)} bytes")
        server_nonce = datagram[HEADER_BYTES:WELCOME_CLEAR_BYTES]
        keys = derive(self._ticket.key, self._ticket.session, self._nonce, server_nonce)
        window = ReplayWindow()
        if not window.is_fresh(header.counter):
            raise WireError(f"a WELCOME under counter {header.counter}")
        try:
            secret = keys.gateway_to_client.open(header.counter, datagram, WELCOME_CLEAR_BYTES)
        except BadTagError:
            return None
        welcome = read_welcome(secret, len(datagram))
        if welcome.max_datagram > self._max_datagram:  # late, of more than is asked for by now
            return None
        window.mark(header.counter)
        return Established(keys, welcome, window, now - self._sent_at if self._sends == 1 else None)

    def _likely(self) -> str:
        return self._heard or (
            "the gateway did not answer; is its address right, is it running, does a firewall drop UDP?"
        )
