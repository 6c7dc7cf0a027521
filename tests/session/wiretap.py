# SPDX-License-Identifier: BSD-3-Clause
"""Someone who has all issued keys reads along: which key and nonce sealed each datagram? None may repeat."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pyshim.protocol.session_crypto import BadTagError, DirectionKey, derive
from pyshim.protocol.session_wire import SEALED, Kind, read_header


def nonces(tap: Iterable[tuple[bool, bytes]], keys: Mapping[int, bytes]) -> list[tuple[bytes, bytes]]:
    """(key, nonce) of every sealed datagram, in the order in which they were sent.

    Args:
        tap: what was sent, and whether to the gateway.
        keys: issued keys by session.

    Raises:
        AssertionError: a sealed datagram was sealed with no key of its session.
    """
    client_nonces: dict[int, list[bytes]] = {}
    traffic: dict[tuple[int, bool], list[DirectionKey]] = {}
    found = []
    for to_gateway, datagram in tap:
        header = read_header(datagram)
        if header.kind is Kind.CONFIRM:
            client_nonces.setdefault(header.session, []).append(datagram[16:32])
        if header.kind not in SEALED:
            continue
        if header.kind is Kind.WELCOME:
            _learn(traffic, client_nonces[header.session], datagram, keys[header.session])
        clear = 28 if header.kind is Kind.WELCOME else 12
        found.append(_sealed_with(traffic[header.session, to_gateway], header.counter, datagram, clear))
    return found


def _learn(
    traffic: dict[tuple[int, bool], list[DirectionKey]],
    client_nonces: list[bytes],
    welcome: bytes,
    key: bytes,
) -> None:
    header = read_header(welcome)
    for client_nonce in dict.fromkeys(client_nonces):
        keys = derive(key, header.session, client_nonce, welcome[12:28])
        for to_gateway, direction in ((True, keys.client_to_gateway), (False, keys.gateway_to_client)):
            known = traffic.setdefault((header.session, to_gateway), [])
            if direction not in known:
                known.append(direction)


def _sealed_with(known: list[DirectionKey], counter: int, datagram: bytes, clear: int) -> tuple[bytes, bytes]:
    for key in reversed(known):
        try:
            key.open(counter, datagram, clear)
        except BadTagError:
            continue
        return key.key, key.nonce(counter)
    raise AssertionError(f"sealed with no key of its session: {datagram.hex()}")
