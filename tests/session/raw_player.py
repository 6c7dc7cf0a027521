# SPDX-License-Identifier: BSD-3-Clause
"""A player built with scapy who does exactly what a test says, right or wrong, to the C core."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from scapy.packet import Packet

from pyshim.protocol import session as layers
from pyshim.protocol.client.ticket import Ticket
from pyshim.protocol.session import Session
from pyshim.protocol.session_crypto import (
    Exchange,
    TrafficKeys,
    Transcript,
    connection_secret,
    traffic_keys,
)
from pyshim.protocol.session_wire import WANTS_ANSWER, Header, Kind, MessageType, Prefix
from tests.session.core_gateway import CoreGateway
from tests.session.vector_messages import MOVE, message

NONCE = bytes(range(16))
MOVED = message(MessageType.MOVE, MOVE)


@dataclass
class RawPlayer:
    """Knows the ticket; `connect` learns the keys; `send` tells the drop reason and the answer."""

    gateway: CoreGateway
    ticket: Ticket
    address: int = 1
    now: float = 100.0
    nonce: bytes = NONCE
    cookie: bytes = b""
    exchange: Exchange = field(default_factory=lambda: Exchange(bytes(range(32))))
    secret: bytes = b""  # of the first key phase
    keys: TrafficKeys | None = None
    sent: int = 0
    max_datagram: int = 508
    log: list[bytes] = field(default_factory=list)

    # ------------------------------------------------------------ datagrams

    def head(self, kind: Kind, **fields: Any) -> Session:
        return Session(**{"kind": int(kind), "session": self.ticket.session, **fields})

    def hello(self, header: dict[str, Any] | None = None, **fields: Any) -> bytes:
        body = layers.Hello(**{"client_nonce": self.nonce, **fields})
        return bytes(self.head(Kind.HELLO, **(header or {})) / body)

    def confirm(self, header: dict[str, Any] | None = None, **fields: Any) -> bytes:
        body = layers.Confirm(
            **{
                "max_datagram": self.max_datagram,
                "client_nonce": self.nonce,
                "cookie": self.cookie,
                "client_share": self.exchange.share,
                **fields,
            }
        )
        return layers.prove(self.head(Kind.CONFIRM, **(header or {})), body, self.ticket.key)

    def sealed(
        self, kind: Kind, body: bytes | Packet = b"", counter: int | None = None, **fields: Any
    ) -> bytes:
        """A sealed datagram of any kind; the next counter unless one is given."""
        assert self.keys is not None
        if counter is None:
            counter = self.sent + 1
        self.sent = max(self.sent, counter)
        return layers.seal(self.head(kind, **fields), body, self.keys.client_to_gateway, counter)

    def data(
        self,
        *messages: bytes | Packet,
        counter: int | None = None,
        at_once: bool = True,
        prefix: dict[str, int] | None = None,
        **fields: Any,
    ) -> bytes:
        """DATA with messages that asks for an answer at once; `fields` are the header's."""
        before = layers.Data(**{"wants": WANTS_ANSWER if at_once else 0, **(prefix or {})})
        return self.sealed(Kind.DATA, b"".join(map(bytes, (before, *messages))), counter, **fields)

    def quick(self, secret: bytes) -> bytes:
        """DATA without scapy, where a test needs thousands."""
        assert self.keys is not None
        self.sent += 1
        header = Header(Kind.DATA, 40 + len(secret), self.ticket.session, self.sent)
        return self.keys.client_to_gateway.seal(self.sent, header.pack(), Prefix().pack() + secret)

    # ------------------------------------------------------------ conversation

    def send(self, datagram: bytes, source: int | None = None) -> tuple[str | None, bytes]:
        self.log.append(datagram)
        address = self.address if source is None else source
        ((drop, answer),) = self.gateway.burst([address], [datagram], self.now)
        return drop, answer

    def drop(self, datagram: bytes, source: int | None = None) -> str | None:
        """Why it was dropped; it may not have been answered, then."""
        drop, answer = self.send(datagram, source)
        assert not (drop and answer)
        return drop

    def challenge(self) -> None:
        """HELLO to cookie."""
        drop, answer = self.send(self.hello())
        assert drop is None
        self.cookie = Session(answer)[layers.Challenge].cookie

    def connect(self) -> None:
        """HELLO to WELCOME."""
        self.challenge()
        drop, answer = self.send(self.confirm())
        assert drop is None, drop
        self.welcome(answer)
        self.sent = 0

    def welcome(self, answer: bytes) -> layers.Welcome:
        packet = Session(answer)
        assert packet.kind == Kind.WELCOME, packet
        sealed = packet[layers.SealedWelcome]
        share = sealed.server_share
        agreed = self.exchange.agree(share)
        assert agreed is not None
        transcript = Transcript(
            self.ticket.session, self.nonce, sealed.server_nonce, self.exchange.share, share
        )
        self.secret = connection_secret(self.ticket.key, agreed, transcript)
        self.keys = traffic_keys(self.secret)
        return layers.opened(answer, self.keys.gateway_to_client, packet.counter)

    def opened(self, answer: bytes) -> Packet:
        """What the gateway sealed."""
        assert self.keys is not None
        return layers.opened(answer, self.keys.gateway_to_client, Session(answer).counter)

    def said(self) -> list[Packet]:
        """All messages and closes that are due to this player now."""
        found: list[Packet] = []
        for to, datagram in self.gateway.due(self.now):
            if to == self.address:
                body = self.opened(datagram)
                found += body.messages if datagram[0] == Kind.DATA else [body]
        return found


def is_alive(player: RawPlayer) -> bool:
    """Whether the connection still takes a datagram and answers it."""
    drop, answer = player.send(player.data(message(MessageType.HEARTBEAT)))
    return drop is None and player.opened(answer).ack == player.sent
