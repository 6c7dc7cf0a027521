# SPDX-License-Identifier: BSD-3-Clause
"""The C core as a gateway on the tests' network: datagrams as from sockets, the tests' clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Address
from types import TracebackType
from typing import Self

from pyshim.dataplane import new_state, tsc, tsc_hz
from pyshim.operator_messages import OperatorMessage
from pyshim.plan import (
    DEFAULT_DELIVERY,
    AddressPlan,
    ListenerPlan,
    ListenerPolicy,
    Plan,
    Policy,
    PortPlan,
    SocketPlan,
    WorkerPlan,
)
from pyshim.protocol.client.ticket import Ticket
from pyshim.sessions import SessionTable
from pyshim.stats import WorkerSnapshot
from tests.native.core import Core, Datagram
from tests.strategies import INTERFACES, MAC

Sent = list[tuple[int, bytes]]

FIRST = int(IPv4Address("203.0.113.0"))  # of the players' addresses
SOURCE_PORT = 20000
GATEWAY = "192.0.2.1"
PORT = 8081
POLL_S = 0.002  # the core does not say when something is due
NO_LIMITS = replace(
    DEFAULT_DELIVERY, message_pps=(0,) * len(DEFAULT_DELIVERY.message_pps), handshake_permille=1000
)


def plan(policy: Policy | None = None, issued_capacity: int = 64, message_memory_mib: int = 16) -> Plan:
    """A gate whose only listener speaks the session profile."""
    return Plan(
        engine="epoll",
        eal_args=(),
        control_cpus=(),
        main_lcore=0,
        workers=(WorkerPlan(0, 0, (), "the core"),),
        ports=(
            PortPlan(
                "test",
                "none",
                None,
                tuple(AddressPlan.of(interface) for interface in INTERFACES),
                MAC,
                False,
                "software",
                0,
                1,
                64,
                64,
                -1,
            ),
        ),
        pools=(),
        listeners=(ListenerPlan(PORT, "session", "issued"),),
        session_capacity=64,
        state_bytes=0,
        sockets=SocketPlan(0, 0, 0, "ordinary"),
        huge_pages=False,
        isa="auto",
        log_level="info",
        policy=policy or Policy(30 * 10**9, 0, 1, (ListenerPolicy(0, 1),), NO_LIMITS),
        notes=(),
        issued_capacity=issued_capacity,
        message_memory_mib=message_memory_mib,
    )


class CoreGateway:
    """A context manager. `epoch` is the tests' time at which the core was opened."""

    def __init__(self, plan_: Plan | None = None, epoch: float = 100.0) -> None:
        self._plan = plan_ or plan()
        self.state = new_state(self._plan)
        self.core = Core(self._plan, self.state)
        self.table = SessionTable(self.state)
        self._epoch = epoch
        self._hz = tsc_hz()
        self._start = tsc()
        self._now = epoch
        self.poll_s = POLL_S
        self.answers = 0
        self.egress = 0
        self.drops: Counter[str] = Counter()

    def tsc(self, now: float) -> int:
        return self._start + round((now - self._epoch) * self._hz)

    def issue(self, player_id: int, ttl_s: int = 86_400, *, once: bool = False) -> Ticket:
        issued = self.table.issue(player_id, ttl_s, once=once)
        return Ticket(issued.session, issued.key, GATEWAY, PORT)

    def burst(
        self, sources: Sequence[int], datagrams: Sequence[bytes], now: float
    ) -> list[tuple[str | None, bytes]]:
        """Run datagrams as one burst: each one's drop reason and answer."""
        self._now = max(self._now, now)
        burst = [
            Datagram(IPv4Address(FIRST + source), SOURCE_PORT, 0, datagram)
            for source, datagram in zip(sources, datagrams, strict=True)
        ]
        answers = self.core.datagrams(burst, self.tsc(now))
        self.drops.update(answer.drop for answer in answers if answer.drop)
        self.answers += sum(answer.reply is not None for answer in answers)
        return [(answer.drop, answer.reply or b"") for answer in answers]

    def receive(self, source: int, datagram: bytes, now: float) -> Sent:
        ((_, answer),) = self.burst([source], [datagram], now)
        return [(source, answer)] if answer else []

    def due(self, now: float) -> Sent:
        self._now = max(self._now, now)
        egress = self.core.due(self.tsc(now))
        self.egress += len(egress)
        return [(int(packet.to) - FIRST, packet.payload) for packet in egress]

    def next_due(self) -> float:
        return self._now + self.poll_s

    def expire(self, now: float) -> int:
        return self.core.expire(self.tsc(now))

    def crash(self, policy: Policy | None = None) -> None:
        """The worker process dies, and the next one, with its policy, takes over what outlives it."""
        self.core.close()
        if policy is not None:
            self._plan = replace(self._plan, policy=policy)
        self.core = Core(self._plan, self.state)
        self.answers = self.egress = 0
        self.drops.clear()

    def send(self, operator_message: OperatorMessage, now: float) -> None:
        self.core.send(operator_message, self.tsc(now))

    def stats(self) -> WorkerSnapshot:
        return self.core.stats()

    def check_books(self) -> None:
        """Every packet ended in one counter, and what left was an answer or counted as the core's own."""
        stats = self.stats()
        handled, dropped = sum(stats.handled.values()), sum(stats.dropped.values())
        ends = handled + dropped + stats.to_kernel + stats.forwarded + stats.handed_out
        assert stats.received + stats.handed_in == ends, stats
        assert self.answers == handled - stats.unanswered, stats
        assert self.egress == stats.tx_originated, stats
        assert stats.dropped == {name: self.drops[name] for name in stats.dropped}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self.core.close()
        self.table.close()
        self.state.close()
