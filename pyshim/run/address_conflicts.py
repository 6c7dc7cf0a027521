# SPDX-License-Identifier: BSD-3-Clause
"""When to tell the operator that another host uses an address of ours."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from pyshim.stats import PortSnapshot

PAUSE_S = 60.0  # between two sentences about one port


@dataclass(frozen=True, slots=True)
class _Told:
    at_s: float
    seen: int


@dataclass(frozen=True, slots=True)
class AddressConflicts:
    """What was told of each port. Immutable; times are of any clock that does not go back."""

    told: dict[str, _Told] = field(default_factory=dict)

    def look(self, ports: Iterable[PortSnapshot], now_s: float) -> tuple[Self, tuple[str, ...]]:
        """The sentences that are due, and what to look with the next time."""
        told = dict(self.told)
        sentences = []
        for port in ports:
            conflict, before = port.conflict, told.get(port.name)
            if conflict is None or (
                before and (conflict.seen <= before.seen or now_s - before.at_s < PAUSE_S)
            ):
                continue
            told[port.name] = _Told(now_s, conflict.seen)
            sentences.append(
                f"port {port.name}: another host, {conflict.mac}, says that {conflict.address} is its "
                f"address; it is ours, {port.mac}, and players reach the one or the other: give one of "
                f"the two another"
            )
        return type(self)(told), tuple(sentences)
