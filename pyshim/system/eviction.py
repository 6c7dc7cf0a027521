# SPDX-License-Identifier: BSD-3-Clause
"""Which of too many connections makes room for a new one: one of whoever has most of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from ipaddress import IPv6Address, ip_address
from typing import Any, TypeVar

T = TypeVar("T")


def source_of(address: Any) -> str:
    """Whose connection it is, by its peer's address as `accept` tells it; all of a local socket are alike.

    An IPv6 address counts with its /64, which is what one host has.
    """
    if not isinstance(address, tuple) or not address:
        return ""
    try:
        ip = ip_address(str(address[0]).partition("%")[0])
    except ValueError:
        return str(address[0])
    if isinstance(ip, IPv6Address):
        return str(ip.ipv4_mapped or ip.packed[:8].hex())
    return str(ip)


def oldest_of_most(candidates: Iterable[T], source: Callable[[T], str]) -> T | None:
    """The oldest candidate of the source that has most; None if there is none.

    The candidates come in the order of their age. So a source that opens many connections loses its own, and
    not one that another source has just opened.
    """
    them = list(candidates)
    if not them:
        return None
    counts = Counter(map(source, them))
    most = max(counts.values())
    return next(one for one in them if counts[source(one)] == most)
