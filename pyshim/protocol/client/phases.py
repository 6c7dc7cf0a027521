# SPDX-License-Identifier: BSD-3-Clause
"""The key phases of a connection: which keys open a datagram, and when what is sent goes to the next ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pyshim.protocol.session_crypto import (
    BadTagError,
    DirectionKey,
    TrafficKeys,
    next_secret,
    traffic_keys,
)
from pyshim.protocol.session_wire import (
    HEADER_BYTES,
    KEY_PHASE,
    PHASE_DATAGRAMS,
    PHASE_MOST,
    PHASE_S,
    WELCOME_CLEAR_BYTES,
    Header,
    Kind,
)

_BEFORE_S = 3.0  # how long the keys of the phase before open what comes late


@dataclass(frozen=True, slots=True)
class PhaseRules:
    """When what is sent goes to the next phase: within what the protocol says."""

    datagrams: int = PHASE_DATAGRAMS // 2
    seconds: float = PHASE_S - 60.0


RULES = PhaseRules()


class Phases:
    """Keys by phase: the present ones, the next, and for a while those before."""

    def __init__(self, secret: bytes, rules: PhaseRules, now: float, *, is_gateway: bool = False) -> None:
        """The first phase, of a connection's secret."""
        self._secret = secret  # of the phase that is opened
        self._rules = rules
        self._is_gateway = is_gateway
        self._present = self._sealing = traffic_keys(secret)
        self._next: TrafficKeys | None = None
        self._before: TrafficKeys | None = None
        self._before_until = 0.0
        self._is_acknowledged = False
        self._sent = 0
        self._began, self._began_at = 0, now  # the counter before the first datagram of it
        self._log: Callable[[TrafficKeys], None] = lambda _keys: None
        self.opens = 0
        self.seals = 0

    def tell(self, log: Callable[[TrafficKeys], None]) -> None:
        """From now on `log` is told the keys of each phase that begins, and those of the first now."""
        self._log = log
        log(self._present)

    # ------------------------------------------------------------ out

    def seal(self, header: Header, clear: bytes, secret: bytes, now: float, *, counter: int) -> bytes:
        """A datagram with the phase in its flags; `counter` is one more than that of the one before."""
        is_time = (
            self._sent - self._began >= self._rules.datagrams or now - self._began_at >= self._rules.seconds
        )
        if is_time and self._is_acknowledged and self.seals == self.opens:
            self._seal_in_next(now)
        self._sent = counter
        head = Header(header.kind, header.length, header.session, header.counter, self.seals & KEY_PHASE)
        return self._mine(self._sealing).seal(counter, head.pack() + clear, secret)

    def acknowledged(self, counter: int) -> None:
        """The peer has this one, which was sent."""
        self._is_acknowledged |= counter > self._began

    @property
    def is_worn_out(self) -> bool:
        """Whether the peer acknowledges nothing of more datagrams than may be sealed with one key."""
        return self._sent - self._began >= PHASE_MOST

    def _seal_in_next(self, now: float) -> None:
        self._sealing = self._next_keys()
        self._log(self._sealing)
        self.seals += 1
        self._is_acknowledged = False
        self._began, self._began_at = self._sent, now

    # ------------------------------------------------------------ in

    def open(self, header: Header, datagram: bytes, now: float, *, counter: int, is_newest: bool) -> bytes:
        """What was sealed. The connection goes to the next phase where an authentic datagram is of it.

        `is_newest`: no authentic datagram had a counter as high.

        Raises:
            BadTagError: it is not authentic, or of a phase whose keys are forgotten.
        """
        clear = WELCOME_CLEAR_BYTES if header.kind is Kind.WELCOME else HEADER_BYTES
        if header.flags & KEY_PHASE == self.opens & KEY_PHASE:
            return self._theirs(self._present).open(counter, datagram, clear)
        if is_newest:
            secret = self._theirs(self._next_keys()).open(counter, datagram, clear)
            self._go_to_next(now)
            return secret
        if self._before is None or now >= self._before_until:
            self._before = None
            raise BadTagError
        return self._theirs(self._before).open(counter, datagram, clear)

    def _next_keys(self) -> TrafficKeys:
        """Made once: what is tried in vain costs no more than any other forgery."""
        if self._next is None:
            self._next = traffic_keys(next_secret(self._secret))
        return self._next

    def _go_to_next(self, now: float) -> None:
        if self.seals == self.opens:
            self._seal_in_next(now)
        self._before, self._before_until = self._present, now + _BEFORE_S
        self._present, self._next = self._next_keys(), None
        self._secret = next_secret(self._secret)
        self.opens += 1

    # ------------------------------------------------------------ directions

    def _mine(self, keys: TrafficKeys) -> DirectionKey:
        return keys.gateway_to_client if self._is_gateway else keys.client_to_gateway

    def _theirs(self, keys: TrafficKeys) -> DirectionKey:
        return keys.client_to_gateway if self._is_gateway else keys.gateway_to_client
