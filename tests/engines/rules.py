# SPDX-License-Identifier: BSD-3-Clause
"""Packets lost on purpose: a rule of the kernel's packet filter that counts what it drops."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from tests.network.namespace import Namespace


@dataclass(frozen=True, slots=True)
class Rule:
    """The only rule of a chain."""

    namespace: Namespace
    tool: str
    chain: str

    def packets(self) -> int:
        """How many packets it has dropped."""
        # Two lines of headings; then packets, bytes, target ...
        listing = self.namespace.run(self.tool, "-w", "-nvxL", self.chain).splitlines()
        (rule,) = listing[2:]
        return int(rule.split()[0])


@contextlib.contextmanager
def dropping(namespace: Namespace, chain: str, *match: str, family: int = 4) -> Iterator[Rule]:
    """Drop what matches in `chain` of a namespace, for the time of the `with` block."""
    tool = "iptables" if family == 4 else "ip6tables"
    namespace.run(tool, "-w", "-A", chain, *match, "-j", "DROP")
    try:
        yield Rule(namespace, tool, chain)
    finally:
        namespace.run(tool, "-w", "-F", chain)


def every(nth: int) -> tuple[str, ...]:
    """A match for each `nth` packet, beginning with the first."""
    return ("-m", "statistic", "--mode", "nth", "--every", str(nth), "--packet", "0")
