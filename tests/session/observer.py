# SPDX-License-Identifier: BSD-3-Clause
"""Somebody without keys sees two networks: does anything in clear tell that the same player is on both?"""

from __future__ import annotations

from collections.abc import Iterable

from pyshim.protocol.session_wire import SEALED, Header, Kind, read_header

Seen = list[tuple[bool, bytes]]  # whether to the gateway, what

_NEAR = 4096  # of counters: what two that have nothing to do with each other hardly are
_GRAM = 8  # bytes that are the same in two datagrams only if one was made of the other
_COUNTER_MODULUS = 1 << 32


def numbers(seen: Seen) -> set[int]:
    """In what was seen."""
    return {read_header(datagram).session for _, datagram in seen}


def _sealed(seen: Seen, *, to_gateway: bool) -> list[Header]:
    headers = [read_header(datagram) for way, datagram in seen if way == to_gateway]
    return [header for header in headers if header.kind in SEALED and header.kind is not Kind.WELCOME]


def _counters(seen: Seen, *, to_gateway: bool) -> list[int]:
    return sorted({header.counter for header in _sealed(seen, to_gateway=to_gateway)})


def _are_near(some: Iterable[int], others: Iterable[int]) -> bool:
    """Whether one of each lie beside each other, also around the end."""
    places = {counter // _NEAR for counter in others}
    last = _COUNTER_MODULUS // _NEAR
    return any((counter // _NEAR + step) % last in places for counter in some for step in (-1, 0, 1))


def _grams(seen: Seen) -> set[bytes]:
    return {
        datagram[at : at + _GRAM] for _, datagram in seen for at in range(max(0, len(datagram) - _GRAM + 1))
    }


def links(one: Seen, other: Seen) -> list[str]:
    """Why what was seen on two networks is one player's; empty where nothing tells."""
    found = []
    if shared := numbers(one) & numbers(other):
        found.append(f"both have number {sorted(shared)}")
    for to_gateway in (True, False):
        if _are_near(_counters(one, to_gateway=to_gateway), _counters(other, to_gateway=to_gateway)):
            found.append(f"counters {'to' if to_gateway else 'from'} the gateway go on")
    if shared_bytes := _grams(one) & _grams(other):
        found.append(f"both have the bytes {min(shared_bytes).hex()}")
    return found


def tell_order(issued: list[int], spares: list[int]) -> list[str]:
    """Why spares of several players, who all came to another network, show who was issued which number."""
    found = []
    for name, pairs in (
        (
            "difference",
            [(spare - number) % _COUNTER_MODULUS for number, spare in zip(issued, spares, strict=True)],
        ),
        ("exclusive or", [spare ^ number for number, spare in zip(issued, spares, strict=True)]),
    ):
        if len(set(pairs)) < len(pairs):
            found.append(f"two have the same {name}")
    by_issued = [spare for _, spare in sorted(zip(issued, spares, strict=True))]
    if by_issued in (sorted(spares), sorted(spares, reverse=True)):
        found.append("they are in the order of those issued")
    return found
