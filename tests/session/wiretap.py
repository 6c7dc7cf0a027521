# SPDX-License-Identifier: BSD-3-Clause
"""Someone who has all keys and the clients' secrets reads along: which key and nonce sealed each datagram?

None may repeat.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pyshim.protocol.session_control import Number, read_number
from pyshim.protocol.session_crypto import (
    BadTagError,
    DirectionKey,
    Exchange,
    Transcript,
    connection_secret,
    next_secret,
    traffic_keys,
)
from pyshim.protocol.session_wire import (
    HEADER_BYTES,
    KEY_PHASE,
    NONCE_BYTES,
    SEALED,
    SHARE_BYTES,
    WELCOME_CLEAR_BYTES,
    Header,
    Kind,
    MessageType,
    read_data,
    read_header,
    read_messages,
    read_welcome,
)

_NONCE = slice(16, 16 + NONCE_BYTES)  # of a CONFIRM
_SHARE = slice(56, 56 + SHARE_BYTES)


@dataclass
class Wiretap:
    """What was learned of the connections that were seen."""

    keys: Mapping[int, bytes]  # issued, by session
    exchanges: Mapping[bytes, Exchange]  # of clients, by their share
    confirms: dict[int, list[tuple[bytes, bytes]]] = field(default_factory=dict)  # nonce, share
    connections: dict[int, list[list[bytes]]] = field(default_factory=dict)  # secrets by key phase
    spares: dict[int, tuple[int, list[Number]]] = field(default_factory=dict)  # of which session, as given

    def confirmed(self, confirm: bytes) -> None:
        """A CONFIRM was seen."""
        seen = self.confirms.setdefault(read_header(confirm).session, [])
        said = confirm[_NONCE], confirm[_SHARE]
        if said not in seen:
            seen.append(said)

    def welcomed(self, welcome: bytes) -> None:
        """A WELCOME was seen: what could it be sealed with?"""
        session = read_header(welcome).session
        server_nonce = welcome[HEADER_BYTES : HEADER_BYTES + NONCE_BYTES]
        server_share = welcome[HEADER_BYTES + NONCE_BYTES : WELCOME_CLEAR_BYTES]
        known = self.connections.setdefault(session, [])
        for client_nonce, share in self.confirms[session]:
            agreed = self.exchanges[share].agree(server_share)
            assert agreed is not None
            transcript = Transcript(session, client_nonce, server_nonce, share, server_share)
            secret = connection_secret(self.keys[session], agreed, transcript)
            if all(secret != phases[0] for phases in known):
                known.append([secret, next_secret(secret)])

    def _given(self, session: int, spare: Number) -> None:
        """A spare, which may have been somebody's before."""
        owner, given = self.spares.get(spare.session, (session, []))
        if owner != session:
            given = []
        if spare.session and spare not in given:
            self.spares[spare.session] = session, [*given, spare]

    def _read(self, session: int, header: Header, secret: bytes) -> None:
        """What was sealed may hold a spare."""
        if header.kind is Kind.WELCOME:
            welcome = read_welcome(secret, header.length)
            self._given(session, Number(welcome.spare, welcome.spare_offset))
        elif header.kind is Kind.DATA:
            for message in read_messages(read_data(secret)[1]):
                if message.type == MessageType.NUMBER:
                    self._given(session, read_number(message.body))

    def sealed_with(self, datagram: bytes, *, to_gateway: bool) -> tuple[bytes, bytes]:
        """Key and nonce of a sealed datagram.

        Raises:
            AssertionError: it was sealed with no key of its session.
        """
        header = read_header(datagram)
        session, given = self.spares.get(header.session, (header.session, [Number(header.session)]))
        for number in given:
            counter = number.counter(header.counter, to_gateway=to_gateway)
            for phases in reversed(self.connections[session]):
                found = self._opened(phases, header, counter, datagram, to_gateway=to_gateway)
                if found is not None:
                    key, secret = found
                    if not to_gateway:
                        self._read(session, header, secret)
                    return key.key, key.nonce(counter)
        raise AssertionError(f"sealed with no key of its session: {datagram.hex()}")

    @staticmethod
    def _opened(
        phases: list[bytes], header: Header, counter: int, datagram: bytes, *, to_gateway: bool
    ) -> tuple[DirectionKey, bytes] | None:
        """Key and secret, if it is of this connection."""
        clear = WELCOME_CLEAR_BYTES if header.kind is Kind.WELCOME else HEADER_BYTES
        for phase in range(header.flags & KEY_PHASE, len(phases), 2)[::-1]:
            keys = traffic_keys(phases[phase])
            key = keys.client_to_gateway if to_gateway else keys.gateway_to_client
            try:
                secret = key.open(counter, datagram, clear)
            except BadTagError:
                continue
            if phase == len(phases) - 1:
                phases.append(next_secret(phases[-1]))
            return key, secret
        return None


def nonces(
    tap: Iterable[tuple[bool, bytes]], keys: Mapping[int, bytes], secrets: Iterable[bytes]
) -> list[tuple[bytes, bytes]]:
    """(key, nonce) of every sealed datagram, in the order in which they were sent.

    Args:
        tap: what was sent, and whether to the gateway.
        keys: issued keys by session.
        secrets: X25519 secrets of the clients.

    Raises:
        AssertionError: a sealed datagram was sealed with no key of its session.
    """
    exchanges = {exchange.share: exchange for exchange in map(Exchange, secrets)}
    wiretap = Wiretap(keys, exchanges)
    found = []
    for to_gateway, datagram in tap:
        kind = read_header(datagram).kind
        if kind is Kind.CONFIRM:
            wiretap.confirmed(datagram)
        if kind is Kind.WELCOME:
            wiretap.welcomed(datagram)
        if kind in SEALED:
            found.append(wiretap.sealed_with(datagram, to_gateway=to_gateway))
    return found
