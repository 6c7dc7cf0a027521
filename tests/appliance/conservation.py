# SPDX-License-Identifier: BSD-3-Clause
"""The books of a run that has ended, from its JSON summary: every packet is counted once, and only once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Tree = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Books:
    """Totals over all workers; mappings hold only what is not zero."""

    received: int
    handled: Counter[str]
    dropped: Counter[str]
    to_kernel: int
    forwarded: int
    originated: int
    offered: int
    sent: int
    unsent: Counter[str]
    sessions: int
    admitted: int
    expired: int

    @property
    def answered(self) -> int:
        """Packets that were handled; each has one answer."""
        return self.handled.total()


def books(summary: Tree) -> Books:
    """Read a summary and hold it to the conservation law: of every worker, and of ports against workers.

    Raises:
        AssertionError: packets appeared or disappeared.
    """
    for worker, received in summary["pollgate_received_packets_total"].items():
        _conserved(summary, worker, received)
    result = Books(
        received=_total(summary, "received_packets_total"),
        handled=_by_label(summary, "messages_total"),
        dropped=_by_label(summary, "drops_total"),
        to_kernel=_total(summary, "to_kernel_packets_total"),
        forwarded=_total(summary, "forwarded_packets_total"),
        originated=_total(summary, "transmit_originated_packets_total"),
        offered=_total(summary, "transmit_offered_packets_total"),
        sent=_total(summary, "transmit_sent_packets_total"),
        unsent=_by_label(summary, "transmit_drops_total"),
        sessions=summary["pollgate_sessions"]["active"],
        admitted=_total(summary, "sessions_admitted_total"),
        expired=_total(summary, "sessions_expired_total"),
    )
    assert result.received == _total(summary, "port_receive_packets_total")
    assert result.sent == _total(summary, "port_transmit_packets_total")
    assert result.sessions == result.admitted - result.expired
    mail = summary["pollgate_session_messages_handed_over_total"].values()
    assert sum(of["out"] for of in mail) == sum(of["in"] for of in mail)
    return result


def assert_no_buffer_is_missing(summary: Tree, *, held: int = 0) -> None:
    """Every packet buffer is back in its pool, but for those that receive rings hold ready."""
    pools = summary["pollgate_mempool_objects"]
    assert pools
    for name, levels in pools.items():
        assert levels["in_use"] == held, f"{levels['in_use'] - held} buffers of pool {name} are lost"


def _conserved(summary: Tree, worker: str, received: int) -> None:
    handled = sum(summary["pollgate_messages_total"][worker].values())
    dropped = sum(summary["pollgate_drops_total"][worker].values())
    to_kernel = summary["pollgate_to_kernel_packets_total"].get(worker, 0)
    forwarded = summary["pollgate_forwarded_packets_total"].get(worker, 0)
    handed = summary["pollgate_handed_over_packets_total"][worker]
    ended = handled + dropped + to_kernel + forwarded + handed["out"]
    assert received + handed["in"] == ended, f"worker {worker}"
    offered = summary["pollgate_transmit_offered_packets_total"][worker]
    sent = summary["pollgate_transmit_sent_packets_total"][worker]
    unsent = sum(summary["pollgate_transmit_drops_total"][worker].values())
    assert offered == sent + unsent, f"worker {worker}"
    silent = summary["pollgate_unanswered_packets_total"][worker]
    originated = summary["pollgate_transmit_originated_packets_total"][worker]
    assert offered == handled - silent + originated, f"worker {worker}"
    assert summary["pollgate_message_handling_seconds"][worker]["count"] == handled - silent, (
        f"worker {worker}"
    )


def _total(summary: Tree, name: str) -> int:
    return sum(summary[f"pollgate_{name}"].values())


def _by_label(summary: Tree, name: str) -> Counter[str]:
    counts: Counter[str] = Counter()
    for labels in summary[f"pollgate_{name}"].values():
        counts.update({label: count for label, count in labels.items() if count})
    return counts
