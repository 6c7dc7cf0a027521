# SPDX-License-Identifier: BSD-3-Clause
"""A client that does what PROTOCOL.md says, or has one fault: the kit passes it, or finds that."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Any

from pyshim.conformance import bodies, layout
from pyshim.conformance.layout import Header, Kind, Message, Secret, Welcome
from pyshim.conformance.peer import Traffic
from pyshim.protocol.client.ticket import Ticket
from tests.conformance.model_client_talk import Connection, TalkingClient
from tests.conformance.virtual import Reply

QUIET = ("ignores-wants", "acks-late", "no-probe-ack", "heartbeats-rarely", "says-nothing")
CHAT_S = 0.1  # it wants to say something so often


@dataclass
class Attempt:
    """From a HELLO to the WELCOME of its nonce."""

    nonce: bytes
    secret: Secret
    began_s: float
    cookie: bytes | None = None
    challenged_s: float = math.inf
    next_s: float = 0.0
    wait_s: float = 0.25
    tries: int = 0  # of this size


class ModelClient(TalkingClient):
    """Datagrams in, datagrams out."""

    def __init__(self, fault: str = "") -> None:
        super().__init__(fault)
        self.ticket: Ticket | None = None
        self.attempt: Attempt | None = None
        self.before: Attempt | None = None
        self.connection: Connection | None = None
        self.size = 1400

    # ------------------------------------------------------------ a process

    def start(self, ticket: Ticket) -> None:
        self.ticket = ticket
        self.connection = None
        self.attempt = None
        self.is_over = False
        self.size = 1400
        self.network = None

    def stop(self) -> None:
        self.ticket = None

    # ------------------------------------------------------------ rim

    def receive(self, datagram: bytes, source: Any, now: float) -> list[Reply]:
        self.now = now
        if self.ticket is not None and not self.is_over and (source[1] == 0 or self.has("hears-anybody")):
            self._take(datagram)
        return self._flush()

    def due(self, now: float) -> list[Reply]:
        self.now = now
        if self.ticket is not None and not self.is_over:
            if self.connection is not None:
                self._tend(self.connection)
            else:
                self._try()
        return self._flush()

    def next_due(self) -> float:
        if self.ticket is None or self.is_over:
            return math.inf
        if self.connection is None:
            return self.attempt.next_s if self.attempt else 0.0
        return self._next(self.connection)

    def _flush(self) -> list[Reply]:
        out, self._out = self._out, []
        return out

    # ------------------------------------------------------------ handshake
    # ------------------------------------------------------------ handshake

    def _try(self) -> None:
        assert self.ticket is not None
        if self.attempt is None:
            self.attempt = Attempt(os.urandom(16), Secret(), self.now)
        attempt = self.attempt
        if attempt.cookie is not None and self.now - attempt.challenged_s >= (
            20 if self.has("keeps-cookie") else 4
        ):
            self.before = attempt
            self.attempt = attempt = Attempt(os.urandom(16), Secret(), self.now)
            if self.has("same-share"):
                attempt.secret = self.before.secret
        if attempt.cookie is None:
            nonce = attempt.nonce
            if self.has("new-nonce"):
                nonce = attempt.nonce = os.urandom(16)
            padding = bytes(39) + b"\1" if self.has("hello-padding") else bytes(40)
            self._send(layout.pack_hello(self.ticket.session, nonce, padding=padding))
        else:
            attempt.tries += 1
            if attempt.tries > 2 and not self.has("keeps-size"):
                self.size = next((one for one in layout.DATAGRAM_SIZES if one < self.size), 508)
                attempt.tries = 1
            self._confirm(attempt)
        attempt.next_s = self.now + (0.05 if self.has("hurries") else attempt.wait_s)
        attempt.wait_s = min(2.0, 2 * attempt.wait_s)

    def _confirm(self, attempt: Attempt) -> None:
        assert self.ticket is not None
        key = bytes(32) if self.has("confirm-unproved") else self.ticket.key
        share = Secret().share if self.has("share-anew") else attempt.secret.share
        said = self.size - 1 if self.has("confirm-said") else None
        cookie = os.urandom(24) if self.has("cookie-wrong") else attempt.cookie or b""
        self._send(
            layout.pack_confirm(
                self.ticket.session, attempt.nonce, cookie, share, key, size=self.size, said=said
            )
        )

    def _take(self, datagram: bytes) -> None:
        assert self.ticket is not None
        header = layout.read_header(datagram)
        if header.length != len(datagram) or header.flags & ~(1 if header.kind in layout.SEALED else 0):
            if self.has("answers-forgeries") and self.connection is not None:
                self._send(self.connection.traffic.seal(Kind.PATH_RESPONSE, bytes(8)))
            return
        if self.connection is None and header.session != self.ticket.session:
            return
        attempt = self.attempt
        if header.kind == Kind.CHALLENGE:
            self._challenge(datagram)
        elif header.kind == Kind.DENIED and attempt is not None:
            self._denied(datagram, attempt)
        elif header.kind == Kind.WELCOME and (
            self.connection is None or self.connection.closed_s is not None
        ):
            if attempt is not None:
                self._welcome(datagram, header, attempt)
            if self.has("takes-late") and self.before is not None and self.connection is None:
                self._welcome(datagram, header, self.before)
        elif header.kind == Kind.RESET and self.connection is not None:
            ours = datagram[12:] == self.connection.token or self.has("believes-resets")
            if ours and not self.has("ignores-resets"):
                self.connection, self.attempt = None, None
        elif self.connection is not None and header.kind in layout.SEALED:
            self._sealed(self.connection, datagram, header)

    def _challenge(self, datagram: bytes) -> None:
        assert self.ticket is not None
        attempt = self.attempt
        if attempt is None or len(datagram) != 68:
            return
        if attempt.cookie is not None and not self.has("takes-last-challenge"):
            return
        if datagram[12:28] != attempt.nonce:
            return
        if not layout.challenge_is_proved(datagram, self.ticket.key) and not self.has("takes-unproved"):
            return
        attempt.cookie = datagram[28:52]
        attempt.challenged_s = self.now
        attempt.wait_s, attempt.next_s = 0.25, self.now
        if self.has("dies-of-challenges"):
            self.is_over = True

    def _denied(self, datagram: bytes, attempt: Attempt) -> None:
        assert self.ticket is not None
        if datagram[28] == 2:
            self.is_over = self.has("believes-version")
            return
        proved = layout.denied_is_proved(datagram, self.ticket.key) and datagram[12:28] == attempt.nonce
        if (proved and not self.has("ignores-denied")) or self.has("believes-denied"):
            self.is_over = True

    def _welcome(self, datagram: bytes, header: Header, attempt: Attempt) -> None:
        assert self.ticket is not None
        nonce, share = datagram[12:28], datagram[28:60]
        z = attempt.secret.agree(share)
        if not any(z) and not self.has("takes-share-0"):
            return
        session = self.ticket.session
        first = layout.first_secret(
            self.ticket.key, z, session, (attempt.nonce, nonce), (attempt.secret.share, share)
        )
        traffic = Traffic([first], True, session, len(datagram), {session: (0, 0)})
        found = traffic.open(datagram, header)
        if found is None and self.has("dies-of-welcomes"):
            self.is_over = True
        if found is None or (found[0] != 1 and self.has("first-counter-only")):
            return
        welcome, _, padding = layout.read_welcome(found[2])
        if not self.has("takes-padding") and (any(padding) or welcome.max_datagram != len(datagram)):
            return
        if len(datagram) > self.size and not self.has("takes-more"):
            return
        if len(datagram) < self.size and self.has("refuses-less"):
            return
        self._begin(traffic, welcome, found[0])

    def _begin(self, traffic: Traffic, welcome: Welcome, counter: int) -> None:
        traffic.taken.add(counter)
        connection = Connection(
            traffic,
            welcome.idle_timeout_ms / 1000,
            welcome.reset_token,
            self.now,
            self.now,
            counter,
            {counter},
            chat_s=self.now,
            spare=welcome.spare,
        )
        if self.has("ids-from-1"):
            connection.ids = dict.fromkeys(range(4), 1)
        if welcome.spare:
            traffic.offsets[welcome.spare] = welcome.spare_offset
        self._limit(connection, welcome.limits)
        self.connection = connection
        if not self.has("says-nothing"):
            self._say(connection, Message(bodies.HEARTBEAT, b"", 3, -1))
            if self.has("burst", "no-window"):
                for _ in range(60 if self.has("burst") else 10):
                    self._say(connection, Message(bodies.SKILL, bytes(8), 0, -1))
            self._data(connection)

    # ------------------------------------------------------------ time

    def _next(self, connection: Connection) -> float:
        if connection.closed_s is not None:
            return math.inf
        times = [connection.owes_s, self._heartbeat_s(connection)]
        if not self.has("never-idle"):
            times.append(connection.heard_s + connection.idle_s)
        times += [at + connection.backoff_s for at, _ in connection.under_way.values()]
        times += [at for at, _ in connection.held]
        times.append(connection.chat_s + CHAT_S)
        return max(self.now, min(times))

    def _heartbeat_s(self, connection: Connection) -> float:
        return connection.said_s + connection.idle_s * (3 if self.has("heartbeats-rarely") else 0.3)

    def _tend(self, connection: Connection) -> None:
        if self.now >= connection.heard_s + connection.idle_s and not self.has("never-idle"):
            self._close(connection, 2)
            return
        for counter, (at, messages) in list(connection.under_way.items()):
            if self.now >= at + connection.backoff_s:
                del connection.under_way[counter]
                if not self.has("never-repeats"):
                    connection.queue[:0] = messages
                connection.backoff_s = min(
                    0.03 if self.has("repeats-in-bursts") else 1.0, 2 * connection.backoff_s
                )
                if self.has("ends-by-count") and connection.backoff_s >= 1.0:
                    self._close(connection, 2)
                    return
        for at, message in list(connection.held):
            if self.now >= at:
                connection.held.remove((at, message))
                connection.queue.append(message)
        if self.now >= connection.chat_s + CHAT_S:
            connection.chat_s = self.now
            if self._may(connection, bodies.CHAT) and len(connection.queue) < 20 and not self.has(*QUIET):
                self._say(connection, Message(bodies.CHAT, bodies.chat(0, "x"), 1, -1))
        if self.now >= self._heartbeat_s(connection):
            self._say(connection, Message(bodies.HEARTBEAT, b"", 3, -1))
        if connection.queue or self.now >= connection.owes_s:
            self._data(connection)
